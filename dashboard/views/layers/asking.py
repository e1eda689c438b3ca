"""Asking the model from a panel of the Layers view."""

from __future__ import annotations

from typing import Any

from analysis.results import Answer
from dashboard import asking
from dashboard.asking import Pending as Pending
from dashboard.asking import mark_of as mark_of
from dashboard.views.layers import data


def ask(shown: data.Frame, question: str, what: str, *, wait: float = 0.0, **params: Any) -> Answer:
    """See ``dashboard.asking.ask``."""
    return asking.ask(shown.selection, question, what, wait=wait, **params)


def ask_if_ready(shown: data.Frame, question: str, what: str, **params: Any) -> Answer | None:
    """The same, or None while it is not there: for what a panel can do without for a while."""
    try:
        return ask(shown, question, what, **params)
    except Pending:
        return None
