"""Which classes are taken for which: counts of labels against predictions, also of many classes. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.errors import ParameterError

Counts = NDArray[np.int64]
MOST_CLASSES = 2000  # of a whole matrix: 32 MB
SHOWN = 30  # classes of a matrix that is drawn whole


@dataclass(frozen=True)
class Confusion:
    """Counts among some classes.

    classes: their numbers, in the order of the rows, int64 (k,). counts: labels by predictions, (k, k). rest: of each
    label, predictions of other classes, (k,); rest_of: of each prediction, labels of other classes, (k,). n: instances
    with a label; wrong: of these, wrong ones; unlabelled: those without. total: classes there are; complete: whether
    all are shown. correct: right ones of all classes.
    """

    classes: Counts
    counts: Counts
    rest: Counts
    rest_of: Counts
    n: int
    wrong: int
    unlabelled: int
    total: int
    complete: bool


def counts(labels: Any, predictions: Any, classes: int) -> Counts:
    """How often each label got each prediction, int64 (C, C); instances without a label (-1) do not count.

    Raises:
        ParameterError: more than MOST_CLASSES classes; see ``top``.
    """
    if classes > MOST_CLASSES:
        raise ParameterError(f"A matrix of {classes:,} classes is too large.", "Look at the most confused ones.")
    labels, predictions = _known(labels, predictions, classes)
    flat = np.bincount(labels * classes + predictions, minlength=classes * classes)
    return flat.reshape(classes, classes).astype(np.int64)


def pairs(labels: Any, predictions: Any, classes: int, most: int = 50) -> list[tuple[int, int, int]]:
    """The pairs of classes that are confused most, (label, prediction, count), most frequent first, ties by number."""
    labels, predictions = _known(labels, predictions, classes)
    apart = labels != predictions
    keys, found = np.unique(labels[apart] * classes + predictions[apart], return_counts=True)
    order = np.lexsort((keys, -found))[:most]
    return [(int(keys[at] // classes), int(keys[at] % classes), int(found[at])) for at in order]


def top(labels: Any, predictions: Any, classes: int, k: int = SHOWN) -> Confusion:
    """The matrix of all classes if there are at most ``k``, else of the k that take part in most confusions, the most
    confused first; of ties the larger class, then the smaller number."""
    known, guesses = _known(labels, predictions, classes)
    unlabelled = len(np.asarray(labels)) - len(known)
    wrong = known != guesses
    if classes <= k:
        chosen = np.arange(classes)
    else:
        errors = np.bincount(known[wrong], minlength=classes) + np.bincount(guesses[wrong], minlength=classes)
        size = np.bincount(known, minlength=classes)
        chosen = np.lexsort((np.arange(classes), -size, -errors))[:k]
    place = np.full(classes, -1)
    place[chosen] = np.arange(len(chosen))
    row, column = place[known], place[guesses]
    both = (row >= 0) & (column >= 0)
    width = len(chosen)
    inside = np.bincount(row[both] * width + column[both], minlength=width * width).reshape(width, width)
    rest = np.bincount(row[(row >= 0) & (column < 0)], minlength=width)
    rest_of = np.bincount(column[(row < 0) & (column >= 0)], minlength=width)
    return Confusion(
        chosen.astype(np.int64),
        inside.astype(np.int64),
        rest.astype(np.int64),
        rest_of.astype(np.int64),
        len(known),
        int(wrong.sum()),
        unlabelled,
        classes,
        classes <= k,
    )


def _known(labels: Any, predictions: Any, classes: int) -> tuple[Counts, Counts]:
    labels, predictions = np.asarray(labels, np.int64), np.asarray(predictions, np.int64)
    kept = (labels >= 0) & (labels < classes) & (predictions >= 0) & (predictions < classes)
    return labels[kept], predictions[kept]
