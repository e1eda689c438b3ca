"""Maps that keep their points where another map has them: turned to fit, and how far points still move. No torch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def turned(places: NDArray[Any], start: NDArray[Any]) -> NDArray[np.float32]:
    """Places (m, 2) moved and turned or mirrored as a whole so that they lie closest to ``start`` (m, 2).

    Orthogonal Procrustes without a change of size (Schönemann, Psychometrika 31, 1966): distances stay as they are.
    """
    both = _both(places, start)
    if both.sum() < 2:
        return np.asarray(places, np.float32)
    one, other = np.asarray(places, np.float64), np.asarray(start, np.float64)
    middle, target = one[both].mean(0), other[both].mean(0)
    left, _, right = np.linalg.svd((one[both] - middle).T @ (other[both] - target))
    return ((one - middle) @ (left @ right) + target).astype(np.float32)


def drift(places: NDArray[Any], start: NDArray[Any]) -> float | None:
    """Mean distance between the two places of a point, in units of the radius of ``start``: the root of the mean
    squared distance of its points from their centre. 0: nothing moved; about 1.2: as if shuffled.

    Both (m, 2), each brought to a radius of 1 first. None where a radius is 0 or fewer than two points are in both.
    """
    both = _both(places, start)
    if both.sum() < 2:
        return None
    maps = []
    for found in (places, start):
        part = np.asarray(found, np.float64)[both]
        part = part - part.mean(0)
        radius = float(np.sqrt((part**2).sum(1).mean()))
        if not radius:
            return None
        maps.append(part / radius)
    return float(np.linalg.norm(maps[0] - maps[1], axis=1).mean())


def matched(index: NDArray[Any], start: NDArray[Any], start_index: NDArray[Any]) -> NDArray[np.float32]:
    """Places of another map, (n, 2), by the instances of this one, (n,); NaN for those it does not have."""
    found = np.full((len(index), 2), np.nan, np.float32)
    if not len(start_index):
        return found
    order = np.argsort(start_index, kind="stable")
    at = np.minimum(np.searchsorted(start_index[order], index), len(order) - 1)
    same = np.asarray(start_index)[order[at]] == index
    found[same] = np.asarray(start)[order[at[same]]]
    return found


def _both(places: NDArray[Any], start: NDArray[Any]) -> NDArray[np.bool_]:
    return np.isfinite(places).all(1) & np.isfinite(start).all(1)
