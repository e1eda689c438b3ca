"""Has a layer stopped changing? Distances between successive perplexity histograms.

DeepEyes (Pezzotti et al., IEEE VIS 2017) leaves stability to the eye; here it is the total-variation distance between
successive records. Nothing assumes that histograms move left: first layers often stay flat, others move right first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from analysis.errors import ParameterError
from analysis.records import FloatArray, IntArray

State = Literal["learning", "settled", "too few records"]


@dataclass(frozen=True)
class Stability:
    """How far each record moved from the one before it.

    steps: (n,). distance: (n,), total variation between record i - 1 and i, 0..1; the first is NaN, as is every one
    next to a record without patches. settled_at: first step of the unbroken run of at least ``patience`` distances
    <= ``threshold`` that lasts to the latest record, None unless state is 'settled'.
    """

    steps: IntArray
    distance: FloatArray
    settled_at: int | None
    state: State
    threshold: float
    patience: int


def _shares(counts: ArrayLike) -> FloatArray | None:
    values = np.asarray(counts, dtype=np.float64)
    total = float(values.sum())
    return values / total if np.isfinite(total) and total > 0 else None


def total_variation(a: ArrayLike, b: ArrayLike) -> float:
    """Half the summed absolute difference of two histograms of counts, each made to sum to 1.

    a, b: counts, the same shape (B,). Returns 0 (same shares) to 1 (no bin in common), NaN if one of them is empty.
    Raises ValueError when the shapes differ.
    """
    if np.shape(a) != np.shape(b):
        raise ValueError(f"histograms of different shapes: {np.shape(a)} and {np.shape(b)}")
    left, right = _shares(a), _shares(b)
    if left is None or right is None:
        return float("nan")
    return min(float(0.5 * np.abs(left - right).sum()), 1.0)


def signed_change(histogram: ArrayLike, baseline: ArrayLike) -> FloatArray:
    """Change of each bin's share since a baseline, shape (B,), -1..1 (0.05 = 5 points more of all counted patches).

    The lower half of DeepEyes' perplexity histogram. All NaN if one of the two is empty.
    Raises ValueError when the shapes differ.
    """
    if np.shape(histogram) != np.shape(baseline):
        raise ValueError(f"histograms of different shapes: {np.shape(histogram)} and {np.shape(baseline)}")
    now, then = _shares(histogram), _shares(baseline)
    if now is None or then is None:
        return np.full(np.shape(histogram), np.nan)
    return now - then


def stability(
    steps: ArrayLike, histograms: ArrayLike, silent: ArrayLike, threshold: float = 0.1, patience: int = 2
) -> Stability:
    """Distances between successive records of a layer, and the step at which it settled.

    steps: (n,). histograms: (n, B) counts. silent: (n,) counts of patches without any activation; they are one more
    bin, because a layer that falls silent has changed. threshold: largest distance that counts as unchanged, 0..1.
    patience: how many such distances in a row. Raises ParameterError when patience < 1 or threshold is outside 0..1,
    ValueError when lengths differ.
    """
    if patience < 1 or not 0 <= threshold <= 1:
        raise ParameterError(
            f"Stability cannot be judged with threshold {threshold} and patience {patience}.",
            "Choose a threshold between 0 and 1 and a patience of 1 record or more.",
        )
    at = np.asarray(steps, dtype=np.int64).reshape(-1)
    quiet = np.asarray(silent, dtype=np.float64).reshape(-1, 1)
    counts = np.asarray(histograms, dtype=np.float64).reshape(len(at), -1) if len(at) else np.zeros((0, 0))
    if len(quiet) != len(at):
        raise ValueError(f"{len(at)} steps but {len(quiet)} counts of silent patches")
    distance = _distances(np.hstack([counts, quiet]))
    if int(np.isfinite(distance).sum()) < patience:
        return Stability(at, distance, None, "too few records", threshold, patience)
    run = _trailing_run(distance <= threshold)
    if run < patience:
        return Stability(at, distance, None, "learning", threshold, patience)
    return Stability(at, distance, int(at[len(at) - run]), "settled", threshold, patience)


def _distances(counts: FloatArray) -> FloatArray:
    """``total_variation`` between each row and the one before, shape (n,); the first is NaN."""
    total = counts.sum(axis=1, keepdims=True)
    usable = np.isfinite(total) & (total > 0)
    share = np.where(usable, counts / np.where(usable, total, 1.0), np.nan)
    distance = np.full(len(counts), np.nan)
    distance[1:] = np.minimum(0.5 * np.abs(np.diff(share, axis=0)).sum(axis=1), 1.0)
    return distance


def _trailing_run(flags: np.ndarray) -> int:
    """Length of the unbroken run of True at the end."""
    breaks = np.flatnonzero(~flags)
    return len(flags) - (int(breaks[-1]) + 1 if len(breaks) else 0)
