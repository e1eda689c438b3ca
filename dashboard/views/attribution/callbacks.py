"""Wires the Attribution view: each panel attaches its own callbacks."""

from __future__ import annotations

import dash

from dashboard.views.attribution import (
    controls_panel,
    edit_panel,
    feedback_panel,
    inspector,
    instances_panel,
    maps_panel,
    neighbours_panel,
    subset_panel,
    trust_panel,
)

# In reading order.
PARTS = (
    instances_panel,
    controls_panel,
    maps_panel,
    trust_panel,
    edit_panel,
    feedback_panel,
    neighbours_panel,
    subset_panel,
)


def register(app: dash.Dash) -> None:
    """Attach every callback of the view to this app."""
    for part in (*PARTS, inspector):
        part.register(app)
