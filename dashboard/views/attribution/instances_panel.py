"""Instances: strip and grid of instances to explain."""

from __future__ import annotations

import dash
from dash import html


def panel() -> html.Div:
    """The panel, empty."""
    return html.Div(id="at-instances-stub")


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel."""
