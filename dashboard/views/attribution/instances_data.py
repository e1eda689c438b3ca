"""Which instances are offered, in which order, and how the methods disagree about those that were explained already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from analysis.attribution.agreement import rank_correlations
from analysis.errors import CutawayError
from analysis.extraction.reader import Extraction
from analysis.questions import keys
from dashboard import services, subjects
from dashboard.asking import NotReady, described
from dashboard.selection import Selection
from dashboard.views.attribution import data

LOOKED_AT = 300  # instances whose answers are looked for, the wrong ones first


@dataclass(frozen=True)
class Offer:
    """What the panel lists.

    order: indices in the data set after the filters. total: before them. extraction: of the sample. key: of its
    activations. chosen: the instance shown. disagreement: by index, where it is known; None in other orders.
    """

    selection: Selection
    description: dict[str, Any]
    order: list[int]
    total: int
    extraction: Extraction
    key: str
    chosen: int
    disagreement: dict[int, float] | None

    @property
    def kind(self) -> str:
        """'image', 'text', 'series' or 'table'."""
        return str(self.description["kind"])

    @property
    def place(self) -> int | None:
        """Where the chosen one is in the order; None if it is not there."""
        return self.order.index(self.chosen) if self.chosen in self.order else None

    def class_name(self, label: int) -> str:
        """A label's name; 'no label' for -1."""
        names = [str(name) for name in self.description["classes"]]
        return "no label" if label < 0 else names[label] if label < len(names) else f"class {label}"


def offer(search: object, *, wrong: bool, label: int | None) -> Offer:
    """The instances of the sample that pass the filters. Raises NotReady while there are none, or a CutawayError.

    wrong: misclassified ones only. label: of this class only, None: of all.
    """
    selection = Selection.parse(search)
    description = described()
    found = subjects.extraction(selection, wait=0.0)
    reader = found.reader
    if reader is None or not reader.done:
        raise _nothing(found)
    known = _disagreement(search, reader) if selection.aorder == "disagreement" else None
    order = data.ranked(reader, "wrong" if known is not None else selection.aorder)
    if known:
        order = sorted(order, key=lambda index: -known.get(index, -9.0))
    first = None if reader.complete else int(reader.manifest["shard"])
    base = "wrong" if selection.aorder == "disagreement" else selection.aorder
    chosen = selection.instances[0] if selection.instances else data.ranked(reader, base, first)[0]
    rows = {int(index): row for row, index in enumerate(reader.indices)}
    labels, predictions = np.asarray(reader.labels), np.asarray(reader.predictions)

    def passes(index: int) -> bool:
        row = rows[index]
        if wrong and (labels[row] < 0 or labels[row] == predictions[row]):
            return False
        return label is None or int(labels[row]) == label

    kept = [index for index in order if passes(index)] if wrong or label is not None else order
    return Offer(selection, description, kept, len(order), reader, found.key, chosen, known)


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


def _disagreement(search: object, reader: Extraction) -> dict[int, float]:
    """1 minus the mean rank correlation of the chosen methods, of instances with at least two answers. Asks nothing."""
    try:
        shown = data.frame(search)
        params = [shown.asked(name) for name in shown.chosen if not shown.method(name)["reason"]]
        checkpoint = subjects.checkpoint_of(shown.selection)
    except (NotReady, CutawayError):
        return {}
    if len(params) < 2:
        return {}
    sample = subjects.sample_of(shown.selection, shown.description)
    listed = data.ranked(reader, "wrong")[:LOOKED_AT]

    def all_keys() -> dict[int, list[str]]:
        return {
            index: [
                keys.answer_key(shown.description, "attribution", one | {"instance": index}, checkpoint, sample)
                for one in params
            ]
            for index in listed
        }

    found = services.current()
    form = [{name: value for name, value in one.items() if name != "instance"} for one in params]
    given = (str(reader.directory), tuple(listed), str(form), str(checkpoint))
    known = {}
    for index, wanted in found.memo.get(("at-keys", given), all_keys).items():
        ready = tuple(key for key in wanted if (found.answers.directory / key).exists())
        if len(ready) > 1:
            value = found.memo.get(("at-disagreement", ready), partial(_of, ready))
            if value is not None:
                known[index] = value
    return known


def _of(ready: Sequence[str]) -> float | None:
    """Disagreement of some answers; None where it is undefined."""
    answers = [services.current().answers.get(key) for key in ready]
    found = [answer for answer in answers if answer is not None and answer.json.get("form") == "input"]
    if len(found) < 2:
        return None
    coarse = [bool(answer.json.get("coarse")) for answer in found]
    matrix = rank_correlations([answer.array("attribution") for answer in found], coarse)
    pairs = matrix[np.triu_indices(len(matrix), 1)]
    return float(1 - np.nanmean(pairs)) if np.isfinite(pairs).any() else None
