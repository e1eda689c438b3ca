"""Decides at each step whether the watched layers are recorded, and lets no failure of it reach the training."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable

from analysis.recording.batch_watch import BatchWatch
from analysis.recording.budget import Budget
from analysis.recording.options import Options
from analysis.recording.probe_watch import ProbeWatch
from analysis.recording.schedule import Schedule
from analysis.recording.sink import Writer


class Pacing:
    """A watched model, its schedule and its budget."""

    def __init__(self, watch: ProbeWatch | BatchWatch, options: Options, budget: Budget, writer: Writer) -> None:
        self._watch: ProbeWatch | BatchWatch | None = watch
        self._schedule = Schedule(options.every)
        self._pool = options.pool
        self._budget = budget
        self._writer = writer
        self._written: int | None = None  # step of the last record
        self._before: int | None = None  # step of the last log
        self._refused = False  # the budget did not allow the pass that is due
        self._told: set[str] = set()

    def logged(self, step: int) -> None:
        """Metrics of ``step`` were logged: record the layers if they are due and it can be afforded."""
        if isinstance(self._watch, ProbeWatch):
            self._log_probe(step)
        elif isinstance(self._watch, BatchWatch):
            self._log_batches(self._watch, step)

    def record(self, step: int) -> None:
        """Record the layers, due and affordable or not."""
        watch = self._watch
        if watch is None or (isinstance(watch, BatchWatch) and watch.empty):
            return
        watch.settle()
        with self._budget.record(), self._budget.timed():
            self._guarded(lambda: watch.record(step, time.time()), step)
        self._written = step
        self._schedule.done(step)

    def describe(self, labels: object, ids: object) -> None:
        """Labels and identities of the training batch that just passed. Raises RecordingError as BatchWatch."""
        if isinstance(self._watch, BatchWatch) and not self._watch.resting:
            self._watch.describe(labels, ids)

    def stop(self) -> None:
        """Leave the model as it was found."""
        if self._watch is not None:
            self._watch.detach()
        self._watch = None

    def _log_probe(self, step: int) -> None:
        if not self._schedule.due(step):
            return
        if self._budget.fits():
            self.record(step)
        else:
            self._put_off(step)
            self._schedule.done(step)

    def _log_batches(self, watch: BatchWatch, step: int) -> None:
        stride = 1 if self._before is None else max(step - self._before, 1)
        self._before = step
        if watch.resting and self._schedule.quiet(step, 2 * stride):
            return
        due = self._schedule.due(step)
        if watch.waiting:
            if self._written is None or not 0 <= step - self._written < self._pool:
                self.record(step)
            self._schedule.done(step)
        elif due and self._refused:
            self._put_off(step)
            self._schedule.done(step)
        elif due and not watch.traced and self._schedule.steps >= 2 * self._schedule.every:
            self._tell("unseen", "warning", "No training pass of the watched model was seen.", step)
        coming = self._schedule.coming(step + stride)
        self._refused = coming and not self._budget.fits()
        if watch.failure is not None:
            self._guarded(watch.fail, step)
        if self._watch is None:  # it failed, now or in the record above, and no hook may come back
            return
        watch.arm(coming and not self._refused)
        if not coming and watch.traced and self._schedule.quiet(step, 2 * stride):
            watch.rest()

    def _guarded(self, action: Callable[[], None], step: int) -> None:
        """Training goes on whatever fails in here; watching does not."""
        if self._watch is None:
            return
        try:
            action()
        except Exception as error:
            self.stop()
            message = f"Layers are no longer recorded: {type(error).__name__}: {error}"
            warnings.warn(message, RuntimeWarning, stacklevel=6)
            self._tell("failed", "warning", message, step)

    def _put_off(self, step: int) -> None:
        self._budget.skipped += 1
        every = self._schedule.every
        steps = self._budget.affordable_interval(self._schedule.steps)
        effective = max(2, -int(-steps // every)) * every
        share = self._budget.share_allowed or 0.0
        message = f"Layers are recorded about every {effective:,} steps, to stay within {share:.1%} of the time."
        self._tell("stretched", "info", message, step)

    def _tell(self, about: str, kind: str, message: str, step: int) -> None:
        """Note something once."""
        if about not in self._told:
            self._told.add(about)
            self._writer.note(kind, message, step)
