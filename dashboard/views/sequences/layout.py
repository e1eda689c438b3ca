"""What the Sequences view is made of; its numbers come from callbacks."""

from __future__ import annotations

from typing import Any

from dash import html

from dashboard.views.sequences.callbacks import PARTS


def layout() -> list[Any]:
    """From the layer to its clusters, to sequences, words and units, to causes and memory, in reading order."""
    return [
        html.H1("Sequences", className="visually-hidden"),
        html.Div([part.panel() for part in PARTS], id="sequences-grid", className="grid"),
    ]
