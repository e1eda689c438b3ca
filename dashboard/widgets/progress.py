"""How far a job is."""

from __future__ import annotations

from typing import Any


def share_done(progress: dict[str, Any] | None) -> float | None:
    """Per cent done, 0 to 100; None while the job has not said how much there is to do."""
    if not progress or not progress.get("total"):
        return None
    return min(100.0, 100.0 * float(progress.get("done") or 0) / float(progress["total"]))


def progress_text(progress: dict[str, Any]) -> str:
    """What is being done, how much of it is done, the rate and the time left; '' when nothing is known."""
    words = [str(progress.get("message") or "")]
    if progress.get("total"):
        words.append(f"{progress.get('done', 0):,} of {progress['total']:,} {progress.get('unit') or ''}".strip())
    if progress.get("rate"):
        words.append(f"{progress['rate']:.3g} {progress.get('unit') or ''}/s".replace(" /s", "/s"))
    if progress.get("eta_s") is not None:
        words.append(f"about {max(1, round(progress['eta_s'])):,} s left")
    return " · ".join(word for word in words if word)
