"""Likely label errors."""

from __future__ import annotations

import dash
from dash import html

from dashboard.views.instances.about_labels import LABELS
from dashboard.widgets import panel as parts

NAME = "in-labels"


def panel() -> html.Section:
    """Nothing yet."""
    return parts.panel(NAME, "Likely label errors", html.Div(id="in-labels-body"), about=LABELS, picture=False)


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel."""
    del app
