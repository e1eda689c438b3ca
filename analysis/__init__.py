"""Cutaway's computing half: records, stores, recorders, questions.

Nothing here imports dash, plotly or flask. Modules that need torch say so in their docstring; the web process
imports only those that do not. ``Subject``, a model with its data, is offered here and imported when it is asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analysis.subject.subject import Subject

__all__ = ["Subject"]


def __getattr__(name: str) -> Any:
    if name == "Subject":
        return importlib.import_module("analysis.subject.subject").Subject
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
