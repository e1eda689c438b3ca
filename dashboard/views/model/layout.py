"""What the Model view is made of; its numbers come from callbacks."""

from __future__ import annotations

from typing import Any

from dash import html

from dashboard.views.model.callbacks import PARTS


def layout() -> list[Any]:
    """From the graph to the neurons of a layer, to its instances, in reading order."""
    return [
        html.H1("Model", className="visually-hidden"),
        html.Div([part.panel() for part in PARTS], id="model-grid", className="grid"),
    ]
