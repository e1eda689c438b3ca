"""Surrogate."""

from __future__ import annotations

import dash
from dash import html

from dashboard.views.instances.about_surrogate import SURROGATE
from dashboard.widgets import panel as parts

NAME = "in-surrogate"


def panel() -> html.Section:
    """Nothing yet."""
    return parts.panel(NAME, "Surrogate", html.Div(id="in-surrogate-body"), about=SURROGATE, picture=False)


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel."""
    del app
