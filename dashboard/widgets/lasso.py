"""What lies inside a lasso. The browser sends its outline only, as x0, y0, x1, y1, ... in the map's coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

FEW = 20_000  # points up to which each is looked at
CELLS = 128  # of a grid over the outline, along a side


def inside(outline: Sequence[float], points: NDArray[Any]) -> NDArray[np.bool_]:
    """Which points (P, 2) lie inside a closed outline: those from which a ray crosses it an odd number of times.

    A point that is not finite lies nowhere; an outline of fewer than three corners, or without an area, holds nothing.
    """
    found = np.zeros(len(points), bool)
    corners = np.asarray(outline, np.float64).reshape(-1, 2)
    if len(corners) < 3 or not np.isfinite(corners).all():
        return found
    low, high = corners.min(0), corners.max(0)
    with np.errstate(invalid="ignore"):
        near = np.flatnonzero(((points >= low) & (points <= high)).all(1))
    x, y = points[near].astype(np.float64).T
    if len(near) <= FEW or not (high > low).all():
        found[near] = _crossed(corners, x, y)
        return found
    # Of many points only those in a cell that an edge may touch are looked at one by one.
    side = (high - low) / CELLS
    cells = [np.minimum(((v - low[i]) / side[i]).astype(np.int32), CELLS - 1) for i, v in enumerate((x, y))]
    touched = np.zeros((CELLS, CELLS), bool)
    for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        first, last = (np.clip(((end(a, b) - low) / side).astype(int) + by, 0, CELLS - 1)
                       for end, by in ((np.minimum, -1), (np.maximum, 1)))  # fmt: skip
        touched[first[1] : last[1] + 1, first[0] : last[0] + 1] = True
    middle = np.arange(CELLS) + 0.5
    across, down = np.meshgrid(low[0] + middle * side[0], low[1] + middle * side[1])
    whole = _crossed(corners, across.ravel(), down.ravel())
    at = cells[1] * CELLS + cells[0]
    odd = whole[at]
    edge = np.flatnonzero(touched.ravel()[at])
    odd[edge] = _crossed(corners, x[edge], y[edge])
    found[near] = odd
    return found


def _crossed(corners: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether a ray from each place crosses the outline an odd number of times."""
    odd = np.zeros(len(x), bool)
    for (ax, ay), (bx, by) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if ay == by:
            continue
        # Half-open: a ray through a corner crosses one of its two edges, not both.
        spans = (ay <= y) != (by <= y)
        odd ^= spans & (x < ax + (y - ay) * (bx - ax) / (by - ay))
    return odd


def outline_path(outline: Sequence[float]) -> str:
    """The outline as an SVG path in data coordinates."""
    corners = np.asarray(outline, np.float64).reshape(-1, 2)
    return "M" + "L".join(f"{x:.5g},{y:.5g}" for x, y in corners) + "Z"


def written(outline: Sequence[float]) -> str:
    """The outline as the address holds it."""
    return ",".join(f"{value:.7g}" for value in outline)
