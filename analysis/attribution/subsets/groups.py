"""Groups of explanations alike, and explanations unlike all others. No torch.

Spectral relevance analysis: Lapuschkin et al., 'Unmasking Clever Hans predictors', Nature Communications 10, 2019:
spectral clustering of pooled explanations on a graph of nearest neighbours. The number of groups is that with the best
silhouette (Rousseeuw, 1987), and there are none unless it is clearly better than that of normal data of the same
covariance: any data can be cut in two.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.attribution.subsets.shares import Features, Floats, One

FEWEST = 12  # explanations, for groups
GROUPS = 6  # at most
NEIGHBOURS = 10  # in the graph
WEAK = 0.25  # silhouette: below it there is no structure (Kaufman and Rousseeuw, 'Finding Groups in Data', 1990)
CLEAR = 0.1  # by which it has to exceed that of normal data
REFERENCES = 3
NEAREST = 5  # whose mean distance tells how unusual an explanation is
UNUSUAL = 3.5  # robust standard deviations (Iglewicz and Hoaglin, 1993)
LISTED, CENTRAL = 20, 12


def groups(ones: Sequence[One], features: Features, seed: int) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Arrays: 'vectors' (m, e), 'xy' (m, 2) their first two principal components, 'cluster' (m,) -1 for none, 'outlier'
    (m,) how unusual, in robust standard deviations, 'index' (m,). JSON: 'clusters': [{'id', 'size', 'instances': most
    central first, 'labels': {label: count}, 'differs': a sentence}], 'outliers': [{'instance', 'score', 'why'}],
    'silhouette': None where there are too few, 'silhouette_reference': of normal data."""
    vectors = features.vectors
    score = unusual(vectors)
    usual = np.flatnonzero(score <= UNUSUAL)
    cluster = np.full(len(ones), -1, np.int64)
    labels, silhouette, reference = clustered(vectors[usual], seed)
    if labels is not None:
        cluster[usual] = labels
    told = [_group(ones, features, cluster, number) for number in range(int(cluster.max(initial=-1)) + 1)]
    order = np.argsort(-score, kind="stable")[:LISTED]
    outliers = [
        {"instance": ones[at].index, "score": float(score[at]), "why": differs(features, np.arange(len(ones)) == at)}
        for at in order.tolist()
        if score[at] > UNUSUAL
    ]
    arrays: dict[str, NDArray[Any]] = {
        "vectors": vectors.astype(np.float32),
        "xy": principal(vectors).astype(np.float32),
        "cluster": cluster.astype(np.int32),
        "outlier": score.astype(np.float32),
        "index": np.array([one.index for one in ones], np.int64),
    }
    return arrays, {
        "clusters": told,
        "outliers": outliers,
        "silhouette": silhouette,
        "silhouette_reference": reference,
    }


def unusual(vectors: Floats) -> Floats:
    """How far each is from its nearest neighbours, in robust standard deviations above the median, (m,); 0 where there
    are too few to tell."""
    count = len(vectors)
    if count < FEWEST:
        return np.zeros(count)
    apart = np.sort(_distances(vectors), axis=1)[:, 1 : NEAREST + 1].mean(1)
    middle = np.median(apart)
    spread = float(np.median(np.abs(apart - middle))) * 1.4826
    floor = 1e-9 + 0.02 * float(np.median(_distances(vectors)))  # equal explanations make nothing else unusual
    return np.asarray((apart - middle) / max(spread, floor))


def clustered(vectors: Floats, seed: int) -> tuple[NDArray[np.int64] | None, float | None, float | None]:
    """Number of the group of each, largest group first, None if there are none; the best silhouette, and that of normal
    data of the same covariance."""
    if len(vectors) < FEWEST or not (np.ptp(vectors, axis=0) > 1e-9).any():
        return None, None, None
    labels, best = _best(vectors, seed)
    generator = np.random.default_rng([seed, 4])
    centre = vectors.mean(0)
    _, sizes, axes = np.linalg.svd(vectors - centre, full_matrices=False)
    scale = sizes / np.sqrt(len(vectors))
    drawn = [generator.standard_normal((len(vectors), len(scale))) * scale @ axes for _ in range(REFERENCES)]
    reference = float(np.mean([_best(centre + one, seed)[1] or 0.0 for one in drawn]))
    if labels is None or best is None or best < WEAK or best < reference + CLEAR:
        return None, best, reference
    order = np.argsort(-np.bincount(labels), kind="stable")
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    return place[labels], best, reference


def _best(vectors: Floats, seed: int) -> tuple[NDArray[np.int64] | None, float | None]:
    from sklearn.cluster import SpectralClustering
    from sklearn.metrics import silhouette_score

    found: tuple[NDArray[np.int64] | None, float | None] = (None, None)
    least = max(3, round(0.05 * len(vectors)))
    for number in range(2, min(GROUPS, len(vectors) // least) + 1):
        method = SpectralClustering(
            number,
            affinity="nearest_neighbors",
            n_neighbors=min(NEIGHBOURS, len(vectors) - 1),
            assign_labels="cluster_qr",
            random_state=seed,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a graph in several parts: that is what is looked for
            labels = np.asarray(method.fit_predict(vectors), np.int64)
        counts = np.bincount(labels)
        counts = counts[counts > 0]
        if len(counts) < 2 or counts.min() < least:
            continue
        labels = np.unique(labels, return_inverse=True)[1].astype(np.int64)
        score = float(silhouette_score(vectors, labels))
        if found[1] is None or score > found[1]:
            found = labels, score
    return found


def differs(features: Features, chosen: NDArray[np.bool_]) -> str:
    """Where some explanations have more than the others, or else less: a sentence; '' without others."""
    if not chosen.any() or chosen.all():
        return ""
    if features.signed is not None:
        here, there = features.signed[chosen].mean(0), features.signed[~chosen].mean(0)
        at = int(np.abs(here - there).argmax())
        if here[at] * there[at] < 0:
            way = ("for", "against") if here[at] > 0 else ("against", "for")
            sizes = f"{100 * abs(here[at]):.0f} %", f"{100 * abs(there[at]):.0f} %"
            return (
                f"{features.names[at]} speaks {way[0]} the target ({sizes[0]}), in the others {way[1]} it ({sizes[1]})."
            )
    own, others = features.shares[chosen].mean(0), features.shares[~chosen].mean(0)
    more = int((own - others).argmax())
    name = features.names[more]
    return f"{100 * own[more]:.0f} % lies on {name} ({100 * others[more]:.0f} % in the others)."


def principal(vectors: Floats) -> Floats:
    """First two principal components, (m, 2); the larger end of each is positive."""
    centred = vectors - vectors.mean(0)
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    found = np.zeros((len(vectors), 2))
    width = min(2, left.shape[1])
    found[:, :width] = left[:, :width] * sizes[:width]
    signs = np.sign(found[np.abs(found).argmax(0), [0, 1]])
    return np.asarray(found * np.where(signs == 0, 1, signs))


def _group(ones: Sequence[One], features: Features, cluster: NDArray[np.int64], number: int) -> dict[str, Any]:
    members = np.flatnonzero(cluster == number)
    own = features.vectors[members]
    central = members[np.argsort(np.linalg.norm(own - own.mean(0), axis=1), kind="stable")]
    labels = Counter(str(ones[at].label) for at in members.tolist())
    return {
        "id": number,
        "size": len(members),
        "instances": [ones[at].index for at in central[:CENTRAL].tolist()],
        "labels": dict(labels.most_common()),
        "differs": differs(features, cluster == number),
    }


def _distances(vectors: Floats) -> Floats:
    from sklearn.metrics import pairwise_distances

    return np.asarray(pairwise_distances(vectors))
