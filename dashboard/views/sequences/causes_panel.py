"""Causes: what the model loses without the pinned cluster of units, or without the chosen unit."""

from __future__ import annotations

from typing import Any

import dash
import dash_mantine_components as dmc
from dash import Input, Output, State, dcc, html, no_update

from analysis.errors import CutawayError
from dashboard import asking
from dashboard.views.sequences import causes_data, causes_parts, data
from dashboard.views.sequences.about_more import CAUSES
from dashboard.views.sequences.causes_data import Units
from dashboard.views.sequences.data import Frame
from dashboard.widgets import panel as parts
from dashboard.widgets.attributes import attributes
from dashboard.widgets.states import empty

NAME = "sq-causes"
OUTPUTS = 4
ASSOCIATION = "A response says which words go with which units: an association. This is the test of a cause."


def panel() -> html.Section:
    """The panel; nothing is tested before somebody asks."""
    return parts.panel(
        NAME,
        "Causes",
        [
            dcc.Store(id="sq-causes-mark"),
            dcc.Store(id=causes_data.STORE),
            html.Div(html.P("Reading …", className="empty-line"), id="sq-causes-body", className="sqm-said"),
        ],
        about=CAUSES,
        controls=_controls(),
        picture=False,
        span=6,
    )


def _controls() -> list[Any]:
    mode = dmc.Select(
        id="sq-causes-mode",
        data=[{"value": "zero", "label": "silent"}, {"value": "clamp", "label": "held at"}],
        value="zero",
        allowDeselect=False,
        size="xs",
        w=96,
    )
    value = dmc.NumberInput(
        id="sq-causes-value",
        value=0,
        step=0.1,
        decimalScale=3,
        min=-causes_data.LARGEST,
        max=causes_data.LARGEST,
        debounce=500,
        size="xs",
        w=84,
        disabled=True,
        **attributes({"aria-label": "Value that units are held at"}),
    )
    return [html.Label([html.Span("Units are", className="control-label"), mode], className="control"), value]


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel."""
    groups = ("view", "layer", "states", "cocluster", "cluster", "filter", "instance", "sample", "checkpoint", "runs")
    app.callback(
        Output("sq-causes-mark", "data"),
        Output("sq-causes-subtitle", "children"),
        Output("sq-causes-body", "children"),
        Output("sq-causes-value", "disabled"),
        *[Input(f"sel-{name}", "data") for name in groups],
        Input("sq-causes-mode", "value"),
        Input("sq-causes-value", "value"),
        Input("pulse-answers", "data"),
        Input(causes_data.STORE, "data"),
        State("sq-causes-mark", "data"),
        State("url", "data"),
    )(draw_causes)


def draw_causes(*given: Any) -> tuple[Any, ...]:
    """The test of what is chosen, and what is known of the others. given: as ``register`` lists them."""
    mode, value, stored, before, search = given[10], given[11], given[13], given[14], given[15]
    if not data.is_shown(search):
        return (no_update,) * OUTPUTS
    manner = causes_data.manner(mode, value)
    try:
        shown = data.frame(search)
        units = causes_data.chosen(shown)
        wanted = causes_data.tokens(stored)
        found, own = _own(shown, units, manner, wanted)
        rest = _rest(shown, manner, wanted)
    except (asking.NotReady, CutawayError) as error:
        now = asking.mark_of(error)
        if now == before:
            return (no_update,) * OUTPUTS
        return now, "", asking.boxed(error, "Causes"), manner[0] != "clamp"
    pinned = units.cluster if units is not None else None
    state = [found and (found.state, found.key, found.job and found.job.progress, found.job and found.job.position)]
    now = asking.mark(shown.source, units and units.units, shown.selection.cluster, manner, state, [r[3] for r in rest])
    if now == before:
        return (no_update,) * OUTPUTS
    body = [*own, *causes_parts.others([row[:3] for row in rest], pinned)]
    return now, subtitle(shown, units), body, manner[0] != "clamp"


def subtitle(shown: Frame, units: Units | None) -> str:
    """'cluster U2 (5 units) · lstm, hidden state'."""
    return shown.name if units is None else f"{units.said} · {shown.name}"


def _own(shown: Frame, units: Units | None, manner: tuple[str, float], wanted: set[str]) -> tuple[Any, list[Any]]:
    """What is known of the units chosen, and how it is drawn."""
    if units is None:
        text = "A cluster of units, or a unit, is tested by taking it out."
        return None, [empty("Nothing is chosen", text, "Click a cluster of units, or a unit, in Words and units.")]
    given = causes_data.params(shown, units, *manner)
    found = causes_data.tested(shown, given, wanted)
    links = causes_parts.links(shown, units)
    if found.state == "ready" and found.answer is not None:
        said = found.answer.json
        lead = causes_parts.verdict(units, said, causes_parts.how(*manner, units))
        drawn = [*lead, *causes_parts.classes(said), *causes_parts.words(shown, said)]
        return found, [html.P(ASSOCIATION, className="quiet"), *drawn, *links]
    if found.state == "none":
        them = "it" if len(units.units) == 1 or units.cluster is not None else "them"
        label = f"Test without {them}" if manner[0] == "zero" else f"Test with {them} held at {manner[1]:g}"
        cost = "The sample goes through the model four times: without these units, and without others drawn at random."
        ask = causes_data.button(label, [causes_data.token(shown, given)], said=f"{label}: {units.said}")
        offer = html.Div([ask, html.Span(cost, className="quiet")], className="sqm-offer")
        return found, [html.P([html.B(units.said[:1].upper() + units.said[1:]), f". {ASSOCIATION}"]), offer, *links]
    return found, [asking.Pending(found, f"Test of {units.said}").box, *links]


def _rest(
    shown: Frame, manner: tuple[str, float], wanted: set[str]
) -> list[tuple[Units, dict[str, Any] | None, Any, Any]]:
    """All clusters of units: what is known of each, what can be done, and a mark of both."""
    rows: list[tuple[Units, dict[str, Any] | None, Any, Any]] = []
    for units in causes_data.clusters(shown):
        given = causes_data.params(shown, units, *manner)
        found = causes_data.tested(shown, given, wanted)
        if found.state == "ready" and found.answer is not None:
            rows.append((units, found.answer.json, None, found.key))
            continue
        if found.state == "none":
            label = f"Test {units.name}"
            action: Any = causes_data.button("Test", [causes_data.token(shown, given)], said=label)
        else:
            text = {"waiting": "being tested …"}.get(found.state, "not computed: choose it to see why")
            action = html.Span(text, className="quiet")
        rows.append((units, None, action, (found.state, units.units)))
    return rows
