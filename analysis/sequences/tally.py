"""Sums over the occurrences of words, streamed: exact means in bounded memory, whatever the number of steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from analysis.sequences.states import Chunk, halves, valid

FIRST = 1024  # words that there is room for at first


class Slots:
    """Gives every word that is wanted a row: in the order in which they are first seen, or of those told."""

    def __init__(self, ids: NDArray[np.int64] | None = None) -> None:
        self._row = np.full(0, -1, np.int64)
        self._fixed = ids is not None
        self._ids = np.zeros(0, np.int64)
        if ids is not None:
            self._add(np.asarray(ids, np.int64))

    @property
    def ids(self) -> NDArray[np.int64]:
        """The word of each row."""
        return self._ids

    def __len__(self) -> int:
        return len(self._ids)

    def of(self, words: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows of words (any shape); -1 for those without."""
        highest = int(words.max(initial=-1))
        if highest >= len(self._row):
            grown = np.full(max(highest + 1, 2 * len(self._row)), -1, np.int64)
            grown[: len(self._row)] = self._row
            self._row = grown
        if not len(self._row):
            return np.full_like(words, -1)
        found = np.where(words >= 0, self._row[words], -1)
        if not self._fixed and bool(((found < 0) & (words >= 0)).any()):
            self._add(np.unique(words[(found < 0) & (words >= 0)]))
            found = np.where(words >= 0, self._row[words], -1)
        return found

    def _add(self, ids: NDArray[np.int64]) -> None:
        if int(ids.max(initial=-1)) >= len(self._row):
            grown = np.full(int(ids.max()) + 1, -1, np.int64)
            grown[: len(self._row)] = self._row
            self._row = grown
        self._row[ids] = np.arange(len(self._ids), len(self._ids) + len(ids))
        self._ids = np.concatenate([self._ids, ids])


class Tally:
    """Counts of words and sums of the changes at their occurrences, in float64.

    Args:
        units: U. classes: C. ids: the only words that count, None for all. room: words that are expected then.

    Attributes:
        steps, sequences: seen so far. class_n, predicted_n: (C,) sequences by label and by prediction.
    """

    def __init__(self, units: int, classes: int, ids: NDArray[np.int64] | None = None, room: int = FIRST) -> None:
        self.slots = Slots(ids)
        self.units, self.classes = units, classes
        self.steps = self.sequences = 0
        self.class_n, self.predicted_n = np.zeros(classes, np.int64), np.zeros(classes, np.int64)
        room = max(1, room) if ids is None else max(1, len(ids))
        self._total = _zeros(room + 1, units)  # the last row takes what is no word
        self._single, self._double = torch.zeros(0), torch.zeros(0, dtype=torch.float64)
        self._count, self._held = np.zeros(room + 1, np.int64), np.zeros(room, np.int64)
        self._by_class, self._by_predicted = np.zeros((room, classes), np.int64), np.zeros((room, classes), np.int64)

    def add(
        self, chunk: Chunk, words: NDArray[np.int64], labels: NDArray[np.int64], predictions: NDArray[np.int64]
    ) -> None:
        """Add a chunk: its words (n, T, M), label and prediction of each sequence (n,)."""
        good = valid(chunk)
        read = good.any(1)
        self.steps += int(good.sum())
        self.sequences += int(read.sum())
        self.class_n += _counted(labels[read], self.classes)
        self.predicted_n += _counted(predictions[read], self.classes)
        rows = self.slots.of(words)
        self._grow()
        moved = self._changes(chunk)
        for kind in range(words.shape[2]):
            place = np.where(rows[..., kind] >= 0, rows[..., kind], len(self._held)).reshape(-1)
            self._total.index_add_(0, torch.from_numpy(place), moved)
            np.add.at(self._count, place, 1)
        self._hold(rows.reshape(len(rows), -1), labels, predictions)

    def _changes(self, chunk: Chunk) -> Tensor:
        """As ``states.changes``, (n x T, U) in float64, in memory that is used again: new memory would cost more than
        what is done in it. At padding it has no meaning."""
        given = torch.from_numpy(chunk.states)
        if self._single.numel() < given.numel():
            self._single, self._double = torch.empty(given.numel()), torch.empty(given.numel(), dtype=torch.float64)
        single, double = (room[: given.numel()].view(given.shape) for room in (self._single, self._double))
        if given.shape[1]:
            for half, first, source, target in halves(chunk):
                torch.sub(given[:, target, half], given[:, source, half], out=single[:, target, half])
                torch.sub(given[:, first, half], torch.from_numpy(chunk.initial)[:, half], out=single[:, first, half])
        return double.copy_(single).view(-1, self.units)

    def _hold(self, rows: NDArray[np.int64], labels: NDArray[np.int64], predictions: NDArray[np.int64]) -> None:
        """Count in how many sequences each word is. rows: (n, T x M)."""
        room = len(self._held)
        pairs = np.sort((np.arange(len(rows))[:, None] * room + rows)[rows >= 0])
        sequence, word = np.divmod(pairs[np.diff(pairs, prepend=-1) > 0], room)
        np.add.at(self._held, word, 1)
        for table, of in ((self._by_class, labels), (self._by_predicted, predictions)):
            known = (of[sequence] >= 0) & (of[sequence] < self.classes)
            np.add.at(table.reshape(-1), word[known] * self.classes + of[sequence][known], 1)

    def _grow(self) -> None:
        need, room = len(self.slots), len(self._held)
        if need <= room:
            return
        room = max(need, 2 * room)
        total = _zeros(room + 1, self.units)
        total[: len(self._held)] = self._total[:-1]
        self._total = total
        self._count, self._held = _longer(self._count[:-1], room + 1), _longer(self._held, room)
        self._by_class, self._by_predicted = _longer(self._by_class, room), _longer(self._by_predicted, room)

    def result(self) -> dict[str, NDArray[Any]]:
        """'id', 'count', 'sequences' (V,), 'mean' (V, U) float32, 'norm' (V,), 'by_class', 'by_predicted' (V, C) of the
        words that were seen, the most frequent first (of equal ones the lower number)."""
        used = len(self.slots)
        count = self._count[:used]
        order = np.lexsort((self.slots.ids, -count))
        order = order[count[order] > 0]
        means: Tensor = self._total[:used][torch.from_numpy(order)] / torch.from_numpy(count[order])[:, None]
        return {
            "id": self.slots.ids[order],
            "count": count[order],
            "sequences": self._held[:used][order],
            "mean": means.float().numpy(),
            "norm": means.norm(dim=1).float().numpy(),
            "by_class": self._by_class[:used][order],
            "by_predicted": self._by_predicted[:used][order],
        }


def _zeros(rows: int, columns: int) -> Tensor:
    """NumPy's: its memory is not touched before it is used."""
    return torch.from_numpy(np.zeros((rows, columns)))


def _counted(classes: NDArray[np.int64], number: int) -> NDArray[np.int64]:
    return np.bincount(classes[(classes >= 0) & (classes < number)], minlength=number)


def _longer(values: NDArray[np.int64], room: int) -> NDArray[np.int64]:
    found = np.zeros((room, *values.shape[1:]), values.dtype)
    found[: len(values)] = values
    return found
