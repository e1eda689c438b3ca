"""Computation graph: operators and tensors from left to right, by modules that open on a click."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import dash
import dash_mantine_components as dmc
from dash import ClientsideFunction, Input, Output, State, dcc, html, no_update

from analysis.errors import CutawayError
from analysis.results import Answer
from dashboard import asking
from dashboard.selection import Selection
from dashboard.views.model import data, graph_data, graph_payload
from dashboard.views.model.about_graph import GRAPH
from dashboard.views.model.graph_words import notes, subtitle, told_change
from dashboard.widgets import panel as parts
from dashboard.widgets.attributes import attributes
from dashboard.widgets.choosing import segmented

NAME = "md-graph"
COLOURS = (("type", "Type"), ("parameters", "Parameters"), ("time", "Time"), ("change", "Change"))
FOLLOWING = ("ctl-gcolor", "ctl-gother")


def panel() -> html.Section:
    """The panel; ``draw_graph`` brings what assets/graph.js draws."""
    picture = attributes({"aria-label": "Computation graph, from left to right", "aria-describedby": "md-graph-keys"})
    return parts.panel(
        NAME,
        "Computation graph",
        [
            dcc.Store(id="md-graph-mark"),
            dcc.Store(id="md-graph-change-mark"),
            dcc.Store(id="md-inspector-mark"),
            # Read by assets/graph.js as they change.
            html.Div(id="md-graph-data", hidden=True),
            html.Div(id="md-graph-change", hidden=True),
            html.Div(html.P("Reading …", className="quiet"), id="md-graph-state"),
            html.Div(
                [
                    html.Div(id="md-graph-notes", className="mdg-notes"),
                    html.Div(_tools(), className="mdg-tools"),
                    html.Div(id="md-graph-picture", className="mdg-picture", role="group", **picture),
                    html.Div(id="md-graph-overview", className="mdg-overview", **attributes({"aria-hidden": "true"})),
                    html.Div(id="md-graph-told", className="mdg-told"),
                    html.Div(id="md-graph-legend", className="mdg-legend"),
                    html.Div(id="md-graph-change-note", className="mdg-change"),
                ],
                id="md-graph-box",
                className="mdg-all",
                hidden=True,
            ),
        ],
        about=GRAPH,
        controls=_controls(),
        exports=[("Graph (CSV)", "md-graph-csv"), ("Picture (SVG)", "md-graph-svg")],
        picture=False,
        span=12,
    )


def _controls() -> list[Any]:
    other = dmc.Select(
        id="ctl-gother",
        data=[],
        value=None,
        placeholder=graph_data.OWN,
        clearable=True,
        searchable=True,
        size="xs",
        w=230,
        **attributes({"aria-label": "Compare the weights with"}),
    )
    return [
        segmented("ctl-gcolor", "Colour", COLOURS, "type"),
        html.Div(
            [html.Span("Compare with", className="control-label"), other], id="md-graph-other", className="control"
        ),
    ]


def _tools() -> list[Any]:
    # assets/graph.js answers to these: the server has no part in searching, moving and zooming.
    search = dmc.TextInput(
        id="md-graph-search",
        placeholder="Search layers and operators",
        size="xs",
        w=220,
        **attributes({"aria-label": "Search layers and operators by name or type", "autoComplete": "off"}),
    )
    buttons = (
        ("expand", "Expand all", "Expand all modules"),
        ("collapse", "Collapse all", "Collapse all modules"),
        ("in", "+", "Zoom in"),
        ("out", "−", "Zoom out"),
        ("fit", "Fit", "Show as much of the graph as can be told apart"),
    )
    return [
        html.Div(
            [search, html.Span(id="md-graph-matches", className="quiet", role="status")],
            className="mdg-search",
            role="search",
        ),
        html.Div(
            [
                html.Button(
                    text,
                    type="button",
                    className="outline-button",
                    title=label,
                    **attributes({"aria-label": label, "data-graph-do": what}),
                )
                for what, text, label in buttons
            ],
            className="mdg-buttons",
        ),
        html.P(
            "Drag moves, Ctrl + wheel zooms; arrow keys go from box to box, Enter chooses or expands.",
            id="md-graph-keys",
            className="quiet",
        ),
    ]


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel."""
    asked = [Input(f"sel-{name}", "data") for name in ("view", "graph", "checkpoint", "runs")]
    app.callback(
        Output("md-graph-mark", "data"),
        Output("md-graph-subtitle", "children"),
        Output("md-graph-state", "children"),
        Output("md-graph-box", "hidden"),
        Output("md-graph-data", "children"),
        Output("md-graph-notes", "children"),
        *asked,
        Input("pulse-answers", "data"),
        State("md-graph-mark", "data"),
        State("url", "data"),
    )(draw_graph)
    app.callback(
        Output("md-graph-change-mark", "data"),
        Output("md-graph-change", "children"),
        Output("md-graph-change-note", "children"),
        Output("ctl-gother", "data"),
        *asked,
        Input("pulse-answers", "data"),
        State("md-graph-change-mark", "data"),
        State("url", "data"),
    )(draw_change)
    app.clientside_callback(
        ClientsideFunction("graph", "paint"),
        Output("md-graph-picture", "data-painted"),
        *[Input(f"sel-{name}", "data") for name in ("view", "graph", "layer")],
    )
    app.clientside_callback(
        ClientsideFunction("selection", "intent"),
        *[Input(name, "value") for name in FOLLOWING],
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("selection", "follow"),
        [Output(name, "value") for name in FOLLOWING],
        Input("sel-graph", "data"),
    )


def draw_graph(*given: Any) -> tuple[Any, ...]:
    """Mark, subtitle, state, hidden, payload and notes. given: as ``register`` lists them."""
    before, search = given[5], given[6]
    if not data.is_shown(search):
        return (no_update,) * 6
    selection = Selection.parse(search)
    try:
        answer = graph_data.graph(selection)
        mark = asking.mark(answer.key, selection.gopen)
        if mark == before:
            return (no_update,) * 6
        drawn = graph_payload.payload(answer.json, selection.gopen)
    except (asking.NotReady, CutawayError) as error:
        mark = asking.mark_of(error)
        if mark == before:
            return (no_update,) * 6
        return mark, "", asking.boxed(error, "The computation graph"), True, None, None
    drawn["key"] = answer.key
    return mark, subtitle(answer.json), None, False, as_text(drawn), notes(answer.json, drawn)


def draw_change(*given: Any) -> tuple[Any, ...]:
    """Mark, payload, what is said of it, and what can be compared with. given: as ``register`` lists them."""
    before, search = given[5], given[6]
    if not data.is_shown(search):
        return (no_update,) * 4
    selection = Selection.parse(search)
    offered = graph_data.options(selection)
    if selection.gcolor != "change":
        mark = asking.mark("off", offered)
        return (no_update,) * 4 if mark == before else (mark, None, None, offered)
    try:
        answer, change = graph_data.graph(selection), graph_data.change(selection)
        mark = asking.mark(answer.key, change.key, selection.gopen, offered)
        if mark == before:
            return (no_update,) * 4
        found = changed(answer, change, selection)
    except (asking.NotReady, CutawayError) as error:
        mark = asking.mark(asking.mark_of(error), offered)
        if mark == before:
            return (no_update,) * 4
        return mark, None, asking.boxed(error, "The change of the weights"), offered
    return mark, as_text(found), told_change(change.json, selection.checkpoint), offered


def changed(answer: Answer, change: Answer, selection: Selection) -> dict[str, Any]:
    """What the colour of the graph is while it shows a change."""
    return graph_payload.changes(answer.json, change.json, selection.gopen)


def as_text(value: Mapping[str, Any]) -> str:
    """A payload as text of the page."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
