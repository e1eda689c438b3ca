"""Comparison: two co-clusterings side by side, mirrored, with clusters matched."""

from __future__ import annotations

from typing import Any

import dash
import dash_mantine_components as dmc
from dash import ClientsideFunction, Input, Output, State, dcc, html, no_update

from analysis.errors import CutawayError
from dashboard import asking
from dashboard.views.sequences import compare_data, compare_parts, data
from dashboard.views.sequences.about_more import COMPARE
from dashboard.views.sequences.compare_data import Pair
from dashboard.views.sequences.data import Frame
from dashboard.widgets import panel as parts
from dashboard.widgets.attributes import attributes
from dashboard.widgets.states import empty

NAME = "sq-compare"
OUTPUTS = 6


def panel() -> html.Section:
    """The panel; its picture is drawn by assets/sequences_more.js."""
    body = [
        dcc.Store(id="sq-compare-mark"),
        dcc.Store(id="sq-compare-data"),
        html.Div(html.P("Reading …", className="empty-line"), id="sq-compare-state"),
        html.Div(id="sq-compare-picture", className="sqm-picture"),
        html.Div(id="sq-compare-body", className="sqm-said"),
    ]
    picker = dmc.Select(
        id="ctl-scompare",
        data=[],
        value=None,
        placeholder="Choose",
        clearable=True,
        searchable=True,
        size="xs",
        w=260,
        **attributes({"aria-label": "Compare with"}),
    )
    controls = [html.Div([html.Span("Compare with", className="control-label"), picker], className="control")]
    return parts.panel(NAME, "Comparison", body, about=COMPARE, controls=controls, picture=False, span=12)


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel."""
    groups = ("view", "compare", "layer", "states", "cocluster", "word", "wordlook", "sample", "checkpoint", "runs")
    app.callback(
        Output("sq-compare-mark", "data"),
        Output("sq-compare-subtitle", "children"),
        Output("sq-compare-state", "children"),
        Output("sq-compare-data", "data"),
        Output("sq-compare-body", "children"),
        Output("ctl-scompare", "data"),
        *[Input(f"sel-{name}", "data") for name in groups],
        Input("pulse-answers", "data"),
        State("sq-compare-mark", "data"),
        State("url", "data"),
    )(draw_compare)
    app.clientside_callback(
        ClientsideFunction("selection", "intent"), Input("ctl-scompare", "value"), prevent_initial_call=True
    )
    app.clientside_callback(
        ClientsideFunction("sequencesMore", "beside"),
        Output("ctl-scompare", "value"),
        Input("sel-compare", "data"),
        Input("ctl-scompare", "data"),
    )
    app.clientside_callback(
        ClientsideFunction("sequencesMore", "compare"),
        Output("sq-compare-picture", "data-drawn"),
        Input("sq-compare-data", "data"),
        Input("sel-view", "data"),
    )


def draw_compare(*given: Any) -> tuple[Any, ...]:
    """Both sides, and what is said of them. given: as ``register`` lists them."""
    before, search = given[11], given[12]
    if not data.is_shown(search):
        return (no_update,) * OUTPUTS
    offered: list[Any] = []
    try:
        shown = data.frame(search)
        offered = compare_parts.options(shown)
        if not shown.selection.scompare:
            now = asking.mark("none", offered)
            if now == before:
                return (no_update,) * OUTPUTS
            return now, shown.name, _nothing(shown, offered), None, [], offered
        pair = _pair(shown)
    except (asking.NotReady, CutawayError) as error:
        now = asking.mark(asking.mark_of(error), offered)
        if now == before:
            return (no_update,) * OUTPUTS
        return now, "", asking.boxed(error, "The comparison"), None, [], offered
    keys = [one.key for side in (pair.a, pair.b) for one in (side.responses, side.clusters)]
    now = asking.mark(keys, compare_data.word_of(pair), shown.selection.sclip, offered)
    if now == before:
        return (no_update,) * OUTPUTS
    numbers = html.Div(
        [
            html.Div([html.H3("What the clusters are worth"), compare_parts.scores(pair)]),
            html.Div(compare_parts.moved(pair)),
        ],
        className="sqm-numbers",
    )
    body = [*compare_parts.lead(pair), numbers]
    return now, subtitle(pair), [], compare_parts.payload(pair), body, offered


def _pair(shown: Frame) -> Pair:
    """Both sides' answers. Raises Pending and errors."""
    other = data.beside(shown, shown.selection.scompare)
    found = [(one, data.clusters(one), data.responses(one)) for one in (shown, other)]
    sides = [compare_data.side(one, responses, clusters) for one, clusters, responses in found]
    return compare_data.paired(*sides)


def subtitle(pair: Pair) -> str:
    """'lstm, hidden state beside lstm, cell state'."""
    return f"{pair.a.name} beside {pair.b.name}"


def _nothing(shown: Frame, offered: list[Any]) -> Any:
    if not offered:
        text = f"{shown.layer} has one state and one depth, and there is no other layer with steps, and no checkpoint."
        return empty("There is nothing to compare with", text, "Choose a run that saved checkpoints as run A.")
    return empty(
        "Nothing to compare with is chosen", "Two co-clusterings can stand side by side here.", "Choose above."
    )
