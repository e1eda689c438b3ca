"""Response of a unit."""

from __future__ import annotations

import dash
from dash import html

from dashboard.widgets import panel as parts

NAME = "sq-unit"


def panel() -> html.Section:
    """The panel."""
    about = parts.About("", "", "", "")
    return parts.panel(NAME, "Response of a unit", [html.Div(id="sq-unit-body")], about=about, picture=False, span=6)


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel."""
