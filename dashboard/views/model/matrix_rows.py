"""The rows of the neuron activation matrix: classes, further subsets, the subset and instances chosen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.errors import CutawayError
from dashboard import members
from dashboard.framing import Frame
from dashboard.histories import Memo

MOST_ROWS = 1000  # in all
MOST_FURTHER = 60  # entries of ``xrows``
EACH = "each:"  # before a subset's text: a row for each of its instances
MOST_TITLE = 60
_BY_CLASS = Memo(most=2)  # of a million instances they take a moment

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Row:
    """A row: the mean over a subset, or one instance.

    text: the subset as an address says it, '' of an instance. members: rows of the extraction. label: class that gives
    it its mark, None without one. index: of an instance in the data set, else None. source: why it is there: 'class',
    'further', 'subset', 'instance' or 'each'. entry: what removes it, an entry of ``xrows``; '' if it is none.
    """

    text: str
    title: str
    members: Integers
    source: str
    label: int | None = None
    index: int | None = None
    entry: str = ""

    @property
    def n(self) -> int:
        """Number of instances."""
        return len(self.members)

    @property
    def name(self) -> str:
        """Inside a sentence: 'labelled cat (n = 102)', 'instance 17'."""
        return self.title if self.index is not None else f"{self.title} (n = {self.n:,})"

    @property
    def digest(self) -> str:
        """Changes whenever its members do; '' of a class, whose members follow from the activations."""
        return "" if self.source == "class" else hashlib.sha256(self.members.tobytes()).hexdigest()[:12]


@dataclass(frozen=True)
class Rows:
    """All rows, in the order in which they are given. problems: (what was left out and why, entry of ``xrows`` that
    asked for it or ''). notes: what else the reader should know."""

    rows: list[Row]
    problems: list[tuple[str, str]]
    notes: list[str]

    @property
    def mark(self) -> list[Any]:
        """What a drawing of them depends on, besides the activations."""
        return [[row.text, row.title, row.index, row.entry, row.digest] for row in self.rows]


def rows_of(shown: Frame) -> Rows:
    """All rows of an address: classes, further rows, the subset chosen, the instances chosen.

    An expression that cannot be read costs its row only: it is named in ``problems``.
    """
    found = Rows([], [], [])
    _classes(shown, found)
    entries, problem = further(shown.selection.xrows)
    if problem:
        found.problems.append((problem, ""))
    for entry in entries:
        _further(shown, entry, found)
    chosen = shown.selection.subset or ""
    if chosen and chosen not in [row.text for row in found.rows]:
        _subset(shown, chosen, "subset", "", found)
    _instances(shown, sorted(set(shown.selection.instances)), "instance", "", found)
    if len(found.rows) > MOST_ROWS:
        found.notes.append(f"{MOST_ROWS:,} of {len(found.rows):,} rows are shown.")
        del found.rows[MOST_ROWS:]
    return found


def further(text: str) -> tuple[list[str], str]:
    """The texts in ``xrows``, and what is wrong with it ('' if nothing is)."""
    if not text:
        return [], ""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        return [], "The further rows of the address cannot be read: they are no list of subsets."
    texts = list(dict.fromkeys(item.strip() for item in value if item.strip()))
    problem = "" if len(texts) <= MOST_FURTHER else f"Of {len(texts)} further rows {MOST_FURTHER} are read."
    return texts[:MOST_FURTHER], problem


def _classes(shown: Frame, found: Rows) -> None:
    """A row per class; of more classes than rows, those with most instances in the sample."""
    kind = "class" if shown.grouping == "label" else "predicted"
    own = shown.extraction.labels if kind == "class" else shown.extraction.predictions
    by_class = _BY_CLASS.get((shown.key, kind), lambda: grouped(own, len(shown.class_names)))
    count = len(by_class)
    sizes = np.array([len(rows) for rows in by_class], np.int64)
    shown_classes = np.arange(count)
    if count > MOST_ROWS // 2:
        shown_classes = np.sort(np.argsort(-sizes, kind="stable")[: MOST_ROWS // 2])
        found.notes.append(f"Of {count:,} classes the {len(shown_classes):,} with most instances have a row.")
    start = "labelled" if kind == "class" else "predicted"
    for label in shown_classes.tolist():
        title = f"{start} {shown.class_name(label)[:MOST_TITLE]}"
        found.rows.append(Row(f"{kind}:{label}", title, by_class[label], "class", label))


def grouped(labels: Integers, classes: int) -> list[Integers]:
    """Rows of each class, ascending; of at least ``classes`` many."""
    count = max(classes, int(labels.max(initial=-1)) + 1)
    order = np.argsort(labels, kind="stable")
    ends = np.searchsorted(labels[order], np.arange(count + 1))
    return [order[ends[label] : ends[label + 1]] for label in range(count)]


def _further(shown: Frame, entry: str, found: Rows) -> None:
    if not entry.startswith(EACH):
        if entry not in [row.text for row in found.rows]:
            _subset(shown, entry, "further", entry, found)
        return
    rows = _read(shown, entry[len(EACH) :], entry, found)
    if rows is None:
        return
    if len(rows) > MOST_ROWS:
        found.notes.append(f"Of the {len(rows):,} instances of '{_short(entry[len(EACH) :])}' the first are shown.")
    _instances(shown, shown.extraction.indices[rows[:MOST_ROWS]].tolist(), "each", entry, found)


def _subset(shown: Frame, text: str, source: str, entry: str, found: Rows) -> None:
    rows = _read(shown, text, entry, found)
    if rows is not None:
        kind, _, number = text.partition(":")
        label = int(number) if kind in ("class", "predicted") and number.isdigit() else None
        title = members.title(shown, text).removeprefix("instances where ").removeprefix("instances ")
        title = _short(title if title == "all instances" else title.removesuffix(" instances"))
        found.rows.append(Row(text, title, np.asarray(rows, np.int64), source, label, entry=entry))


def _read(shown: Frame, text: str, entry: str, found: Rows) -> Integers | None:
    try:
        return np.asarray(members.rows(shown, text), np.int64)
    except CutawayError as error:
        found.problems.append((f"{_short(text)}: {error.message} {error.remedy}".strip(), entry))
        return None


def _instances(shown: Frame, indices: Sequence[int], source: str, entry: str, found: Rows) -> None:
    there = {row.index for row in found.rows if row.index is not None}
    missing = []
    for index in indices:
        at = shown.extraction.row_of(index)
        if at is None:
            missing.append(index)
        elif index not in there:
            label = int(shown.extraction.labels[at])
            members_ = np.array([at], np.int64)
            found.rows.append(Row("", f"instance {index}", members_, source, label, int(index), entry))
    if missing:
        said = ", ".join(map(str, missing[:5])) + (", …" if len(missing) > 5 else "")
        many = "Instance" if len(missing) == 1 else "Instances"
        found.problems.append((f"{many} {said}: not in the sample, so not shown. Include it with the sample.", ""))


def _short(text: str) -> str:
    return text if len(text) <= MOST_TITLE else text[: MOST_TITLE - 1] + "…"
