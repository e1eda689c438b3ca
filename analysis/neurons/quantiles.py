"""The distribution behind a cell of the matrix: a mean does not tell one mode from two. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.errors import ParameterError

PERCENTILES = (5, 25, 50, 75, 95)
BINS = 32
MOST = 20_000  # instances read for one cell: a rank is then good to 0.4 points (standard error at the median)
SEED = 0
_FAR = 0.5  # times the range from the 1st to the 99th percentile: what lies further out goes into the last bin
_SMOOTH = np.array([1, 2, 3, 2, 1]) / 9  # of the histogram, in which modes are looked for
_CLEAR = 3.0  # standard deviations of a difference of counts from which a valley counts


@dataclass(frozen=True)
class Distribution:
    """Activations of one neuron over the instances of a subset.

    n: instances that it is of. missing: others, whose activation is NaN or infinite. sampled: how many instances the
    subset has where n were drawn of them at random, else 0. percentiles: (5,), the 5th, 25th, 50th, 75th and 95th.
    low, high, mean: of all n. zeros: share of exact zeros, 0 to 1. counts: (32,) instances in each bin; edges: (33,).
    The first and last bin also hold what lies beyond their edges: below, above: how many these are. modes: where the
    histogram has a peak, ascending: more than one only where the valley between two is clearer than chance makes it.
    All numbers are in units of the activation; NaN and empty without instances.
    """

    n: int
    missing: int
    sampled: int
    percentiles: NDArray[np.float64]
    low: float
    high: float
    mean: float
    zeros: float
    counts: NDArray[np.int64]
    edges: NDArray[np.float64]
    below: int
    above: int
    modes: tuple[float, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values; None for NaN."""

        def plain(value: float) -> float | None:
            return float(value) if np.isfinite(value) else None

        return {
            "n": self.n,
            "missing": self.missing,
            "sampled": self.sampled,
            "percentiles": [plain(value) for value in self.percentiles.tolist()],
            "low": plain(self.low),
            "high": plain(self.high),
            "mean": plain(self.mean),
            "zeros": plain(self.zeros),
            "counts": self.counts.tolist(),
            "edges": [plain(value) for value in self.edges.tolist()],
            "below": self.below,
            "above": self.above,
            "modes": list(self.modes),
        }


def cell(values: NDArray[Any], rows: NDArray[Any], neuron: int) -> Distribution:
    """The distribution of a neuron over a subset.

    Of more than 20,000 instances as many are drawn, with a fixed seed: of a memory map, each costs a page to be read.

    Args:
        values: (N, F), an array or a memory map. rows: of the subset, bool (N,) or numbers. neuron: from 0.

    Raises:
        ParameterError: there is no such neuron.
    """
    if not 0 <= neuron < values.shape[1]:
        raise ParameterError(f"There is no neuron {neuron:,}.", f"The layer has {values.shape[1]:,}, counted from 0.")
    rows = np.asarray(rows)
    rows = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.int64)
    sampled = 0
    if len(rows) > MOST:
        sampled = len(rows)
        rows = np.sort(np.random.default_rng(SEED).choice(rows, MOST, replace=False))
    return distribution(np.asarray(values[rows, neuron]), sampled=sampled)


def distribution(values: NDArray[Any], *, sampled: int = 0) -> Distribution:
    """The distribution of numbers, shape (n,). sampled: how many they were drawn from, 0 if they are all."""
    given = np.asarray(values, np.float64)
    kept = given[np.isfinite(given)]
    missing = len(given) - len(kept)
    if not len(kept):
        nothing = np.full(len(PERCENTILES), np.nan)
        empty = np.zeros(0, np.int64), np.zeros(0)
        return Distribution(0, missing, sampled, nothing, np.nan, np.nan, np.nan, np.nan, *empty, 0, 0, ())
    low, high = float(kept.min()), float(kept.max())
    first, last = _span(kept, low, high)
    edges = np.linspace(first, last, BINS + 1)
    counts = np.histogram(np.clip(kept, first, last), edges)[0].astype(np.int64)
    return Distribution(
        len(kept),
        missing,
        sampled,
        np.percentile(kept, PERCENTILES),
        low,
        high,
        float(kept.mean()),
        float((kept == 0).mean()),
        counts,
        edges,
        int((kept < first).sum()),
        int((kept > last).sum()),
        modes(counts, edges),
    )


def _span(kept: NDArray[np.float64], low: float, high: float) -> tuple[float, float]:
    """What the bins cover: everything, but for values so far out that the rest would share one bin."""
    if low == high:
        margin = abs(low) / 2 or 0.5
        return low - margin, high + margin
    near, far = np.percentile(kept, [1, 99])
    reach = _FAR * (far - near)
    if reach > 0:
        low, high = max(low, float(near - reach)), min(high, float(far + reach))
    return low, high


def modes(counts: NDArray[np.int64], edges: NDArray[np.float64]) -> tuple[float, ...]:
    """Where a histogram has its peaks, ascending, in units of its edges.

    Counts are smoothed over five bins. Two peaks count as two where the lower one exceeds the valley between them by 3
    standard deviations, with counts that vary like Poisson numbers; else the lower one is dropped.
    """
    if not counts.sum():
        return ()
    smooth = np.convolve(np.pad(counts.astype(np.float64), 2), _SMOOTH, "valid")
    variance = np.convolve(np.pad(counts.astype(np.float64), 2), _SMOOTH**2, "valid")
    ends = np.concatenate([[-1.0], smooth, [-1.0]])
    peaks = [place for place in range(len(smooth)) if ends[place] < smooth[place] >= ends[place + 2]]
    while len(peaks) > 1:
        gaps = []
        for one, other in pairwise(peaks):
            valley = one + int(smooth[one : other + 1].argmin())
            lower = one if smooth[one] < smooth[other] else other
            noise = np.sqrt(variance[lower] + variance[valley])
            gaps.append(((smooth[lower] - smooth[valley]) / max(noise, 1e-12), lower))
        weakest = min(gaps)
        if weakest[0] >= _CLEAR:
            break
        peaks.remove(weakest[1])
    middles = (edges[:-1] + edges[1:]) / 2
    return tuple(float(middles[place]) for place in peaks)
