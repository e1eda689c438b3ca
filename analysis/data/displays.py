"""Instances as people see them: pictures in 8 bits, series and rows in the units they had before normalisation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from analysis.data.errors import SubjectError
from analysis.data.kinds import Kind
from analysis.data.source import innermost
from analysis.data.tensors import as_tensor, is_picture, is_tensorlike

_REMEDY = "Give inverse_transform=, a function from one input to what it was before normalisation (pictures: 0..1)."


@dataclass(frozen=True)
class Scale:
    """How pixel values become 0..255: (value - low) / (high - low). how: in words. honest: they were known."""

    low: float
    high: float
    how: str
    honest: bool = True


@dataclass(frozen=True)
class Normalised:
    """Mean and deviation of a normalisation found in a data set's transform, by channel."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, picture: Tensor) -> Tensor:
        """Undo it, for (C, H, W)."""
        mean, std = (torch.tensor(part, dtype=picture.dtype).reshape(-1, 1, 1) for part in (self.mean, self.std))
        return picture * std + mean


class Displays:
    """Shows inputs of one kind.

    Args:
        kind: what instances are, with their axes. sample: inputs of a first batch, (n, ...), which set the scale.
        inverse_transform: undoes normalisation, given the input of one instance (a tensor on the CPU).
        data: the data set, in whose transform a normalisation is looked for.
    """

    def __init__(self, kind: Kind, sample: Tensor, inverse_transform: Callable[..., Any] | None, data: Any) -> None:
        self.kind = kind
        self.undo = inverse_transform
        self.given = inverse_transform is not None
        if kind.name == "image" and not self.given and kind.channels == 1:
            self.undo = found_normalisation(data, sample.shape[1])
        self.scale = self._scale(sample) if kind.name == "image" else Scale(0, 1, "")

    def show(self, value: Tensor) -> NDArray[Any]:
        """One input, as it is shown.

        Args:
            value: the input of one instance, without the axis of instances and without padding, on the CPU.

        Returns:
            image: uint8 (H, W, 1 or 3); series: float32 (channels, steps); table: float32 (columns,); text: empty.

        Raises:
            SubjectError: inverse_transform fails, or returns no picture.
        """
        if self.kind.name == "text":
            return np.zeros(0, np.float32)
        undone = self._undone(value)
        if self.kind.name == "image":
            return self._pixels(self._picture(undone))
        array = undone.to(torch.float32)
        if self.kind.name == "table":
            return array.reshape(-1).numpy()
        if array.dim() == 1:
            return array[None].numpy()
        if array.dim() != 2:
            raise self._wrong(array)
        return array.numpy() if self.kind.channels == 1 else np.ascontiguousarray(array.T.numpy())

    def _undone(self, value: Tensor) -> Tensor:
        if self.undo is None:
            return value
        try:
            result = self.undo(value.clone())
        except Exception as error:
            raise SubjectError(
                f"inverse_transform fails for an input of shape {tuple(value.shape)}: {type(error).__name__}: {error}.",
                "It gets the input of one instance, without the axis of instances.",
            ) from error
        if is_picture(result):
            return torch.from_numpy(np.array(result.convert("RGB")))
        if not is_tensorlike(result):
            raise SubjectError(f"inverse_transform returns a {type(result).__name__}.", "Return an array of numbers.")
        return as_tensor(result)

    def _picture(self, value: Tensor) -> Tensor:
        """As (H, W, C)."""
        if value.dim() == 4 and value.shape[0] == 1:
            value = value[0]
        if value.dim() == 2:
            return value[..., None]
        if value.dim() != 3:
            raise self._wrong(value)
        places = tuple(axis - 1 for axis in self.kind.places)
        first = value.shape[0] in (1, 2, 3, 4) or value.shape[-1] not in (1, 2, 3, 4)
        if self.undo is None or (places and value.shape[0] in (1, 3, 4) and value.shape[-1] in (1, 3, 4)):
            first = self.kind.channels != 3
        return value.permute(1, 2, 0) if first else value

    def _pixels(self, picture: Tensor) -> NDArray[np.uint8]:
        if picture.shape[2] == 4:
            picture = picture[..., :3]
        elif picture.shape[2] not in (1, 3):
            picture = picture.float().mean(2, keepdim=True)
        if picture.dtype == torch.uint8:
            return np.ascontiguousarray(picture.numpy())
        values = torch.nan_to_num(picture.double(), nan=self.scale.low, posinf=self.scale.high, neginf=self.scale.low)
        span = (self.scale.high - self.scale.low) or 1.0
        scaled = ((values - self.scale.low) / span * 255).round_().clamp_(0, 255)
        return np.ascontiguousarray(scaled.to(torch.uint8).numpy())

    def _scale(self, sample: Tensor) -> Scale:
        values = [self._undone(row) for row in sample] if self.kind.places or self.undo is not None else []
        if not values:
            return Scale(0, 1, "")
        if all(value.dtype == torch.uint8 for value in values):
            return Scale(0, 255, "values are bytes")
        finite = torch.cat([value.double().flatten() for value in values])
        finite = finite[finite.isfinite()]
        low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
        how = "inverse_transform was applied" if self.given else "values are those of the input"
        if isinstance(self.undo, Normalised):
            how = "the normalisation in the data set's transform was undone"
        slack = 0.02 if self.undo is not None else 0.0
        if low >= -slack and high <= 1 + slack:
            return Scale(0, 1, how)
        if low >= 0 and 2 < high <= 255:
            return Scale(0, 255, how)
        if self.given:
            return Scale(0, 1, f"{how}; it yields values from {low:.3g} to {high:.3g}, of which 0 to 1 is shown", False)
        return Scale(low, high, f"values from {low:.3g} to {high:.3g} are stretched to black and white", False)

    def _wrong(self, value: Tensor) -> SubjectError:
        what = "inverse_transform returns" if self.undo is not None else "instances have"
        return SubjectError(f"{what} the shape {tuple(value.shape)}, which is no {self.kind.name}.", _REMEDY)

    @property
    def possible(self) -> str:
        """'' if instances can be shown, else why not."""
        if self.kind.name == "image" and not self.kind.places and self.undo is None:
            return "pixels come as one row, and its width is not known"
        return ""


def found_normalisation(data: Any, channels: int) -> Normalised | None:
    """Mean and deviation of the only normalisation in a data set's ``transform``; None if there is not exactly one.

    Told by their attributes (``transforms``; ``mean`` and ``std``), so that no library of transforms is needed.
    """
    found = _steps(getattr(innermost(data), "transform", None), 0)
    if len(found) != 1 or not hasattr(found[0], "std"):
        return None
    try:
        mean, std = (
            tuple(np.broadcast_to(np.asarray(part, float).reshape(-1), (channels,)).tolist())
            for part in (found[0].mean, found[0].std)
        )
    except (TypeError, ValueError):
        return None
    return Normalised(mean, std)


def _steps(transform: Any, depth: int) -> list[Any]:
    if transform is None or depth > 4:
        return []
    inner = getattr(transform, "transforms", None)
    if isinstance(inner, (list, tuple)):
        return [part for step in inner for part in _steps(step, depth + 1)]
    normalises = hasattr(transform, "mean") and hasattr(transform, "std") and not callable(transform.mean)
    return [transform] if normalises else []
