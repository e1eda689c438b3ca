"""Instances as points of a layer: what a projection is of, its first picture, and who is near whom. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.layers.pooled import standardised
from analysis.layers.principal import principal

REDUCED = 50  # principal components that neighbours are searched in by methods that draw them
_LEAST = 1e-12  # variance from which a component says anything, as a share of the first one's


@dataclass(frozen=True)
class Space:
    """Points of a layer.

    values: float32 (m, d), means over positions of each rectified filter, in its standard deviations; filters that do
    not vary are left out. rows: int64 (m,), the rows of the sample that are points: those without a NaN or infinity.
    n: rows of the sample.
    """

    values: NDArray[np.float32]
    rows: NDArray[np.int64]
    n: int

    @property
    def nonfinite(self) -> int:
        """Instances left out because an activation is no number."""
        return self.n - len(self.rows)

    @property
    def alike(self) -> bool:
        """Whether the layer answers alike to all of them: then there is nothing to draw apart."""
        return len(self.values) > 1 and not self.values.shape[1]

    def whole(self, places: NDArray[Any]) -> NDArray[np.float32]:
        """Places (m, 2) by row of the sample, (n, 2); NaN for what is no point."""
        found = np.full((self.n, 2), np.nan, np.float32)
        found[self.rows] = places
        return found


def space(activations: NDArray[Any]) -> Space:
    """Points from pooled activations (n, F). With one row only, that row is a point without coordinates."""
    finite = np.isfinite(activations).all(axis=1)
    rows = np.flatnonzero(finite)
    chosen = np.asarray(activations, np.float32)
    return Space(standardised(chosen if finite.all() else chosen[rows]), rows, len(finite))


def plane(points: Space, random_state: int = 0) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """PCA: places (m, 2) and the share of the variance along each axis, (2,). Zeros where there is no second axis."""
    scores, shares = principal(points.values, 2, random_state)
    more = 2 - scores.shape[1]
    return np.pad(scores, ((0, 0), (0, more))), np.pad(shares, (0, more))


def reduced(points: Space, random_state: int = 0) -> tuple[NDArray[np.float32], float]:
    """At most 50 principal components, (m, k), and the share of the variance that they hold together."""
    scores, shares = principal(points.values, REDUCED, random_state)
    kept = shares > _LEAST * shares.max(initial=0.0)
    return np.ascontiguousarray(scores[:, kept]), float(shares.sum())


def facing(places: NDArray[np.float32], start: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same places (m, 2) with axes turned round where they run against those of another map, (m, 2).

    The sign of a principal component is arbitrary; the axes stay what they are. Rows that are not finite in either
    say nothing.
    """
    both = np.isfinite(places).all(1) & np.isfinite(start).all(1)
    if not both.any():
        return places
    one, other = (x[both].astype(np.float64) - x[both].mean(0) for x in (places, start))
    return places * np.where((one * other).sum(0) < 0, -1, 1).astype(np.float32)


def neighbours(values: NDArray[np.float32], at: int, count: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The nearest other points of one, (k,), the nearest first and equal ones by number, and their distances, (k,).

    values: (m, d). at: row of them. count: wanted; there are at most m - 1.
    """
    apart = np.einsum("ij,ij->i", values - values[at], values - values[at], dtype=np.float64)
    apart[at] = np.inf
    kept = min(count, len(values) - 1)
    if kept < 1:
        return np.zeros(0, np.int64), np.zeros(0)
    near = np.flatnonzero(apart <= np.partition(apart, kept - 1)[kept - 1])
    near = near[np.lexsort((near, apart[near]))][:kept]
    return near.astype(np.int64), np.sqrt(apart[near])
