"""Reads one layer of many training passes thinly, to be put into one record.

Between the steps of a training, code and data of a hook have left the processor's caches, so that every operation costs
ten times what it does in a row. A hook therefore only copies the few instances that are read; what is to be known of
them is computed for many passes at once.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from analysis.recording import layout, positions
from analysis.recording.capture import EXACT, Batch, Caught, unravel
from analysis.recording.trace import Reading

_HELD = 1 << 20  # bytes of copies held of a layer; where a pass has more than half of that, it is reduced at once
_AHEAD = 128  # passes held, or whose positions are drawn ahead, at most
_DRAWN = 1 << 17  # indices drawn ahead, at most


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
        stride = -(-seen.rows // batch.limit) if batch.limit else 1
        self._rows, self._filters = torch.arange(0, seen.rows, stride), seen.filters
        self._row, self._chosen = seen.row, self._rows.to(values.device) if stride > 1 else None
        self._part = (*(slice(None),) * seen.row, slice(None, None, stride))
        self._rectifier, self.spatial = rectifier, seen.place_shape
        # Counted from the end, axes are the same with passes in front.
        self._unit = seen.unit - values.dim()
        self._axes = tuple(axis - values.dim() for axis in seen.places)
        self._single = math.prod(self.spatial) == 1
        part = [len(self._rows) if axis == seen.row else size for axis, size in enumerate(values.shape)]
        self._room = max(1, min(_HELD // (math.prod(part) * values.element_size()), _AHEAD))
        self._held = values.new_empty((self._room, *part)) if self._room > 1 else None
        self._slots = list(self._held) if self._held is not None else []
        self._filled = 0
        self._base, self._offsets, self._pass = _indices(seen, part)
        self._coming: list[tuple[Tensor, Tensor]] = []  # flat indices, shape (P, F), and positions, shape (P,)
        self._drawn = 0
        self._forget()

    def _forget(self) -> None:
        self._patches: list[Tensor] = []
        self._maxima: list[Tensor] = []
        self._places: list[Tensor] = []
        self._firsts: list[int] = []

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
        self._firsts.append(batch.first)
        if self._room == 1:
            self._reduce(values if self._chosen is None else values[self._part], 1, batch)
            return
        if self._chosen is None:
            self._slots[self._filled].copy_(values)
        else:  # quicker than a slice and a copy
            torch.index_select(values, self._row, self._chosen, out=self._slots[self._filled])
        self._filled += 1
        self._batch = batch
        if self._filled == self._room:
            self._flush()

    def _flush(self) -> None:
        if self._filled and self._held is not None:
            filled, self._filled = self._filled, 0
            self._reduce(self._held[:filled], filled, self._batch)

    def _reduce(self, part: Tensor, passes: int, batch: Batch) -> None:
        """Keep what is to be known of the instances read in some passes."""
        if self._rectifier == "softmax":
            part = part.softmax(self._unit, dtype=torch.promote_types(part.dtype, torch.float32))
        if self._single:
            self._patches.append(part if self._rectifier == "softmax" else part.clone())
            return
        if not self._coming:
            self._draw(batch)
        index, place = self._coming.pop()
        used = passes * (len(index) // self._room)
        self._maxima.append((part.abs() if self._rectifier == "abs" else part).amax(self._axes))
        self._patches.append(part.take(index[:used]))
        self._places.append(place[:used])

    def _draw(self, batch: Batch) -> None:
        """Choose the positions of some groups of passes to come, each time of more."""
        rows = self._room * len(self._rows)
        groups = max(1, min(2 * self._drawn or 1, _AHEAD // self._room, _DRAWN // (rows * self._filters)))
        flat, _ = positions.choose(batch.numbers(groups * rows, self._device), len(self._offsets))
        flat = flat.reshape(groups, self._room, len(self._rows), -1)
        base = self._base + (torch.arange(self._room, device=self._device) * self._pass)[:, None, None, None]
        index = base + self._offsets[flat][..., None]
        self._coming = list(zip(index.flatten(1, 3), flat.flatten(1), strict=True))
        self._drawn = groups

    def collect(self, caught: Caught) -> None:
        """Move what was read into ``caught``."""
        if not self._firsts:
            return
        self._flush()
        patches = torch.cat([part.reshape(-1, self._filters) for part in self._patches])
        tops = torch.cat([top.reshape(-1, self._filters) for top in self._maxima]) if self._maxima else patches
        caught.maxima.append(layout.largest(tops.abs() if self._rectifier == "abs" else tops, 1))
        caught.patches.append(patches if patches.dtype in EXACT else patches.float())
        instances = (torch.tensor(self._firsts)[:, None] + self._rows).flatten()
        caught.instances.append(instances.repeat_interleave(len(patches) // len(instances)))
        if self._single:
            caught.places.append([torch.zeros(len(patches), dtype=torch.int64) for _ in self.spatial])
        else:
            caught.places.append(unravel(torch.cat(self._places).cpu(), self.spatial))
        self._forget()


def _indices(seen: layout.Activations, part: list[int]) -> tuple[Tensor, Tensor, int]:
    """Flat indices into a tensor of the shape ``part``: of the first position of each row and filter, shape
    (rows, 1, F); what is to be added for every position, shape (positions,); and the number of elements."""
    steps = [math.prod(part[axis + 1 :]) for axis in range(len(part))]
    device = seen.values.device
    unit = torch.arange(seen.filters, device=device) * steps[seen.unit]
    base = (torch.arange(part[seen.row], device=device) * steps[seen.row])[:, None, None] + unit
    offsets = torch.zeros(1, dtype=torch.int64, device=device)
    for axis in seen.places:
        offsets = (offsets[:, None] + torch.arange(part[axis], device=device) * steps[axis]).flatten()
    return base, offsets, math.prod(part)


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
