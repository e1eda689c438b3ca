"""Feature maps: how every filter of a layer answers to one instance, and where in it."""

from __future__ import annotations

from typing import Any

import dash
import dash_mantine_components as dmc
from dash import ClientsideFunction, Input, Output, State, dcc, html, no_update

from analysis.errors import CutawayError
from analysis.training.findings import plural
from dashboard.views.layers import data, maps_data
from dashboard.views.layers.asking import mark_of
from dashboard.widgets import panel as parts
from dashboard.widgets.attributes import attributes
from dashboard.widgets.choosing import segmented, stepper
from dashboard.widgets.states import empty_figure

OUTPUTS = 12
ABOUT = parts.About(
    what="One instance, and the activation map of every filter of the layer on it. Bright (dark theme) or dark (light "
    "theme) is strong. For signals and texts a row per filter along time; for dense layers a bar per unit.",
    how="Computed for this instance in one pass of the model, read after a following normalisation. Maps larger than "
    "128 pixels are drawn at the largest value of each block. The overlay is on the map's own scale and lies "
    "where the receptive fields of its positions lie.",
    formula="common scale: 0 to the largest value of all maps; per filter: 0 to the largest value of that map",
    source="Kahng et al., ActiVis, IEEE VIS 2017; receptive fields are found from the model itself.",
)


def panel() -> html.Section:
    """The panel; its numbers come from ``draw_maps``."""
    return parts.panel(
        "maps",
        "Feature maps",
        [
            dcc.Store(id="maps-mark"),
            dcc.Store(id="maps-spec"),
            dcc.Store(id="maps-drawn"),
            _instance_row(),
            html.Div(id="maps-state"),
            html.Div(
                [
                    html.Div([_input(), html.Div(id="maps-legend", className="maps-legend")], className="maps-side"),
                    html.Div([_sheet(), _figure()], className="maps-main"),
                ],
                id="maps-body",
                className="maps-body",
                hidden=True,
            ),
            html.Div("", id="maps-readout", className="maps-readout", role="status"),
        ],
        about=ABOUT,
        controls=[
            segmented("ctl-mapscale", "Scale", [("common", "common"), ("filter", "per filter")], "common"),
            segmented("ctl-overlay", "Overlay", [("off", "off"), ("on", "on the input")], "off"),
        ],
        exports=[("Largest activations (CSV)", "maps-csv")],
        picture=False,
        span=12,
    )


def _instance_row() -> html.Div:
    number = dmc.NumberInput(
        id="ctl-instances",
        min=0,
        step=1,
        allowDecimal=False,
        allowNegative=False,
        hideControls=True,
        debounce=400,
        size="xs",
        w=90,
        placeholder="first",
        **attributes({"aria-label": "Instance, by its place in the data set"}),
    )
    wrong = dmc.Checkbox(id="maps-wrong", label="wrong ones only", size="xs", checked=False)
    return html.Div(
        [
            html.Span("Instance", className="control-label"),
            number,
            html.Div(id="maps-steps", className="maps-steps"),
            wrong,
            html.Span(id="maps-instance", className="maps-instance"),
        ],
        className="maps-row",
        role="group",
        **attributes({"aria-label": "Instance shown"}),
    )


def _input() -> html.Div:
    canvas = html.Canvas(id="maps-input", role="img", **attributes({"aria-label": "The instance"}))
    note = html.P("", id="maps-input-note", className="quiet")
    return html.Div([canvas, note, html.Div(id="maps-input-text")], id="maps-input-box")


def _sheet() -> html.Div:
    canvas = html.Canvas(
        id="maps-sheet",
        tabIndex=0,
        role="application",
        **attributes(
            {
                "aria-label": "Maps of all filters. Arrow keys move, Enter chooses a filter.",
                "aria-roledescription": "grid of pictures",
                "aria-describedby": "maps-readout",
            }
        ),
    )
    return html.Div(canvas, id="maps-sheet-box", className="maps-sheet-box")


def _figure() -> html.Div:
    label = "Activation of every filter along the instance"
    graph = parts.graph("maps-figure", 380, label)
    return html.Div(graph, id="maps-figure-outer", hidden=True)


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel."""
    app.callback(
        Output("maps-mark", "data"),
        Output("maps-spec", "data"),
        Output("maps-figure", "figure"),
        Output("maps-subtitle", "children"),
        Output("maps-state", "children"),
        Output("maps-body", "hidden"),
        Output("maps-legend", "children"),
        Output("maps-steps", "children"),
        Output("maps-instance", "children"),
        Output("maps-input-text", "children"),
        Output("ctl-overlay", "disabled"),
        Output("maps-csv", "href"),
        Input("sel-view", "data"),
        Input("sel-layer", "data"),
        Input("sel-filter", "data"),
        Input("sel-instance", "data"),
        Input("sel-maps", "data"),
        Input("sel-sample", "data"),
        Input("sel-checkpoint", "data"),
        Input("sel-runs", "data"),
        Input("maps-wrong", "checked"),
        Input("scheme", "data"),
        Input("pulse-answers", "data"),
        State("maps-mark", "data"),
        State("url", "data"),
    )(draw_maps)
    app.clientside_callback(
        ClientsideFunction("layers", "maps"),
        Output("maps-drawn", "data"),
        Input("maps-spec", "data"),
        Input("scheme", "data"),
        Input("sel-filter", "data"),
    )
    app.clientside_callback(
        ClientsideFunction("layers", "pickMap"),
        Input("maps-figure", "clickData"),
        State("maps-spec", "data"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("selection", "intent"),
        Input("ctl-mapscale", "value"),
        Input("ctl-overlay", "value"),
        Input("ctl-instances", "value"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("selection", "follow"),
        Output("ctl-mapscale", "value"),
        Output("ctl-overlay", "value"),
        Input("sel-maps", "data"),
    )
    app.clientside_callback(
        ClientsideFunction("selection", "follow"), Output("ctl-instances", "value"), Input("sel-instance", "data")
    )


def draw_maps(
    _view: Any,
    _layer: Any,
    _filter: Any,
    _instance: Any,
    _maps: Any,
    _sample: Any,
    _checkpoint: Any,
    _runs: Any,
    wrong: Any,
    scheme: Any,
    _pulse: Any,
    before: Any,
    search: str | None,
) -> tuple[Any, ...]:
    """The maps of one instance: what the canvas draws, or a figure, and all that is said about them."""
    if not data.is_shown(search):
        return (no_update,) * OUTPUTS
    scheme = "dark" if scheme == "dark" else "light"
    try:
        shown = data.frame(search)
    except (data.NotReady, CutawayError) as error:
        now = mark_of(error)
        box = data.boxed(error, "Feature maps")
        nothing = (now, None, no_update, "", box, True, *[None] * 4, False, "#")
        return (no_update,) * OUTPUTS if now == before else nothing
    index = maps_data.instance_of(shown)
    steps = steps_row(shown, index, wrong is True)
    try:
        found = maps_data.load(shown, index)
    except (data.NotReady, CutawayError) as error:
        now = data.mark(mark_of(error), index, wrong, shown.key)
        if now == before:
            return (no_update,) * OUTPUTS
        box = data.boxed(error, "Feature maps")
        said = maps_data.sample_line(shown, index)
        title = f"{data.called(shown.layer)} · instance {index}"
        return now, None, no_update, title, box, True, None, steps, said, None, False, "#"
    # On the canvas the chosen filter and the theme are the browser's business.
    drawn = () if found.on_canvas else (shown.selection.filter, scheme)
    fields = found.fields.key if found.fields else ""
    now = data.mark(
        found.answer.key, fields, shown.key, wrong, shown.selection.mapscale, shown.selection.overlay, drawn
    )
    if now == before:
        return (no_update,) * OUTPUTS
    figure = empty_figure("") if found.on_canvas else maps_data.figure_of(shown, found, scheme)
    spec = maps_data.spec_of(shown, found)
    return (
        now,
        spec,
        figure,
        maps_data.subtitle_of(shown, found),
        None,
        False,
        legend(found, shown.selection.mapscale),
        steps,
        maps_data.instance_line(shown, found),
        maps_data.input_text(shown, found),
        not spec.get("veil"),
        data.export("feature-maps.csv", shown, "instances"),
    )


def steps_row(shown: data.Frame, index: int, wrong: bool) -> list[Any]:
    """Buttons to the instance before and after in the sample, and where in it this one is."""
    before, after, place = maps_data.neighbours(shown, index, wrong)
    return stepper(("Previous instance", "Next instance"), (before, after), place)


def legend(found: maps_data.Maps, scale: str) -> list[Any]:
    """The scale with its ends, and what lies between them."""
    if found.maps.ndim == 1:
        return []
    signed = found.low < 0
    if scale == "filter":
        ends = ("-largest", "largest of each filter") if signed else ("0", "largest of each filter")
    else:
        ends = (data.finite(found.low, 3), data.finite(found.high, 3))
    parts_: list[Any] = [
        html.Div("Activation", className="quiet"),
        html.Div(className="ramp ramp-signed" if signed else "ramp"),
        html.Div([html.Span(ends[0]), html.Span(ends[1])], className="ramp-ends"),
    ]
    if found.missing:
        parts_.append(html.Div(f"{plural(found.missing, 'value')} not finite (grey)", className="damage"))
    return parts_
