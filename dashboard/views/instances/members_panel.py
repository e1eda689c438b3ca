"""Instances by class."""

from __future__ import annotations

import dash
from dash import html

from dashboard.views.instances.about_members import MEMBERS
from dashboard.widgets import panel as parts

NAME = "in-members"


def panel() -> html.Section:
    """Nothing yet."""
    return parts.panel(NAME, "Instances by class", html.Div(id="in-members-body"), about=MEMBERS, picture=False)


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel."""
    del app
