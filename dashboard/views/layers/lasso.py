"""What lies inside a lasso. The browser sends its outline only, as x0, y0, x1, y1, ... in the map's coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def inside(outline: Sequence[float], points: NDArray[Any]) -> NDArray[np.bool_]:
    """Which points (P, 2) lie inside a closed outline: those from which a ray crosses it an odd number of times.

    A point that is not finite lies nowhere; an outline of fewer than three corners, or without an area, holds nothing.
    """
    found = np.zeros(len(points), bool)
    corners = np.asarray(outline, np.float64).reshape(-1, 2)
    if len(corners) < 3 or not np.isfinite(corners).all():
        return found
    finite = np.isfinite(points).all(1)
    x, y = points[finite].astype(np.float64).T
    odd = np.zeros(len(x), bool)
    for (ax, ay), (bx, by) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if ay == by:
            continue
        # Half-open: a ray through a corner crosses one of its two edges, not both.
        spans = (ay <= y) != (by <= y)
        odd ^= spans & (x < ax + (y - ay) * (bx - ax) / (by - ay))
    found[finite] = odd
    return found


def outline_path(outline: Sequence[float]) -> str:
    """The outline as an SVG path in data coordinates."""
    corners = np.asarray(outline, np.float64).reshape(-1, 2)
    return "M" + "L".join(f"{x:.5g},{y:.5g}" for x, y in corners) + "Z"


def written(outline: Sequence[float]) -> str:
    """The outline as the address holds it."""
    return ",".join(f"{value:.7g}" for value in outline)
