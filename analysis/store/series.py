"""One tag in one segment, seen as a line: ranges, extremes, values that are not finite, averages.

``FileSeries`` answers from the pyramid and small reads; it needs steps (for the wall axis, times) that never decrease.
``ArraySeries`` holds all records in memory, ordered by step, and serves everything else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from analysis.store import frames
from analysis.store.logfile import ScalarFile
from analysis.store.pyramid import BLOCK, Level, Pyramid
from analysis.store.smoothing import ema, warm_up

Axis = Literal["step", "wall"]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

EXACT_AVERAGE = 200_000  # records up to which the average is taken over each of them
_RAW = BLOCK  # a range of at most this many records per point is read as it is


@dataclass(frozen=True)
class Points:
    """Records of a line, arrays of length n."""

    step: Ints
    wall: Floats
    value: Floats

    def take(self, index: NDArray[np.intp] | NDArray[np.bool_] | slice) -> Points:
        """The points at ``index``."""
        return Points(self.step[index], self.wall[index], self.value[index])


def points_of(records: frames.Frames) -> Points:
    """Copies of the columns of ``records``."""
    return Points(*(np.ascontiguousarray(records[name]) for name in ("step", "wall", "value")))


def join(parts: list[Points]) -> Points:
    """Points one after another."""
    if not parts:
        return Points(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
    return Points(*(np.concatenate([getattr(p, name) for p in parts]) for name in ("step", "wall", "value")))


def thin(points: Points, count: int) -> Points:
    """At most ``count`` of the points, all finite: the extremes of equal shares of them, and the first and the last."""
    if len(points.value) <= max(count, 4):
        return points
    from tsdownsample import MinMaxDownsampler

    room = max((count - 2) // 2 * 2, 2)
    chosen = MinMaxDownsampler().downsample(np.ascontiguousarray(points.value), n_out=room).astype(np.intp)
    return points.take(np.unique(np.concatenate([[0], chosen, [len(points.value) - 1]])))


def spread(index: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    """At most ``count`` of the indices, evenly, the first and the last among them."""
    if len(index) <= count:
        return index
    return index[np.unique(np.linspace(0, len(index) - 1, count).astype(np.intp))]


class ArraySeries:
    """All records of a segment, ordered by step, in memory."""

    def __init__(self, records: frames.Frames) -> None:
        points = points_of(records)
        order = np.argsort(points.step, kind="stable")
        self.points = points.take(order)
        self.chosen = np.arange(len(order))

    def select(self, axis: Axis, lo: float, hi: float) -> int:
        """Restrict to lo <= x <= hi; the number of records in it. Times need not be in order."""
        x = getattr(self.points, axis)
        self.chosen = np.flatnonzero((x >= lo) & (x <= hi))
        return len(self.chosen)

    def line(self, count: int) -> tuple[Points, bool]:
        """Finite points, at most ``count``, and whether these are all."""
        kept = self.points.take(self.chosen)
        kept = kept.take(np.isfinite(kept.value))
        return thin(kept, count), len(kept.value) <= count

    def nonfinite(self, count: int) -> tuple[int, Points]:
        """How many values in range are not finite, and at most ``count`` of them."""
        bad = self.chosen[~np.isfinite(self.points.value[self.chosen])]
        return len(bad), self.points.take(spread(bad, count))

    def average(self, weight: float, count: int) -> Points:
        """Moving average over every record of the segment, at most ``count`` points of those in range."""
        finite = np.flatnonzero(np.isfinite(self.points.value))
        every = self.points.take(finite)
        smooth = Points(every.step, every.wall, ema(every.value, weight))
        return thin(smooth.take(np.isin(finite, self.chosen)), count)


class FileSeries:
    """A file whose steps (and times, for the wall axis) never decrease, with its pyramid."""

    def __init__(self, file: ScalarFile, pyramid: Pyramid, count: int) -> None:
        self.file = file
        self.levels = pyramid.levels
        self.count = count
        self.start, self.stop = 0, count

    def select(self, axis: Axis, lo: float, hi: float) -> int:
        """Restrict to lo <= x <= hi; the number of records in it."""
        self.start = 0 if lo == -math.inf else self._bisect(axis, lo, "left")
        self.stop = self.count if hi == math.inf else max(self._bisect(axis, hi, "right"), self.start)
        return self.stop - self.start

    def line(self, count: int) -> tuple[Points, bool]:
        """Finite points, at most ``count``, and whether these are all. The extremes of every share survive."""
        total = self.stop - self.start
        if total <= max(count, 4) * _RAW:
            kept = self._raw(self.start, self.stop)
        else:
            level = self._level(count)
            first, last = -(-self.start // level.block), min(self.stop // level.block, level.n)
            middle = Points(*(level[name][first:last].ravel() for name in ("step", "wall", "value")))
            kept = join([self._raw(self.start, first * level.block), middle, self._raw(last * level.block, self.stop)])
        kept = kept.take(np.isfinite(kept.value))
        return thin(kept, count), total <= max(count, 4) * _RAW and len(kept.value) <= count

    def nonfinite(self, count: int) -> tuple[int, Points]:
        """How many values in range are not finite, and at most ``count`` of them, from evenly chosen blocks."""
        base = self.levels[0]
        first, last = -(-self.start // BLOCK), min(self.stop // BLOCK, base.n)
        if last <= first:
            edges, total, blocks = [self._raw(self.start, self.stop)], 0, np.zeros(0, np.intp)
        else:
            bad = base["bad"][first:last]
            total, blocks = int(bad.sum()), spread(np.flatnonzero(bad), count) + first
            edges = [self._raw(self.start, first * BLOCK), self._raw(last * BLOCK, self.stop)]
        total += sum(int(np.count_nonzero(~np.isfinite(part.value))) for part in edges)
        if not total:
            return 0, join([])
        middle = [self._raw(block * BLOCK, (block + 1) * BLOCK) for block in blocks.tolist()]
        kept = join([edges[0], *middle, *edges[1:]])
        return total, kept.take(spread(np.flatnonzero(~np.isfinite(kept.value)), count))

    def average(self, weight: float, count: int) -> Points:
        """Moving average, at most ``count`` points of those in range; see ``curve`` for what it is taken over."""
        warm = warm_up(weight)
        if self.stop - self.start <= EXACT_AVERAGE:
            begin = max(0, self.start - warm)
            every = self._raw(begin, self.stop)
            finite = np.flatnonzero(np.isfinite(every.value))
            every = every.take(finite)
            smooth = Points(every.step, every.wall, ema(every.value, weight))
            return thin(smooth.take(finite + begin >= self.start), count)
        level = self._level(count)
        first, last = -(-self.start // level.block), min(self.stop // level.block, level.n)
        begin = max(0, first - -(-warm // level.block))
        good = level.block - level["bad"][begin:last].astype(np.int64)
        kept = np.flatnonzero(good > 0)
        means = level["total"][begin:last][kept] / good[kept]
        smooth = Points(
            level["last_step"][begin:last][kept],
            level["last_wall"][begin:last][kept],
            ema(means, weight**level.block),
        )
        return thin(smooth.take(kept + begin >= first), count)

    def _level(self, count: int) -> Level:
        """The coarsest level that still has two blocks a point in the range."""
        base, upper = self.levels
        return upper if (self.stop - self.start) // upper.block >= 2 * count else base

    def _raw(self, start: int, stop: int) -> Points:
        return points_of(self.file.read(start, stop))

    def _bisect(self, axis: Axis, x: float, side: Literal["left", "right"]) -> int:
        """Where ``x`` belongs: a bisection of the blocks, then of one block."""
        base = self.levels[0]
        blocks = min(base.n, self.count // BLOCK)
        block = int(np.searchsorted(base[f"first_{axis}"][:blocks], x, side))
        start = max(block - 1, 0) * BLOCK
        stop = block * BLOCK if block < blocks else self.count
        return start + int(np.searchsorted(self.file.read(start, max(stop, start))[axis], x, side))


Series = FileSeries | ArraySeries


def series_of(file: ScalarFile, pyramid: Pyramid, axis: Axis, count: int) -> Series:
    """The fast view of a file's first ``count`` records where their order allows it, else the one in memory."""
    tail = file.read(max(pyramid.count - 1, 0), count)
    columns = ("step", "wall") if axis == "wall" else ("step",)
    ordered = pyramid.steps_sorted and (axis == "step" or pyramid.walls_sorted)
    if ordered and all(np.all(tail[name][1:] >= tail[name][:-1]) for name in columns):
        return FileSeries(file, pyramid, count)
    return ArraySeries(file.read(0, count))
