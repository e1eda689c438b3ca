"""Answers ``label_errors``: labels that the model's probabilities speak against, by confident learning. No torch.

Written from Northcutt, Jiang and Chuang, "Confident learning: estimating uncertainty in dataset labels", JAIR 70
(2021), section 3: thresholds are equation 2, the confident joint equation 1, its calibration equation 3; suspects are
the instances off the diagonal of the confident joint, ranked by the margin between the two classes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.extraction.reader import Extraction
from analysis.jobs.context import Cancelled
from analysis.subsets.table import probabilities

MOST = 2000  # suspects that are listed
MOST_CLASSES = 300  # of a joint that is told whole
_BLOCK = 1 << 21  # probabilities in one step
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
RULE = (
    "A class is confident for an instance if its probability is at least the mean one among instances labelled with "
    "it. An instance is suspected if the most probable of its confident classes is not the given label, and is more "
    "probable than that. Those with the largest difference come first."
)
CAVEAT = (
    "If the model was trained on these labels, it has partly learned the errors, too: then there are more of them than "
    "are found. Probabilities of instances that the model was not trained on are best. A suspect is a label to look "
    "at, not an error that is proven: hard and unusual instances are among them."
)


@dataclass(frozen=True)
class Found:
    """What the labels look like.

    threshold: of each class, the mean probability of that class among instances labelled with it, NaN without any,
    (C,). rows: suspects, the likeliest error first, (k,); suggested: their other class; given, other: probabilities of
    the given label and of the suggestion. counts: the confident joint, given by suggested, (C, C), or None for many
    classes. errors: off-diagonal sum of the calibrated joint times n: how many errors the estimate expects. n: labelled
    instances with probabilities.
    """

    threshold: Floats
    rows: Integers
    suggested: Integers
    given: Floats
    other: Floats
    counts: Integers | None
    errors: float
    n: int


def label_errors(session: Any, context: Any) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Labels of the sample that are likely wrong, by the model's probabilities.

    Returns:
        {'n': labelled instances, 'classes', 'threshold': of each class (None without instances), 'suspects': [{'index',
        'given', 'suggested', 'score': probability of the given label, 'margin': of the suggestion less that}], the
        likeliest error first; 'found': their number, of which MOST are listed; 'errors': number that the calibrated
        joint expects; 'joint': its (C, C), given by true, summing to 1, [] for more than MOST_CLASSES classes; 'rule',
        'caveat', 'reason': why nothing can be said, else ''}; no arrays.
    """
    extraction: Extraction = session.extraction()
    labels = np.asarray(extraction.labels, np.int64)
    logits = np.asarray(extraction.logits)

    def told(done: int, total: int) -> None:
        if getattr(context, "cancelled", False):
            raise Cancelled
        context.progress(done, total, "instances", "Comparing labels with probabilities")

    found = confident(logits, labels, told)
    joint: Any = [] if found.counts is None else calibrated(found.counts, _sizes(labels, len(found.threshold)))
    indices = np.asarray(extraction.indices)
    suspects = [
        {
            "index": int(indices[row]),
            "given": int(labels[row]),
            "suggested": int(suggested),
            "score": round(float(given), 6),
            "margin": round(float(other - given), 6),
        }
        for row, suggested, given, other in zip(
            found.rows[:MOST], found.suggested[:MOST], found.given[:MOST], found.other[:MOST], strict=True
        )
    ]
    value: dict[str, Any] = {
        "n": found.n,
        "classes": len(found.threshold),
        "threshold": [None if np.isnan(one) else round(float(one), 6) for one in found.threshold],
        "suspects": suspects,
        "found": len(found.rows),
        "errors": round(float(found.errors), 2),
        "joint": [[round(float(cell), 8) for cell in line] for line in joint],
        "rule": RULE,
        "caveat": CAVEAT,
        "reason": _reason(found, labels),
    }
    return value, {}


def _reason(found: Found, labels: Integers) -> str:
    if not found.n:
        return "None of the instances has a label."
    if len(np.unique(labels[labels >= 0])) < 2:
        return "All instances have the same label, so that there is no other class to compare with."
    return ""


def confident(logits: NDArray[Any], labels: Integers, told: Any = lambda *_told: None) -> Found:
    """Confident learning on logits (n, C) and labels (n,), -1 where there is none; a block of rows at a time.

    told: called with done and total. Rows without a label or with logits that are not finite do not count.
    """
    classes = 2 if logits.shape[1] == 1 else logits.shape[1]
    sums, sizes = np.zeros(classes), np.zeros(classes, np.int64)
    total = len(labels)
    for start, shares, given in _blocks(logits, labels):
        told(start // 2, total)
        there = _usable(shares, given)
        own = shares[there, given[there]]
        sums += np.bincount(given[there], own, classes)
        sizes += np.bincount(given[there], minlength=classes)
    threshold = np.divide(sums, sizes, out=np.full(classes, np.nan), where=sizes > 0)
    counts = np.zeros((classes, classes), np.int64) if classes <= MOST_CLASSES else None
    none = np.zeros(0, np.int64)
    parts: list[tuple[Any, ...]] = [(none, none, np.zeros(0), np.zeros(0))]
    inside, apart = np.zeros(classes, np.int64), np.zeros(classes, np.int64)  # of the joint, by given label
    for start, shares, given in _blocks(logits, labels):
        told((total + start) // 2, total)
        rows = np.flatnonzero(_usable(shares, given))
        suggested = confident_class(shares[rows], threshold)
        rows, suggested = rows[suggested >= 0], suggested[suggested >= 0]
        label = given[rows]
        inside += np.bincount(label[suggested == label], minlength=classes)
        apart += np.bincount(label[suggested != label], minlength=classes)
        if counts is not None:
            np.add.at(counts, (label, suggested), 1)
        own, other = shares[rows, label], shares[rows, suggested]
        kept = (suggested != label) & (other > own)
        parts.append((start + rows[kept], suggested[kept], own[kept], other[kept]))
    rows, suggested, own, other = (np.concatenate(part) for part in zip(*parts, strict=True))
    order = np.lexsort((rows, own - other))
    share = np.divide(apart, inside + apart, out=np.zeros(classes), where=inside + apart > 0)
    told(total, total)
    return Found(
        threshold,
        rows[order],
        suggested[order],
        own[order],
        other[order],
        counts,
        float((share * sizes).sum()),
        int(sizes.sum()),
    )


def confident_class(shares: Floats, threshold: Floats) -> Integers:
    """Of each row the most probable class that reaches its threshold, -1 where none does, (n,). Equation 1."""
    # Rounding must not keep out a class whose instances all have one probability.
    reached = shares >= np.where(np.isnan(threshold), np.inf, threshold - 1e-9)
    best = np.where(reached, shares, -1.0).argmax(1) if shares.size else np.zeros(len(shares), np.int64)
    return np.where(reached.any(1), best, -1).astype(np.int64)


def calibrated(counts: Integers, sizes: Integers) -> Floats:
    """The joint of given and true labels, (C, C), summing to 1: rows of the confident joint scaled to the number of
    instances with that label. Equation 3. A label none of whose instances is confident counts as right."""
    values = counts.astype(np.float64)
    empty = (values.sum(1) == 0) & (sizes > 0)
    values[empty, empty] = 1
    rows = values.sum(1, keepdims=True)
    values = np.divide(values, rows, out=np.zeros_like(values), where=rows > 0) * sizes[:, None]
    whole = values.sum()
    return np.asarray(values / whole if whole else values)


def _sizes(labels: Integers, classes: int) -> Integers:
    return np.bincount(labels[(labels >= 0) & (labels < classes)], minlength=classes).astype(np.int64)


def _usable(shares: Floats, labels: Integers) -> NDArray[np.bool_]:
    return (labels >= 0) & (labels < shares.shape[1]) & np.isfinite(shares).all(1)


def _blocks(logits: NDArray[Any], labels: Integers) -> Iterator[tuple[int, Floats, Integers]]:
    """(first row, probabilities, labels) of some rows after the other."""
    step = max(1, _BLOCK // max(1, logits.shape[1]))
    for start in range(0, len(labels), step):
        yield start, probabilities(logits[start : start + step]), labels[start : start + step]
