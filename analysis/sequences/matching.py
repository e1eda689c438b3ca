"""Which clusters of one analysis are those of another, so that colours agree. No torch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment


def match(clusters_a: NDArray[Any], clusters_b: NDArray[Any]) -> NDArray[np.int64]:
    """For each cluster of b the number that it is shown under, (k_b,): that of its partner in a.

    Partners share most members over all pairs (the Hungarian method; Kuhn, 1955). Clusters of b without a partner, also
    those that share nothing with theirs, get the free numbers of a in order, then new ones from k_a on. No two clusters
    of b get the same number.

    Args:
        clusters_a, clusters_b: the cluster of each of the same n members in either analysis, (n,) int from 0; -1 where
            a member is in none (a word that one of them left out).
    """
    a, b = np.asarray(clusters_a, np.int64), np.asarray(clusters_b, np.int64)
    many_a, many_b = int(a.max(initial=-1)) + 1, int(b.max(initial=-1)) + 1
    both = (a >= 0) & (b >= 0)
    shared = np.zeros((many_a, many_b), np.int64)
    np.add.at(shared, (a[both], b[both]), 1)
    return assigned(shared, above=0)


def assigned(alike: NDArray[Any], above: float = -math.inf) -> NDArray[np.int64]:
    """For each cluster of b the number of a cluster of a, so that the likeness of all pairs is largest (Kuhn, 1955).

    Args:
        alike: likeness (A, B). above: pairs that are not more alike than this count as none.

    Returns:
        (B,): those left over get the free numbers in order, then new ones from A on.
    """
    found = np.full(alike.shape[1], -1, np.int64)
    for one, other in zip(*linear_sum_assignment(alike, maximize=True), strict=True):
        if alike[one, other] > above:
            found[other] = one
    free = iter(sorted(set(range(sum(alike.shape))) - set(found.tolist())))
    for place in np.flatnonzero(found < 0):
        found[place] = next(free)
    return found


def agreement(clusters_a: NDArray[Any], clusters_b: NDArray[Any]) -> float:
    """Adjusted Rand index of two clusterings of the same members: 1 the same, 0 as by chance (Hubert and Arabie, 1985).

    nan without members.
    """
    a, b = np.asarray(clusters_a, np.int64), np.asarray(clusters_b, np.int64)
    if not len(a):
        return float("nan")
    table = np.zeros((int(a.max()) + 1, int(b.max()) + 1))
    np.add.at(table, (a, b), 1)

    def pairs(counts: NDArray[np.float64]) -> float:
        return float((counts * (counts - 1)).sum()) / 2

    together, of_a, of_b, all_pairs = pairs(table), pairs(table.sum(1)), pairs(table.sum(0)), pairs(np.array([len(a)]))
    expected = of_a * of_b / all_pairs if all_pairs else 0.0
    most = (of_a + of_b) / 2
    return 1.0 if most == expected else (together - expected) / (most - expected)
