"""Trust: how far each method can be believed."""

from __future__ import annotations

import dash
from dash import html


def panel() -> html.Div:
    """The panel, empty."""
    return html.Div(id="at-trust-stub")


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel."""
