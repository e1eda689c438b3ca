"""What is found out when a subject is opened: one look at the data, one pass through the model."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from analysis.data.batch import Batch
from analysis.data.classes import check_names, found_names, label_feature
from analysis.data.displays import Displays
from analysis.data.errors import SubjectError
from analysis.data.instances import Instances
from analysis.data.kinds import First, Kind, infer_kind, watch_first
from analysis.data.labels import Labeller
from analysis.data.tokens import pad_id_of
from analysis.data.unpack import LENGTHS
from analysis.errors import RecordingError
from analysis.layerinfo import LayerInfo
from analysis.models.inventory import inventory
from analysis.subject.loading import named, tail_of
from analysis.subject.scores import Scores, learn_scores
from analysis.subject.subject import Subject

Call = Callable[[Batch], Any]
PASSED = 8  # instances in the first pass
TRACED = 2  # instances in the pass that lists the layers


@dataclass
class Opened:
    """What is known of a subject after the first pass. first: the first layer. sample: the batch looked at, on the CPU.

    embedding: name of the layer that turns ids into vectors, '' if there is none. pad_how: how ids are filled up.
    """

    kind: Kind
    names: list[str]
    names_how: str
    scores: Scores
    layers: list[LayerInfo]
    displays: Displays | None
    sample: Batch
    first: First = field(default_factory=First)
    embedding: str = ""
    pad_how: str = ""
    limits: list[tuple[str, str, str]] = field(default_factory=list)


def instances_of(subject: Subject, model: nn.Module) -> Instances:
    """The instances of a subject's data, nothing read yet. Raises SubjectError as ``found_names``."""
    key = label_feature(subject.source.data)
    names = subject.class_names
    if names is None:
        found = found_names(subject.source.data, model, key)
        names = found[0] if found else None
    return Instances(
        subject.source,
        model,
        collate_fn=subject.collate_fn,
        forward_func=subject.forward_func,
        labeller=Labeller(names),
        label_key=key,
    )


def first_pass(model: nn.Module, call: Callable[[], Any], batch: Batch) -> tuple[First, Any]:
    """Run the model for the first time; its first layer, and what it yields.

    Raises:
        SubjectError: it fails, with what it was called with and the tail of the traceback.
    """
    try:
        return watch_first(model, call)
    except SubjectError:
        raise
    except Exception as error:
        raise SubjectError(
            f"The model fails on the first {len(batch)} instances ({_shapes(batch)}): "
            f"{named(error, 400)}\n{tail_of(error)}",
            "Check that the data set yields what the model takes, or give forward_func= or collate_fn=.",
        ) from error


def understand(
    subject: Subject, model: nn.Module, instances: Instances, sample: Batch, call: Call, told: Callable[..., None]
) -> Opened:
    """Everything that follows from the first batch. ``call`` runs the model on a batch, without a trace; ``told`` is
    told of each step (done, total, unit, message).

    Raises:
        SubjectError: something cannot be told, or parts do not fit. AmbiguousOutput: which output is meant.
    """
    told(0, 0, "", "Running the model for the first time")
    few = instances.batch(sample.indices[: min(subject.batch_size, PASSED)])
    first, output = first_pass(model, lambda: call(few), few)
    sampled = subject.sampling_rate is not None
    kind = infer_kind(
        few.principal,
        first,
        given=subject.kind,
        key=sample.main,
        decodes=subject.decode is not None,
        sampled=sampled,
    )
    embedding, pad_how = "", ""
    if kind.name in ("text", "series"):
        instances.free_axis(kind.places[0] - 1)
    if kind.name == "text":
        embedding = _embedding(subject, first, few)
        pad_how = _set_pad(subject, model, instances, embedding)
        sample = instances.batch(sample.indices)
    names, names_how = _names(subject, model, instances)
    check_features(subject.feature_names, kind, sample)
    scores = learn_scores(output, len(few), subject.output, names)
    if names is None:
        names, names_how = [str(number) for number in range(scores.classes)], "numbers of the outputs"
    check_names(names, scores.classes, names_how)
    check_labels(int(sample.labels.max(initial=-1)), scores.classes)
    found = Opened(kind, names, names_how, scores, [], None, sample, first, embedding, pad_how)
    told(0, 0, "", "Tracing the layers")
    found.layers = _layers(subject, model, instances, sample, call, found)
    found.displays = Displays(kind, sample.principal, subject.inverse_transform, subject.source.data)
    if found.displays.possible == "" and kind.name != "text":
        found.displays.show(without_padding(sample, kind, 0))  # says at once if it cannot be shown
    return found


def nothing(subject: Subject) -> Opened:
    """What is known of a subject without instances."""
    names = subject.class_names or []
    kind = Kind(subject.kind or "table", "the data set has no instances, so nothing can be told")
    scores = Scores(subject.output, "logits", len(names), (0, len(names)), "no pass was made")
    opened = Opened(kind, names, "given" if names else "unknown", scores, [], None, Batch())
    opened.limits.append(("everything", "the data set has no instances", "Pass a data set with at least one."))
    return opened


def check_features(names: list[str] | None, kind: Kind, sample: Batch) -> None:
    """Raises SubjectError if there is not one name for each column of a table, or each channel of a series."""
    if names is None:
        return
    if kind.name not in ("table", "series"):
        raise SubjectError(
            f"feature_names is given, but instances are of kind {kind.name!r}.",
            "Leave it out: it names the columns of a table, or the channels of a series.",
        )
    shape = sample.principal.shape
    if kind.name == "table":
        number, what = math.prod(shape[1:]), "columns"
    else:
        number, what = 1 if kind.channels is None else shape[kind.channels], "channels"
    if len(names) != number:
        raise SubjectError(
            f"feature_names has {len(names):,} names, but instances have {number:,} {what}.",
            f"Give a name for each of the {what}, in their order, or leave it out.",
        )


def check_labels(highest: int, classes: int) -> None:
    """Raises SubjectError if labels go beyond the model's outputs."""
    if highest >= classes:
        raise SubjectError(
            f"Labels go up to {highest:,}, but the model has {classes:,} outputs (numbered from 0).",
            "Check that model and data belong together, and that labels count from 0.",
        )


def floating_of(model: nn.Module) -> torch.dtype | None:
    """The precision that a model's weights have in common, None if they differ or there are none."""
    found = {p.dtype for p in model.parameters() if p.is_floating_point()}
    return found.pop() if len(found) == 1 else None


def on_device(batch: Batch, device: torch.device, floating: torch.dtype | None) -> Batch:
    """A batch where the model computes; lengths stay on the CPU, where packing wants them."""
    return batch.moved(device, floating, stay=LENGTHS)


def without_padding(batch: Batch, kind: Kind, row: int) -> Tensor:
    """The input of one row of a batch, up to its length."""
    value = batch.principal[row].detach().cpu()
    if batch.lengths is None or kind.name not in ("text", "series"):
        return value
    return value.narrow(kind.places[0] - 1, 0, int(batch.lengths[row]))


def _embedding(subject: Subject, first: First, few: Batch) -> str:
    if subject.embedding_layer is not None:
        return subject.embedding_layer
    whole = first.given is not None and first.given.numel() == few.principal.numel()
    return first.name if first.kind == "embedding" and whole else ""


def _set_pad(subject: Subject, model: nn.Module, instances: Instances, embedding: str) -> str:
    layer = dict(model.named_modules()).get(embedding) if embedding else None
    own = getattr(layer, "padding_idx", None)
    told = pad_id_of(subject.decode)
    pad = own if own is not None else told
    instances.set_pad(pad)
    if pad is None:
        return "0, as neither the embedding nor decode= names a padding id"
    return f"{pad}, the padding id of " + (f"the embedding {embedding!r}" if own is not None else "decode=")


def _names(subject: Subject, model: nn.Module, instances: Instances) -> tuple[list[str] | None, str]:
    if subject.class_names is not None:
        return subject.class_names, "given"
    found = found_names(subject.source.data, model, instances.label_key)
    return found if found else (None, "")


def _layers(
    subject: Subject, model: nn.Module, instances: Instances, sample: Batch, call: Call, found: Opened
) -> list[LayerInfo]:
    few = instances.batch(sample.indices[:TRACED])
    try:
        return inventory(model, lambda: call(few), len(few), subject.layers)
    except RecordingError as error:
        if subject.layers is not None:
            raise
        found.limits.append(("layers", error.message, error.remedy))
        return []


def _shapes(batch: Batch) -> str:
    named = [*((f"argument {place}", value) for place, value in enumerate(batch.args, 1)), *batch.kwargs.items()]
    listed = [
        f"{name}: {tuple(value.shape)} {str(value.dtype).removeprefix('torch.')}"
        for name, value in named
        if isinstance(value, Tensor)
    ]
    return ", ".join(listed)


def value_range(sample: Batch) -> list[float | None]:
    """Smallest and largest finite value of the inputs; None each where there is none."""
    if sample.main is None:
        return [None, None]
    values = sample.principal.double().flatten()
    values = values[values.isfinite()]
    if not len(values):
        return [None, None]
    return [float(v) if math.isfinite(v) else None for v in (values.min(), values.max())]
