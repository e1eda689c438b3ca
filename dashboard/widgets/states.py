"""What a panel says when it has nothing to draw, or cannot."""

from __future__ import annotations

from typing import Any

from dash import html

from analysis.errors import CutawayError
from dashboard import theme


def empty(title: str, reason: str, remedy: Any = None) -> html.Div:
    """What would be here, why it is not, and the one thing to do about it."""
    parts: list[Any] = [html.P(title, className="empty-title"), html.P(reason)]
    if remedy is not None:
        parts.append(html.P(remedy) if isinstance(remedy, str) else html.Div(remedy))
    return html.Div(parts, className="empty")


def failure(error: CutawayError, subject: str) -> html.Div:
    """What happened, to what, what to do."""
    return html.Div(
        [
            html.P(f"{subject} cannot be shown.", className="empty-title"),
            html.P(error.message),
            html.P(error.remedy),
        ],
        className="empty failed",
        role="alert",
    )


def empty_figure(text: str) -> dict[str, Any]:
    """A figure that says why it is empty; for panels whose graph must stay in the page."""
    note = {
        # Errors repeat what the user typed: only the line breaks are markup.
        "text": "<br>".join(theme.plain(line, 200) for line in text.split("<br>")),
        "x": 0.5,
        "y": 0.5,
        "xref": "paper",
        "yref": "paper",
        "showarrow": False,
        "font": {"size": 13},
        "align": "center",
    }
    hidden = {"visible": False, "fixedrange": True}
    return {
        "data": [],
        "layout": {
            "template": "none",
            "annotations": [note],
            "xaxis": hidden,
            "yaxis": hidden,
            "paper_bgcolor": "#ffffff",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "margin": {"l": 16, "r": 16, "t": 16, "b": 16},
        },
    }
