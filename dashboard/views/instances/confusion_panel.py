"""Confusion matrix."""

from __future__ import annotations

import dash
from dash import html

from dashboard.views.instances.about_confusion import CONFUSION
from dashboard.widgets import panel as parts

NAME = "in-confusion"


def panel() -> html.Section:
    """Nothing yet."""
    return parts.panel(NAME, "Confusion matrix", html.Div(id="in-confusion-body"), about=CONFUSION, picture=False)


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel."""
    del app
