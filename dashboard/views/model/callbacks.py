"""Wires the Model view: each panel attaches its own callbacks."""

from __future__ import annotations

import dash

from dashboard.views.model import (
    graph_panel,
    inspector,
    matrix_panel,
    projection_panel,
)

# In reading order.
PARTS = (graph_panel, matrix_panel, projection_panel)


def register(app: dash.Dash) -> None:
    """Attach every callback of the view to this app."""
    for part in (*PARTS, inspector):
        part.register(app)
