"""Reads one layer of many training passes thinly, to be put into one record.

What a pass leaves behind is not looked at before the record is due: a hook makes three small tensors and appends them.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from analysis.recording import layout, positions
from analysis.recording.capture import EXACT, Batch, Caught, unravel
from analysis.recording.trace import Reading

_DRAWN = 1 << 17  # indices drawn ahead, at most
_AHEAD = 128  # passes whose positions are drawn ahead, at most


class Plan:
    """How outputs of one shape are read, and what was read of them since the last record.

    Of each instance read, the maxima over all positions and a few patches are kept. An instance with a NaN or infinity
    among a filter's values does not count for that filter's maximum.

    Args:
        seen: an output, with one row an instance and no padding. rectifier: as in LayerMeta.
        batch: the pass it comes from.
    """

    def __init__(self, seen: layout.Activations, rectifier: str, batch: Batch) -> None:
        values = seen.values
        self._shape, self._dtype, self._count = values.shape, values.dtype, batch.count
        self._device, self._number = values.device, values.get_device()
        self._rectifier = rectifier
        self._unit, self._axes, self._filters = seen.unit, seen.places, seen.filters
        self._stride = -(-seen.rows // batch.limit) if batch.limit else 1
        self._rows = -(-seen.rows // self._stride)
        self._part = (*(slice(None),) * seen.row, slice(None, None, self._stride)) if self._stride > 1 else None
        self._wide = torch.promote_types(values.dtype, torch.float32)
        self.spatial = seen.place_shape
        self._single = math.prod(self.spatial) == 1
        self._patches: list[Tensor] = []
        self._maxima: list[Tensor] = []
        self._firsts: list[int] = []
        self._places: list[Tensor] = []
        self._coming: list[tuple[Tensor, Tensor]] = []  # flat indices, shape (P, F), and positions, shape (P,)
        self._drawn = 0
        if not self._single:
            whole = rectifier != "softmax"
            self._base, self._offsets = _indices(seen, self._rows, self._stride if whole else 1, whole)

    def fits(self, output: Tensor, count: int | None) -> bool:
        """Whether ``output``, of a pass of ``count`` instances, is read like this."""
        return (
            output.shape == self._shape
            and output.dtype is self._dtype
            and output.get_device() == self._number
            and count == self._count
        )

    def take(self, values: Tensor, batch: Batch) -> None:
        """Read an output that fits and has no graph."""
        part = values if self._part is None else values[self._part]
        if self._rectifier == "softmax":
            part = values = part.softmax(self._unit, dtype=self._wide)
        self._firsts.append(batch.first)
        if self._single:
            self._patches.append(part if self._rectifier == "softmax" else part.clone())
            return
        if not self._coming:
            self._draw(batch)
        index, place = self._coming.pop()
        self._maxima.append((part.abs() if self._rectifier == "abs" else part).amax(self._axes))
        self._patches.append(values.take(index))
        self._places.append(place)

    def _draw(self, batch: Batch) -> None:
        """Choose the positions of some passes to come: of more each time, as long as outputs have this shape."""
        each = self._rows * self._filters
        passes = max(1, min(2 * self._drawn or 1, _AHEAD, _DRAWN // each))
        numbers = batch.numbers(passes * self._rows, self._device)
        flat, _ = positions.choose(numbers, len(self._offsets))
        flat = flat.reshape(passes, self._rows, -1)
        index = (self._base + self._offsets[flat][..., None]).flatten(1, 2)
        self._coming = list(zip(index, flat.flatten(1), strict=True))
        self._drawn = passes

    def collect(self, caught: Caught) -> None:
        """Move what was read into ``caught``."""
        if not self._firsts:
            return
        patches = torch.stack(self._patches).reshape(-1, self._filters)
        highest = torch.stack(self._maxima).reshape(-1, self._filters) if self._maxima else patches
        if self._rectifier == "abs":
            highest = highest.abs()
        highest = torch.where(highest.isfinite(), highest, -torch.inf).amax(dim=0)
        caught.maxima.append(highest.masked_fill(highest == -torch.inf, torch.nan))
        caught.patches.append(patches if patches.dtype in EXACT else patches.float())
        rows = torch.arange(0, self._rows * self._stride, self._stride)
        instances = (torch.tensor(self._firsts)[:, None] + rows).flatten()
        caught.instances.append(instances.repeat_interleave(len(patches) // len(instances)))
        if self._single:
            caught.places.append([torch.zeros(len(patches), dtype=torch.int64) for _ in self.spatial])
        else:
            caught.places.append(unravel(torch.cat(self._places).cpu(), self.spatial))
        self._patches, self._maxima, self._firsts, self._places = [], [], [], []


def _indices(seen: layout.Activations, rows: int, stride: int, whole: bool) -> tuple[Tensor, Tensor]:
    """Flat indices into an output of the first position of each row read and filter, shape (rows, 1, F), and what is
    to be added for every other position, shape (positions,). whole: the output has all rows, not only those read."""
    shape = list(seen.values.shape)
    if not whole:
        shape[seen.row] = rows
    steps = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
    device = seen.values.device
    unit = torch.arange(seen.filters, device=device) * steps[seen.unit]
    base = (torch.arange(rows, device=device) * stride * steps[seen.row])[:, None, None] + unit
    offsets = torch.zeros(1, dtype=torch.int64, device=device)
    for axis in seen.places:
        offsets = (offsets[:, None] + torch.arange(shape[axis], device=device) * steps[axis]).flatten()
    return base, offsets


class Pooled:
    """One layer's passes since the last record. Outputs that no plan can be made for are read with care, each alone."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self._plans: list[Plan] = []
        self._now: Plan | None = None  # the one that fitted last
        self._caught = Caught(reading)
        self._calls = 0

    def take(self, output: object, batch: Batch) -> None:
        """Read one output of the layer.

        Raises:
            layout.Unreadable: it holds no activations.
        """
        if type(output) is Tensor:
            plan = self._now
            if plan is None or not plan.fits(output, batch.count):
                plan = self._now = self._find(output, batch)
            if plan is not None:
                plan.take(output.detach(), batch)
                self._calls += 1
                return
        with torch.no_grad():
            self._caught.take(output, batch)

    def _find(self, output: Tensor, batch: Batch) -> Plan | None:
        for plan in self._plans:
            if plan.fits(output, batch.count):
                return plan
        seen = layout.read(self.reading.layer, output, batch.count)
        usual = seen.per_row == 1 and seen.lengths is None and seen.values.shape == output.shape
        if not usual or not output.is_floating_point() or output.numel() == 0:
            return None
        self._plans.append(Plan(seen, self.reading.rectifier, batch))
        return self._plans[-1]

    def collect(self) -> Caught:
        """Everything since the last record, on the CPU or on its way there."""
        caught, self._caught = self._caught, Caught(self.reading)
        for plan in self._plans:
            plan.collect(caught)
            caught.spatial = plan.spatial
        caught.calls += self._calls
        self._plans = [self._now] if self._now is not None else []  # of shapes that come once, nothing is kept
        self._calls = 0
        return caught
