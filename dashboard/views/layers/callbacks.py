"""Wires the Layers view: each panel attaches its own callbacks."""

from __future__ import annotations

import dash

from dashboard.views.layers import (
    filter_map_panel,
    filter_panel,
    findings_panel,
    heat_panel,
    input_panel,
    inspector,
    maps_panel,
    sample_bar,
    strip,
)

PARTS = (
    sample_bar,
    strip,
    heat_panel,
    filter_panel,
    findings_panel,
    maps_panel,
    input_panel,
    filter_map_panel,
    inspector,
)


def register(app: dash.Dash) -> None:
    """Attach every callback of the view to this app."""
    for part in PARTS:
        part.register(app)
