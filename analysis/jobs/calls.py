"""Finding the function of a job, and telling in words what it raised."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from analysis.errors import CutawayError

MEMORY = ("The job ran out of memory.", "Use smaller batches or fewer instances.")
# What a tensor library says when the machine, or the device, has no memory left.
_MEMORY_WORDS = ("out of memory", "can't allocate memory", "not enough memory", "cannot allocate memory")


def load(target: str) -> Callable[..., Any]:
    """The function that 'package.module:function' names."""
    module, _, name = target.partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return function


def explained(error: Exception) -> dict[str, Any]:
    """The outcome of a job that raised: error {message, remedy}, memory (whether it had too little), meant (whether the
    error was raised on purpose, after which its process is as good as before)."""
    if is_memory(error):
        return {"error": {"message": MEMORY[0], "remedy": MEMORY[1]}, "memory": True, "meant": False}
    if isinstance(error, CutawayError):
        return {"error": {"message": error.message, "remedy": error.remedy}, "memory": False, "meant": True}
    text = str(error).strip()
    name = type(error).__name__
    told = {"message": f"{name}: {text}" if text else name, "remedy": "The log shows where it happened."}
    return {"error": told, "memory": False, "meant": False}


def is_memory(error: BaseException | None) -> bool:
    """Whether this error, or the one that caused it, is about memory."""
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, RuntimeError) and any(word in str(error).lower() for word in _MEMORY_WORDS):
        return True
    return error is not None and error.__cause__ is not None and is_memory(error.__cause__)
