"""Orders in which similar rows or columns stand side by side. Deterministic. No torch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

SMALL = 200  # items, or groups of them, that are ordered by optimal leaves
COMPONENTS = 32
_LEAST = 1e-6  # deviation, as a share of the largest, from which an item varies
_ROUNDS = 8  # of k-means
_SEED = 0
_LARGE = 1 << 20  # numbers, from which on four bytes each will do


def order(values: NDArray[Any]) -> NDArray[np.int64]:
    """An order of the columns of (R, F) in which correlated ones are neighbours: a permutation of 0 .. F-1.

    Up to 200 columns: average linkage of one less the correlation, its leaves in the order of the shortest path
    (optimal leaf ordering, Bar-Joseph, Gifford and Jaakkola, Bioinformatics 17, 2001). More: columns, made equally
    long, are put into 200 groups by k-means in the 32 directions in which they vary most; the groups are ordered in the
    same way, and the columns of each along the line from the group before it to the one behind. Time grows with R F.

    Columns that do not vary come last, by number, so do those with a value that is not finite once rows that are NaN
    throughout are left out. Of both directions, the one that begins with the lower number.
    """
    wide = values.size > _LARGE
    data = np.asarray(values, np.float32 if wide else np.float64)
    data = data[np.isfinite(data).any(axis=1)]
    last = np.arange(values.shape[1])
    if len(data) < 2:
        return last
    with np.errstate(invalid="ignore"):
        centred = data - data.mean(axis=0, dtype=np.float64).astype(data.dtype)
        length = np.sqrt(np.einsum("ij,ij->j", centred, centred))
    usable = np.isfinite(length)
    varies = usable & (length > _LEAST * max(float(length[usable].max(initial=0)), 1e-300))
    items = np.flatnonzero(varies)
    if len(items) > 2:
        unit = centred[:, items] / length[items]
        found = _leaves(unit) if len(items) <= SMALL else _grouped(unit)
        if items[found[0]] > items[found[-1]]:
            found = found[::-1]
        items = items[found]
    return np.concatenate([items, np.flatnonzero(~varies)])


def order_rows(values: NDArray[Any]) -> NDArray[np.int64]:
    """An order of the rows of (R, F) in which similar ones are neighbours; columns count alike, in their deviations.
    Rows with values that are not finite (empty subsets) come last."""
    data = np.asarray(values, np.float32 if values.size > _LARGE else np.float64)
    known = np.isfinite(data).all(axis=1)
    if known.sum() < 2:
        return np.concatenate([np.flatnonzero(known), np.flatnonzero(~known)])
    kept = data[known]
    kept = kept - kept.mean(axis=0, dtype=np.float64).astype(data.dtype)
    spread = np.sqrt(np.einsum("ij,ij->j", kept, kept) / len(kept))
    varies = spread > _LEAST * max(float(spread.max(initial=0)), 1e-300)
    scaled = kept[:, varies] / spread[varies]
    return np.concatenate([np.flatnonzero(known)[order(scaled.T)], np.flatnonzero(~known)])


def _leaves(unit: NDArray[Any]) -> NDArray[np.int64]:
    near = np.clip(1 - unit.T @ unit, 0, 2)
    return _path(near[np.triu_indices(len(near), 1)])


def _path(apart: NDArray[np.float64]) -> NDArray[np.int64]:
    """Leaves in their optimal order, of distances in SciPy's condensed form."""
    from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering

    return np.asarray(leaves_list(optimal_leaf_ordering(linkage(apart, "average"), apart)), np.int64)


def _grouped(unit: NDArray[Any]) -> NDArray[np.int64]:
    from scipy.spatial.distance import pdist

    places = _reduced(np.asarray(unit, np.float32))
    group, centres = _groups(places)
    path = _path(pdist(centres)) if len(centres) > 2 else np.arange(len(centres))
    line, rank = centres[path], np.argsort(path)
    ahead = np.concatenate([line[1:], line[-1:]]) - np.concatenate([line[:1], line[:-1]])
    own = rank[group]
    along = np.einsum("ij,ij->i", places - line[own], ahead[own])
    return np.lexsort((along, own))


def _groups(places: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Group of each point, and the groups' centres: k-means++ (Arthur and Vassilvitskii, 2007), then Lloyd's steps."""
    rng = np.random.default_rng(_SEED)
    size = np.einsum("ij,ij->i", places, places)
    chosen = [int(size.argmax())]
    nearest = np.full(len(places), np.inf)
    while len(chosen) < SMALL:
        last = places[chosen[-1]]
        nearest = np.minimum(nearest, np.maximum(size - 2 * places @ last + last @ last, 0))
        if not nearest.sum() > 0:
            break
        chosen.append(int(rng.choice(len(places), p=nearest / nearest.sum())))
    centres = places[chosen]
    group = np.zeros(len(places), np.int64)
    for _ in range(_ROUNDS):
        group = (np.einsum("ij,ij->i", centres, centres) - 2 * places @ centres.T).argmin(axis=1)
        count = np.bincount(group, minlength=len(centres))
        kept = np.flatnonzero(count)
        sums = np.add.reduceat(places[np.argsort(group, kind="stable")], (np.cumsum(count) - count)[kept], axis=0)
        centres, group = sums / count[kept, None], np.searchsorted(kept, group)
    return group, centres


def _reduced(unit: NDArray[np.float32]) -> NDArray[np.float64]:
    """Columns of (R, F) in the directions in which they vary most, (F, 32), found by subspace iteration from random
    ones (Halko, Martinsson and Tropp, SIAM Review 53, 2011)."""
    width = min(COMPONENTS, len(unit))
    basis = np.random.default_rng(_SEED).standard_normal((len(unit), width)).astype(np.float32)
    for _ in range(3):
        basis = np.linalg.qr(unit @ (unit.T @ basis))[0]
    return np.asarray(unit.T @ basis, np.float64)
