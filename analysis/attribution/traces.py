"""What a method may leave behind on a model: hooks, after an error in the middle of a pass."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

_KEPT = (
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_backward_hooks",
    "_backward_pre_hooks",
)


@contextmanager
def no_hooks_left(model: nn.Module) -> Iterator[None]:
    """Hooks that are added to the model inside are gone afterwards; those it had stay in their places."""
    before = [(place, set(place)) for place in _places(model)]
    try:
        yield
    finally:
        for place, numbers in before:
            for number in [number for number in place if number not in numbers]:
                del place[number]


def _places(model: nn.Module) -> Iterator[dict[int, Any]]:
    for module in model.modules():
        for name in _KEPT:
            place = getattr(module, name, None)
            if isinstance(place, dict):
                yield place
