"""Windows that slide over an instance: which values each covers, as a product of its axes."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, prod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from analysis.attribution.case import Case
from analysis.attribution.features import steps_of
from analysis.attribution.masks import Masks
from analysis.errors import ParameterError

OF_AXIS = {"image": 7, "series": 12}  # windows side by side along an axis, by default; else one step each
SMALLEST = {"image": 2}


@dataclass(frozen=True)
class Windows:
    """Windows of one instance. axes: for each axis of one input, bool (windows, size), or (1, 1) where every window
    covers all of it. live: numbers (in row-major order of the axes) of those that change something, int64."""

    axes: tuple[Tensor, ...]
    live: Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        """Windows along each axis."""
        return tuple(len(axis) for axis in self.axes)

    def masks(self, row: int, device: torch.device) -> Masks:
        """The instance without each of the live windows in turn."""
        left = []  # of each axis with more than one window: which values each window leaves
        number = self.live
        for place in reversed(range(len(self.axes))):
            axis = self.axes[place]
            if len(axis) > 1 or axis.shape[1] > 1:
                wide = [-1 if other == place else 1 for other in range(len(self.axes))]
                left.append((~axis.to(device).reshape(len(axis), *wide), (number % len(axis)).to(device)))
            number = number // len(axis)

        def keep(start: int, stop: int) -> Tensor:
            kept = torch.zeros([stop - start, *[1] * len(self.axes)], dtype=torch.bool, device=device)
            for axis, at in left:
                kept = kept | axis[at[start:stop]]
            return kept

        return Masks(row, len(self.live), keep)

    def mean_of(self, values: NDArray[np.float64]) -> Tensor:
        """The mean of the windows over each place, float64, with 1 along axes that are covered whole; 0 where there is
        no window. values: of the live windows; the others count 0."""
        whole = torch.zeros(prod(self.shape), dtype=torch.float64)
        whole[self.live] = torch.from_numpy(values)
        times = torch.ones(self.shape, dtype=torch.float64)
        return self._covering(whole.reshape(self.shape)) / self._covering(times).clamp_min(1)

    def _covering(self, windows: Tensor) -> Tensor:
        for number, axis in enumerate(self.axes):
            windows = torch.tensordot(windows, axis.double(), dims=([number], [0])).movedim(-1, number)
        return windows


def windows(case: Case, row: int, base: Tensor, size: int, stride: int, channels: str) -> Windows:
    """The windows of one instance; those in which it equals the baseline are not live.

    Args:
        size: of a window along each axis of places, in pixels, steps, tokens or columns; 0 for a default. stride: from
            one to the next; 0 for half the size. channels: of series, 'each' or 'all' in one window.

    Raises:
        ParameterError: windows would leave gaps.
    """
    shape = tuple(case.inputs.shape[1:])
    lengths = list(shape)
    if len(case.places) == 1:
        lengths[case.places[0] - 1] = steps_of(case, row)
    places = [axis - 1 for axis in case.places] or [len(shape) - 1]
    axes = []
    for axis, length in enumerate(lengths):
        if axis in places:
            axes.append(_sliding(length, shape[axis], *sizes(case.kind, length, size, stride)))
        elif case.kind == "table" or (case.kind == "series" and channels == "each"):
            axes.append(torch.eye(length, dtype=torch.bool))
        else:
            axes.append(torch.ones(1, 1, dtype=torch.bool))
    changed = (case.inputs[row] != base[row]).cpu().double()
    found = Windows(tuple(axes), torch.zeros(0, dtype=torch.int64))
    for number, covers in enumerate(axes):
        along = covers if covers.shape[1] == shape[number] else covers.expand(1, shape[number])
        changed = torch.tensordot(changed, along.double(), dims=([number], [1])).movedim(-1, number)
    return Windows(found.axes, changed.reshape(-1).nonzero()[:, 0])


def sizes(kind: str, length: int, size: int, stride: int) -> tuple[int, int]:
    """Size and stride of windows along an axis, defaults filled in. Raises ParameterError if they would leave gaps."""
    parts = OF_AXIS.get(kind)
    size = size or (1 if parts is None else max(round(length / parts), SMALLEST.get(kind, 1)))
    if stride > size:
        raise ParameterError(
            f"Windows of {size:,} that are {stride:,} apart leave gaps.", f"Give strides from 1 to {size:,}, or 0."
        )
    return min(size, length), stride or max(min(size, length) // 2, 1)


def _sliding(length: int, whole: int, size: int, stride: int) -> Tensor:
    """bool (windows, whole); the last one may end early, at ``length``."""
    starts = torch.arange(1 + ceil((length - size) / stride)) * stride
    at = torch.arange(whole)
    return (at >= starts[:, None]) & (at < (starts + size)[:, None]) & (at < length)
