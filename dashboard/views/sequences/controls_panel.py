"""Layer and words."""

from __future__ import annotations

import dash
from dash import html

from dashboard.widgets import panel as parts

NAME = "sq-controls"


def panel() -> html.Section:
    """The panel."""
    about = parts.About("", "", "", "")
    return parts.panel(NAME, "Layer and words", [html.Div(id="sq-controls-body")], about=about, picture=False, span=6)


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel."""
