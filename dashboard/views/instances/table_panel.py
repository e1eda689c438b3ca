"""Table."""

from __future__ import annotations

import dash
from dash import html

from dashboard.views.instances.about_table import TABLE
from dashboard.widgets import panel as parts

NAME = "in-table"


def panel() -> html.Section:
    """Nothing yet."""
    return parts.panel(NAME, "Table", html.Div(id="in-table-body"), about=TABLE, picture=False)


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel."""
    del app
