"""Response of a unit: the words that lower and that raise it most, and how much that varies."""

from __future__ import annotations

from typing import Any

import dash
import dash_mantine_components as dmc
import numpy as np
from dash import ClientsideFunction, Input, Output, State, dcc, html, no_update
from numpy.typing import NDArray

from analysis.errors import CutawayError
from analysis.results import Answer
from dashboard import asking
from dashboard.views.sequences import data, glyphs_parts, unit_data, unit_parts, word_data, word_parts
from dashboard.views.sequences.data import Frame
from dashboard.views.sequences.glyphs_about import UNIT
from dashboard.views.sequences.unit_data import Moved
from dashboard.widgets import panel as parts
from dashboard.widgets.attributes import attributes

NAME = "sq-unit"
OUTPUTS = 5


def panel() -> html.Section:
    """The panel; its numbers come from ``draw_unit``."""
    number = dmc.NumberInput(
        id="sq-unit-number",
        size="xs",
        w=90,
        min=0,
        allowDecimal=False,
        debounce=500,
        **attributes({"aria-label": "Unit, by its number"}),
    )
    return parts.panel(
        NAME,
        "Response of a unit",
        [dcc.Store(id="sq-unit-mark"), html.Div(html.P("Reading …", className="empty-line"), id="sq-unit-body")],
        about=UNIT,
        controls=[html.Label([html.Span("Unit", className="control-label"), number], className="control")],
        picture=False,
        span=5,
    )


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel."""
    shown = ("view", "layer", "states", "cocluster", "word", "filter", "instance", "sample", "checkpoint", "runs")
    app.callback(
        Output("sq-unit-mark", "data"),
        Output("sq-unit-subtitle", "children"),
        Output("sq-unit-body", "children"),
        Output("sq-unit-number", "value"),
        Output("sq-unit-number", "max"),
        *[Input(f"sel-{name}", "data") for name in shown],
        Input("pulse-answers", "data"),
        State("sq-unit-mark", "data"),
        State("url", "data"),
    )(draw_unit)
    app.clientside_callback(
        ClientsideFunction("sequenceGlyphs", "unitNumber"),
        Input("sq-unit-number", "value"),
        State("sq-unit-mark", "data"),
        prevent_initial_call=True,
    )


def draw_unit(*given: Any) -> tuple[Any, ...]:
    """Rows of the words, or what keeps them from being drawn. given: as ``register`` lists them."""
    before, search = given[11], given[12]
    if not data.is_shown(search):
        return (no_update,) * OUTPUTS
    answer: Answer | None = None
    obstacle: Exception | None = None
    try:
        shown = data.frame(search)
        found = unit_data.moved(shown)
        instance = shown.instance
    except (asking.NotReady, CutawayError) as error:
        now: dict[str, Any] = {"mark": asking.mark_of(error), "unit": None}
        if before == now:
            return (no_update,) * OUTPUTS
        return now, "", _brief(error), no_update, no_update
    if found.numbers:
        try:
            answer = data.word_answer(shown, found.numbers, "How much the changes vary")
        except (asking.NotReady, CutawayError) as error:
            obstacle = error
    stage = answer.key if answer is not None else asking.mark_of(obstacle) if obstacle else ""
    grouping, life = data.known_clusters(shown), unit_data.half_life(shown, found.unit)
    chosen = shown.selection.word
    kept = asking.mark(
        found.answer.key, found.unit, stage, grouping and grouping.key, life, chosen, instance, found.least
    )
    now = {"mark": kept, "unit": found.unit}
    if before == now:
        return (no_update,) * OUTPUTS
    return now, subtitle(shown, found), body(shown, found, answer, obstacle, life), found.unit, shown.units - 1


def _brief(error: Exception) -> Any:
    """The panel beside this one waits for the same, and says how far it is."""
    return glyphs_parts.brief(error, "The unit", "see 'Response to a word'")


def body(shown: Frame, found: Moved, answer: Answer | None, obstacle: Exception | None, life: str) -> list[Any]:
    """The box plots, a sentence, and the links."""
    if not found.rows:
        said = f"No word that occurs {found.least} times or more changes unit {found.unit}."
        return [html.P(said, className="empty-line"), *unit_parts.links(shown, found.unit)]
    made = unit_parts.rows(found, percentiles(found, answer), shown.selection.word)
    made.append(html.P(sentence(found), className="quiet"))
    if life:
        made.append(html.P(f"Half-life of its state: {life}.", className="quiet"))
    if isinstance(obstacle, asking.Pending) and obstacle.waiting:
        made.append(html.P("Boxes and whiskers are being computed; the dots are means.", className="quiet"))
    elif obstacle is not None:
        made.append(asking.boxed(obstacle, "How much the changes vary"))
    return [*made, *unit_parts.links(shown, found.unit)]


def percentiles(found: Moved, answer: Answer | None) -> NDArray[Any] | None:
    """(words, 5) of the unit, in the order of ``Moved.rows``; None while they are computed."""
    if answer is None:
        return None
    place = {int(one["id"]): at for at, one in enumerate(answer.json["words"])}
    whole = np.asarray(answer.array("percentiles"))
    return whole[[place[number] for number in found.numbers]][:, :, found.unit]


def sentence(found: Moved) -> str:
    """What moves the unit most, in words."""
    parts_ = []
    if found.lowers:
        lowest = word_data.number(found.mean(found.lowers[0]))
        parts_.append(f"{found.name(found.lowers[0])} lowers it most ({lowest} in the mean)")
    if found.raises:
        parts_.append(
            f"{found.name(found.raises[0])} raises it most (+{word_data.number(found.mean(found.raises[0]))})"
        )
    often = f", among words that occur {found.least} times or more" if found.least > 1 else ""
    return f"{'; '.join(parts_)}{often}."


def subtitle(shown: Frame, found: Moved) -> str:
    """'unit 7 of cluster U2 · lstm, hidden state'."""
    chosen = "" if word_parts.unit_of(shown) is not None else ", which the word shown moves most"
    return f"{word_parts.cluster_line(shown, found.unit)} · {shown.name}{chosen}"
