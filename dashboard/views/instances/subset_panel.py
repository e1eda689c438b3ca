"""Subset."""

from __future__ import annotations

import dash
from dash import html

from dashboard.views.instances.about_subset import SUBSET
from dashboard.widgets import panel as parts

NAME = "in-subset"


def panel() -> html.Section:
    """Nothing yet."""
    return parts.panel(NAME, "Subset", html.Div(id="in-subset-body"), about=SUBSET, picture=False)


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel."""
    del app
