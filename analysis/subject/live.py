"""Subjects whose objects live in this process (``Subject.serve``), by the name that the server knows them by."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

_subjects: dict[str, Any] = {}
_closers: list[Callable[[str], None]] = []


def provide(name: str, subject: Any) -> None:
    """Make a subject known."""
    _subjects[name] = subject


def find(name: str) -> Any:
    """The subject of this name, None if there is none."""
    return _subjects.get(name)


def holds(model: Any) -> bool:
    """Whether a model belongs to one of them."""
    return any(getattr(subject, "model", None) is model for subject in list(_subjects.values()))


def at_end(close: Callable[[str], None]) -> None:
    """Call a function with the name of each subject that is withdrawn: whoever opened it puts its model back as it was
    given."""
    if close not in _closers:
        _closers.append(close)


def withdraw(name: str) -> None:
    """Forget a subject."""
    _subjects.pop(name, None)
    for close in _closers:
        with contextlib.suppress(Exception):
            close(name)
