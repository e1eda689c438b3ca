"""Clusters in a layer's activations as candidates: instances that the model takes for alike.

Needs scikit-learn, imported when it is asked for.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.layers.pooled import standardised
from analysis.suggestions.candidates import Candidate, distinct, z_of
from analysis.suggestions.items import LEAST
from analysis.suggestions.listing import fitting, listed

NUMBERS = (8, 24)  # of clusters
DIMENSIONS = 20  # principal components that distances are measured in
WIDEST = 4_096  # units, those that vary most
FITTED = 5_000  # instances that centres are found with


def clusters(
    values: NDArray[np.float32],
    layer: str,
    wrong: NDArray[np.bool_],
    rows: NDArray[Any],
    indices: NDArray[Any],
    seed: int,
    most: int,
) -> list[Candidate]:
    """Clusters of k-means on principal components in which instances are wrong more often.

    A cluster with more instances than an expression has room for is cut to those nearest to its centre.

    Args:
        values: pooled activations, (n, F). rows: that are searched; centres are found without looking at what is wrong,
            with all. indices: of the instances in the data set, (n,).
    """
    from sklearn.cluster import KMeans
    from sklearn.decomposition import PCA

    good = np.flatnonzero(np.isfinite(values).all(axis=1))
    if len(good) < 10 * LEAST or values.shape[1] < 2:
        return []
    data = np.asarray(values[good], np.float32)
    if data.shape[1] > WIDEST:
        data = data[:, np.sort(np.argsort(-data.var(axis=0), kind="stable")[:WIDEST])]
    data = standardised(data)
    if data.shape[1] < 2:
        return []
    reduced = PCA(min(DIMENSIONS, data.shape[1], len(data) - 1), random_state=seed).fit_transform(data)
    drawn = np.random.default_rng(seed).permutation(len(reduced))[:FITTED]
    found = []
    for count in NUMBERS:
        if len(reduced) < 4 * LEAST * count:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # fewer different points than clusters: some are empty, and left out
            fitted = KMeans(count, n_init=3, random_state=seed).fit(reduced[drawn])
        distances = fitted.transform(reduced)
        member = distances.argmin(axis=1)
        for number in range(count):
            own = np.flatnonzero(member == number)
            own = own[np.argsort(distances[own, number], kind="stable")]
            whole = good[own]
            kept = whole[: fitting(indices[whole])]
            mask = np.zeros(len(values), bool)
            mask[kept] = True
            inside = int(mask[rows].sum())
            if not LEAST <= inside <= len(rows) // 2:
                continue
            words = f"activations of {layer} lie together (cluster {number + 1} of {count})"
            if len(kept) < len(whole):
                words = f"activations of {layer} lie nearest to a centre (cluster {number + 1} of {count})"
            more = {"layer": layer, "cluster": number, "clusters": count}
            z = z_of(mask, wrong, rows)
            found.append(Candidate(listed(indices[kept]), words, mask, z, "cluster", (), 1, more))
    return distinct([one for one in found if one.z > 1], most)
