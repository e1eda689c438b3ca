"""What the Subject view is made of; its numbers come from callbacks."""

from __future__ import annotations

from typing import Any

from dash import dcc, html

from dashboard.views.subject.about import ABOUT
from dashboard.widgets.panel import panel

# name, title, columns of twelve
PANELS = (
    ("understood", "What was understood", 7),
    ("limits", "What will limit a view", 5),
    ("examples", "Instances with predictions", 12),
    ("modules", "Layers of the model", 12),
    ("classes", "Instances per class", 5),
    ("weights", "Weights and device", 7),
)


def layout() -> list[Any]:
    """One line of state, then the panels in reading order."""
    return [
        html.H1("Subject", className="visually-hidden"),
        dcc.Store(id="subject-mark"),
        html.Div(html.P("Reading …", className="quiet"), id="subject-state"),
        html.Div(
            [
                panel(
                    f"subject-{name}",
                    title,
                    html.Div(id=f"subject-{name}-body"),
                    about=ABOUT[name],
                    exports=[("Layers (CSV)", "subject-modules-csv")] if name == "modules" else (),
                    picture=False,
                    span=span,
                )
                for name, title, span in PANELS
            ],
            id="subject-grid",
            className="grid",
            hidden=True,
        ),
    ]
