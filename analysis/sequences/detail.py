"""Answers ``sequence_words``: how the response to a word varies over its occurrences (R7)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.errors import ParameterError
from analysis.layers.passes import batches
from analysis.sequences import states
from analysis.sequences import words as vocabularies
from analysis.sequences.states import Chunk

PERCENTILES = (9, 25, 50, 75, 91)
MOST = 12  # words at once
KEPT = 4096  # occurrences of a word that percentiles are taken of, at most
FEWEST = 256
BYTES = 128 << 20  # of all that are kept
LISTED = 20  # occurrences of a word that are handed out
MISSED = 0.05  # chance that some percentile is farther off than 'error' says


class Reservoir:
    """A random sample of the occurrences of one word, each as likely as any other, the same whatever the batches.

    Every occurrence has a number that looks random and depends on its word, instance and step only; the smallest are
    kept. So are exact sums.
    """

    def __init__(self, word: int, units: int, capacity: int) -> None:
        self.word, self.capacity = word, capacity
        self.count = 0
        self.total = np.zeros(units)
        self.keys = np.zeros(0, np.uint64)
        self.places = np.zeros((0, 2), np.int64)
        self.changes = np.zeros((0, units), np.float32)

    def add(self, changes: NDArray[np.float32], indices: NDArray[np.int64], steps: NDArray[np.int64]) -> None:
        """Occurrences: changes (k, U), instance and step of each (k,)."""
        self.count += len(changes)
        self.total += changes.sum(0, dtype=np.float64)
        keys = scrambled(indices, steps, self.word)
        if len(self.keys) >= self.capacity:
            better = keys < self.keys.max()
            keys, changes, indices, steps = keys[better], changes[better], indices[better], steps[better]
        if not len(keys):
            return
        self.keys = np.concatenate([self.keys, keys])
        self.places = np.concatenate([self.places, np.stack([indices, steps], 1)])
        self.changes = np.concatenate([self.changes, changes])
        if len(self.keys) > self.capacity:
            kept = np.argpartition(self.keys, self.capacity - 1)[: self.capacity]
            self.keys, self.places, self.changes = self.keys[kept], self.places[kept], self.changes[kept]

    @property
    def error(self) -> float:
        """How far the rank of any percentile may be off, as a share, with 95 % confidence; 0 if all were kept.

        Dvoretzky-Kiefer-Wolfowitz with Massart's constant (Annals of Probability 18, 1990). Draws without putting back
        are closer still.
        """
        return math.sqrt(math.log(2 / MISSED) / (2 * len(self.keys))) if self.count > len(self.keys) else 0.0

    def mean(self) -> NDArray[np.float32]:
        """Of all occurrences, (U,); NaN without any."""
        return (self.total / self.count if self.count else np.full(len(self.total), np.nan)).astype(np.float32)

    def percentiles(self) -> NDArray[np.float32]:
        """9, 25, 50, 75 and 91 % of each unit's changes, (5, U); NaN without occurrences."""
        if not self.count:
            return np.full((len(PERCENTILES), len(self.total)), np.nan, np.float32)
        return np.percentile(self.changes, PERCENTILES, axis=0).astype(np.float32)

    def listed(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Instance and step of at most 20 occurrences, drawn at random, in order, and their changes."""
        chosen = np.argsort(self.keys)[:LISTED]
        chosen = chosen[np.lexsort((self.places[chosen, 1], self.places[chosen, 0]))]
        return self.places[chosen], self.changes[chosen]


def scrambled(indices: NDArray[np.int64], steps: NDArray[np.int64], word: int) -> NDArray[np.uint64]:
    """A number for each place that looks random: splitmix64 (Steele, Lea and Flood, OOPSLA 2014)."""
    with np.errstate(over="ignore"):
        z = indices.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + steps.astype(np.uint64)
        for part in (np.uint64(word & 0xFFFFFFFF), np.uint64(1)):
            z = (z + part + np.uint64(0x9E3779B97F4A7C15)).astype(np.uint64)
            z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            z = z ^ (z >> np.uint64(31))
    return z


def sequence_words(
    session: Any, context: Any, *, layer: str, state: str, depth: int, words: str, chosen: list[int]
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The changes at the occurrences of chosen words: exact means, percentiles from at most 4,096 occurrences of each.

    Batches that hold none of the words are not put through the model.

    Args:
        layer, state, depth: of the source. words: of the vocabulary. chosen: numbers of words, at most 12.

    Returns:
        {'words': [{'id', 'name', 'count', 'sampled': occurrences that percentiles are of, 'error': by how much the rank
        of a percentile may be off, a share, at 95 %}], 'occurrences': at most 20 [instance, step] of each word, drawn
        at random}; arrays 'mean' (k, U), 'percentiles' (k, 5, U): 9, 25, 50, 75 and 91 %, 'occurrence' (k, 20, U): the
        changes there, NaN where there are fewer. In units of the state; NaN for a word that the sample does not hold.

    Raises:
        ParameterError: no word, more than 12, or no such state. And as ``sequence_responses``.
    """
    wanted = list(dict.fromkeys(int(number) for number in chosen))
    if not 1 <= len(wanted) <= MOST:
        raise ParameterError(f"{len(wanted)} words were chosen.", f"Choose 1 to {MOST}.")
    if min(wanted) < 0:
        raise ParameterError(f"There is no word {min(wanted)}.", "Numbers of words count from 0.")
    source = states.source_of(session, layer, state, depth)
    vocabulary = vocabularies.learn(session, context, words, source)
    room = max(FEWEST, min(KEPT, BYTES // (4 * max(source.units, 1) * len(wanted))))
    held = [Reservoir(number, source.units, room) for number in wanted]
    for batch, _ in batches(session, session.extraction(), context, "Reading responses"):
        if _holds(vocabulary, batch, wanted):
            _add(states.of_batch(session, batch, source), vocabulary, held)
    names = vocabulary.names(wanted)
    listed = [one.listed() for one in held]
    occurrence = np.full((len(held), LISTED, source.units), np.nan, np.float32)
    for number, (_, changes) in enumerate(listed):
        occurrence[number, : len(changes)] = changes
    return {
        "words": [
            {"id": one.word, "name": name, "count": one.count, "sampled": len(one.keys), "error": one.error}
            for one, name in zip(held, names, strict=True)
        ],
        "occurrences": [places.tolist() for places, _ in listed],
    }, {
        "mean": np.stack([one.mean() for one in held]),
        "percentiles": np.stack([one.percentiles() for one in held]),
        "occurrence": occurrence,
    }


def _holds(vocabulary: vocabularies.Vocabulary, batch: Any, wanted: list[int]) -> bool:
    """Whether a batch may hold one of the words: told by its input alone, of texts."""
    if vocabulary.words != "tokens":
        return True
    return bool(np.isin(vocabularies.inputs.ids_of(batch).numpy(), wanted).any())


def _add(chunk: Chunk, vocabulary: vocabularies.Vocabulary, held: list[Reservoir]) -> None:
    found = vocabulary.of(chunk)
    moved = states.changes(chunk)
    for one in held:
        rows, steps = np.nonzero((found == one.word).any(2))
        if len(rows):
            one.add(moved[rows, steps], chunk.indices[rows], steps)
