"""The probe set: the same instances, seen again at every record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from analysis.errors import RecordingError
from analysis.recording.labels import plain_labels

_SHAPE = "Pass probe=(inputs, labels), the inputs being a tensor, a tuple of tensors, or a dictionary of tensors."


@dataclass
class Probe:
    """Inputs as positional (args) or keyword (kwargs) arguments of the model, and labels, shape (N,), or None.

    Tensors have N instances along their first axis; other values are passed as they are.
    """

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    labels: Tensor | None
    count: int

    def batches(self, size: int) -> Iterator[tuple[int, int, tuple[Any, ...], dict[str, Any]]]:
        """Mini-batches: index of the first instance, number of instances, arguments."""
        for start in range(0, self.count, size):
            part = slice(start, start + size)
            args = tuple(_cut(value, part) for value in self.args)
            kwargs = {name: _cut(value, part) for name, value in self.kwargs.items()}
            yield start, min(size, self.count - start), args, kwargs

    def move(self, device: torch.device) -> None:
        """Bring the inputs to the model's device, once."""
        self.args = tuple(_moved(value, device) for value in self.args)
        self.kwargs = {name: _moved(value, device) for name, value in self.kwargs.items()}

    def arrays(self) -> dict[str, np.ndarray]:
        """'inputs' (the first tensor), 'inputs.<n or name>' (further ones), and 'labels' if there are any."""
        named = [*((str(n), v) for n, v in enumerate(self.args)), *self.kwargs.items()]
        tensors = [(name, value) for name, value in named if isinstance(value, Tensor)]
        result = {"inputs" if n == 0 else f"inputs.{name}": _array(value) for n, (name, value) in enumerate(tensors)}
        if self.labels is not None:
            result["labels"] = self.labels.numpy()
        return result


def as_probe(probe: Any) -> Probe:
    """Check what the user passed as probe, and copy it.

    Raises:
        RecordingError: no tensor in it, tensors of different lengths, none at all, or labels that do not fit.
    """
    inputs, labels = _inputs_and_labels(probe)
    if isinstance(inputs, PackedSequence):
        raise RecordingError(
            "The probe's inputs are a packed sequence.", "Pass padded tensors and lengths, and pack them in the model."
        )
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = {}
    if isinstance(inputs, Mapping):
        kwargs = {str(name): _copied(value) for name, value in inputs.items()}
    elif isinstance(inputs, (tuple, list)):
        args = tuple(_copied(value) for value in inputs)
    else:
        args = (_copied(inputs),)
    tensors = [value for value in (*args, *kwargs.values()) if isinstance(value, Tensor)]
    if not tensors or any(value.dim() == 0 for value in tensors):
        raise RecordingError("The probe's inputs are not tensors with an axis of instances.", _SHAPE)
    counts = {len(value) for value in tensors}
    if len(counts) > 1 or 0 in counts:
        listed = ", ".join(str(tuple(value.shape)) for value in tensors)
        raise RecordingError(
            f"The probe's inputs have the shapes {listed}.",
            "Give every tensor the same number of instances, at least 1.",
        )
    count = counts.pop()
    return Probe(args, kwargs, None if labels is None else plain_labels(labels, count), count)


def device_of(model: nn.Module) -> torch.device | None:
    """Device of the model's first parameter or buffer; None if it has neither."""
    for tensor in model.parameters():
        return tensor.device
    return next((tensor.device for tensor in model.buffers()), None)


def _inputs_and_labels(probe: Any) -> tuple[Any, Any]:
    if isinstance(probe, (tuple, list)) and not isinstance(probe, PackedSequence):
        if not 1 <= len(probe) <= 2:
            raise RecordingError(f"The probe has {len(probe)} parts.", _SHAPE)
        return probe[0], probe[1] if len(probe) == 2 else None
    return probe, None


def _copied(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value.copy())
    return value.detach().clone() if isinstance(value, Tensor) else value


def _cut(value: Any, part: slice) -> Any:
    return value[part] if isinstance(value, Tensor) else value


def _moved(value: Any, device: torch.device) -> Any:
    return value.to(device) if isinstance(value, Tensor) else value


def _array(value: Tensor) -> np.ndarray:
    value = value.cpu()
    return (value.float() if value.dtype in (torch.bfloat16,) else value).numpy()
