"""Asking the model from a panel: the answer, or what stands in the panel's place until it is there."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from dash import html

from analysis.errors import CutawayError
from analysis.results import Answer
from dashboard import subjects
from dashboard.selection import Selection
from dashboard.widgets.states import empty, failure
from dashboard.widgets.waiting import failed_box, waiting_box


class OfSubject:
    """What the frame of a view says of the subject. description: as the worker wrote it."""

    description: dict[str, Any]

    @property
    def kind(self) -> str:
        """'image', 'text', 'series' or 'table'."""
        return str(self.description["kind"])

    @property
    def class_names(self) -> list[str]:
        """Names by label."""
        return [str(name) for name in self.description["classes"]]

    def class_name(self, label: int) -> str:
        """A label's name; 'no label' for -1."""
        if label < 0:
            return "no label"
        names = self.class_names
        return names[label] if label < len(names) else f"class {label}"


class NotReady(Exception):
    """There is nothing to draw yet, or nothing at all.

    text: for a figure, lines parted by '<br>'. box: for a panel. waiting: it will come by itself. told_in: the panel
    that says it in full, with what to do; the others say it in a line. '' if each does.
    """

    def __init__(self, title: str, reason: str, remedy: str = "", *, waiting: bool = False, told_in: str = "") -> None:
        super().__init__(reason)
        self.title, self.reason, self.remedy, self.waiting = title, reason, remedy, waiting
        self.told_in = told_in

    @property
    def text(self) -> str:
        """For a figure that stays in the page."""
        return "<br>".join(part for part in (self.reason, self.remedy) if part)

    @property
    def box(self) -> Any:
        """For a panel's body."""
        if self.told_in:
            return html.P(f"{self.reason} See '{self.told_in}'.", className="empty-line")
        if self.waiting and not self.remedy:  # it comes by itself: a line is enough
            return html.P(self.reason, className="empty-line")
        return empty(self.title, self.reason, self.remedy or None)


class Pending(NotReady):
    """An answer that is being computed, or could not be. mark: changes with its progress."""

    def __init__(self, found: subjects.Asked, what: str) -> None:
        job = found.job
        waiting = found.state == "waiting"
        error = (job.error if job else None) or {}
        reason = f"{what}: being computed." if waiting else str(error.get("message") or f"{what}: not computed.")
        super().__init__(what, reason, waiting=waiting)
        self.found = found
        self.mark = mark(found.state, job and job.id, job and job.progress, job and job.position, job and job.error)

    @property
    def box(self) -> Any:
        """How far it is, with a button that cancels; or why it failed, with one that tries again."""
        if self.waiting:
            return waiting_box(self.found.job, self.title)
        return failed_box(self.found.job, self.title)


def ask(selection: Selection, question: str, what: str, *, wait: float = 0.0, **params: Any) -> Answer:
    """The answer of a question about the model; raises Pending until it is there.

    what: what a waiting box calls it. wait: seconds that the request may take for it; every panel that waits holds a
    thread of the server, and the pulse brings what is finished.
    """
    found = subjects.ask(selection, question, wait=wait, **params)
    if found.state != "ready" or found.answer is None:
        raise Pending(found, what)
    return found.answer


def mark_of(error: Exception) -> str:
    """What a panel remembers of an obstacle, so that it is drawn again only when it changes."""
    return error.mark if isinstance(error, Pending) else mark(line_of(error))


def mark(*parts: Any) -> str:
    """A short digest of all that a drawing depends on: an equal one need not be drawn again."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def described() -> dict[str, Any]:
    """The subject's description. Raises NotReady without a subject, while it is read, and when that failed."""
    found = subjects.described()
    if found.state == "ready" and found.data is not None:
        return found.data
    if found.state == "none":
        raise NotReady(
            "No model is open",
            "This view needs a model and its data.",
            "Start with: python run.py serve --subject my_subject.py (see the Subject view).",
        )
    if found.state == "failed":
        error = (found.job.error if found.job else None) or {}
        raise NotReady(
            "The model cannot be opened",
            str(error.get("message") or "Reading the model and its data failed.").partition("\n")[0],
            "The Subject view says more.",
        )
    raise NotReady("The model", "The model and its data are being read.", waiting=True)


def boxed(error: Exception, subject: str) -> Any:
    """A box for what keeps a panel from being drawn."""
    if isinstance(error, NotReady):
        return error.box
    assert isinstance(error, CutawayError)
    return failure(error, subject)


def line_of(error: Exception) -> str:
    """A figure's text for what keeps it from being drawn."""
    if isinstance(error, NotReady):
        return error.text
    assert isinstance(error, CutawayError)
    return f"{error.message}<br>{error.remedy}"
