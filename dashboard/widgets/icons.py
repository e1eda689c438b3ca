"""Icons drawn by CSS masks (assets/icons.css), so that nothing is fetched and they take the text's colour."""

from __future__ import annotations

from dash import html

from dashboard.widgets.attributes import attributes


def icon(name: str) -> html.Span:
    """A decorative icon; what it sits in must carry the accessible name."""
    return html.Span(className=f"icon icon-{name}", **attributes({"aria-hidden": "true"}))
