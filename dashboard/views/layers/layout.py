"""What the Layers view is made of; its numbers come from callbacks."""

from __future__ import annotations

from typing import Any

from dash import dcc, html

from dashboard.views.layers import (
    filter_map_panel,
    filter_panel,
    findings_panel,
    heat_panel,
    input_panel,
    maps_panel,
    sample_bar,
    strip,
)


def layout() -> list[Any]:
    """From the network to a layer, to a filter, to an instance, in reading order."""
    return [
        html.H1("Layers", className="visually-hidden"),
        dcc.Store(id="layers-inspector-mark"),
        html.Div(
            [
                sample_bar.bar(),
                strip.panel(),
                heat_panel.panel(),
                filter_panel.panel(),
                findings_panel.panel(),
                maps_panel.panel(),
                input_panel.panel(),
                filter_map_panel.panel(),
            ],
            id="layers-grid",
            className="grid",
        ),
    ]
