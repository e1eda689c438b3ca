"""The confusion matrix of a subset, and the cell that the subset itself may be. Neither torch nor dash."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.subsets import confusion
from dashboard.views.instances.data import Picked
from dashboard.views.instances.subset_data import SIMPLE, as_expression, bracketed

MOST_CLASSES = confusion.SHOWN  # drawn as a matrix; of more, the most confused pairs are listed
MOST_PAIRS = 60
_ENDS = (
    re.compile(r"(?:(?P<base>.+) and )?label == (?P<label>\d{1,9}) and prediction == (?P<prediction>\d{1,9})", re.S),
    re.compile(r"(?:(?P<base>.+) and )?label == (?P<label>\d{1,9})", re.S),
    re.compile(r"(?:(?P<base>.+) and )?prediction == (?P<prediction>\d{1,9})", re.S),
)


@dataclass(frozen=True)
class Cell:
    """base: the subset without the cell, '' for all. label, prediction: of the cell, None for a whole row or column."""

    base: str
    label: int | None = None
    prediction: int | None = None


def cell_of(text: str) -> Cell:
    """A subset as a cell, row or column of another one's matrix, as ``subset_of`` writes it; else as a whole."""
    written = as_expression(text)
    for pattern in _ENDS:
        match = pattern.fullmatch(written)
        if match is None:
            continue
        base = match["base"] or ""
        inner = base if SIMPLE.fullmatch(base) else unwrapped(base) if base else ""
        if inner is None:  # not one part: 'a or b and label == 3' means something else
            continue
        named = match.groupdict()
        label, prediction = named.get("label"), named.get("prediction")
        return Cell(inner, int(label) if label else None, int(prediction) if prediction else None)
    return Cell(text if text not in ("all",) else "")


def subset_of(base: str, label: int | None = None, prediction: int | None = None) -> str:
    """The instances of a cell, row or column of the matrix of ``base``, as an expression."""
    parts = [bracketed(as_expression(base))] if as_expression(base) else []
    parts += [f"label == {label}"] if label is not None else []
    parts += [f"prediction == {prediction}"] if prediction is not None else []
    return " and ".join(parts)


def unwrapped(text: str) -> str | None:
    """'(a)' -> 'a'; None unless the first parenthesis is closed by the last."""
    if not (text.startswith("(") and text.endswith(")")):
        return None
    depth, quote, skip = 0, "", False
    for place, sign in enumerate(text):
        if skip:
            skip = False
        elif quote:
            skip = sign == "\\" and quote != "`"
            quote = "" if sign == quote else quote
        elif sign in "'\"`":
            quote = sign
        elif sign in "()":
            depth += 1 if sign == "(" else -1
            if not depth and place < len(text) - 1:
                return None
    return text[1:-1] if not depth and not quote else None


def counts(found: Picked) -> NDArray[np.int64]:
    """Instances by label and prediction (C, C); those without a label are left out."""
    reader = found.shown.extraction
    labels, predictions = np.asarray(reader.labels)[found.rows], np.asarray(reader.predictions)[found.rows]
    return confusion.counts(labels, predictions, classes_of(found))


def classes_of(found: Picked) -> int:
    """C, of the names, the labels and the predictions; at least 2."""
    reader = found.shown.extraction
    most = max(int(np.max(reader.labels, initial=0)), int(np.max(reader.predictions, initial=0)))
    return max(2, len(reader.class_names), most + 1)


def pairs(found: Picked) -> list[tuple[int, int, int, int]]:
    """(label, prediction, count, instances of the label) of the most confused pairs, most first."""
    reader = found.shown.extraction
    labels, predictions = np.asarray(reader.labels)[found.rows], np.asarray(reader.predictions)[found.rows]
    classes = classes_of(found)
    of_label = np.bincount(labels[labels >= 0], minlength=classes)
    listed = confusion.pairs(labels, predictions, classes, MOST_PAIRS)
    return [(label, prediction, count, int(of_label[label])) for label, prediction, count in listed]
