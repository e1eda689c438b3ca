"""What stands in the lower panels' place while the panels above already say what is being waited for."""

from __future__ import annotations

from typing import Any

from dash import html

from dashboard import asking


def box(error: Exception, subject: str) -> Any:
    """A box for what keeps a panel from being drawn; one line for what another panel shows in full."""
    if isinstance(error, asking.Pending) and error.waiting:
        return html.P(f"{error.title}: being computed, see above.", className="empty-line")
    return asking.boxed(error, subject)
