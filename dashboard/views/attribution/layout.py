"""What the Attribution view is made of; its numbers come from callbacks."""

from __future__ import annotations

from typing import Any

from dash import html

from dashboard.views.attribution.callbacks import PARTS


def layout() -> list[Any]:
    """From the instance to its explanations, to their trust, to what follows, in reading order."""
    return [
        html.H1("Attribution", className="visually-hidden"),
        html.Div([part.panel() for part in PARTS], id="attribution-grid", className="grid"),
    ]
