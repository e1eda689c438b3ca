"""How far a job is."""

from __future__ import annotations

from typing import Any


def share_done(progress: dict[str, Any] | None) -> float | None:
    """Per cent done, 0 to 100; None while the job has not said how much there is to do."""
    if not progress or not progress.get("total"):
        return None
    return min(100.0, 100.0 * float(progress.get("done") or 0) / float(progress["total"]))
