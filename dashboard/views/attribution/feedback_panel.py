"""Your verdict: right, wrong or unclear, kept with the subject."""

from __future__ import annotations

import dash
from dash import html


def panel() -> html.Div:
    """The panel, empty."""
    return html.Div(id="at-feedback-stub")


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel."""
