"""Asking the model from a panel: the answer, or what stands in the panel's place until it is there."""

from __future__ import annotations

from typing import Any

from analysis.results import Answer
from dashboard import subjects
from dashboard.views.layers import data
from dashboard.widgets.waiting import failed_box, waiting_box


class Pending(data.NotReady):
    """An answer that is being computed, or could not be. mark: changes with its progress."""

    def __init__(self, found: subjects.Asked, what: str) -> None:
        job = found.job
        waiting = found.state == "waiting"
        error = (job.error if job else None) or {}
        reason = f"{what}: being computed." if waiting else str(error.get("message") or f"{what}: not computed.")
        super().__init__(what, reason, waiting=waiting)
        self.found = found
        self.mark = data.mark(
            found.state, job and job.id, job and job.progress, job and job.position, job and job.error
        )

    @property
    def box(self) -> Any:
        """How far it is, with a button that cancels; or why it failed, with one that tries again."""
        if self.waiting:
            return waiting_box(self.found.job, self.title)
        return failed_box(self.found.job, self.title)


def ask(shown: data.Frame, question: str, what: str, *, wait: float = 0.0, **params: Any) -> Answer:
    """The answer of a question about the model shown; raises Pending until it is there.

    what: what a waiting box calls it. wait: seconds that the request may take for it; every panel that waits holds a
    thread of the server, and the pulse brings what is finished.
    """
    found = subjects.ask(shown.selection, question, wait=wait, **params)
    if found.state != "ready" or found.answer is None:
        raise Pending(found, what)
    return found.answer


def ask_if_ready(shown: data.Frame, question: str, what: str, **params: Any) -> Answer | None:
    """The same, or None while it is not there: for what a panel can do without for a while."""
    try:
        return ask(shown, question, what, **params)
    except Pending:
        return None


def mark_of(error: Exception) -> str:
    """What a panel remembers of an obstacle, so that it is drawn again only when it changes."""
    return error.mark if isinstance(error, Pending) else data.mark(data.line_of(error))
