"""Memory."""

from __future__ import annotations

import dash
from dash import html

from dashboard.widgets import panel as parts

NAME = "sq-memory"


def panel() -> html.Section:
    """The panel."""
    about = parts.About("", "", "", "")
    return parts.panel(NAME, "Memory", [html.Div(id="sq-memory-body")], about=about, picture=False, span=6)


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel."""
