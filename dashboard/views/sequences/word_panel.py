"""Response to a word: how it changes each unit in the mean, and how much that varies."""

from __future__ import annotations

from typing import Any

import dash
import numpy as np
from dash import ClientsideFunction, Input, Output, State, html, no_update

from analysis.errors import CutawayError
from analysis.results import Answer
from dashboard import asking
from dashboard.views.sequences import data, glyphs_parts, word_data, word_figure, word_parts
from dashboard.views.sequences.data import Frame
from dashboard.views.sequences.glyphs_about import WORD
from dashboard.views.sequences.word_data import Known
from dashboard.widgets import panel as parts
from dashboard.widgets.states import empty_figure

NAME = "sq-word"
OUTPUTS = 7
HIDDEN = {"display": "none"}


def panel() -> html.Section:
    """The panel; its numbers come from ``draw_word``."""
    body = [
        *word_parts.stores(),
        html.Div(id="sq-word-chips"),
        html.Div(
            parts.graph("sq-word-graph", 270, "Mean response of each unit to a word, with bands"),
            id="sq-word-frame",
            style=HIDDEN,
        ),
        html.Div(html.P("Reading …", className="empty-line"), id="sq-word-body", className="sqw-said"),
    ]
    return parts.panel(
        NAME, "Response to a word", body, about=WORD, controls=word_parts.controls(), picture=True, span=7
    )


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel."""
    shown = (
        "view",
        "layer",
        "states",
        "cocluster",
        "word",
        "filter",
        "instance",
        "span",
        "sample",
        "checkpoint",
        "runs",
    )
    app.callback(
        Output("sq-word-mark", "data"),
        Output("sq-word-subtitle", "children"),
        Output("sq-word-chips", "children"),
        Output("sq-word-graph", "figure"),
        Output("sq-word-frame", "style"),
        Output("sq-word-body", "children"),
        Output("sq-word-search", "value"),
        *[Input(f"sel-{name}", "data") for name in shown],
        Input("sq-word-order", "value"),
        Input("scheme", "data"),
        Input("pulse-answers", "data"),
        State("sq-word-mark", "data"),
        State("url", "data"),
    )(draw_word)
    app.callback(
        Output("sq-word-search", "data"),
        Input("sq-word-search", "searchValue"),
        Input("sq-word-mark", "data"),
        State("url", "data"),
    )(offer_words)
    app.clientside_callback(
        ClientsideFunction("sequenceGlyphs", "word"),
        Input("sq-word-search", "value"),
        State("sq-word-beside", "checked"),
        State("sq-word-mark", "data"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("sequenceGlyphs", "unit"), Input("sq-word-graph", "clickData"), prevent_initial_call=True
    )


def draw_word(*given: Any) -> tuple[Any, ...]:
    """The figure and what is said of it. given: as ``register`` lists them."""
    by, scheme, before, search = given[11], given[12], given[14], given[15]
    if not data.is_shown(search):
        return (no_update,) * OUTPUTS
    answer: Answer | None = None
    obstacle: Exception | None = None
    try:
        shown = data.frame(search)
        found = word_data.known(shown)
    except (asking.NotReady, CutawayError) as error:
        now: dict[str, Any] = {"mark": asking.mark_of(error), "words": []}
        if before == now:
            return (no_update,) * OUTPUTS
        box = glyphs_parts.brief(error, "The response", "see above")
        return now, "", [], empty_figure(""), HIDDEN, box, None
    try:
        answer = data.word_answer(shown, found.numbers, "Percentiles of the response")
    except (asking.NotReady, CutawayError) as error:
        obstacle = error
    grouping = data.unit_clusters(shown)
    single = word_data.here(shown, found.numbers[0])
    stage = answer.key if answer is not None else asking.mark_of(obstacle) if obstacle else ""
    unit = word_parts.unit_of(shown)
    kept = asking.mark(
        found.answer.key,
        found.numbers,
        shown.selection.word,
        stage,
        by,
        scheme,
        unit,
        single and single[:2],
        grouping is not None and shown.selection.query() and grouping[1],
        shown.layer,
    )
    now = {"mark": kept, "words": list(found.numbers)}
    if before == now:
        return (no_update,) * OUTPUTS
    drawn = _figure(shown, found, answer, by, grouping, single)
    body = word_parts.said(shown, found, answer, str(scheme))
    if single is not None:
        text = f"The dotted line is {found.name(found.rows[0])} in instance {single[0]:,} at step {single[1] + 1:,}."
        body.append(html.P(text, className="quiet"))
    if answer is not None:
        body += word_parts.places(shown, found, answer, single[1] if single is not None else None)
    elif obstacle is not None:
        body.append(asking.boxed(obstacle, "The percentiles"))
    return now, word_parts.subtitle(shown, found), word_parts.chips(found), drawn, {}, body, None


def _figure(
    shown: Frame,
    found: Known,
    answer: Answer | None,
    by: Any,
    grouping: tuple[np.ndarray[Any, Any], int] | None,
    single: tuple[int, int, Any] | None,
) -> dict[str, Any]:
    mean = np.asarray(found.answer.array("mean"))
    rows = {int(one["id"]): at for at, one in enumerate(answer.json["words"])} if answer is not None else {}
    bands = np.asarray(answer.array("percentiles")) if answer is not None else None
    curves = [
        word_figure.Curve(
            found.name(row), mean[row], bands[rows[number]] if bands is not None and number in rows else None
        )
        for number, row in zip(found.numbers, found.rows, strict=True)
    ]
    clusters = grouping[0] if grouping is not None else None
    order = word_data.order_of(mean[found.rows[0]], clusters, str(by))
    name = f"instance {single[0]:,}, step {single[1] + 1:,}" if single is not None else ""
    return word_figure.figure(
        curves,
        order,
        by=str(by),
        layer=shown.layer,
        single=(name, single[2]) if single is not None else None,
        unit=word_parts.unit_of(shown),
        clusters=clusters,
    )


def offer_words(text: Any, _mark: Any, search: object) -> Any:
    """What the search lists for what was typed; nothing new while the responses are not there."""
    if not data.is_shown(search):
        return no_update
    try:
        shown = data.frame(search)
        return word_data.search(data.responses(shown), str(text or "")[:200])
    except (asking.NotReady, CutawayError):
        return []
