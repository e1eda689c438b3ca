"""What the panels of the Model view share."""

from __future__ import annotations

from dashboard.framing import Frame as Frame
from dashboard.framing import frame as frame
from dashboard.selection import Selection

VIEW = "model"


def is_shown(search: object) -> bool:
    """Whether the page shows this view; callbacks of a view that is not shown compute nothing."""
    return Selection.parse(search).view == VIEW
