"""What the Instances view is made of; its numbers come from callbacks."""

from __future__ import annotations

from typing import Any

from dash import html

from dashboard.views.instances.callbacks import PARTS


def layout() -> list[Any]:
    """From the subset to its errors, to its members, to what explains them, in reading order."""
    return [
        html.H1("Instances", className="visually-hidden"),
        html.Div([part.panel() for part in PARTS], id="instances-grid", className="grid"),
    ]
