"""Answers ``separation``: how far apart the classes lie in each layer, by depth (D8)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.errors import NotFound
from analysis.extraction.sample import choose
from analysis.layers.pooled import standardised

NEIGHBOURS = 10
MOST = 2000  # instances


def separation(session: Any, context: Any) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """kNN purity and silhouette of the labels in each layer's activations, up to 2,000 labelled instances.

    An instance is its mean over positions of each rectified filter, in standard deviations of the filter: layers
    without positions as they are. Purity: share of the 10 nearest other instances that have the same label. Silhouette:
    Rousseeuw, 1987. The chance level is the purity of neighbours drawn at random.

    Returns:
        {'layers': [{'layer', 'order', 'filters', 'knn_purity', 'silhouette', 'n'}] in the order of the network, None
        where undefined (no two instances of a class, or one class alone), 'chance', 'k', 'n', 'random_state'}; no
        arrays.

    Raises:
        NotFound: no instance has a label.
    """
    extraction, seed = session.extraction(), int(session.sample["random_state"])
    labels = np.asarray(extraction.labels)
    labelled = np.flatnonzero(labels >= 0)
    if not len(labelled):
        raise NotFound("No instance of the sample has a label.", "Classes can only be told apart where they are known.")
    rows = labelled[choose(labels[labelled], MOST, seed)]
    found = []
    infos = sorted(extraction.layers, key=lambda info: info.order)
    for done, info in enumerate(infos):
        context.progress(done, len(infos), "layers", "Comparing classes")
        values = np.asarray(extraction.mean(info.key)[rows])
        finite = np.isfinite(values).all(axis=1)
        purity, silhouette = separated(standardised(values[finite]), labels[rows][finite])
        found.append(
            {
                "layer": info.key,
                "order": info.order,
                "filters": info.filters,
                "knn_purity": purity,
                "silhouette": silhouette,
                "n": int(finite.sum()),
            }
        )
    context.progress(len(infos), len(infos), "layers", "Comparing classes")
    counts = np.bincount(labels[rows]).astype(np.float64)
    total = counts.sum()
    chance = float((counts * (counts - 1)).sum() / (total * (total - 1))) if total > 1 else None
    return {"layers": found, "chance": chance, "k": NEIGHBOURS, "n": len(rows), "random_state": seed}, {}


def separated(values: NDArray[np.float32], labels: NDArray[np.int64]) -> tuple[float | None, float | None]:
    """kNN purity (leave one out) and mean silhouette of points (n, d); None where undefined."""
    count = len(values)
    classes, member, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    if count < 3 or len(classes) < 2 or sizes.max() < 2:
        return None, None
    apart = _distances(values)
    return _purity(apart, labels), _silhouette(apart, member, sizes)


def _distances(values: NDArray[np.float32]) -> NDArray[np.float32]:
    data = np.asarray(values, dtype=np.float32)
    square = np.einsum("ij,ij->i", data, data)
    found = square[:, None] + square
    found -= 2 * (data @ data.T)
    np.sqrt(np.maximum(found, 0, out=found), out=found)
    np.fill_diagonal(found, 0)
    return found


def _purity(apart: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    count = min(NEIGHBOURS, len(apart) - 1)
    others = apart.copy()
    np.fill_diagonal(others, np.inf)
    near = np.argpartition(others, count - 1, axis=1)[:, :count]
    return float((labels[near] == labels[:, None]).mean())


def _silhouette(apart: NDArray[np.float32], member: NDArray[np.int64], sizes: NDArray[np.int64]) -> float | None:
    """As scikit-learn has it: an instance alone in its class counts 0."""
    sums = np.stack([apart[:, member == place].sum(axis=1, dtype=np.float64) for place in range(len(sizes))], axis=1)
    rows = np.arange(len(apart))
    own = sizes[member]
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = sums[rows, member] / (own - 1)
        outside = sums / sizes
        outside[rows, member] = np.inf
        nearest = outside.min(axis=1)
        values = np.where(own > 1, (nearest - inside) / np.maximum(inside, nearest), 0.0)
    mean = float(np.nan_to_num(values, nan=0.0).mean())
    return mean if math.isfinite(mean) else None
