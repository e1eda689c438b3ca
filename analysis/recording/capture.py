"""Hooks that reduce a layer's output while it passes, to maxima and a few patches, and keep no reference to it.

Reading inside the hook makes in-place operations behind the layer harmless.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from analysis.recording import layout, positions
from analysis.recording.trace import Reading

EXACT = (torch.float32, torch.float64)


@dataclass
class Batch:
    """The instances of the pass under way. numbers: fix the positions, shape (instances, R + 1); first: index of the
    first instance in the probe."""

    count: int | None
    numbers: Callable[[int, torch.device], Tensor]
    first: int = 0
    limit: int | None = None  # rows read, evenly spaced, where a pass is only one of many


@dataclass
class Caught:
    """What was read of one layer during a pass or several. Patches are rectified later, but for softmax."""

    reading: Reading
    patches: list[Tensor] = field(default_factory=list)  # (P, F)
    maxima: list[Tensor] = field(default_factory=list)  # (F,), before 'relu'
    instances: list[Tensor] = field(default_factory=list)  # (P,), -1 where unknown
    places: list[list[Tensor]] = field(default_factory=list)  # (P,) for each axis of positions
    spatial: tuple[int, ...] = ()
    calls: int = 0

    def take(self, output: Any, batch: Batch) -> None:
        """Reduce one output of the layer.

        Raises:
            layout.Unreadable: it holds no activations.
        """
        seen = layout.read(self.reading.layer, output, batch.count)
        values = seen.values
        if not values.is_floating_point():
            values = values.float()
        if self.reading.rectifier == "softmax":
            values = values.softmax(seen.unit, dtype=torch.promote_types(values.dtype, torch.float32))
        self.maxima.append(self._maximum(values, seen))
        self.spatial = seen.spatial
        self.calls += 1
        per_row = max(seen.per_row, 1)
        units = seen.rows // per_row
        row, place = self._spots(seen, per_row, units, batch)
        index: list[Any] = [slice(None)] * values.dim()
        index[seen.row] = row
        for axis, where in zip(seen.places, place[len(place) - len(seen.places) :], strict=True):
            index[axis] = where
        patches = values[tuple(index)]
        self.patches.append(patches if patches.dtype in EXACT else patches.float())
        if seen.per_row == 0:
            self.instances.append(torch.full_like(row, -1))
        else:
            self.instances.append((row if per_row == 1 else row // per_row) + batch.first)
        self.places.append(place)

    def _maximum(self, values: Tensor, seen: layout.Activations) -> Tensor:
        if self.reading.rectifier == "abs":
            return layout.largest(values.abs(), seen.unit)
        return layout.largest(values, seen.unit)

    def _spots(self, seen: layout.Activations, per_row: int, units: int, batch: Batch) -> tuple[Tensor, list[Tensor]]:
        """Rows and positions to read, each of shape (P,)."""
        total = per_row
        for size in seen.place_shape:
            total *= size
        plain = per_row == 1 and seen.lengths is None
        stride = -(-units // batch.limit) if batch.limit and plain else 1
        if total == 1 and seen.lengths is None:  # one patch a row: nothing to choose
            unit = torch.arange(0, units, stride, device=seen.values.device)
            return unit, [torch.zeros_like(unit) for _ in seen.spatial]
        numbers = batch.numbers(-(-units // stride), seen.values.device)
        lengths = total if seen.lengths is None else seen.lengths.to(numbers.device) * per_row
        flat, counts = positions.choose(numbers, lengths)
        unit = torch.arange(0, units, stride, device=flat.device)[:, None].expand_as(flat)
        flat, unit = (flat.flatten(), unit.flatten()) if counts is None else (flat[counts], unit[counts])
        shape = seen.spatial
        place = unravel(flat, shape) if len(shape) > 1 else [flat] if shape else []
        if per_row > 1:
            return unit * per_row + place[0], place
        return unit, place


class Capture:
    """Hooks on the modules that are read. ``batch`` must be set before each pass.

    Args:
        readings: layers and where they are read.
    """

    def __init__(self, readings: list[Reading]) -> None:
        self._readings = readings
        self.batch = Batch(None, _no_numbers)
        self.caught: dict[str, Caught] = {}
        self._handles: list[Any] = []

    def attach(self) -> None:
        """Register the hooks, behind those of others, so that what the next layer gets is read."""
        for reading in self._readings:
            self._handles.append(reading.source.register_forward_hook(self._hook(reading)))

    def detach(self) -> None:
        """Remove the hooks."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def _hook(self, reading: Reading) -> Callable[..., None]:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            with torch.no_grad():
                self.caught.setdefault(reading.name, Caught(reading)).take(output, self.batch)

        return hook


def unravel(flat: Tensor, shape: tuple[int, ...]) -> list[Tensor]:
    """Indices along each axis; torch's own takes several times as long."""
    indices = []
    for size in reversed(shape[1:]):
        rest = flat // size
        indices.append(flat - rest * size)
        flat = rest
    return [flat, *reversed(indices)]


def _no_numbers(_rows: int, _device: torch.device) -> Tensor:
    raise RuntimeError("no pass is under way")
