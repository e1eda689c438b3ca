"""Suggested subsets."""

from __future__ import annotations

import dash
from dash import html

from dashboard.views.instances.about_suggestions import SUGGESTIONS
from dashboard.widgets import panel as parts

NAME = "in-suggestions"


def panel() -> html.Section:
    """Nothing yet."""
    return parts.panel(NAME, "Suggested subsets", html.Div(id="in-suggestions-body"), about=SUGGESTIONS, picture=False)


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel."""
    del app
