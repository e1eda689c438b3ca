"""What the Runs view is made of."""

from __future__ import annotations

from typing import Any

from dash import html

from dashboard.widgets.attributes import attributes


def layout() -> list[Any]:
    """Runs first, demos below; with no runs the demos come with an introduction."""
    return [
        html.H1("Runs", className="visually-hidden"),
        html.Div(id="runs-intro"),
        html.Section(
            [
                html.Div(
                    [
                        html.Div(
                            [html.H2("Runs"), html.P("", id="runs-subtitle", className="subtitle")],
                            className="panel-heading",
                        )
                    ],
                    className="panel-head",
                ),
                html.Div(id="runs-body", className="panel-body"),
            ],
            className="panel",
            **attributes({"aria-label": "Runs"}),
        ),
        html.Section(
            [
                html.Div(
                    [
                        html.Div(
                            [html.H2("Demos"), html.P("Real data, a real model, trained here.", className="subtitle")],
                            className="panel-heading",
                        )
                    ],
                    className="panel-head",
                ),
                html.Div(id="demos-body", className="panel-body demos"),
                html.Div(id="demo-message", role="status"),
            ],
            className="panel",
            **attributes({"aria-label": "Demos"}),
        ),
    ]
