"""Whether confidences are the shares of right answers: reliability, expected calibration error, Brier score. No torch.

Expected calibration error: Naeini, Cooper and Hauskrecht (AAAI 2015), Guo et al. (ICML 2017), equation 3. Intervals of
a bin's accuracy: Wilson (1927).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.errors import ParameterError

BINS = 15
Z = 1.959964  # 95 %
DRAWS = 400  # of the bootstrap
_CELLS = 20  # parts of a bin in which confidences count as equal, for the bootstrap
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Reliability:
    """Bins of confidence, k of them; only those with instances have numbers, others NaN.

    edges: (k + 1,). counts: instances, (k,). confidence: their mean, accuracy: their share of right answers, low and
    high: its 95 % interval (Wilson). n: instances that count: with a label and a finite confidence. how: 'width' or
    'mass'.
    """

    edges: Floats
    counts: Integers
    confidence: Floats
    accuracy: Floats
    low: Floats
    high: Floats
    n: int
    how: str


@dataclass(frozen=True)
class Error:
    """The expected calibration error. value: mean over instances of |accuracy - confidence| of their bin, 0 to 1, NaN
    without instances. low, high: interval of at least about 95 %, of the spread of a bootstrap over instances. Chance
    adds to the value, and again to that of each draw, so that quantiles of the draws would lie above the truth: the
    interval goes lower by what chance adds to a perfectly calibrated model. perfect: the 95 % quantile of what such a
    model with these confidences would show by chance alone: the value is never 0. n, bins, how."""

    value: float
    low: float
    high: float
    perfect: float
    n: int
    bins: int
    how: str


def reliability(confidence: Any, correct: Any, *, bins: int = BINS, how: str = "width") -> Reliability:
    """Bins of equal width in 0 to 1, or of equal numbers of instances ('mass'; ties stay together).

    Args:
        confidence: probability of the prediction, (n,); NaN does not count. correct: whether it was right, (n,);
            pass labelled instances only.

    Raises:
        ParameterError: no such bins.
    """
    values, right = _usable(confidence, correct)
    edges = _edges(values, bins, how)
    at = _bin(values, edges)
    width = len(edges) - 1
    counts = np.bincount(at, minlength=width)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(at, values, width) / counts
        accuracy = np.bincount(at, right, width) / counts
    low, high = wilson(np.bincount(at, right, width), counts)
    return Reliability(edges, counts.astype(np.int64), mean, accuracy, low, high, len(values), how)


def error(
    confidence: Any, correct: Any, *, bins: int = BINS, how: str = "width", random_state: int = 0, draws: int = DRAWS
) -> Error:
    """The expected calibration error of confidences, with its interval. Arguments as of ``reliability``."""
    values, right = _usable(confidence, correct)
    if not len(values):
        nan = float("nan")
        return Error(nan, nan, nan, nan, 0, bins, how)
    edges = _edges(values, bins, how)
    at = _bin(values, edges)
    width = len(edges) - 1
    value = _ece(np.bincount(at, right - values, width).astype(np.float64)[None], len(values))[0]
    # Instances of one bin, of nearly one confidence, right or wrong alike, are exchangeable: draws are counts of them.
    within = np.clip((values - edges[at]) / np.maximum(edges[at + 1] - edges[at], 1e-300) * _CELLS, 0, _CELLS - 1)
    cell = at * _CELLS + within.astype(np.int64)
    cells = width * _CELLS
    counts = np.bincount(cell, minlength=cells)
    mean = np.bincount(cell, values, cells) / np.maximum(counts, 1)
    hits = np.bincount(cell, right, cells)
    rng = np.random.default_rng(random_state)
    shares = np.concatenate([hits, counts - hits]) / len(values)
    drawn = rng.multinomial(len(values), shares / shares.sum(), size=draws).astype(np.float64)
    excess = drawn[:, :cells] * (1 - mean) - drawn[:, cells:] * mean
    spread = _ece(excess.reshape(draws, width, _CELLS).sum(2), len(values))
    ideal = rng.binomial(counts, np.clip(mean, 0, 1), size=(draws, cells)) - counts * mean
    chance = _ece(ideal.reshape(draws, width, _CELLS).sum(2), len(values))
    below, above = (float(np.quantile(spread, share) - spread.mean()) for share in (0.025, 0.975))
    low, high = max(0.0, float(value - chance.mean()) + below), min(1.0, float(value) + above)
    return Error(float(value), low, high, float(np.quantile(chance, 0.95)), len(values), width, how)


def brier(probabilities: Any, labels: Any) -> float:
    """Mean over labelled instances of the squared distance of the probabilities (n, C) from the label's indicator, 0 to
    2 (Brier, 1950); NaN without any."""
    shares, labels = np.asarray(probabilities, np.float64), np.asarray(labels, np.int64)
    kept = (labels >= 0) & (labels < shares.shape[1]) & np.isfinite(shares).all(1)
    if not kept.any():
        return float("nan")
    shares, labels = shares[kept], labels[kept]
    own = shares[np.arange(len(labels)), labels]
    return float(((shares**2).sum(1) - 2 * own + 1).mean())


def histograms(
    scores: Any, correct: Any, *, bins: int = 30, span: tuple[float, float] = (0.0, 1.0)
) -> tuple[Floats, Integers, Integers]:
    """Edges (bins + 1,) and counts of right and of wrong instances, (bins,); what lies outside counts in the end bins,
    NaN nowhere."""
    values, right = _usable(scores, correct)
    edges = np.linspace(*span, bins + 1)
    values = np.clip(values, *span)
    made = [np.histogram(values[chosen], edges)[0].astype(np.int64) for chosen in (right == 1, right == 0)]
    return edges, made[0], made[1]


def wilson(hits: Any, counts: Any, z: float = Z) -> tuple[Floats, Floats]:
    """The interval of a share from hits out of counts; NaN without any."""
    hits, counts = np.asarray(hits, np.float64), np.asarray(counts, np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = hits / counts
        middle = (share + z**2 / (2 * counts)) / (1 + z**2 / counts)
        half = z / (1 + z**2 / counts) * np.sqrt(share * (1 - share) / counts + z**2 / (4 * counts**2))
    return np.maximum(middle - half, 0.0), np.minimum(middle + half, 1.0)


def _usable(values: Any, correct: Any) -> tuple[Floats, Floats]:
    values, right = np.asarray(values, np.float64), np.asarray(correct, np.float64)
    kept = np.isfinite(values)
    return values[kept], right[kept]


def _edges(values: Floats, bins: int, how: str) -> Floats:
    if how not in ("width", "mass") or not 1 <= bins <= 1000:
        raise ParameterError(f"There are no {bins} bins of equal {how}.", "Choose 'width' or 'mass', and 1 to 1,000.")
    if how == "width" or not len(values):
        return np.linspace(0, 1, bins + 1)
    inner = np.quantile(values, np.arange(1, bins) / bins, method="inverted_cdf")
    # Ties stay together: where one value fills several bins, they are one.
    return np.unique(np.concatenate([[0.0], inner, [1.0]]))


def _bin(values: Floats, edges: Floats) -> Integers:
    """Bins are open to the left, as in the papers; 0 belongs to the first."""
    return np.clip(np.searchsorted(edges, values, side="left") - 1, 0, len(edges) - 2)


def _ece(excess: Floats, n: int) -> Floats:
    """From sums of (right - confidence) by bin, (draws, bins)."""
    return np.asarray(np.abs(excess).sum(1) / n)
