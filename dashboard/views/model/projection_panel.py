"""Projection."""

from __future__ import annotations

import dash
from dash import html

from dashboard.views.model.about_projection import PROJECTION
from dashboard.widgets import panel as parts

NAME = "md-projection"


def panel() -> html.Section:
    """Nothing yet."""
    return parts.panel(NAME, "Projection", html.Div(id="md-projection-body"), about=PROJECTION, picture=False)


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel."""
    del app
