"""Attributions: one method each, beside each other."""

from __future__ import annotations

import dash
from dash import html


def panel() -> html.Div:
    """The panel, empty."""
    return html.Div(id="at-maps-stub")


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel."""
