"""What a subset is like: its size, accuracy with an interval, confidence, loss, class mix; and how the rest differs.

Neither torch nor dash.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.errors import CutawayError
from analysis.extraction.reader import Extraction
from analysis.subsets import subset as subsets
from analysis.subsets.calibration import wilson
from analysis.subsets.expression import columns_used

Z = 1.959963984540054  # of a 95 % interval
SIMPLE = re.compile(r"wrong|correct|subset\('(?:[^'\\]|\\.)*'\)|(?:label|prediction) == \d+")


@dataclass(frozen=True)
class Facts:
    """n: instances. labelled: those with a label. right: predicted as labelled. low, high: Wilson's 95 % interval of
    the accuracy. confidence, loss: means over those where it is finite, NaN without any; each with the half width of a
    normal 95 % interval. mix: instances by class of the label (C,)."""

    n: int
    labelled: int
    right: int
    low: float
    high: float
    confidence: float
    confidence_half: float
    loss: float
    loss_half: float
    mix: NDArray[np.int64]

    @property
    def accuracy(self) -> float:
        """Share of the labelled ones, NaN without any."""
        return self.right / self.labelled if self.labelled else math.nan


def facts(found: Extraction, rows: NDArray[np.int64]) -> Facts:
    """Figures of the instances in these rows."""
    labels, predictions = np.asarray(found.labels)[rows], np.asarray(found.predictions)[rows]
    known = labels >= 0
    right = int((known & (labels == predictions)).sum())
    low, high = interval(right, int(known.sum()))
    sure, sure_half = mean_of(np.asarray(found.confidence)[rows])
    loss, loss_half = mean_of(np.asarray(found.loss)[rows])
    mix = np.bincount(labels[known], minlength=len(found.class_names)).astype(np.int64)
    return Facts(len(rows), int(known.sum()), right, low, high, sure, sure_half, loss, loss_half, mix)


def rest_of(found: Extraction, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """The other rows, ascending."""
    kept = np.ones(found.done, bool)
    kept[rows] = False
    return np.flatnonzero(kept).astype(np.int64)


def interval(right: int, n: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson, 1927): it stays within 0 and 1, also for small n. (0, 1) for n = 0."""
    if not n:
        return 0.0, 1.0
    low, high = wilson(right, n)
    return float(low), float(high)


def difference(a: Facts, b: Facts) -> tuple[float, float, float] | None:
    """Accuracy of a minus that of b with a 95 % interval; None if either has no labels.

    Source: Newcombe, Interval estimation for the difference between independent proportions, Statistics in Medicine 17,
    1998, method 10: Wilson's intervals of both, put together.
    """
    if not a.labelled or not b.labelled:
        return None
    gap = a.accuracy - b.accuracy
    down = math.hypot(a.accuracy - a.low, b.high - b.accuracy)
    up = math.hypot(a.high - a.accuracy, b.accuracy - b.low)
    return gap, max(-1.0, gap - down), min(1.0, gap + up)


def mean_of(values: NDArray[np.floating]) -> tuple[float, float]:
    """Mean of the finite values and the half width of its 95 % interval; NaN where there are too few."""
    kept = np.asarray(values, np.float64)
    kept = kept[np.isfinite(kept)]
    if not kept.size:
        return math.nan, math.nan
    half = Z * float(kept.std(ddof=1)) / math.sqrt(kept.size) if kept.size > 1 else math.nan
    return float(kept.mean()), half


def as_expression(text: str) -> str:
    """A subset as an expression: 'class:3' -> 'label == 3', 'saved:hard' -> "subset('hard')"; '' for all."""
    return "" if text.strip() in ("", subsets.ALL) else subsets.as_expression(text)


def combined(text: str, how: str, other: str) -> str:
    """Two subsets as one, '' for all. how: 'and', 'or' or 'not': the first, but not the second."""
    first, second = as_expression(text), as_expression(other)
    if how == "not":
        return subsets.combined("and", first, subsets.combined("not", second)) if first else f"not ({second or 'True'})"
    if how == "or":
        return subsets.combined("or", first, second) if first and second else ""
    return subsets.combined("and", first, second) if first and second else first or second


def by_outcome(text: str) -> bool:
    """Whether a subset is chosen by what the model answered and whether that is right: its accuracy follows from it."""
    try:
        used = set(columns_used(as_expression(text))) if as_expression(text) else set()
    except CutawayError:
        return False
    return bool(used & {subsets.WRONG, "correct", "loss"}) or {"label", "prediction"} <= used


def bracketed(text: str) -> str:
    """In parentheses, unless it is one name, call or comparison."""
    return text if SIMPLE.fullmatch(text) or not text else f"({text})"
