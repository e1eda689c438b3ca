"""Neuron activation matrix."""

from __future__ import annotations

import dash
from dash import html

from dashboard.views.model.about_matrix import MATRIX
from dashboard.widgets import panel as parts

NAME = "md-matrix"


def panel() -> html.Section:
    """Nothing yet."""
    return parts.panel(NAME, "Neuron activation matrix", html.Div(id="md-matrix-body"), about=MATRIX, picture=False)


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel."""
    del app
