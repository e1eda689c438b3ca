"""What happens when a model is first watched: checks, and the choice between a probe and training batches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from torch import nn

from analysis.errors import RecordingError
from analysis.recording.batch_watch import BatchWatch
from analysis.recording.budget import Budget
from analysis.recording.labels import plain_names
from analysis.recording.options import Options
from analysis.recording.probe import as_probe
from analysis.recording.probe_watch import ProbeWatch
from analysis.recording.selection import select_layers
from analysis.recording.sink import Writer
from analysis.recording.unwrap import is_compiled, unwrap

Patterns = Iterable[str] | str | None


def watch_probe(
    model: nn.Module,
    probe: Any,
    include: Patterns,
    exclude: Patterns,
    class_names: Sequence[Any] | None,
    options: Options,
    writer: Writer,
) -> ProbeWatch:
    """Watch a model through a probe set, and keep the probe in the run. Raises RecordingError as Recorder.watch."""
    if probe is None:
        raise RecordingError(
            "There is nothing to look at the model with.",
            "Pass probe=(inputs, labels), or sample_batches=True to read training batches.",
        )
    inner = unwrap(model)
    checked = as_probe(probe)
    names = plain_names(class_names, checked.labels)
    layers = select_layers(inner, include, exclude)
    watch = ProbeWatch(inner, layers, checked, options, writer)
    info: dict[str, Any] = {"instances": checked.count, "arguments": list(checked.kwargs) or len(checked.args)}
    if names is not None:
        info["class_names"] = names
    writer.probe(checked.arrays(), info)
    return watch


def watch_batches(
    model: nn.Module,
    include: Patterns,
    exclude: Patterns,
    class_names: Sequence[Any] | None,
    options: Options,
    writer: Writer,
    budget: Budget,
) -> BatchWatch:
    """Watch a model through its training batches. Raises RecordingError as Recorder.watch."""
    inner = unwrap(model)
    compiled = isinstance(model, nn.Module) and (is_compiled(model) or is_compiled(inner))
    parallel = any(isinstance(part, nn.DataParallel) and len(part.device_ids) > 1 for part in model.modules())
    if compiled or parallel:
        what = (
            "A compiled model runs without the hooks"
            if compiled
            else "Replicas on several devices do not share the hooks"
        )
        raise RecordingError(
            f"{what} that reading training batches needs.",
            "Pass probe=(inputs, labels) instead of sample_batches=True.",
        )
    names = plain_names(class_names, None)
    watch = BatchWatch(inner, select_layers(inner, include, exclude), options, writer, budget)
    if names is not None:
        writer.probe({}, {"class_names": names})
    return watch
