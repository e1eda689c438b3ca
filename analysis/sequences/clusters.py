"""Answers ``sequence_clusters``: which words use which units (R2, R5), and how much of that is there."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.errors import CutawayError, ParameterError
from analysis.sequences import edges, eigengap, scores
from analysis.sequences.association import association
from analysis.sequences.coclustering import Coclusters, check, cocluster, fits, leanings, suggest
from analysis.sequences.faults import SequenceError
from analysis.sequences.stability import SEEDS, stability

LEAST, NORM, MOST = 5, 0.25, 2000
SHUFFLES = 3  # whose scores are averaged
STRONGEST = 8  # words that name a cluster
CLEAR = 1.96  # z from which on words go with a class


def sequence_clusters(
    session: Any,
    context: Any,
    *,
    layer: str,
    state: str,
    depth: int,
    words: str,
    weight: str = edges.DEFAULT,
    k: int = 0,
    least: int = LEAST,
    norm: float = NORM,
    most: int = MOST,
    random_state: int = 0,
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Co-clusters of words and units, with what they are worth beside two baselines and ten seeds.

    Args:
        layer, state, depth, words: of ``sequence_responses``. weight: of a link, see ``edges.WEIGHTS``. k: 2 to 20, or
            0 for what the eigengap suggests. least: occurrences that a word needs. norm: share of the words, of those
            frequent enough, with the smallest ||s|| that is left out. most: words, the most frequent of the rest.

    Returns:
        {'k', 'suggested', 'gaps': [[k, gap]], 'weight', 'why': what the weight is right for, 'words': W, 'left_out':
        {'rare', 'weak', 'beyond'}, 'score': as ``Coclusters.score``, 'baselines': {'shuffled': mean score of three
        times the responses shuffled within each word, 'untrained': that of random weights, or {'reason'}},
        'stability': {'ari', 'lowest', 'seeds'} over words and units, 'word_clusters': [{'id', 'size', 'class': number
        or None, 'lean': mean z, 'names': the 8 with the largest ||s||}], 'unit_clusters': [{'id', 'size', 'units'}],
        'classes', 'random_state'}; arrays 'word' (W,) rows of the responses, 'word_cluster' (W,), 'unit_cluster',
        'unit_raise', 'unit_lower' (U,) int64, 'links' (k, k) mean response of word cluster i on unit cluster j,
        'association' (W, C) z. How clusters are numbered says ``cocluster``.

    Raises:
        ParameterError: a parameter is out of its range, or k is larger than the words or units that there are.
        SequenceError: no or one word passes the filters, or responses are NaN or 0; and as ``sequence_responses``.
    """
    _in_range(k, least, norm, most)
    source = {"layer": layer, "state": state, "depth": depth, "words": words}
    answer = session.ask("sequence_responses", **source, weights="own")
    rows, left_out = chosen(answer.array("count"), answer.array("norm"), least, norm, most)
    responses = np.asarray(answer.array("mean")[rows], np.float32)
    check(responses)
    fits(max(k, eigengap.LEAST), *responses.shape)
    related = association(answer.array("by_class")[rows], answer.array("class_n"))
    z, leaning = related.z, related.leaning(CLEAR)
    suggested, gaps = suggest(responses, weight, random_state)
    told = _Told(context, 1 + SHUFFLES + 1 + SEEDS)
    found = cocluster(responses, k or suggested, random_state, weight=weight, association=z)
    told()
    score = found.score(responses, leaning)
    shuffled = _shuffled(responses, found, leaning, random_state, told)
    untrained = _untrained(session, source, np.asarray(answer.array("id"))[rows], found, leaning, random_state)
    told()

    def again(seed: int) -> NDArray[Any]:
        told()
        return cocluster(responses, found.k, random_state + seed, weight=weight).nodes

    value = {
        "k": found.k,
        "suggested": suggested,
        "gaps": [[number, gap] for number, gap in gaps],
        "weight": weight,
        "why": edges.WEIGHTS[weight],
        "words": len(rows),
        "left_out": left_out,
        "score": score,
        "baselines": {"shuffled": shuffled, "untrained": untrained},
        "stability": stability(again),
        "word_clusters": _word_clusters(found, [answer.json["names"][row] for row in rows], responses, z),
        "unit_clusters": [
            {
                "id": number,
                "size": int((found.units == number).sum()),
                "units": np.flatnonzero(found.units == number).tolist(),
            }
            for number in range(found.k)
        ],
        "classes": list(answer.json["classes"]),
        "random_state": random_state,
    }
    return value, {
        "word": rows,
        "word_cluster": found.words,
        "unit_cluster": found.units,
        "unit_raise": found.raised.copy(),
        "unit_lower": found.lowered.copy(),
        "links": scores.links(responses, found.words, found.units, found.k),
        "association": np.asarray(z, np.float64),
    }


def chosen(
    counts: NDArray[Any], norms: NDArray[Any], least: int, norm: float, most: int
) -> tuple[NDArray[np.int64], dict[str, int]]:
    """Rows of the words that are clustered, in their order, and how many were left out for which reason.

    Args:
        counts: occurrences, the largest first, (V,). norms: ||s||, (V,); those that are NaN are never weak.

    Raises:
        SequenceError: fewer than two are left.
    """
    frequent = np.flatnonzero(np.asarray(counts) >= least)
    order = np.argsort(np.asarray(norms, np.float64)[frequent], kind="stable")  # NaN last
    strong = np.sort(frequent[order[int(norm * len(frequent)) :]])
    rows = strong[:most]
    left_out = {
        "rare": len(counts) - len(frequent),
        "weak": len(frequent) - len(strong),
        "beyond": len(strong) - len(rows),
    }
    if len(rows) < 2:
        of = f"Of {len(counts)} words" if len(counts) != 1 else "Of one word"
        raise SequenceError(
            f"{of}, {len(rows) or 'none'} can be clustered: {left_out['rare']} occur fewer than {least} times, "
            f"{left_out['weak']} have too small a response. Clusters need two words.",
            "Lower the filters, or take a larger sample.",
        )
    return rows.astype(np.int64), left_out


def _in_range(k: int, least: int, norm: float, most: int) -> None:
    if k and not eigengap.LEAST <= k <= eigengap.MOST:
        raise ParameterError(f"{k} clusters are not offered.", "Choose 2 to 20, or 0 for the suggested number.")
    if least < 1:
        raise ParameterError(f"A word cannot occur fewer than {least} times.", "Choose 1 at least.")
    if not 0 <= norm < 1:
        raise ParameterError(f"{norm} is no share of words that can be left out.", "Choose 0 or more, below 1.")
    if most < 2:
        raise ParameterError(f"Clusters cannot be made of {most} words at most.", "Choose 2 at least.")


class _Told:
    """Counts clusterings that are done."""

    def __init__(self, context: Any, total: int) -> None:
        self.context, self.total, self.done = context, total, 0

    def __call__(self) -> None:
        self.done += 1
        self.context.progress(self.done, self.total, "clusterings", "Clustering")


def _shuffled(
    responses: NDArray[np.float32], found: Coclusters, leaning: NDArray[np.int64], random_state: int, told: _Told
) -> dict[str, float | None]:
    """Mean scores of responses whose entries are permuted within each word: as large, but of other units."""
    rng = np.random.default_rng(random_state)
    each = []
    for _ in range(SHUFFLES):
        mixed = rng.permuted(responses, axis=1)
        each.append(cocluster(mixed, found.k, random_state, weight=found.weight).score(mixed, leaning))
        told()

    def mean(name: str) -> float | None:
        known = [score[name] for score in each if score[name] is not None]
        return float(np.mean(known)) if known else None  # type: ignore[arg-type]

    return {name: mean(name) for name in each[0]}


def _untrained(
    session: Any,
    source: dict[str, Any],
    ids: NDArray[Any],
    found: Coclusters,
    leaning: NDArray[np.int64],
    random_state: int,
) -> dict[str, Any]:
    """The scores of the same words in the model with random weights; {'reason'} if there are none."""
    try:
        answer = session.ask("sequence_responses", **source, weights="untrained")
        place = {int(number): row for row, number in enumerate(answer.array("id"))}
        kept = np.array([int(number) in place for number in ids], bool)
        rows = [place[int(number)] for number in ids[kept]]
        responses = np.asarray(answer.array("mean"), np.float32)[rows]
        return dict(cocluster(responses, found.k, random_state, weight=found.weight).score(responses, leaning[kept]))
    except CutawayError as error:
        return {"reason": error.message}


def _word_clusters(
    found: Coclusters, names: list[str], responses: NDArray[np.float32], z: NDArray[Any]
) -> list[dict[str, Any]]:
    norms = np.linalg.norm(responses.astype(np.float64), axis=1)
    lean = leanings(found.words, z, found.k) if z.shape[1] else np.zeros((found.k, 1))
    listed = []
    for number in range(found.k):
        members = np.flatnonzero(found.words == number)
        strongest = members[np.argsort(-norms[members], kind="stable")][:STRONGEST]
        best = int(lean[number].argmax())
        # Stouffer: the mean z of n words has a standard error of 1 / sqrt(n) if they were independent
        clear = float(lean[number, best]) * len(members) ** 0.5 >= CLEAR
        listed.append(
            {
                "id": number,
                "size": len(members),
                "class": best if clear else None,
                "lean": float(lean[number, best]),
                "names": [names[member] for member in strongest],
            }
        )
    return listed
