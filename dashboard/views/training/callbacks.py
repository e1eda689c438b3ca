"""Wires the Training view: which function answers which change."""

from __future__ import annotations

import dash
from dash import ClientsideFunction, Input, Output, State

from dashboard.views.training import curve_callbacks, health_callbacks, layer_callbacks

CONTROLS = ("tag", "axis", "scale", "smooth", "mode", "sort", "limit", "page", "base")


def register(app: dash.Dash) -> None:
    """Attach every callback of the view to this app."""
    curve_callbacks.register(app)
    layer_callbacks.register(app)
    health_callbacks.register(app)
    _register_controls(app)


def _register_controls(app: dash.Dash) -> None:
    app.clientside_callback(
        ClientsideFunction("selection", "intent"),
        *[Input(f"ctl-{name}", "value") for name in CONTROLS],
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("selection", "follow"),
        [Output(f"ctl-{name}", "value") for name in CONTROLS],
        Input("sel-curves", "data"),
        Input("sel-heat", "data"),
        Input("sel-limit", "data"),
        Input("sel-page", "data"),
        Input("sel-frame", "data"),
    )
    app.clientside_callback(
        ClientsideFunction("training", "zoom"), Input("curves", "relayoutData"), prevent_initial_call=True
    )
    for name in ("perplexity", "stability"):
        app.clientside_callback(
            ClientsideFunction("training", "pick"),
            Input(name, "clickData"),
            Input(name, "clickAnnotationData"),
            State(name, "figure"),
            State(name, "id"),
            prevent_initial_call=True,
        )
    app.clientside_callback(
        ClientsideFunction("training", "pickFilter"),
        Input("heatmap", "clickData"),
        State("heatmap", "figure"),
        State("heatmap-layer", "data"),
        prevent_initial_call=True,
    )
