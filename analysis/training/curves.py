"""Curves made robust: windows of medians, noise from differences, slopes that outliers do not move (Theil-Sen)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from analysis.records import FloatArray, IntArray
from analysis.training.findings import Thresholds
from analysis.training.tags import MetricGroup, pairs

WINDOWS = 200  # more points than this are first put into windows: rules cost the same at any length


@dataclass(frozen=True)
class Curve:
    """A tag's finite values by step, at most ``WINDOWS`` medians. steps: (m,), values: (m,).

    total: values logged. bad_steps: steps of those that are NaN or infinite, (b,). ends_bad: the last one is.
    """

    tag: str
    steps: FloatArray
    values: FloatArray
    total: int
    bad_steps: IntArray
    ends_bad: bool

    @classmethod
    def of(cls, tag: str, steps: ArrayLike, values: ArrayLike) -> Curve:
        """From raw records, shape (n,) each. Raises ValueError when the lengths differ."""
        at, y = np.asarray(steps, dtype=np.int64).reshape(-1), np.asarray(values, dtype=np.float64).reshape(-1)
        if len(at) != len(y):
            raise ValueError(f"{tag}: {len(at)} steps but {len(y)} values")
        by_step = np.argsort(at, kind="stable")  # a resumed run may step back
        at, y = at[by_step], y[by_step]
        fine = np.isfinite(y)
        x, z = medians(at[fine].astype(np.float64), y[fine], WINDOWS)
        return cls(tag, x, z, len(y), at[~fine], bool(len(y)) and not bool(fine[-1]))

    def __len__(self) -> int:
        return len(self.values)

    def after(self, step: float) -> tuple[FloatArray, FloatArray]:
        """Steps and values from a step on."""
        keep = self.steps >= step
        return self.steps[keep], self.values[keep]


@dataclass(frozen=True)
class CurveCase:
    """A run's curves as the rules see them."""

    curves: dict[str, Curve]
    groups: tuple[MetricGroup, ...]
    thresholds: Thresholds

    @classmethod
    def of(cls, curves: Mapping[str, tuple[ArrayLike, ArrayLike]], thresholds: Thresholds) -> CurveCase:
        """curves: tag -> (steps, values), each of shape (n,)."""
        made = {tag: Curve.of(tag, steps, values) for tag, (steps, values) in curves.items()}
        return cls(made, tuple(pairs(made)), thresholds)

    def get(self, tag: str | None) -> Curve | None:
        """The curve of a tag if it has any finite value."""
        curve = self.curves.get(tag) if tag else None
        return curve if curve is not None and len(curve) else None


def continued(steps: ArrayLike, values: ArrayLike, segments: ArrayLike) -> tuple[IntArray, FloatArray]:
    """The line that the latest training continues: (steps, values).

    A restart takes over at its first record: what earlier segments logged from that step on was given up, and rules
    must not judge two trainings as one. steps, values, segments: shape (n,), segments ascending.
    """
    at, y, number = np.asarray(steps), np.asarray(values), np.asarray(segments)
    keep = np.ones(len(at), bool)
    cuts = [*(np.flatnonzero(np.diff(number)) + 1).tolist(), len(at)]
    for start, stop in pairwise(cuts):
        keep[:start] &= at[:start] < at[start:stop].min()
    return at[keep], y[keep]


def medians(steps: FloatArray, values: FloatArray, windows: int) -> tuple[FloatArray, FloatArray]:
    """Medians over at most ``windows`` runs of neighbouring points, shape (min(n, windows),) each."""
    if len(values) <= windows:
        return steps, values
    cuts = np.linspace(0, len(values), windows + 1).astype(int)
    return _window_medians(steps, cuts), _window_medians(values, cuts)


def _window_medians(values: FloatArray, cuts: np.ndarray) -> FloatArray:
    """The median between each two cuts; windows of one length are taken at once."""
    starts, lengths = cuts[:-1], np.diff(cuts)
    found = np.empty(len(lengths))
    for length in np.unique(lengths):
        same = lengths == length
        found[same] = np.median(values[starts[same][:, None] + np.arange(length)], axis=1)
    return found


def noise(values: FloatArray) -> float:
    """Standard deviation of the scatter around a smooth trend, from the median absolute deviation of differences."""
    if len(values) < 3:
        return 0.0
    jumps = np.diff(values)
    return float(1.4826 * np.median(np.abs(jumps - np.median(jumps))) / np.sqrt(2))


def slope(steps: FloatArray, values: FloatArray) -> float:
    """Theil-Sen slope: the median over all pairs of points, per step; 0 when no two steps differ."""
    i, j = np.triu_indices(len(values), k=1)
    apart = steps[j] - steps[i]
    ok = apart > 0
    return float(np.median((values[j][ok] - values[i][ok]) / apart[ok])) if ok.any() else 0.0


def rise(steps: FloatArray, values: FloatArray) -> tuple[float, float]:
    """How much a stretch of curve rises in all, and how much of that noise alone would explain.

    The second is twice the standard error of a line's rise over m points with this scatter, sigma * sqrt(12 / m).
    """
    if len(values) < 2:
        return 0.0, 0.0
    span = float(steps[-1] - steps[0])
    return slope(steps, values) * span, 2 * noise(values) * float(np.sqrt(12 / len(values)))


def smooth(values: FloatArray, width: int) -> FloatArray:
    """Running median over ``width`` (odd) neighbours, the same shape; the ends use the neighbours there are."""
    half = width // 2
    places = np.arange(len(values))
    cuts = np.stack([np.maximum(places - half, 0), np.minimum(places + half + 1, len(values))])
    inner = np.flatnonzero(cuts[1] - cuts[0] == width)
    found = np.array([np.median(values[a:b]) if b - a < width else 0.0 for a, b in cuts.T.tolist()])
    if len(inner):
        found[inner] = np.median(np.lib.stride_tricks.sliding_window_view(values, width), axis=1)
    return found
