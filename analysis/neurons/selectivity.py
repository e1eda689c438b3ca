"""How selective neurons are for a subset: the area under the ROC curve of each, with an interval. No torch.

The area (AUC) is the probability that an instance of the subset activates the neuron more than one outside it, ties
counting half: 1 for a neuron that tells the subset from all others, 0.5 for one that says nothing, 0 for one that is
silent on the subset and active elsewhere. It is the Mann-Whitney statistic over the product of both sizes (Hanley and
McNeil, Radiology 143, 1982), and does not change with the scale of the activation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.kept import Kept
from analysis.neurons.means import Floats, Subset, rows_of, subset_means

BUDGET = 1 << 23  # activations that are ranked; of larger tables a part of the rows is drawn
LEAST = 2_000  # rows that are drawn at least
SEED = 0
Z = 1.959963985  # of a 95 % interval
_KEPT = Kept(96 << 20)  # ranks of the tables shown
_BLOCK = 1 << 20  # activations ranked at a time
_STEPS = 30  # halvings: 1e-9


@dataclass(frozen=True)
class Selectivity:
    """Of S subsets and F neurons.

    auc, low, high: (S, F), the area and its 95 % interval, of each neuron alone; NaN where there are no instances on
    one of both sides. inside, outside: (S,), instances compared. sampled: instances drawn, 0 if all were taken; then
    sizes are effective ones (Kish, 1965), since small subsets are drawn more densely.
    """

    auc: Floats
    low: Floats
    high: Floats
    inside: Floats
    outside: Floats
    sampled: int

    @property
    def certain(self) -> Floats:
        """(S, F): how far the area is from 0.5 at least, 0 to 0.5: the nearer end of the interval, 0 where it reaches
        across 0.5 or is undefined. A subset of three instances does not win by chance."""
        apart = np.maximum(self.low - 0.5, 0.5 - self.high)
        return np.maximum(np.where(np.isnan(apart), 0, apart), 0)

    @property
    def score(self) -> Floats:
        """(S, F): what neurons are ranked by: what is certain, and among equals (0, mostly) the area itself; -1 where
        it is undefined."""
        distance = np.abs(self.auc - 0.5)
        return np.where(np.isnan(distance), -1, self.certain + 1e-6 * np.nan_to_num(distance))


def selectivity(values: NDArray[Any], subsets: Sequence[Subset], identity: str = "") -> Selectivity:
    """The area for each subset against all other instances, and each neuron.

    Args:
        values: (N, F), an array or a memory map; NaN and infinite ones are left out of their neuron. subsets: bool (N,)
            or numbers of rows. identity: what the table is kept under in memory while it is shown, '' not to keep it.

    Raises:
        ParameterError: a subset names rows that are not there.
    """
    count, filters = values.shape
    members = [rows_of(subset, count) for subset in subsets]
    drawn = _drawn(members, count, filters)
    if drawn is None:
        make = lambda: midranks(np.asarray(values), None)  # noqa: E731
        ranks = _KEPT.get(("ranks", identity, values.shape), make) if identity else make()
        auc, weights = _areas(ranks, members, np.ones(count)), np.ones(count)
    else:
        chosen, weights = drawn
        members = [np.searchsorted(chosen, rows[np.isin(rows, chosen, assume_unique=True)]) for rows in members]
        auc = _areas(midranks(np.asarray(values[chosen]), weights), members, weights)
    inside = np.array([_effective(weights[rows]) for rows in members])
    outside = np.array([_effective(np.delete(weights, rows)) for rows in members])
    low, high = interval(auc, inside[:, None], outside[:, None])
    return Selectivity(auc, low, high, inside, outside, 0 if drawn is None else len(drawn[0]))


def _drawn(
    members: Sequence[NDArray[np.int64]], count: int, filters: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]] | None:
    """Rows drawn, ascending, and the weight of each (one over its chance to be drawn); None where all are taken.

    Half of them are drawn from all, half from the subsets in equal parts.
    """
    most = max(LEAST, BUDGET // max(filters, 1))
    if count <= most:
        return None
    chance = np.full(count, most / 2 / count)
    for rows in members:
        if len(rows):
            chance[rows] = np.maximum(chance[rows], min(1.0, most / 2 / len(members) / len(rows)))
    chosen = np.flatnonzero(np.random.default_rng(SEED).random(count) < chance)
    return chosen, 1 / chance[chosen]


def _effective(weights: NDArray[np.float64]) -> float:
    total = float(weights.sum())
    return total * total / float((weights * weights).sum()) if total else 0.0


def midranks(values: NDArray[Any], weights: NDArray[np.float64] | None) -> NDArray[Any]:
    """Of each value the weight of those below it in its column and half of that of its equals, itself included.

    Args:
        values: (n, F). weights: (n,), or None for 1 each.

    Returns:
        (n, F), float32 without weights (exact up to 8 million rows), else float64; NaN where a value is not finite.
    """
    count, filters = values.shape
    found = np.empty((count, filters), np.float32 if weights is None else np.float64)
    step = max(1, _BLOCK // max(count, 1))
    for first in range(0, filters if count else 0, step):
        block = np.array(values[:, first : first + step].T, order="C")
        block[~np.isfinite(block)] = np.nan
        order = np.argsort(block, axis=1)
        ordered = np.take_along_axis(block, order, 1)
        starts = np.ones(block.shape, bool)
        starts[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
        place = np.arange(count)
        start = np.maximum.accumulate(np.where(starts, place, 0), axis=1)
        ends = np.ones(block.shape, bool)
        ends[:, :-1] = starts[:, 1:]
        last = np.minimum.accumulate(np.where(ends, place, count)[:, ::-1], axis=1)[:, ::-1]
        if weights is None:
            middle = (start + last + 1) / 2
        else:
            total = np.zeros((len(block), count + 1))
            np.cumsum(weights[order], axis=1, out=total[:, 1:])
            middle = (np.take_along_axis(total, start, 1) + np.take_along_axis(total, last + 1, 1)) / 2
        middle[np.isnan(ordered)] = np.nan
        ranks = np.empty(block.shape, found.dtype)
        np.put_along_axis(ranks, order, middle.astype(found.dtype), 1)
        found[:, first : first + step] = ranks.T
    return found


def _areas(ranks: NDArray[Any], members: Sequence[NDArray[np.int64]], weights: NDArray[np.float64]) -> Floats:
    """(S, F). Pairs within a subset add up to half the square of its weight, whatever their order."""
    known = np.isfinite(ranks)
    weighted = np.where(known, ranks * weights[:, None], 0)
    if known.all():
        inside = np.array([weights[rows].sum() for rows in members])[:, None]
        everything = np.float64(weights.sum())
    else:
        told = known * weights[:, None]
        inside, everything = _sums(told, members), told.sum(axis=0)
    outside = everything - inside
    with np.errstate(invalid="ignore", divide="ignore"):
        areas = (_sums(weighted, members) - inside**2 / 2) / (inside * outside)
    usable = (inside > 0) & (outside > 1e-9 * np.maximum(everything, 1))
    return np.where(usable, np.clip(areas, 0, 1), np.nan)


def _sums(values: NDArray[Any], members: Sequence[NDArray[np.int64]]) -> Floats:
    found = subset_means(values, members)
    return np.where(found.counts > 0, found.values * found.counts, 0)


def interval(auc: Floats, inside: Any, outside: Any) -> tuple[Floats, Floats]:
    """The 95 % interval of areas: Newcombe, Statistics in Medicine 25, 2006, part 2, method 5.

    A score interval: all areas whose own standard error lets the one found be. Unlike that of Hanley and McNeil it has
    a width at 0 and 1 as well.

    Args:
        auc: any shape. inside, outside: sizes m and n, of a shape that broadcasts with it.

    Returns:
        Lower and upper ends, NaN where ``auc`` is.
    """
    m, n = np.maximum(inside, 1.0), np.maximum(outside, 1.0)
    more = (m + n) / 2 - 1

    def reached(area: Floats) -> Floats:
        spread = area * (1 - area) * (1 + more * (1 - area) / (2 - area) + more * area / (1 + area)) / (m * n)
        return Z * np.sqrt(spread)

    low_from, low_to = np.zeros_like(auc), np.array(auc)
    high_from, high_to = np.array(auc), np.ones_like(auc)
    for _ in range(_STEPS):
        middle = (low_from + low_to) / 2
        far = auc - middle > reached(middle)
        low_from, low_to = np.where(far, middle, low_from), np.where(far, low_to, middle)
        middle = (high_from + high_to) / 2
        far = middle - auc > reached(middle)
        high_from, high_to = np.where(far, high_from, middle), np.where(far, middle, high_to)
    undefined = np.isnan(auc)
    return np.where(undefined, np.nan, low_from), np.where(undefined, np.nan, high_to)


def strongest(found: Selectivity, subset: int, top: int) -> NDArray[np.int64]:
    """The ``top`` most selective neurons for a subset, (top,): those first whose area is farthest from 0.5 for certain;
    among equal ones the larger distance, then the lower number."""
    return np.argsort(-found.score[subset], kind="stable")[:top]


@dataclass(frozen=True)
class Best:
    """Of each of F neurons the subset that it tells best. order: (F,) neurons, the most selective first. subset: (F,)
    which one, -1 where the area is undefined for all. score, auc, low, high: (F,), as in ``Selectivity``."""

    order: NDArray[np.int64]
    subset: NDArray[np.int64]
    score: Floats
    auc: Floats
    low: Floats
    high: Floats


def best(found: Selectivity) -> Best:
    """See ``Best``. Raises ValueError without a subset."""
    which = found.score.argmax(axis=0)
    every = np.arange(found.auc.shape[1])
    score, auc = found.score[which, every], found.auc[which, every]
    chosen = np.where(np.isnan(auc), -1, which)
    return Best(
        np.argsort(-score, kind="stable"), chosen, score, auc, found.low[which, every], found.high[which, every]
    )
