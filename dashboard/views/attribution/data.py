"""From the selection to what the panels of the Attribution view show: the instance, the methods, their answers.

Every panel begins with ``frame(search)``. It raises ``NotReady`` while there is nothing to draw.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.attribution.parameters import Parameter, checked
from analysis.attribution.targets import Unit
from analysis.errors import NotFound
from analysis.extraction.reader import Extraction
from analysis.results import Answer
from dashboard import asking, subjects
from dashboard.asking import NotReady
from dashboard.selection import Selection

VIEW = "attribution"
_PARAMETER = re.compile(r"([a-z_]+)\.(\w+)=([^;]+)")


@dataclass(frozen=True)
class Frame(asking.OfSubject):
    """What all panels show.

    description: of the subject. methods: what the pre-flight says of each, in the page's order: {'name', 'title',
    'family', 'version', 'summary', 'source', 'costs', 'form', 'signed', 'complete', 'coarse', 'parameters': [...],
    'reason': '' if it fits, 'notes': sentences}. defaults: names shown unless others are chosen. chosen: names shown,
    in order. instance: *the* instance. extraction: activations of the sample, perhaps partial; None while there are
    none. unit: explained instead of an output, as ``targets.Unit`` writes it, or ''.
    """

    selection: Selection
    description: dict[str, Any]
    methods: list[dict[str, Any]]
    defaults: list[str]
    chosen: list[str]
    instance: int
    extraction: Extraction | None
    unit: str

    def method(self, name: str) -> dict[str, Any]:
        """What the pre-flight says of a method. Raises NotFound."""
        for item in self.methods:
            if item["name"] == name:
                return item
        raise NotFound(f"There is no method {name!r}.", "Choose one of those listed.")

    def params(self, name: str) -> dict[str, Any]:
        """The parameters of a method as chosen, all of them. Raises ParameterError."""
        return params_of(self.selection, self.method(name))

    def asked(self, name: str, *, edit: list[dict[str, Any]] | None = None) -> dict[str, Any]:
        """Parameters of the question ``attribution`` for a method on the instance shown; the same for all panels.

        Raises:
            NotFound, ParameterError: no such method, or its parameters are wrong.
        """
        return {
            "instance": self.instance,
            "method": name,
            "version": int(self.method(name)["version"]),
            "target": self.selection.target,
            "unit": self.unit,
            "params": self.params(name),
            "edit": edit or [],
        }


def is_shown(search: object) -> bool:
    """Whether the page shows this view; callbacks of a view that is not shown compute nothing."""
    return Selection.parse(search).view == VIEW


def params_of(selection: Selection, method: dict[str, Any]) -> dict[str, Any]:
    """A method's parameters: chosen ones over defaults. Raises ParameterError for a value that is not accepted."""
    declared = [Parameter.from_json(one) for one in method["parameters"]]
    given: dict[str, Any] = {}
    names = {one.name: one for one in declared}
    if "baselines" in names and selection.baseline in names["baselines"].choices:
        given["baselines"] = selection.baseline
    for owner, name, value in _PARAMETER.findall(selection.params):
        if owner == method["name"] and name in names:
            given[name] = value
    return checked(declared, given)


def frame(search: object, *, wait: float = 0.0) -> Frame:
    """What is shown for an address. Raises NotReady or Pending, or a CutawayError of what failed.

    wait: seconds for the pre-flight. One panel waits for all of them: each that does holds a thread of the server.
    """
    selection = Selection.parse(search)
    description = asking.described()
    found = subjects.extraction(selection, wait=0.0)
    extraction = found.reader if found.reader is not None and found.reader.done else None
    total = int(description["n"])
    if total == 0:
        raise NotReady("Attribution", "The data set has no instances.", "Pass a data set with at least one.")
    instance = _instance(selection, extraction, total)
    unit = unit_of(selection)
    answer: Answer = asking.ask(selection, "attribution_methods", "Which methods fit this model", wait=wait, unit=unit)
    methods = list(answer.json["methods"])
    defaults = list(answer.json["defaults"])
    known = {item["name"] for item in methods}
    chosen = [name for name in selection.methods if name in known] or defaults
    return Frame(selection, description, methods, defaults, chosen, instance, extraction, unit)


def unit_of(selection: Selection) -> str:
    """The unit that is explained: the chosen filter of the layer, or without one the mean of several chosen.

    Raises NotReady if none is chosen.
    """
    if selection.explain != "unit":
        return ""
    if selection.layer is not None and selection.filter is None and selection.filters:
        first, *others = selection.filters
        return str(Unit(selection.layer, first, "mean", tuple(others)))
    if selection.layer is None or selection.filter is None:
        raise NotReady(
            "Attribution",
            "A filter or unit is to be explained, but none is chosen.",
            "Choose one in the Layers view, or explain the output.",
            told_in="Explain",
        )
    return str(Unit(selection.layer, selection.filter))


def _instance(selection: Selection, extraction: Extraction | None, total: int) -> int:
    if selection.instances:
        if selection.instances[0] >= total:
            reason = f"There is no instance {selection.instances[0]:,} in this data set."
            raise NotReady("Attribution", reason, told_in="Instances")
        return selection.instances[0]
    if extraction is None:
        raise NotReady("Attribution", "The sample is being read, to find the instances that go wrong.", waiting=True)
    # While more is read, the first of what was read first: it stays the same until all is there.
    first = None if extraction.complete else int(extraction.manifest["shard"])
    order = "wrong" if selection.aorder == "disagreement" else selection.aorder
    return ranked(extraction, order, first)[0]


def ranked(extraction: Extraction, order: str, most: int | None = None) -> list[int]:
    """Indices in the data set, in the order in which instances are offered; 'disagreement' is ranked by its panel.

    order: 'wrong': misclassified ones first, the most confident first; 'confidence': the least first; 'loss': the
    largest first; 'index'. most: of the first so many rows only.
    """
    indices = np.asarray(extraction.indices)[:most]
    confidence = np.nan_to_num(np.asarray(extraction.confidence, float), nan=0.0)[:most]
    labels, predictions = np.asarray(extraction.labels)[:most], np.asarray(extraction.predictions)[:most]
    if order == "confidence":
        keys: tuple[Any, ...] = (indices, confidence)
    elif order == "loss":
        keys = (indices, -np.nan_to_num(np.asarray(extraction.loss, float), nan=-np.inf)[:most])
    elif order == "wrong":
        wrong = (labels >= 0) & (labels != predictions)
        keys = (indices, -confidence, ~wrong)
    else:
        keys = (indices,)
    return [int(index) for index in indices[np.lexsort(keys)]]


def attribution(shown: Frame, name: str, *, wait: float = 0.0, edit: list[dict[str, Any]] | None = None) -> Answer:
    """A method's answer for the instance shown. Raises Pending, NotReady for a method that does not fit, and errors."""
    method = shown.method(name)
    if method["reason"]:
        raise NotReady(method["title"], method["reason"])
    what = f"{method['title']}, instance {shown.instance:,}"
    return asking.ask(shown.selection, "attribution", what, wait=wait, **shown.asked(name, edit=edit))
