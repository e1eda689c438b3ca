"""Which instances or patches a layer does not detect: no filter responds to them as it can (DeepEyes, D5).

DeepEyes colours its input map by the maximum activation over all filters. Here each filter is first put on the scale
of its own mean and standard deviation, so that strong filters do not drown the others. Tried on LeNets trained without
one digit (ten digits, two sizes): at the output layer the withheld digit is the one most over-represented in the
lowest decile for every digit, with four times its share on average; at the last hidden layer it has twice its share
and is the first for three of ten. Raw maxima, maxima relative to the filter's 99th percentile, sums and norms were no
better at both. Early layers, which detect strokes, do not tell a new digit from a known one, whatever the score.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.errors import ParameterError
from analysis.records import FloatArray, IntArray

_ELEMENTS = 1 << 20


@dataclass(frozen=True)
class MarkedClass:
    """A class among the undetected. marked, total: instances or patches of the class, marked and in all.

    share: of the marked ones. lift: share over what it would be if marked ones came from all classes alike. excess:
    marked ones beyond that, in standard deviations of a random choice.
    """

    label: int
    marked: int
    total: int
    share: float
    lift: float
    excess: float


@dataclass(frozen=True)
class Undetected:
    """score: of each of P patches, shape (P,), low where nothing responds. marked: the places of the lowest share, the
    lowest first. classes: those with marked patches, the most over-represented first (by the
    excess, so that a class of one patch does not lead). unlabelled: marked patches without a label."""

    score: FloatArray
    marked: IntArray
    classes: tuple[MarkedClass, ...]
    unlabelled: int


def detection_score(activations: NDArray[Any]) -> FloatArray:
    """The strongest response to each patch, in standard deviations of the filter over the patches.

    activations: rectified, shape (P, F). Filters that never vary do not count. Returns shape (P,); 0 without filters,
    and -inf where an activation is NaN or infinite: nothing can be said to be detected there.
    """
    count, filters = activations.shape
    best = np.full(count, -np.inf if filters else 0.0)
    width = max(1, _ELEMENTS // max(count, 1))
    for start in range(0, filters if count else 0, width):
        part = np.asarray(activations[:, start : start + width], dtype=np.float64)
        good = np.isfinite(part)
        part = np.where(good, part, np.nan)
        with np.errstate(invalid="ignore", divide="ignore"):
            number = np.maximum(good.sum(axis=0), 1)
            mean = np.nansum(part, axis=0) / number
            spread = np.sqrt(np.nansum((part - mean) ** 2, axis=0) / number)
            varies = spread > 1e-6 * np.maximum(np.abs(mean), 1e-30)
            scaled = np.where(varies & good, (part - mean) / spread, -np.inf)
        best = np.maximum(best, scaled.max(axis=1, initial=-np.inf))
    return best


def undetected(activations: NDArray[Any], share: float, labels: NDArray[Any]) -> Undetected:
    """Mark the patches with the lowest detection score and say which classes they come from.

    Args:
        activations: rectified, shape (P, F). share: of the patches to mark, 0 to 1. labels: shape (P,), -1 if unknown.

    Raises:
        ParameterError: share is out of range, or there are not as many labels as patches.
    """
    if not 0 <= share <= 1:
        raise ParameterError(f"A share of {share} cannot be marked.", "Choose a share from 0 to 1.")
    if len(labels) != len(activations):
        raise ParameterError(f"{len(activations)} patches have {len(labels)} labels.", "Give one label for each patch.")
    score = detection_score(activations)
    marked = np.argsort(score, kind="stable")[: round(share * len(score))]
    return Undetected(score, marked, over_represented(marked, labels), int((labels[marked] < 0).sum()))


def over_represented(marked: IntArray, labels: NDArray[Any]) -> tuple[MarkedClass, ...]:
    """Classes of the marked places, the most over-represented first. labels: of all places, -1 where unknown."""
    known = labels[labels >= 0]
    inside = labels[marked]
    inside = inside[inside >= 0]
    if not len(inside):
        return ()
    part = len(inside) / len(known)
    found = []
    for label in np.unique(inside).tolist():
        count, total = int((inside == label).sum()), int((known == label).sum())
        excess = (count - part * total) / np.sqrt(max(total * part * (1 - part), 1e-12))
        found.append(MarkedClass(label, count, total, count / len(inside), count / (part * total), float(excess)))
    return tuple(sorted(found, key=lambda row: (-row.excess, row.label)))
