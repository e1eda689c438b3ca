"""Two co-clusterings in terms of each other: clusters matched, agreement, words that moved. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.errors import CutawayError
from analysis.results import Answer
from analysis.sequences.matching import agreement, assigned, match
from dashboard import services
from dashboard.views.sequences.data import Frame

DRAWN = 24  # words of a cluster that are sent
CHANGED = 12  # words that are listed


@dataclass(frozen=True)
class Side:
    """One of the two. words: ids of the words clustered (W,), word: cluster of each, as it is shown, norm: ||s||,
    unit: cluster of each unit (U,), as it is shown, mean: responses of all words (V, U), rows: of the clustered ones in
    it, links: by shown numbers (n, n), NaN where a side has no such cluster."""

    shown: Frame
    responses: Answer
    clusters: Answer
    words: NDArray[np.int64]
    word: NDArray[np.int64]
    unit: NDArray[np.int64]
    norm: NDArray[np.float64]
    rows: NDArray[np.int64]
    links: NDArray[np.float64]

    @property
    def name(self) -> str:
        """Layer, state, and the checkpoint if there is one."""
        saved = weights_of(self.shown)
        return self.shown.name + (f", {saved}" if saved else "")


@dataclass(frozen=True)
class Pair:
    """Both sides, the second in the numbers of the first. same_units: unit j of both is the same. common: rows of the
    clustered words of a and of b that are the same words, (2, m). words_ari, units_ari: nan where undefined."""

    a: Side
    b: Side
    same_units: bool
    common: NDArray[np.int64]
    words_ari: float
    units_ari: float


def weights_of(shown: Frame) -> str:
    """'BiLSTM, step 648' of a checkpoint of a run, the name of one of the subject's, '' for the model's own weights."""
    name = shown.selection.checkpoint
    if name is None or any(item["name"] == name for item in shown.description.get("checkpoints", ())):
        return f"checkpoint {name}" if name else ""
    try:
        runs = services.open_runs(shown.selection.runs[:1])
    except CutawayError:
        runs = []
    saved = ((run, item) for run in runs for item in run.checkpoints() if item.name == name)
    return next((f"{run.info.name}, step {item.step:,}" for run, item in saved), f"checkpoint {name}")


def side(shown: Frame, responses: Answer, clusters: Answer) -> Side:
    """A side in its own numbers."""
    rows = np.asarray(clusters.array("word"), np.int64)
    return Side(
        shown,
        responses,
        clusters,
        np.asarray(responses.array("id"), np.int64)[rows],
        np.asarray(clusters.array("word_cluster"), np.int64),
        np.asarray(clusters.array("unit_cluster"), np.int64),
        np.asarray(responses.array("norm"), np.float64)[rows],
        rows,
        np.asarray(clusters.array("links"), np.float64),
    )


def paired(a: Side, b: Side) -> Pair:
    """Number the clusters of b as those of a that share most of their words, and units."""
    _, of_a, of_b = np.intersect1d(a.words, b.words, return_indices=True)
    same = a.shown.layer == b.shown.layer and a.shown.depth == b.shown.depth and len(a.unit) == len(b.unit)
    k_a, k_b = int(a.clusters.json["k"]), int(b.clusters.json["k"])
    numbers = _padded(match(a.word[of_a], b.word[of_b]), k_b, k_a)
    if same:
        units = _padded(match(a.unit, b.unit), k_b, k_a)
    else:
        units = _by_links(a.links, b.links, numbers)
    size = 1 + max(k_a - 1, int(numbers.max(initial=0)), int(units.max(initial=0)))
    links = np.full((size, size), np.nan)
    links[np.ix_(numbers, units)] = b.links
    own = np.full((size, size), np.nan)
    own[:k_a, :k_a] = a.links
    first = Side(**{**vars(a), "links": own})
    second = Side(**{**vars(b), "word": numbers[b.word], "unit": units[b.unit], "links": links})
    agreed = agreement(a.word[of_a], b.word[of_b])
    return Pair(
        first, second, same, np.stack([of_a, of_b]), agreed, agreement(a.unit, b.unit) if same else float("nan")
    )


def _padded(numbers: NDArray[np.int64], k: int, first: int) -> NDArray[np.int64]:
    """A number for every cluster of b, also for those without a member that both sides have."""
    free = [number for number in range(first + 2 * k) if number not in set(numbers.tolist())]
    missing = k - len(numbers)
    return np.concatenate([numbers, np.array(free[:missing], np.int64)]) if missing > 0 else numbers


def _by_links(a: NDArray[np.float64], b: NDArray[np.float64], numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Numbers of b's clusters of units: those whose links to the same word clusters are most alike (cosine)."""
    k_a, k_b = len(a), len(b)
    size = max(k_a, int(numbers.max(initial=0)) + 1)
    one, other = np.zeros((size, k_a)), np.zeros((size, k_b))
    one[:k_a], other[numbers] = np.nan_to_num(a), np.nan_to_num(b)

    def scaled(values: NDArray[np.float64]) -> NDArray[np.float64]:
        length = np.linalg.norm(values, axis=0)
        return np.asarray(values / np.where(length > 0, length, 1))

    return assigned(scaled(one).T @ scaled(other))


def changed(pair: Pair) -> list[dict[str, Any]]:
    """Words that are in another cluster on the other side, those with a large response on both first: {'id', 'name',
    'from', 'to'}, at most 12, and how many there are under 'total' of the first."""
    of_a, of_b = pair.common
    moved = np.flatnonzero(pair.a.word[of_a] != pair.b.word[of_b])
    weight = _relative(pair.a.norm)[of_a[moved]] * _relative(pair.b.norm)[of_b[moved]]
    order = moved[np.argsort(-weight, kind="stable")][:CHANGED]
    names = pair.a.responses.json["names"]
    return [
        {
            "id": int(pair.a.words[of_a[at]]),
            "name": str(names[pair.a.rows[of_a[at]]]),
            "from": int(pair.a.word[of_a[at]]),
            "to": int(pair.b.word[of_b[at]]),
            "total": len(moved),
        }
        for at in order.tolist()
    ]


def _relative(norms: NDArray[np.float64]) -> NDArray[np.float64]:
    middle = float(np.median(norms)) if len(norms) else 1.0
    return norms / middle if middle > 0 else norms


def word_of(pair: Pair) -> int | None:
    """The word whose response is shown on both sides: the chosen one, else the strongest that both clusters hold."""
    for number in pair.a.shown.selection.word:
        if all(number in np.asarray(one.responses.array("id")) for one in (pair.a, pair.b)):
            return number
    if not pair.common.shape[1]:
        return None
    weight = _relative(pair.a.norm)[pair.common[0]] * _relative(pair.b.norm)[pair.common[1]]
    return int(pair.a.words[pair.common[0][int(weight.argmax())]])


def response(one: Side, word: int | None) -> NDArray[np.float64] | None:
    """Of a word, (U,)."""
    if word is None:
        return None
    at = np.flatnonzero(np.asarray(one.responses.array("id")) == word)
    return np.asarray(one.responses.array("mean")[at[0]], np.float64) if len(at) else None
