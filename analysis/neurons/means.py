"""Means of neurons over subsets of instances, S^T A of ActiVis (Kahng et al., IEEE VIS 2017), from an array or a memory
map. No torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.errors import ParameterError

Floats = NDArray[np.float64]
Subset = NDArray[Any]  # bool (N,), or numbers of rows
_ELEMENTS = 1 << 19  # of a chunk in float64: 4 MB, which stays in the cache of most processors
_PARTS = 2  # summed apart, by a thread each; fixed, so that a sum does not depend on the machine
_SMALL = 1 << 22  # elements up to which threads cost more than they save
_DENSE = 0.25  # share of all subsets that an instance belongs to, from which dense matrices are the quicker ones


@dataclass(frozen=True)
class SubsetMeans:
    """Means of F neurons over S subsets.

    values: (S, F), NaN where nothing is counted: an empty subset has no mean, and it is not 0. counts: (S, F), the
    instances in each mean. sizes: (S,), instances in each subset. missing: (S,), those of them that are left out of at
    least one mean because their activation is NaN or infinite, as where the layer was not called for them.
    """

    values: Floats
    counts: NDArray[np.int64]
    sizes: NDArray[np.int64]
    missing: NDArray[np.int64]


def subset_means(values: NDArray[Any], subsets: Sequence[Subset]) -> SubsetMeans:
    """Exact means over subsets that may overlap and be empty, all in one pass, accumulated in float64.

    Memory does not grow with N: rows are read in chunks of 4 MB, and only those that belong to a subset.

    Args:
        values: (N, F), of any floating type; a ``numpy.memmap`` is read from the file as it is needed.
        subsets: of each, which rows: bool (N,), or their numbers in any order; a row that is named twice counts once.

    Raises:
        ParameterError: a subset names rows that are not there.
    """
    count, filters = values.shape
    members = [rows_of(subset, count) for subset in subsets]
    sizes = np.array([len(rows) for rows in members], np.int64)
    if not len(members) or not sizes.any():
        nothing = np.zeros((len(members), filters), np.int64)
        return SubsetMeans(np.full(nothing.shape, np.nan), nothing, sizes, np.zeros_like(sizes))
    # A few instances of a million are picked; of many, everything is read from one end to the other.
    needed = np.unique(np.concatenate(members)) if int(sizes.sum()) < count // 2 else None
    places = members if needed is None else [np.searchsorted(needed, rows) for rows in members]
    length = count if needed is None else len(needed)
    belongs = _membership(places, length)

    def part(low: int, high: int) -> _Sums:
        return _summed(values, needed, belongs, len(members), low, high)

    parts = _PARTS if length * filters > _SMALL else 1
    edges = [length * number // parts for number in range(parts + 1)]
    if parts == 1:
        found = [part(0, length)]
    else:
        with ThreadPoolExecutor(parts) as pool:  # products and conversions do not hold the interpreter's lock
            found = list(pool.map(part, edges[:-1], edges[1:]))
    return _together(found, sizes)


def rows_of(subset: Subset, count: int) -> NDArray[np.int64]:
    """The rows of a subset of N = ``count``, ascending, each once. Raises ParameterError."""
    given = np.asarray(subset)
    if given.dtype == bool:
        if given.shape != (count,):
            raise ParameterError(
                f"A subset says of {given.size:,} instances whether they belong to it; there are {count:,}.",
                "Ask again: the sample may have grown meanwhile.",
            )
        return np.flatnonzero(given)
    rows = given.astype(np.int64, copy=False).ravel()
    if not bool((rows[1:] > rows[:-1]).all()):
        rows = np.unique(rows)
    if len(rows) and (rows[0] < 0 or rows[-1] >= count):
        raise ParameterError(
            f"A subset names row {int(rows[0] if rows[0] < 0 else rows[-1]):,} of {count:,}.",
            "Ask again: the sample may have grown meanwhile.",
        )
    return rows


@dataclass
class _Sums:
    """sums: (S, F). absent: how many values were left out of each; None for none at all. missing: (S,)."""

    sums: Floats
    absent: NDArray[np.int64] | None
    missing: NDArray[np.int64]


Membership = Callable[[int, int], Any]


def _membership(places: Sequence[NDArray[np.int64]], length: int) -> Membership:
    """From a range of rows to which subsets they belong to: 0 and 1 in float64, (S, rows), dense or sparse."""
    if sum(map(len, places)) > _DENSE * len(places) * length:
        masks = np.zeros((len(places), length), bool)
        for mask, rows in zip(masks, places, strict=True):
            mask[rows] = True
        return lambda low, high: masks[:, low:high].astype(np.float64)
    from scipy.sparse import csc_array, csr_array

    ends = np.cumsum([0, *map(len, places)])
    columns = np.concatenate(places).astype(np.int32 if length < 1 << 31 else np.int64)
    by_subset = csr_array((np.ones(len(columns)), columns, ends), shape=(len(places), length))
    by_row = by_subset.T.tocsr()
    starts, whose, ones = by_row.indptr, by_row.indices, by_row.data

    def part(low: int, high: int) -> Any:  # SciPy's own slicing takes as long as the product
        first, last = starts[low], starts[high]
        parts = ones[first:last], whose[first:last], starts[low : high + 1] - first
        return csc_array(parts, shape=(len(places), high - low))

    return part


def _summed(
    values: NDArray[Any], needed: NDArray[np.int64] | None, belongs: Membership, subsets: int, low: int, high: int
) -> _Sums:
    filters = values.shape[1]
    step = max(1, _ELEMENTS // max(filters, 1))
    room = np.empty((min(step, high - low), filters), np.float64)
    found = _Sums(np.zeros((subsets, filters)), None, np.zeros(subsets, np.int64))
    for first in range(low, high, step):
        last = min(first + step, high)
        block = room[: last - first]
        block[:] = values[first:last] if needed is None else values[needed[first:last]]
        member = belongs(first, last)
        with np.errstate(invalid="ignore"):
            product = member @ block
        # Values that are not finite make sums so, of dense matrices (0 x NaN is NaN) those of every subset: they are
        # looked for only where that happened.
        if not np.isfinite(product).all():
            product = _without(block, member, found)
        found.sums += product
    return found


def _without(block: Floats, member: Any, found: _Sums) -> Any:
    """The product with values that are not finite left out, and counted."""
    bad = ~np.isfinite(block)
    if found.absent is None:
        found.absent = np.zeros(found.sums.shape, np.int64)
    found.absent += (member @ bad.astype(np.float64)).astype(np.int64)
    found.missing += (member @ bad.any(axis=1).astype(np.float64)).astype(np.int64)
    block[bad] = 0
    return member @ block


def _together(parts: Sequence[_Sums], sizes: NDArray[np.int64]) -> SubsetMeans:
    sums = sum((part.sums for part in parts[1:]), parts[0].sums)
    absent = [part.absent for part in parts if part.absent is not None]
    counts: NDArray[np.int64] = np.broadcast_to(sizes[:, None], sums.shape)
    if absent:
        counts = counts - sum(absent[1:], absent[0])
    missing = sum((part.missing for part in parts[1:]), parts[0].missing)
    with np.errstate(invalid="ignore", divide="ignore"):
        return SubsetMeans(np.where(counts > 0, sums / counts, np.nan), counts, sizes, missing)
