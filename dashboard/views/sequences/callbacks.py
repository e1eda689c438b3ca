"""Wires the Sequences view: each panel attaches its own callbacks."""

from __future__ import annotations

import dash

from dashboard.views.sequences import (
    causes_panel,
    clusters_panel,
    compare_panel,
    controls_panel,
    glyphs_panel,
    inspector,
    memory_panel,
    similar_panel,
    unit_panel,
    word_panel,
)

# In reading order.
PARTS = (
    controls_panel,
    clusters_panel,
    glyphs_panel,
    word_panel,
    unit_panel,
    causes_panel,
    similar_panel,
    memory_panel,
    compare_panel,
)


def register(app: dash.Dash) -> None:
    """Attach every callback of the view to this app."""
    for part in (*PARTS, inspector):
        part.register(app)
