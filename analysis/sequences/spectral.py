"""Where words and units lie when a spectral method has pulled apart what is not linked. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import ArpackError, LinearOperator, eigsh

TOLERANCE = 1e-3  # of the squares of singular values, relative
DENSE = 5  # times as many words and units as vectors: below that, all vectors are computed


@dataclass(frozen=True)
class Spectrum:
    """Leading singular vectors of a normalised matrix of edges.

    values: (count,) singular values, the largest first. words: (W, count) and units: (M, count), orthonormal columns.
    word_degree: (W,) and unit_degree: (M,), sums of the absolute edges. trivial: how many of the vectors say only how
    heavy words and units are: 1 for edges without negative ones, else 0. products: with the matrix and its transpose
    that it took; 0 where all vectors were computed.
    """

    values: NDArray[np.float64]
    words: NDArray[np.float32]
    units: NDArray[np.float32]
    word_degree: NDArray[np.float32]
    unit_degree: NDArray[np.float32]
    trivial: int
    products: int


def spectrum(edges: NDArray[np.float32], count: int, *, signs: bool, random_state: int = 0) -> Spectrum:
    """The ``count`` leading singular vectors of D1^(-1/2) E D2^(-1/2), where D are the sums of |E| by row and column.

    Without negative edges this is the matrix of Dhillon, 'Co-clustering documents and words using bipartite spectral
    graph partitioning' (KDD 2001), whose first vectors are known: the roots of the degrees. With them it is
    the signed counterpart, whose degrees are sums of absolute weights: Kunegis et al., 'Spectral analysis of signed
    graphs' (SDM 2010). Computed by ARPACK (Lehoucq, Sorensen and Yang, 1998) in float32, from a random
    vector, to 0.1 %.

    Args:
        edges: (W, M) without NaN. Rows and columns of zeros get vectors of zeros. signs: whether some may be negative.
    """
    ones = np.ones(max(edges.shape), np.float32)
    size = np.abs(edges) if signs else edges
    rows, columns = size @ ones[: edges.shape[1]], ones[: edges.shape[0]] @ size
    by_row, by_column = _inverse_root(rows), _inverse_root(columns)
    trivial = 0 if signs else 1
    known = np.sqrt(columns / max(float(columns.sum(dtype=np.float64)), 1e-30))[:, None][:, :trivial]
    count = min(count, min(edges.shape))
    values, units, words, products = _leading(edges, by_row, by_column, known, count - trivial, random_state)
    if trivial:
        first = np.sqrt(rows / max(float(rows.sum(dtype=np.float64)), 1e-30))[:, None]
        values, units = np.concatenate([[1.0], values]), np.concatenate([known, units], axis=1)
        words = np.concatenate([first, words], axis=1)
    return Spectrum(values, words, units, rows, columns, trivial, products)


def positions(found: Spectrum, clusters: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Where words (W, d) and units (M, d) lie; those of a cluster are near each other.

    As Dhillon (2001), with two changes that found planted clusters more surely: all k - 1 informative
    vectors instead of log2 k (k with signs, where none is trivial), each times its singular value, as in diffusion maps
    (Coifman and Lafon, 2006), so that those which hold little structure say little.
    """
    chosen = slice(found.trivial, clusters)
    values = found.values[chosen].astype(np.float32)
    words = found.words[:, chosen] * values * _inverse_root(found.word_degree)[:, None]
    units = found.units[:, chosen] * values * _inverse_root(found.unit_degree)[:, None]
    scale = np.sqrt(np.float32(found.word_degree.sum(dtype=np.float64)))  # so that units of the edges do not matter
    return words * scale, units * scale


def _inverse_root(degrees: NDArray[np.float32]) -> NDArray[np.float32]:
    found: NDArray[np.float32] = np.where(degrees > 0, 1 / np.sqrt(np.where(degrees > 0, degrees, 1)), 0)
    return found.astype(np.float32)


def _leading(
    edges: NDArray[np.float32],
    by_row: NDArray[np.float32],
    by_column: NDArray[np.float32],
    known: NDArray[np.float32],
    count: int,
    random_state: int,
) -> tuple[NDArray[np.float64], NDArray[np.float32], NDArray[np.float32], int]:
    """Singular values, right and left vectors, products. known: right vectors (M, 0 or 1) that are left out.

    N itself is not formed: vectors are scaled instead, which costs no copy of the matrix. A block of vectors would need
    fewer passes, but each is so much dearer that it took longer (benchmarks/coclustering.py).
    """
    columns = edges.shape[1]
    if count < 1 or min(edges.shape) <= DENSE * count:
        return _dense(by_row[:, None] * edges * by_column, known, count)
    squared, products = by_row * by_row, 0

    def product(vector: NDArray[np.float32]) -> NDArray[Any]:
        nonlocal products
        products += 1
        rest = vector.ravel()
        rest = rest - known @ (known.T @ rest)
        image = by_column * ((squared * (edges @ (by_column * rest))) @ edges)
        outside: NDArray[Any] = image - known @ (known.T @ image)
        return outside

    operator = LinearOperator((columns, columns), matvec=product, dtype=np.float32)
    start = np.random.default_rng(random_state).standard_normal(columns, np.float32)
    try:
        squares, right = eigsh(operator, count, v0=start, tol=TOLERANCE)
    except ArpackError:  # fewer different values than are asked for
        return _dense(by_row[:, None] * edges * by_column, known, count)
    order = np.argsort(-squares)
    values, right = np.sqrt(np.maximum(squares[order].astype(np.float64), 0)), right[:, order]
    left = by_row[:, None] * (edges @ (by_column[:, None] * right))
    return values, right, left / np.where(values > 1e-4, values, np.inf).astype(np.float32), products


def _dense(
    matrix: NDArray[np.float32], known: NDArray[np.float32], count: int
) -> tuple[NDArray[np.float64], NDArray[np.float32], NDArray[np.float32], int]:
    """The same of a matrix that is small, by all its singular vectors."""
    rest = matrix.astype(np.float64)
    rest = rest - (rest @ known) @ known.T
    left, values, right = np.linalg.svd(rest, full_matrices=False)
    count = max(count, 0)
    return values[:count], right[:count].T.astype(np.float32), left[:, :count].astype(np.float32), 0
