"""Which instances are offered, and in which order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.extraction.reader import Extraction
from dashboard import subjects
from dashboard.asking import NotReady, described
from dashboard.selection import Selection
from dashboard.views.attribution import data, instances_disagreement
from dashboard.views.attribution.instances_disagreement import Known


@dataclass(frozen=True)
class Offer:
    """What the panel lists.

    order: indices in the data set after the filters. total: before them. extraction: of the sample. key: of its
    activations. chosen: the instance shown, which may be out of range. known: of the methods' disagreement; None in
    other orders.
    """

    selection: Selection
    description: dict[str, Any]
    order: list[int]
    total: int
    extraction: Extraction
    key: str
    chosen: int
    known: Known | None

    @property
    def kind(self) -> str:
        """'image', 'text', 'series' or 'table'."""
        return str(self.description["kind"])

    @property
    def place(self) -> int | None:
        """Where the chosen one is in the order; None if it is not there."""
        return self.order.index(self.chosen) if self.chosen in self.order else None

    @property
    def beyond(self) -> bool:
        """Whether the address names an instance that the data set does not have."""
        return self.chosen >= int(self.description["n"])

    @property
    def disagreement(self) -> dict[int, float]:
        """By index, where it is known and defined."""
        values = self.known.values if self.known is not None else {}
        return {index: value for index, value in values.items() if np.isfinite(value)}

    def class_name(self, label: int) -> str:
        """A label's name; 'no label' for -1."""
        names = [str(name) for name in self.description["classes"]]
        return "no label" if label < 0 else names[label] if label < len(names) else f"class {label}"


def offer(search: object, *, wrong: bool, label: int | None, stored: set[str] | None = None) -> Offer:
    """The instances of the sample that pass the filters. Raises NotReady while there are none, or a CutawayError.

    wrong: misclassified ones only. label: of this class only, None: of all. stored: tokens of what the visitor wants.
    """
    selection = Selection.parse(search)
    description = described()
    found = subjects.extraction(selection, wait=0.0)
    reader = found.reader
    if reader is None or not reader.done:
        raise _nothing(found)
    disagreeing = selection.aorder == "disagreement"
    base = "wrong" if disagreeing else selection.aorder
    order = data.ranked(reader, base)
    first = None if reader.complete else int(reader.manifest["shard"])
    chosen = selection.instances[0] if selection.instances else data.ranked(reader, base, first)[0]
    rows = {int(index): row for row, index in enumerate(reader.indices)}
    labels, predictions = np.asarray(reader.labels), np.asarray(reader.predictions)

    def passes(index: int) -> bool:
        row = rows[index]
        if wrong and (labels[row] < 0 or labels[row] == predictions[row]):
            return False
        return label is None or int(labels[row]) == label

    kept = [index for index in order if passes(index)] if wrong or label is not None else order
    known = instances_disagreement.load(search, reader, kept, stored or set()) if disagreeing else None
    made = Offer(selection, description, kept, len(order), reader, found.key, chosen, known)
    if known is not None:
        values = made.disagreement
        kept.sort(key=lambda index: -values.get(index, -9.0))  # those that are not known stay in their order
    return made


def _nothing(found: subjects.Extracting) -> NotReady:
    job = found.job
    if job is not None and not job.active and job.state != "done":
        error = job.error or {}
        cancelled = "Reading the sample was cancelled." if job.state == "cancelled" else ""
        return NotReady(
            "Instances",
            cancelled or str(error.get("message") or "Reading the sample failed."),
            "Try again with the button in the list of jobs, or type the number of an instance.",
        )
    return NotReady("Instances", "The sample is being read: instances appear as they come.", waiting=True)
