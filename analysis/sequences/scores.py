"""How much of the responses co-clusters explain. No torch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.sequences.matching import agreement


def explained(values: NDArray[Any], rows: NDArray[np.int64], columns: NDArray[np.int64]) -> float | None:
    """Share of the variance of values (W, M) that is between the blocks of row and column clusters, 0 to 1.

    1 - sum (values - mean of their block)^2 / sum (values - mean)^2; None where all values are the same.
    """
    sums, sizes = _blocks(values, rows, columns), _sizes(rows, columns)
    total, count = float(sums.sum()), values.size
    square = float(np.einsum("ij,ij->", values, values, dtype=np.float64)) - total**2 / count
    if square <= 1e-12 * max(total**2 / count, 1e-300):
        return None
    between = float((sums**2 / np.maximum(sizes, 1)).sum()) - total**2 / count
    return min(max(between / square, 0.0), 1.0)


def modularity(edges: NDArray[np.float32], rows: NDArray[np.int64], columns: NDArray[np.int64]) -> float | None:
    """By how much more of the edges' weight lies within clusters than their degrees make expect, -1 to 1.

    Bipartite: Barber, 'Modularity and community detection in bipartite networks' (Physical Review E, 2007). With
    negative edges: those of positive less those of negative weight, each with its own degrees and its share of the
    weight (Gomez, Jensen and Arenas, Physical Review E, 2009). None without edges.

    Args:
        edges: (W, M). rows (W,), columns (M,): clusters; a word and a unit of the same number are in one.
    """
    total = float(np.abs(edges).sum(dtype=np.float64))
    if not total:
        return None
    negative = bool((edges < 0).any())
    parts = [(1, np.maximum(edges, 0)), (-1, np.maximum(-edges, 0))] if negative else [(1, edges)]
    found = 0.0
    for sign, part in parts:
        blocks = _blocks(part, rows, columns)
        weight = blocks.sum()
        if weight:
            expected = blocks.sum(1) * blocks.sum(0) / weight
            found += sign * float((np.diag(blocks) - expected).sum()) / total
    return found


def class_agreement(words: NDArray[np.int64], leaning: NDArray[np.int64]) -> float | None:
    """Adjusted Rand index of word clusters and the classes that words clearly go with; None if these are not two.

    Args:
        words: cluster of each word, (W,). leaning: the class it goes with, -1 where none is clear, (W,).
    """
    clear = leaning >= 0
    if len(np.unique(leaning[clear])) < 2:
        return None
    return agreement(words[clear], leaning[clear])


def links(responses: NDArray[Any], rows: NDArray[np.int64], columns: NDArray[np.int64], count: int) -> NDArray[Any]:
    """Mean response of each word cluster on each unit cluster, (count, count) float32; 0 where one is empty."""
    sums, sizes = _blocks(responses, rows, columns, count), _sizes(rows, columns, count)
    return (sums / np.maximum(sizes, 1)).astype(np.float32)


def _member(clusters: NDArray[np.int64], count: int) -> NDArray[np.float32]:
    found = np.zeros((count, len(clusters)), np.float32)
    found[clusters, np.arange(len(clusters))] = 1
    return found


def _count(rows: NDArray[np.int64], columns: NDArray[np.int64]) -> int:
    return int(max(rows.max(initial=-1), columns.max(initial=-1))) + 1


def _blocks(
    values: NDArray[Any], rows: NDArray[np.int64], columns: NDArray[np.int64], count: int = 0
) -> NDArray[np.float64]:
    """Sum of each block, (count, count)."""
    count = count or _count(rows, columns)
    by_row = (_member(rows, count) @ values).astype(np.float64)
    return by_row @ _member(columns, count).T


def _sizes(rows: NDArray[np.int64], columns: NDArray[np.int64], count: int = 0) -> NDArray[np.float64]:
    count = count or _count(rows, columns)
    return np.outer(np.bincount(rows, minlength=count), np.bincount(columns, minlength=count)).astype(np.float64)
