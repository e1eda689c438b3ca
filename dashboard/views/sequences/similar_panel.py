"""Similar moments: where else the units are on that stay on through the chosen steps."""

from __future__ import annotations

from typing import Any

import dash
import dash_mantine_components as dmc
from dash import ClientsideFunction, Input, Output, State, dcc, html, no_update

from analysis.errors import CutawayError
from dashboard import asking
from dashboard.selection import Selection
from dashboard.views.sequences import data, similar_parts
from dashboard.views.sequences.about_more import SIMILAR
from dashboard.views.sequences.data import Frame
from dashboard.widgets import panel as parts
from dashboard.widgets.attributes import attributes
from dashboard.widgets.states import empty

NAME = "sq-similar"
OUTPUTS = 5
MOST = 50


def panel() -> html.Section:
    """The panel; the search starts when steps are chosen."""
    return parts.panel(
        NAME,
        "Similar moments",
        [
            dcc.Store(id="sq-similar-mark"),
            html.Div(html.P("Reading …", className="empty-line"), id="sq-similar-body", className="sqm-said"),
        ],
        about=SIMILAR,
        controls=_controls(),
        picture=False,
        span=6,
    )


def _controls() -> list[Any]:
    return [
        html.Div(
            [
                html.Span("Steps", className="control-label"),
                _number("sq-similar-from", "First step", 1, None, 1),
                html.Span("to", className="control-label"),
                _number("sq-similar-to", "Last step", 1, None, 1),
            ],
            className="control",
        ),
        html.Label(
            [html.Span("On from", className="control-label"), _number("ctl-son", "Threshold", 0.01, 1, 0.05)],
            className="control",
            title="Share of each unit's own 99th percentile from which on it counts as on",
        ),
    ]


def _number(name: str, label: str, low: float, high: float | None, step: float) -> dmc.NumberInput:
    more = {"max": high} if high is not None else {}
    return dmc.NumberInput(
        id=name,
        value="",
        min=low,
        step=step,
        allowNegative=False,
        allowDecimal=step < 1,
        decimalScale=2,
        clampBehavior="blur",
        debounce=500,
        size="xs",
        w=72,
        **more,
        **attributes({"aria-label": label}),
    )


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel."""
    groups = ("view", "layer", "states", "span", "instance", "sample", "checkpoint", "runs")
    app.callback(
        Output("sq-similar-mark", "data"),
        Output("sq-similar-subtitle", "children"),
        Output("sq-similar-body", "children"),
        Output("sq-similar-from", "value"),
        Output("sq-similar-to", "value"),
        *[Input(f"sel-{name}", "data") for name in groups],
        Input("scheme", "data"),
        Input("pulse-answers", "data"),
        State("sq-similar-mark", "data"),
        State("url", "data"),
    )(draw_similar)
    app.clientside_callback(
        ClientsideFunction("sequencesMore", "span"),
        Input("sq-similar-from", "value"),
        Input("sq-similar-to", "value"),
        State("sq-similar-mark", "data"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("selection", "intent"), Input("ctl-son", "value"), prevent_initial_call=True
    )
    app.clientside_callback(
        ClientsideFunction("selection", "follow"), Output("ctl-son", "value"), Input("sel-span", "data")
    )


def draw_similar(*given: Any) -> tuple[Any, ...]:
    """The moments like the chosen steps. given: as ``register`` lists them."""
    scheme, before, search = given[8], given[10], given[11]
    if not data.is_shown(search):
        return (no_update,) * OUTPUTS
    scheme = "dark" if scheme == "dark" else "light"
    start, stop = Selection.parse(search).steps or (None, 0)
    fields: tuple[Any, Any] = ("", "") if start is None else (start + 1, stop + 1)
    subtitle_ = ""
    try:
        shown = data.frame(search)
        subtitle_ = subtitle(shown, start, stop)
        if start is None:
            mark, body = asking.mark("none", shown.name, shown.instance), _nothing(shown)
        else:
            what = f"Moments like {subtitle_}"
            answer = asking.ask(shown.selection, "sequence_similar", what, **params(shown, start, stop))
            mark = asking.mark(answer.key, scheme)
            if before == {"mark": mark, "fields": list(fields)}:
                return (no_update,) * OUTPUTS
            body = _drawn(shown, answer, scheme)
    except (asking.NotReady, CutawayError) as error:
        mark, body = asking.mark_of(error), [asking.boxed(error, "Similar moments")]
    now = {"mark": mark, "fields": list(fields)}  # the page tells by it what was typed from what was set
    if now == before:
        return (no_update,) * OUTPUTS
    return now, subtitle_, body, *fields


def params(shown: Frame, start: int, stop: int) -> dict[str, Any]:
    """Of the question ``sequence_similar``."""
    threshold = round(max(0.01, shown.selection.son), 2)
    asked = {"instance": shown.instance, "start": start, "stop": stop, "threshold": threshold}
    return {**shown.source, **asked, "units": [], "most": MOST}


def subtitle(shown: Frame, start: int | None, stop: int) -> str:
    """'steps 4 to 9 of instance 12 · lstm, hidden state'."""
    if start is None:
        return f"no steps are chosen · {shown.name}"
    steps = f"step {start + 1:,}" if start == stop else f"steps {start + 1:,} to {stop + 1:,}"
    return f"{steps} of instance {shown.instance:,} · {shown.name}"


def _nothing(shown: Frame) -> list[Any]:
    text = f"Choose steps of instance {shown.instance:,}, and moments of others are found where the same units are on."
    remedy = "Type the first and the last step above, or press 'Choose a span' in the panel Sequences and click two."
    return [empty("No steps are chosen", text, remedy)]


def _drawn(shown: Frame, answer: Any, scheme: str) -> list[Any]:
    said = answer.json
    lead = similar_parts.lead(said)
    if not said["moments"]:
        text = "Nowhere else in the sample is half of these units on at once."
        return [*lead, empty("No moment was found", text, "Choose fewer steps or a lower threshold.")]
    return [*lead, *similar_parts.labels(said), html.H3(_heading(said)), similar_parts.moments(shown, answer, scheme)]


def _heading(said: dict[str, Any]) -> str:
    number = len(said["moments"])
    return f"The {number} best moments" if number == MOST else f"{number} moments"
