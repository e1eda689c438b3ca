"""Hooks of a model: which it has, and how those that others put there go away again. Needs torch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

# The dictionaries in which a module keeps its hooks, by number. Handles keep references to them, so they stay in place.
_KEPT = (
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_backward_hooks",
    "_backward_pre_hooks",
)
Hooks = set[tuple[int, str, int]]


def hooks_of(model: nn.Module) -> Hooks:
    """Which hooks a model has now; those that it came with are part of it (weight normalisation, pruning)."""
    return {
        (id(module), name, number)
        for module in model.modules()
        for name in _KEPT
        for number in getattr(module, name, None) or ()
    }


@contextmanager
def no_hooks_left(model: nn.Module) -> Iterator[None]:
    """Hooks that are added to the model inside are gone afterwards; those it had stay in their places."""
    before = hooks_of(model)
    try:
        yield
    finally:
        remove_others(model, before)


@contextmanager
def set_aside(model: nn.Module, own: Hooks) -> Iterator[None]:
    """Within, the model has no hooks besides its own; afterwards those it had before, in their order."""
    taken = remove_others(model, own)
    try:
        yield
    finally:
        remove_others(model, own)
        for place, number, value in taken:
            place[number] = value


def remove_others(model: nn.Module, own: Hooks) -> list[tuple[dict[int, Any], int, Any]]:
    """Remove all hooks that are not the model's own; what was removed, and from where."""
    taken = []
    for module in model.modules():
        for name in _KEPT:
            place: dict[int, Any] = getattr(module, name, None) or {}
            for number in [number for number in place if (id(module), name, number) not in own]:
                taken.append((place, number, place.pop(number)))
    return taken
