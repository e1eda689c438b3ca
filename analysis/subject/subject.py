"""``Subject``: the model and the data that somebody wants to look at. Needs torch."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from analysis.data.classes import plain_class_names
from analysis.data.errors import SubjectError, Unreadable
from analysis.data.kinds import KINDS
from analysis.data.source import open_source
from analysis.data.tensors import as_tensor
from analysis.data.tokens import decoder_of
from analysis.errors import RecordingError
from analysis.recording.unwrap import unwrap
from analysis.store import Run

BATCH_SIZE = 32


class Subject:
    """A model and its data. Only these two are required; the rest is inferred, or given where that fails.

    Args:
        model: a ``torch.nn.Module``; compiled and parallel wrappers are looked through.
        dataset: anything with ``__len__`` and ``__getitem__`` (a torch Dataset, a Hugging Face data set, a list of
            pairs, a tuple (inputs, labels) of arrays, a dictionary of columns), or a DataLoader over one. Items are
            (input, label), an input alone, or a dictionary with a label.
        name: what the page calls it; by default the file's name.
        class_names: a name for each output, in their order (a list, or a dictionary from number to name).
        kind: 'image', 'text', 'series' or 'table'.
        collate_fn: from a list of items to (inputs, labels), or to a dictionary with labels.
        forward_func: called as ``forward_func(model, inputs)`` instead of the model; ``inputs`` is what a batch holds
            besides labels: a tensor, a tuple of them, or a dictionary.
        output: key, field or position of the scores in what the model returns.
        inverse_transform: from one input, a tensor without the axis of instances, to what it was before normalisation
            (for pictures values in 0..1 or bytes, channels first or last).
        decode: from ids to tokens: a tokenizer, a dictionary or list, or a function.
        encode: from a text that somebody types to ids, a function. Without it, the tokenizer of ``decode`` is used, or
            words between blanks are looked up in its list or dictionary.
        embedding_layer: the layer that turns ids into vectors, or its name.
        metadata: a data frame, or a dictionary of columns, with a row for each instance.
        subsets: ``{"name": function}``, called as ``function(x, index)`` with one input as the model takes it (a tensor
            on the CPU, without padding and without the axis of instances) and its place in the data set; returns
            whether the instance belongs to the subset.
        checkpoints: ``{"name": path}``, or the directory of a run, whose checkpoints are meant.
        sampling_rate: of series, in steps per second.
        feature_names: a name for each column of a table, or for each channel of a series.
        baselines: what stands for 'nothing there' when instances are explained: an array of one input's shape, or
            (k, ...) for k of them, or a function from inputs to baselines; for texts ids, or one id.
        always_include: indices of instances that every sample shall contain.
        layers: names or patterns of the layers to show, also of types that are not shown by default.
        batch_size: instances in a batch; by default that of the DataLoader, or 32.

    Raises:
        SubjectError: an argument cannot be used; the message says which, and what to give instead.
    """

    def __init__(
        self,
        model: nn.Module,
        dataset: Any,
        *,
        name: str = "",
        class_names: Any = None,
        kind: str | None = None,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        forward_func: Callable[..., Any] | None = None,
        output: str | int | None = None,
        inverse_transform: Callable[..., Any] | None = None,
        decode: Any = None,
        encode: Callable[[str], Any] | None = None,
        embedding_layer: str | nn.Module | None = None,
        metadata: Any = None,
        subsets: Mapping[str, Callable[..., Any]] | None = None,
        checkpoints: Mapping[str, str | Path] | str | Path | None = None,
        sampling_rate: float | None = None,
        feature_names: Iterable[str] | None = None,
        baselines: Any = None,
        always_include: Iterable[int] = (),
        layers: Iterable[str] | str | None = None,
        batch_size: int | None = None,
    ) -> None:
        self.model = _checked_model(model)
        self.dataset = dataset
        self.source = open_source(dataset)
        self.name = str(name)
        self.notes: list[str] = []  # sentences for the user, shown with the notices
        self.weight_notes: list[str] = []  # the same of the model's own weights: said of no checkpoint
        self.class_names = plain_class_names(class_names)
        if kind is not None and kind not in KINDS:
            raise SubjectError(f"There is no kind {kind!r}.", f"Give one of: {', '.join(KINDS)}.")
        self.kind = kind
        self.collate_fn = _function("collate_fn", collate_fn) or self.source.collate_fn
        self.forward_func = _function("forward_func", forward_func)
        self.output = output
        self.inverse_transform = _function("inverse_transform", inverse_transform)
        self.decode = decode
        self.encode = _function("encode", encode)
        decoder_of(decode)  # says at once if it cannot be used
        self.embedding_layer = _layer_name(self.model, embedding_layer)
        self.metadata = metadata
        self.subsets = _subsets(subsets)
        self.checkpoints = _checkpoints(checkpoints)
        self.sampling_rate = _positive("sampling_rate", sampling_rate)
        self.feature_names = _names("feature_names", feature_names)
        self.baselines = _baselines(baselines)
        self.always_include = _indices(always_include, self.source.n)
        self.layers = [layers] if isinstance(layers, str) else None if layers is None else [str(n) for n in layers]
        size = self.source.batch_size or BATCH_SIZE if batch_size is None else batch_size
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise SubjectError(f"The batch size is {size!r}.", "Give a whole number from 1.")
        self.batch_size = size

    def serve(self, port: int | None = None, *, block: bool = True, **options: Any) -> Any:
        """Open the dashboard on this subject, from a script or a notebook. See ``analysis.subject.serving``.

        Raises:
            SubjectError: the file that calls this is being loaded by a server.
        """
        from analysis.subject import loading, serving

        loading.refuse_while_loading()
        if port is not None:
            options["port"] = port
        return serving.serve(self, block=block, **options)

    def __repr__(self) -> str:
        return f"Subject({type(self.model).__name__}, {self.source.how}, n={self.source.n})"


def _checked_model(model: Any) -> nn.Module:
    if isinstance(model, type):
        raise SubjectError(f"The model is the class {model.__name__}, not an instance of it.", "Call it: Model(...).")
    try:
        inner = unwrap(model)
    except RecordingError as error:
        raise SubjectError(error.message, "Pass a torch.nn.Module in Python, not scripted, on one device.") from None
    for name, parameter in inner.named_parameters():
        if nn.parameter.is_lazy(parameter) or parameter.is_meta:
            raise SubjectError(f"The weight {name!r} has no values yet.", "Run the model once, or load its weights.")
    return inner


def _function(name: str, value: Any) -> Any:
    if value is not None and not callable(value):
        raise SubjectError(f"{name} is a {type(value).__name__}.", f"Give {name}= as a function.")
    return value


def _subsets(value: Any) -> dict[str, Callable[..., Any]]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise SubjectError(f"subsets is a {type(value).__name__}.", 'Give {"name": function}.')
    for name, function in value.items():
        _function(f"subsets[{str(name)!r}]", function)
        if not str(name).strip() or function is None:
            raise SubjectError(f"The subset {str(name)!r} has no name or no function.", 'Give {"name": function}.')
    return {str(name).strip(): function for name, function in value.items()}


def _layer_name(model: nn.Module, layer: str | nn.Module | None) -> str | None:
    names = {id(module): name for name, module in model.named_modules()}
    if isinstance(layer, nn.Module):
        if id(layer) not in names:
            raise SubjectError("embedding_layer is no part of the model.", "Give its name in model.named_modules().")
        return names[id(layer)]
    if layer is not None and layer not in names.values():
        near = difflib.get_close_matches(str(layer), list(names.values()), n=3, cutoff=0.3)
        raise SubjectError(
            f"The model has no layer {layer!r} (embedding_layer).",
            f"Similar names: {', '.join(near)}." if near else "Give its name in model.named_modules().",
        )
    return layer


def _positive(name: str, value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
        raise SubjectError(f"{name} is {value!r}.", "Give a positive number, in steps per second.")
    return float(value)


def _names(name: str, values: Iterable[str] | None) -> list[str] | None:
    if values is None:
        return None
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise SubjectError(f"{name} is a {type(values).__name__}.", f"Give {name}= as a list of names.")
    return [str(value) for value in values]


def _baselines(value: Any) -> Any:
    if value is None or callable(value):
        return value
    try:
        return as_tensor(value).detach().cpu().clone()
    except (TypeError, ValueError, SubjectError, Unreadable) as error:
        raise SubjectError(
            f"baselines cannot be read as numbers: {error}.",
            "Give an array of one input's shape, or (k, ...) for k of them, or a function from inputs to baselines.",
        ) from None


def _indices(values: Iterable[int], n: int) -> tuple[int, ...]:
    try:
        found = sorted({int(value) for value in values})
    except (TypeError, ValueError):
        raise SubjectError("always_include holds something else than indices.", "Give a list of numbers.") from None
    wrong = [value for value in found if not 0 <= value < n]
    if wrong:
        raise SubjectError(
            f"always_include names instance {wrong[0]:,}, but the data set has {n:,}.", "Count instances from 0."
        )
    return tuple(found)


def _checkpoints(value: Any) -> dict[str, Path]:
    if value is None:
        return {}
    if isinstance(value, Mapping):
        return {str(name): Path(path) for name, path in value.items()}
    if isinstance(value, (str, Path)):
        run = Run(value)
        return {saved.name: run.checkpoint_path(saved.name) for saved in run.checkpoints()}
    raise SubjectError(f"checkpoints is a {type(value).__name__}.", 'Give {"name": path}, or the directory of a run.')


def parameters_of(model: nn.Module) -> tuple[int, int]:
    """Numbers in the model's parameters, tied ones once: all, and those that are trained."""
    parameters: list[torch.nn.Parameter] = list(model.parameters())
    return sum(p.numel() for p in parameters), sum(p.numel() for p in parameters if p.requires_grad)
