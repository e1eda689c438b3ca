"""How long each call of a module takes, measured over several passes. Needs torch."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from analysis.models.graph_trace import Trace

LEAST, MOST = 3, 15  # passes
SECONDS = 0.6  # after which no further pass is made

Times = dict[tuple[str, int], float]


def clock_of(device: torch.device) -> Callable[[], float]:
    """Tells the time in s, once the device has done what it was given."""
    if device.type != "cuda":
        return time.perf_counter

    def now() -> float:
        torch.cuda.synchronize(device)
        return time.perf_counter()

    return now


def module_times(
    model: nn.Module, run: Callable[[], Any], clock: Callable[[], float], told: Callable[[int, int], None]
) -> tuple[Times, float, int]:
    """Median time of each call of each module, with nothing but a clock at its entry and exit.

    Args:
        model: not wrapped. run: makes one pass; the first is not counted. clock: see ``clock_of``. told: of passes made
            and to make.

    Returns:
        Seconds by (dotted name, call from 0); of the whole model; and the number of passes.
    """
    found: dict[tuple[str, int], list[float]] = {}
    whole: list[float] = []
    watch = _Stopwatch(model, clock)
    run()
    with watch:
        while len(whole) < LEAST or (sum(whole) < SECONDS and len(whole) < MOST):
            watch.begin()
            began = clock()
            run()
            whole.append(watch.taken.get(("", 0), clock() - began))
            for key, seconds in watch.taken.items():
                found.setdefault(key, []).append(seconds)
            told(len(whole), MOST)
    medians = {key: statistics.median(values) for key, values in found.items()}
    return medians, statistics.median(whole), len(whole)


def function_times(
    model: nn.Module, run: Callable[[], Any], clock: Callable[[], float], passes: int
) -> dict[str, float]:
    """Median seconds of each function between modules over so many passes, by the id of its node."""
    found: dict[str, list[float]] = {}
    for _ in range(passes):
        trace = Trace(model, counted=False, clock=clock)
        with trace:
            run()
        for node in trace.notes.nodes.values():
            if node.seconds is not None:
                found.setdefault(node.id, []).append(node.seconds)
    return {key: statistics.median(values) for key, values in found.items()}


class _Stopwatch:
    """Times the calls of all modules while it is entered."""

    def __init__(self, model: nn.Module, clock: Callable[[], float]) -> None:
        self._model, self._clock = model, clock
        self._handles: list[Any] = []
        self._running: list[tuple[nn.Module, float]] = []
        self._calls: Counter[str] = Counter()
        self.taken: Times = {}

    def begin(self) -> None:
        """A pass begins."""
        self._calls.clear()
        self._running.clear()
        self.taken = {}

    def __enter__(self) -> _Stopwatch:
        for name, module in self._model.named_modules():
            self._handles.append(module.register_forward_pre_hook(self._entered))
            self._handles.append(module.register_forward_hook(self._leaving(name)))
        return self

    def __exit__(self, *error: Any) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def _entered(self, module: nn.Module, _args: Any) -> None:
        self._running.append((module, self._clock()))

    def _leaving(self, name: str) -> Callable[..., None]:
        def left(module: nn.Module, _args: Any, _output: Any) -> None:
            now = self._clock()
            while self._running:
                running, began = self._running.pop()
                if running is module:
                    self.taken[name, self._calls[name]] = now - began
                    self._calls[name] += 1
                    break

        return left
