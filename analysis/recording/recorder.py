"""The recorder a training script uses: metrics, what the layers respond to, and weights, into one run."""

from __future__ import annotations

import os
import sys
import time
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from torch import nn

from analysis.errors import RecordingError
from analysis.recording.batch_watch import BatchWatch
from analysis.recording.budget import Budget
from analysis.recording.checkpoint import weights_writer
from analysis.recording.options import Options
from analysis.recording.pacing import Pacing
from analysis.recording.probe_watch import ProbeWatch
from analysis.recording.scalars import plain_metrics, plain_step
from analysis.recording.setup import watch_batches, watch_probe
from analysis.recording.sink import Writer, WriterFactory, open_writer
from analysis.recording.unwrap import is_first_process


class Recorder:
    """Records one training. Where the directory cannot be written it warns once and does nothing.

    Under torch.distributed only rank 0 records; in forked children nothing does.

    Args:
        directory: the run; created if absent, continued in a new segment if it is one.
        config: what to remember about this training, JSON-like.
        name: shown in lists, by default the directory's name.
        every: steps between records of the layers.
        budget: share of the training time that recording may take; records are put off to keep it. None: no limit.
        writer: makes the run's writer from (directory, config, name); by default the store's.
        clock: seconds, for the budget.

    Raises:
        NotARun: the directory holds other files. RunBusy: another process is writing this run.
        RecordingError: every or budget is out of range.
    """

    def __init__(
        self,
        directory: str | Path,
        config: Mapping[str, Any] | None = None,
        name: str | None = None,
        every: int = 50,
        budget: float | None = 0.01,
        *,
        writer: WriterFactory | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        if budget is not None and not (isinstance(budget, (int, float)) and 0 < budget <= 1):
            raise RecordingError(
                f"budget={budget!r} is not a share of the time.", "Set it above 0 and at most 1, or None."
            )
        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise RecordingError(f"every={every!r} is not a number of steps.", "Set it to 1 or more.")
        self._every = every
        self._budget = Budget(budget, clock)
        self._pacing: Pacing | None = None
        self._closed = False
        self._pid = os.getpid()
        self._writer = open_writer(directory, config, name, writer) if is_first_process() else None
        self._finalizer = weakref.finalize(self, _finish, self._writer, self._pid)

    def watch(
        self,
        model: nn.Module,
        probe: Any = None,
        class_names: Sequence[Any] | None = None,
        every: int | None = None,
        include: Iterable[str] | str | None = None,
        exclude: Iterable[str] | str | None = None,
        sample_batches: bool = False,
        patches_per_instance: int | None = None,
        beta: float = 0.5,
        theta: float = 0.8,
        bins: int = 32,
        decay: float = 0.9,
        neighbours: int = 8,
        *,
        random_state: int = 0,
        batch_size: int = 128,
        pool: int = 128,
    ) -> None:
        """Record what the model's layers respond to (DeepEyes: Pezzotti et al., IEEE VIS 2017).

        Args:
            model: the model, also compiled or wrapped for parallel training.
            probe: (inputs, labels) of the same instances to look at every time; inputs are a tensor, a tuple of tensors
                or a dictionary of keyword arguments, instances first; labels are integers, shape (N,), or None.
            class_names: a name for each label. every: steps between records, by default the recorder's.
            include, exclude: patterns of dotted names; see ``selection.select_layers``.
            sample_batches: read training batches instead of a probe, without a pass of its own.
            patches_per_instance: positions read of each instance, by default 8, or 1 with sample_batches.
            beta: share of a filter's maximum above which it counts as responding.
            theta: share of its peak above which a filter is not stale. bins: of the perplexity histogram.
            decay: weight of the past in similarity and tallies, per record; 1 is plain accumulation.
            neighbours: most similar filters kept of each. random_state: seed of the positions.
            batch_size: instances of the probe in one pass.
            pool: with sample_batches, steps whose batches are put into one record.

        Raises:
            RecordingError: nothing to watch, a probe that does not fit, or a value out of range.
        """
        if self._inactive("watch"):
            return
        if self._pacing is not None:
            raise RecordingError(
                "This recorder already watches a model.", "Use one recorder and one run for each model."
            )
        assert self._writer is not None
        patches = patches_per_instance if patches_per_instance is not None else 1 if sample_batches else 8
        interval = self._every if every is None else every
        options = Options(interval, patches, beta, theta, bins, decay, neighbours, random_state, batch_size, pool)
        if sample_batches and probe is not None:
            raise RecordingError(
                "Both a probe set and sample_batches=True were given.", "Give one: the probe set, or sample_batches."
            )
        if sample_batches:
            watch: ProbeWatch | BatchWatch = watch_batches(
                model, include, exclude, class_names, options, self._writer, self._budget
            )
        else:
            watch = watch_probe(model, probe, include, exclude, class_names, options, self._writer)
        self._pacing = Pacing(watch, options, self._budget, self._writer)
        self._budget.begin()

    def log(self, metrics: Mapping[str, Any], step: int, epoch: float | None = None) -> None:
        """Record metrics at a step, and the watched layers when they are due.

        Args:
            metrics: numbers, or tensors of one element, by tag. step: number of the training step, from 0.
            epoch: recorded under the tag 'epoch'.

        Raises:
            RecordingError: a metric is not one number, the step is no whole number of at least 0, or it was closed.
        """
        if self._inactive("log"):
            return
        assert self._writer is not None
        number = plain_step(step)
        values = plain_metrics(metrics, epoch)
        with self._budget.timed():
            if values:
                self._writer.scalars(values, number, time.time())
            else:
                self._writer.heartbeat()
            if self._pacing is not None:
                self._pacing.logged(number)

    def add_scalar(self, tag: str, scalar_value: Any, global_step: int) -> None:
        """``log`` with one metric, named as in TensorBoard's SummaryWriter."""
        self.log({tag: scalar_value}, global_step)

    def log_metrics(self, metrics: Mapping[str, Any], step: int) -> None:
        """``log``, named as in Lightning's loggers."""
        self.log(metrics, step)

    def batch(self, labels: Any = None, instance_ids: Any = None) -> None:
        """With sample_batches: labels and identities of the batch that just passed through the model, shape (N,).

        Raises:
            RecordingError: they are not integers, or not one for each instance of the batch.
        """
        if self._inactive("batch"):
            return
        if self._pacing is not None:
            with self._budget.timed():
                self._pacing.describe(labels, instance_ids)

    def record(self, step: int) -> None:
        """Record the watched layers now, whatever is due or affordable.

        With sample_batches: what has been read since the last record, if anything.
        """
        if self._inactive("record"):
            return
        if self._pacing is None:
            raise RecordingError("No model is watched.", "Call watch(model, probe=(inputs, labels)) first.")
        self._pacing.record(plain_step(step))

    def checkpoint(self, model: nn.Module, step: int) -> Path | None:
        """Save the model's weights as safetensors, without wrappers; its path, or None if it could not be saved.

        It is asked for, so its time does not count as recording.

        Raises:
            RecordingError: the model's weights cannot be saved.
        """
        if self._inactive("checkpoint"):
            return None
        assert self._writer is not None
        return self._writer.checkpoint(plain_step(step), weights_writer(model))

    @property
    def overhead(self) -> dict[str, float]:
        """What recording cost since it began: seconds, share of the time (0 to 1), records, skipped records."""
        budget = self._budget
        return {
            "seconds": budget.seconds,
            "share": budget.share,
            "records": budget.records,
            "skipped": budget.skipped,
        }

    def close(self, reason: str = "finished") -> None:
        """End the recording. reason: 'finished', or what ended the training. A second time it does nothing."""
        if self._closed:
            return
        self._closed = True
        if self._pacing is not None:
            self._pacing.stop()
        self._finalizer.detach()
        if self._writer is not None and os.getpid() == self._pid:
            self._writer.close(reason)

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close("finished" if kind is None else kind.__name__)

    def _inactive(self, method: str) -> bool:
        """Whether nothing is to be done. Raises RecordingError after close."""
        if self._closed:
            raise RecordingError(
                f"The recorder is closed; {method}() records nothing any more.",
                "Open a new Recorder on the same directory.",
            )
        return self._writer is None or os.getpid() != self._pid


def _finish(writer: Writer | None, pid: int) -> None:
    """The script ended, or dropped its recorder, without closing it."""
    if writer is None or os.getpid() != pid:
        return
    failed = None if hasattr(sys, "ps1") else getattr(sys, "last_type", None)
    writer.close("finished" if failed is None else failed.__name__)
