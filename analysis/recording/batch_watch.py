"""Records a model from its own training batches, without any pass of its own.

Hooks are on the model and its layers only around the passes that are due; at other times training runs as without them.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from analysis.recording import positions
from analysis.recording.budget import Budget
from analysis.recording.capture import Batch
from analysis.recording.labels import plain_labels
from analysis.recording.observer import Observer
from analysis.recording.options import Options
from analysis.recording.pass_hooks import After, Before, LayerHooks
from analysis.recording.sink import Writer
from analysis.recording.trace import Reading, Trace, default_reading

_PATCHES = 512  # of a layer with one position, in a record made of many passes


class BatchWatch:
    """A watched model, read while it trains.

    The first training pass is only traced. Of the passes between two calls of ``log``, the last is read (their number
    is expected to be that of the time before). What is read in ``pool`` steps is put into one record.
    """

    def __init__(
        self, model: nn.Module, layers: Mapping[str, nn.Module], options: Options, writer: Writer, budget: Budget
    ) -> None:
        self._model, self._layers = model, layers
        self._options, self._writer, self._budget = options, writer, budget
        self._observer: Observer | None = None
        self._trace: Trace | None = None
        self._hooks: LayerHooks | None = None
        self._generators: dict[torch.device, torch.Generator] = {}
        self.failure: Exception | None = None
        # Many pooled passes are read thinly: a record needs no more patches than a probe gives.
        self._limit = max(1, _PATCHES * options.every // options.pool) if options.every < options.pool else None
        self._read = 0  # instances pooled so far
        self._count = 0  # instances of the pass read last
        self._labels: list[Tensor] = []
        self._ids: list[Tensor] = []
        self._pooled = 0
        self._open = False  # labels of the pass read last can still be given
        self._passes, self._expected = 0, 1
        self.armed = False
        self.waiting = False  # a pass was read since the last log
        self.resting = False  # no hook is on the model
        self._handles: list[Any] = []
        self._listen()

    def _listen(self) -> None:
        self.resting = False
        self._handles.append(self._model.register_forward_pre_hook(Before(self), with_kwargs=True))

    def arm(self, due: bool) -> None:
        """Called by log: whether to read a pass before the next log."""
        self._expected, self._passes = max(self._passes, 1), 0
        self.armed, self.waiting, self._open = due, False, False
        if self.resting:
            self._listen()
        if due and self._hooks is not None:
            if len(self._handles) == 1:
                self._end_with_after()
            self._hooks.attach()

    def fail(self) -> None:
        """Raise what went wrong in a hook."""
        if self.failure is not None:
            raise self.failure

    def rest(self) -> None:
        """Called by log: no pass will be due before the next log but one; until ``arm`` training runs without hooks."""
        if self._hooks is not None:
            self._hooks.detach()
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self.resting = True

    def _end_with_after(self) -> None:
        self._handles.append(self._model.register_forward_hook(After(self), always_call=True))

    @property
    def passes(self) -> int:
        """Training passes since the last log."""
        return self._passes

    @property
    def traced(self) -> bool:
        """Whether the first training pass has been seen."""
        return self._observer is not None

    @property
    def empty(self) -> bool:
        """Whether nothing is pooled."""
        return self._pooled == 0

    def before(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Behind the hook on the model: a pass begins."""
        if self.failure is not None or not self._model.training or not torch.is_grad_enabled():
            return
        start = self._budget.clock()
        self._passes += 1
        self._open = False
        try:
            self._count = _instances(args, kwargs)
            if self._observer is None:
                self._begin_trace()
            elif self.armed and not self.waiting and self._passes >= self._expected and self._hooks is not None:
                self._hooks.batch = Batch(self._count or None, self._numbers, self._read, self._limit)
        except Exception as error:
            self.failure = error
        self._budget.seconds += self._budget.clock() - start

    def after(self, output: Any) -> None:
        """Behind the hook on the model: a pass ended."""
        if self._trace is not None:
            self._end_trace(output)
        elif self._hooks is not None and self._hooks.batch is not None:
            start = self._budget.clock()
            self._hooks.batch = None
            self.failure = self._hooks.failure
            self._read += self._count
            self._labels.append(_unknown(self._count))
            self._ids.append(self._labels[-1])
            self._pooled += 1
            self.waiting = self._open = True
            self._budget.seconds += self._budget.clock() - start

    def _begin_trace(self) -> None:
        self._stop_trace()
        self._trace = Trace(self._layers, self._model, self._count or None)
        self._trace.__enter__()
        if len(self._handles) == 1:
            self._end_with_after()

    def _end_trace(self, output: Any) -> None:
        trace = self._trace
        self._stop_trace()
        if trace is None or output is None:  # the pass failed
            return
        try:
            readings: list[Reading] = trace.readings(output)
        except Exception:
            readings = [default_reading(name, layer) for name, layer in self._layers.items()]
        try:
            self._observer = Observer(readings, self._options, self._writer, frugal=True)
            self._hooks = LayerHooks(readings, self._budget)
        except Exception as error:
            self.failure = error

    def _stop_trace(self) -> None:
        if self._trace is not None:
            self._trace.__exit__(None, None, None)
            self._trace = None

    def _numbers(self, units: int, device: torch.device) -> Tensor:
        if device not in self._generators:
            self._generators[device] = torch.Generator(device).manual_seed(self._options.random_state)
        return positions.draw(units, self._options.patches, self._generators[device])

    def describe(self, labels: Any, ids: Any) -> None:
        """Labels and identities of the batch that just passed; of no effect when that pass was not read.

        Raises:
            RecordingError: they do not fit the batch.
        """
        if not self._open:
            return
        if labels is not None:
            self._labels[-1] = plain_labels(labels, self._count)
        if ids is not None:
            self._ids[-1] = plain_labels(ids, self._count, "instance ids")

    def record(self, step: int, wall: float) -> None:
        """Write a record of what was pooled."""
        if self._observer is None or self._hooks is None or self.empty:
            return
        self._hooks.detach()  # when they come back, they are behind hooks that others registered meanwhile
        caught, passes = self._hooks.collect(), self._pooled
        labels, ids = torch.cat(self._labels), torch.cat(self._ids)
        self._read, self._pooled, self._labels, self._ids = 0, 0, [], []
        self._open = False
        self._observer.write(caught, passes, labels, ids, step, wall)

    def settle(self) -> None:
        """See ProbeWatch; here nothing was launched that is not part of the training."""

    def detach(self) -> None:
        """Leave the model as it was found."""
        self._stop_trace()
        self.rest()


@functools.lru_cache(maxsize=8)
def _unknown(count: int) -> Tensor:
    return torch.full((count,), -1)


def _instances(args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    """Instances of a batch: the length of its first tensor; 0 if it has none."""
    for value in (*args, *kwargs.values()):
        if isinstance(value, Tensor) and value.dim() > 0:
            return len(value)
    return 0
