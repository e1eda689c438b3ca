"""Rank correlation, as trust and agreement use it. No torch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

FEWEST = 3  # values that can be ranked to any purpose


def spearman(one: NDArray[Any], other: NDArray[Any]) -> float | None:
    """Spearman's correlation of two arrays of one shape, ties at their mean rank (Spearman, 1904).

    None where it is undefined: fewer than three values, one of the two constant, or values that are not finite.
    """
    a, b = np.asarray(one, np.float64).ravel(), np.asarray(other, np.float64).ravel()
    if len(a) < FEWEST or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return None
    a, b = rankdata(a), rankdata(b)
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return None if size == 0 else float(np.clip((a @ b) / size, -1, 1))


def tied(values: NDArray[Any], share: float) -> NDArray[np.float64]:
    """Values whose size is below ``share`` of the largest size, brought to 0, so that they are tied: their order is
    that of noise. Unchanged where a value is not finite."""
    found = np.asarray(values, np.float64)
    sizes = np.abs(found)
    largest = float(sizes.max(initial=0.0))
    return np.where(sizes < share * largest, 0.0, found) if np.isfinite(largest) else found


def pooled(values: NDArray[Any], most: int, axes: tuple[int, ...]) -> NDArray[np.float64]:
    """Means over blocks along some axes, so that none of these has more than ``most`` values: a block is the smallest
    that does it, the last one of an axis may be smaller."""
    found = np.asarray(values, np.float64)
    for axis in axes:
        size = found.shape[axis]
        block = -(-size // most)
        if block > 1:
            starts = np.arange(0, size, block)
            shape = [1] * found.ndim
            shape[axis] = len(starts)
            counts = np.diff([*starts.tolist(), size]).reshape(shape)
            found = np.add.reduceat(found, starts, axis=axis) / counts
    return found
