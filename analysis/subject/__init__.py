"""The subject: a model and its data, as the user gives them, what is inferred of them, and how a worker uses them.

The names below need torch and are imported when they are asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analysis.data.errors import SubjectError
    from analysis.subject.loading import load_subject
    from analysis.subject.session import Session
    from analysis.subject.subject import Subject

_HOMES = {
    "Session": "analysis.subject.session",
    "Subject": "analysis.subject.subject",
    "SubjectError": "analysis.data.errors",
    "load_subject": "analysis.subject.loading",
}
__all__ = ["Session", "Subject", "SubjectError", "load_subject"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
