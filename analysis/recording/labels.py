"""Checks labels and class names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from analysis.errors import RecordingError


def plain_labels(labels: Any, instances: int | None, what: str = "labels") -> Tensor:
    """Labels as int64 on the CPU, shape (instances,).

    Raises:
        RecordingError: not integers, not one-dimensional, or not one for each instance.
    """
    if isinstance(labels, Tensor) and labels.dtype is torch.int64 and labels.shape == (instances,) and labels.is_cpu:
        return labels.clone()  # the usual case, in a training loop at every step
    try:
        values = torch.as_tensor(labels).detach().cpu()
    except (TypeError, ValueError, RuntimeError):
        raise RecordingError(f"The {what} are of type {type(labels).__name__}.", "Pass a tensor of integers.") from None
    if values.is_floating_point() or values.is_complex():
        raise RecordingError(f"The {what} are {values.dtype}, not integers.", "Pass class numbers, counting from 0.")
    if values.dim() == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.dim() != 1:
        raise RecordingError(
            f"The {what} have the shape {tuple(values.shape)}, not one number for each instance.",
            "Turn one-hot rows into class numbers with .argmax(dim=1).",
        )
    if instances is not None and len(values) != instances:
        raise RecordingError(
            f"There are {len(values):,} {what} for {instances:,} instances.", "Pass one for each instance."
        )
    return values.to(torch.int64, copy=True)


def plain_names(class_names: Sequence[Any] | None, labels: Tensor | None) -> list[str] | None:
    """Class names as text.

    Raises:
        RecordingError: fewer names than the labels need.
    """
    if class_names is None:
        return None
    if isinstance(class_names, Mapping):
        raise RecordingError(
            "The class names are a dictionary.", "Pass a list in the order of the labels: label 0 has the first name."
        )
    if isinstance(class_names, str):
        raise RecordingError("The class names are one text.", "Pass a list with a name for each class.")
    names = [str(name) for name in class_names]
    highest = int(labels.max()) if labels is not None and len(labels) else -1
    if highest >= len(names):
        raise RecordingError(
            f"There are {len(names):,} class names, but the labels go up to {highest:,}.",
            f"Pass at least {highest + 1:,} names; label 0 has the first.",
        )
    return names
