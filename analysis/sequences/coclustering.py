"""Words and units in clusters together: spectral co-clustering of the graph of their responses (R2). No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.errors import ParameterError
from analysis.sequences import eigengap, scores
from analysis.sequences.edges import DEFAULT, edges
from analysis.sequences.faults import SequenceError
from analysis.sequences.lloyd import STARTS, kmeans
from analysis.sequences.spectral import positions, spectrum

OWN_SIDE = 0.25  # of a unit's edge weight, from which on the words that raise it decide where it belongs


@dataclass(frozen=True)
class Coclusters:
    """Co-clusters, numbered as ``cocluster`` says.

    weight: of the edges. k: how many. words (W,), units (U,): cluster of each. raised, lowered (U,): of weight 'signed'
    the clusters of the two sides of a unit, else both are ``units``. edges (W, M), columns (M,): what was clustered, M
    = U, or 2 U of 'signed'. values: leading singular values of the normalised edges.
    """

    weight: str
    k: int
    words: NDArray[np.int64]
    units: NDArray[np.int64]
    raised: NDArray[np.int64]
    lowered: NDArray[np.int64]
    edges: NDArray[np.float32]
    columns: NDArray[np.int64]
    values: NDArray[np.float64]

    @property
    def nodes(self) -> NDArray[np.int64]:
        """Words and sides of units in one, (W + M,): what must agree for two seeds to agree."""
        return np.concatenate([self.words, self.columns])

    def score(self, responses: NDArray[Any], leaning: NDArray[np.int64] | None = None) -> dict[str, float | None]:
        """What the clusters are worth.

        Args:
            responses: that they were made of, (W, U). leaning: the class each word goes with, (W,), -1 unclear.

        Returns:
            {'explained': share of the variance of the responses that lies between blocks, 'explained_edges': the same
            of the edges, which is what the clusters are made to explain, 'modularity', 'class_ari': agreement of word
            clusters and classes, None where words go with fewer than two}.
        """
        return {
            "explained": scores.explained(responses, self.words, self.units),
            "explained_edges": scores.explained(self.edges, self.words, self.columns),
            "modularity": scores.modularity(self.edges, self.words, self.columns),
            "class_ari": None if leaning is None else scores.class_agreement(self.words, leaning),
        }


def cocluster(
    responses: NDArray[Any],
    k: int,
    random_state: int = 0,
    *,
    weight: str = DEFAULT,
    association: NDArray[Any] | None = None,
    starts: int = STARTS,
) -> Coclusters:
    """Put words and units into k clusters, such that words respond most in units of their own cluster.

    Spectral co-clustering: Dhillon (KDD 2001), as RNNVis uses it (Ming et al., VAST 2017), with the
    changes that ``spectral.positions`` names; of weight 'raw' its signed counterpart. Then k-means over words and units
    together, the best of many starts. A unit that takes part twice ('signed') belongs where it is raised, unless that
    is less than a quarter of its weight; then where it is lowered.

    Clusters are numbered by what is in them, never by the seed: the one with the largest share of the edges' weight
    (that of its words and that of its units, added) comes first. With ``association``: first those whose words go with
    the first class on average, then the second and so on; within a class, the strongest first; those without words
    last. A cluster may have no words or no units.

    Args:
        responses: mean change of each unit at each word, (W, U), finite. k: 2 to the smaller of W and U. random_state:
            of the starts. weight: see ``edges.WEIGHTS``. association: z of words and classes, (W, C), to number by.

    Raises:
        ParameterError: k does not fit, or there is no such weight. SequenceError: responses are not finite or all 0.
    """
    check(responses)
    fits(k, *np.shape(responses))
    found = edges(responses, weight)
    if not found.any():
        raise SequenceError("No word raises any unit.", "Choose another edge weight, such as 'signed'.")
    signs = weight == "raw"
    spectral = spectrum(found, k + 1, signs=signs, random_state=random_state)
    at_words, at_units = positions(spectral, k)
    nodes = kmeans(np.concatenate([at_words, at_units]), k, random_state, starts)
    count, units = np.shape(responses)
    words, columns = nodes[:count], nodes[count:]
    mass = _mass(words, spectral.word_degree, k) + _mass(columns, spectral.unit_degree, k)
    number = np.empty(k, np.int64)
    number[_order(mass, words, association)] = np.arange(k)
    words, columns = number[words], number[columns]
    raised, lowered = columns[:units], columns[-units:]
    share, other = spectral.unit_degree[:units], spectral.unit_degree[-units:]
    own = np.where(share >= OWN_SIDE * (share + other), raised, lowered)
    return Coclusters(weight, k, words, own, raised, lowered, found, columns, spectral.values)


def suggest(
    responses: NDArray[Any], weight: str = DEFAULT, random_state: int = 0
) -> tuple[int, list[tuple[int, float]]]:
    """The k that the eigengap suggests, and all gaps: see ``eigengap.gaps``. Raises as ``cocluster``."""
    check(responses)
    most = min(eigengap.MOST, *np.shape(responses))
    fits(most, *np.shape(responses))
    found = spectrum(edges(responses, weight), most + 1, signs=weight == "raw", random_state=random_state)
    gaps = [pair for pair in eigengap.gaps(found.values) if pair[0] <= most]
    return eigengap.suggested(gaps), gaps


def check(responses: NDArray[Any]) -> None:
    """Raises SequenceError if these cannot be clustered, whatever the k."""
    if not np.isfinite(responses).all():
        words = int((~np.isfinite(responses)).any(axis=1).sum())
        raise SequenceError(
            f"The responses to {words} of {len(responses)} words hold NaN or infinite values.",
            "Look for where the model's states become so, for instance in a checkpoint before.",
        )
    if not np.any(responses):
        raise SequenceError("All responses are 0: no word changes the state.", "Choose another layer or checkpoint.")


def fits(k: int, words: int, units: int) -> None:
    """Raises ParameterError if there cannot be k clusters of so many words and units."""
    for many, what in ((words, "word"), (units, "unit")):
        if many < 2:
            raise ParameterError(
                f"There is only {many} {what}, and clusters need two at least.",
                "Choose a layer with more units." if what == "unit" else "Lower the filters, or take a larger sample.",
            )
        if k > many:
            raise ParameterError(f"{k} clusters cannot be made of {many} {what}s.", f"Choose {many} clusters at most.")
    if k < eigengap.LEAST:
        raise ParameterError(f"{k} clusters are too few.", "Choose two at least, or 0 for the suggested number.")


def _mass(clusters: NDArray[np.int64], degrees: NDArray[np.float32], k: int) -> NDArray[np.float64]:
    """Share of the degrees in each cluster, (k,)."""
    found = np.bincount(clusters, weights=degrees.astype(np.float64), minlength=k)
    return found / found.sum()


def _order(mass: NDArray[Any], words: NDArray[np.int64], association: NDArray[Any] | None) -> NDArray[np.int64]:
    """The clusters in the order that ``cocluster`` numbers them by; ties are broken by their first word."""
    k, first = len(mass), np.full(len(mass), len(words))
    np.minimum.at(first, words, np.arange(len(words)))
    keys = [first, -np.round(mass, 9)]
    if association is not None and association.shape[1]:
        lean = leanings(words, association, k)
        best = lean.argmax(axis=1)
        keys += [-lean.max(axis=1), best, np.bincount(words, minlength=k) == 0]
    return np.lexsort(keys)


def leanings(words: NDArray[np.int64], association: NDArray[Any], k: int) -> NDArray[np.float64]:
    """Mean association of each cluster's words with each class, (k, C); what is undefined counts 0."""
    known = np.nan_to_num(np.asarray(association, np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    sums = np.zeros((k, known.shape[1]))
    np.add.at(sums, words, known)
    found: NDArray[np.float64] = sums / np.maximum(np.bincount(words, minlength=k), 1)[:, None]
    return found
