"""How sure a change of accuracy is: paired bootstrap over instances (Efron and Tibshirani, 1993)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
LEVEL = 0.95


@dataclass(frozen=True)
class Change:
    """Over n instances with a label. before, after: share of right answers. change: after - before, low, high: its
    95 % interval, in percentage points; None without instances."""

    n: int
    before: float | None
    after: float | None
    change: float | None
    low: float | None
    high: float | None


def paired(before: NDArray[np.bool_], after: NDArray[np.bool_], rng: np.random.Generator) -> Change:
    """Compare which of the same n instances are right, shape (n,) each.

    Resampling instances draws numbers of those that got right, got wrong and stayed from a multinomial distribution;
    so it is drawn from directly. If none changed, the interval is a point and says nothing: with n instances, up to
    300 / n points may go unseen.
    """
    count = len(before)
    if not count:
        return Change(0, None, None, None, None, None)
    gained, lost = int((~before & after).sum()), int((before & ~after).sum())
    draws = rng.multinomial(count, [gained / count, lost / count, 1 - (gained + lost) / count], RESAMPLES)
    points = 100 * (draws[:, 0] - draws[:, 1]) / count
    low, high = np.quantile(points, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Change(
        count, float(before.mean()), float(after.mean()), 100 * (gained - lost) / count, float(low), float(high)
    )


def share(right: NDArray[np.bool_], rng: np.random.Generator) -> tuple[float, float, float]:
    """Share of True and its 95 % interval, likewise; n is at least 1."""
    count = len(right)
    draws = rng.binomial(count, float(right.mean()), RESAMPLES) / count
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(right.mean()), float(low), float(high)
