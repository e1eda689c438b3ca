"""Hooks for reading training passes. Copies of the model, also on disk, get some that do nothing instead."""

from __future__ import annotations

import weakref
from typing import Any, Protocol

import torch
from torch import nn

from analysis.recording.budget import Budget
from analysis.recording.capture import Batch
from analysis.recording.pooled import Pooled
from analysis.recording.trace import Reading


class Passes(Protocol):
    """Who is told of training passes."""

    def before(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None: ...
    def after(self, output: Any) -> None: ...


class _Inert:
    """What copies get instead of a hook."""

    def __call__(self, *_: Any) -> None:
        return


class _Hook:
    def __reduce__(self) -> tuple[Any, ...]:
        return (_Inert, ())


class Before(_Hook):
    """On the model: a pass begins."""

    def __init__(self, watch: Passes) -> None:
        self._watch = weakref.ref(watch)

    def __call__(self, _module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if torch.compiler.is_compiling():
            return
        watch = self._watch()
        if watch is not None:
            watch.before(args, kwargs)


class After(_Hook):
    """On the model: a pass ended, or failed (then ``output`` is None)."""

    def __init__(self, watch: Passes) -> None:
        self._watch = weakref.ref(watch)

    def __call__(self, _module: nn.Module, _inputs: Any, output: Any) -> None:
        watch = self._watch()
        if watch is not None:
            watch.after(output)


class LayerHooks:
    """Hooks that read the layers while ``batch`` is set; none raises, the error is kept in ``failure``.

    Args:
        readings: layers and where they are read. budget: what the time spent is added to.
    """

    def __init__(self, readings: list[Reading], budget: Budget) -> None:
        self.batch: Batch | None = None
        self.budget = budget
        self.failure: Exception | None = None
        self._pooled = {reading.name: Pooled(reading) for reading in readings}
        self._handles: list[Any] = []

    def attach(self) -> None:
        """Register the hooks, behind those of others, so that what the next layer gets is read."""
        if not self._handles:
            for pooled in self._pooled.values():
                self._handles.append(pooled.reading.source.register_forward_hook(_Layer(self, pooled)))

    def detach(self) -> None:
        """Remove the hooks."""
        self.batch = None
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def collect(self) -> dict[str, Any]:
        """What was read of each layer since the last time."""
        return {name: pooled.collect() for name, pooled in self._pooled.items()}


class _Layer(_Hook):
    def __init__(self, hooks: LayerHooks, pooled: Pooled) -> None:
        self._hooks, self._pooled = hooks, pooled

    def __call__(self, _module: nn.Module, _inputs: Any, output: Any) -> None:
        hooks = self._hooks
        batch = hooks.batch
        if batch is None:
            return
        start = hooks.budget.clock()
        try:
            self._pooled.take(output, batch)
        except Exception as error:
            hooks.failure = error
        hooks.budget.seconds += hooks.budget.clock() - start
