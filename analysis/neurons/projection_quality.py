"""What a projection is worth: whether its neighbours are neighbours, and whether they share a label. No torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NEIGHBOURS = 15  # of the trustworthiness and the recall
PURITY = 10  # neighbours of the purity, as in the separation of layers
MOST_JUDGED = 1000
_WORK = 200_000_000  # distances that are measured, at most
_BLOCK = 1 << 23  # elements of a block of distances
_CLOSE = 1e-5  # distances that differ by less are equal


@dataclass(frozen=True)
class Quality:
    """Of a map (m, 2) of points (m, d). None where undefined.

    trustworthiness: Venna and Kaski, 2001: 1 if the neighbours on the map are neighbours of the layer, about 0.5 by
    chance. recall: share of a point's neighbours in the layer that are its neighbours on the map. purity, map_purity:
    share of the 10 nearest others with the same label, in the layer and on the map. chance: the same of others drawn
    at random. judged: points it was measured at, labelled: those of them that have a label.
    """

    trustworthiness: float | None
    recall: float | None
    purity: float | None
    map_purity: float | None
    chance: float | None
    judged: int
    labelled: int
    neighbours: int


def judged(count: int, random_state: int) -> NDArray[np.int64]:
    """Rows of ``count`` points that the quality is measured at: all of few, fewer of many, since each costs a pass."""
    most = min(MOST_JUDGED, max(50, _WORK // max(count, 1)))
    return np.sort(np.random.default_rng(random_state).permutation(count)[:most])


def quality(
    points: NDArray[np.float32],
    places: NDArray[np.float32],
    labels: NDArray[np.int64],
    rows: NDArray[np.int64],
    tick: Callable[[int, int], None] | None = None,
) -> Quality:
    """Judge a map at some rows.

    Args:
        points: finite, (m, d). places: finite, (m, 2). labels: (m,), below 0 where there is none: such a neighbour
            counts for no label. tick: told of rows done and in all.
    """
    total = len(points)
    if total < 4:
        return Quality(None, None, None, None, chance(labels), 0, 0, 0)
    count = min(NEIGHBOURS, max((total - 1) // 2, 1))
    few = min(PURITY, total - 1)
    data, flat = (np.ascontiguousarray(x - x.mean(axis=0), dtype=np.float32) for x in (points, places))
    squares = [np.einsum("ij,ij->i", x, x) for x in (data, flat)]
    worse, kept, pure, map_pure = 0.0, 0, 0, 0
    known = labels[rows] >= 0
    step = max(1, _BLOCK // total)
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        far, near = (_apart(x, square, part) for x, square in zip((data, flat), squares, strict=True))
        inside = _first(far, max(count, few))
        outside = _first(near, max(count, few))
        for i, row in enumerate(part):
            shown, line = outside[i], far[i]
            own = line[shown[:count]]
            limit = line[inside[i, count - 1]]
            beyond = own > limit * (1 + _CLOSE)
            kept += int(count - beyond.sum())
            for value in own[beyond]:
                worse += max(int(np.count_nonzero(line < value * (1 - _CLOSE))) + 1 - count, 0)
            if labels[row] >= 0:
                pure += int((labels[inside[i, :few]] == labels[row]).sum())
                map_pure += int((labels[shown[:few]] == labels[row]).sum())
        if tick is not None:
            tick(start + len(part), len(rows))
    expected = chance(labels)
    of_labels = int(known.sum()) if expected is not None else 0
    return Quality(
        trustworthiness=1.0 - worse * 2 / (len(rows) * count * (2 * total - 3 * count - 1)),
        recall=kept / (len(rows) * count),
        purity=pure / (of_labels * few) if of_labels else None,
        map_purity=map_pure / (of_labels * few) if of_labels else None,
        chance=expected,
        judged=len(rows),
        labelled=of_labels,
        neighbours=count,
    )


def chance(labels: NDArray[np.int64]) -> float | None:
    """Probability that another instance, drawn at random, has the label of a labelled one; None without a pair."""
    counts = np.bincount(labels[labels >= 0]).astype(np.float64)
    pairs = float((counts * (counts - 1)).sum())
    return pairs / (float(counts.sum()) * (len(labels) - 1)) if pairs else None


def _apart(data: NDArray[np.float32], square: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Squared distances (rows, m), infinite to themselves."""
    block = data[rows] @ data.T
    block *= -2
    block += square
    block += square[rows, None]
    np.maximum(block, 0, out=block)
    block[np.arange(len(rows)), rows] = np.inf
    return block


def _first(block: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """The ``count`` smallest of each row, the smallest first."""
    found = np.argpartition(block, count - 1, axis=1)[:, :count]
    values = np.take_along_axis(block, found, axis=1)
    return np.take_along_axis(found, np.lexsort((found, values), axis=1), axis=1)
