"""Computation graph."""

from __future__ import annotations

import dash
from dash import html

from dashboard.views.model.about_graph import GRAPH
from dashboard.widgets import panel as parts

NAME = "md-graph"


def panel() -> html.Section:
    """Nothing yet."""
    return parts.panel(NAME, "Computation graph", html.Div(id="md-graph-body"), about=GRAPH, picture=False)


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel."""
    del app
