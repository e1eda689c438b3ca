"""What the panel about many instances shows: whose attributions, by which method, and the answer if it is there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.errors import ParameterError
from analysis.results import Answer
from dashboard import subjects
from dashboard.views.attribution import data, edit_data, wanted

QUESTION = "attribution_subset"
MOST = 100  # instances
_SUBSET = re.compile(r"(class|predicted):(\d{1,6})")


@dataclass(frozen=True)
class Many:
    """method: the one looked at closely. subset: as the question reads it. found: of the question. token: what a click
    on its button asks for. count: instances of the sample that are meant, None while they are not known."""

    method: str
    subset: str
    found: subjects.Asked
    token: str
    count: int | None

    @property
    def answer(self) -> Answer | None:
        """What there is, perhaps a part."""
        return self.found.answer or self.found.partial


def read(text: str | None, classes: int) -> str:
    """The subset of an address. Raises ParameterError for one that there is not."""
    subset = text or "all"
    match = _SUBSET.fullmatch(subset)
    if subset in ("all", "wrong") or (match is not None and int(match[2]) < classes):
        return subset
    raise ParameterError(f"There are no instances called {subset[:60]!r}.", "Choose some of those listed.")


def load(shown: data.Frame, stored: set[str]) -> Many:
    """The answer if it is there, or if the visitor wants it. Raises NotReady, ParameterError."""
    name = edit_data.closely(shown)
    subset = read(shown.selection.subset, len(shown.class_names))
    asked = shown.asked(name)
    params = {key: asked[key] for key in ("method", "version", "target", "unit", "params")}
    params |= {"subset": subset, "most": MOST}
    found = wanted.asked(shown, QUESTION, params, stored)
    return Many(name, subset, found, wanted.token(shown, QUESTION, params), _count(shown, subset))


def _count(shown: data.Frame, subset: str) -> int | None:
    if shown.extraction is None:
        return None
    labels, guesses = np.asarray(shown.extraction.labels), np.asarray(shown.extraction.predictions)
    if subset == "all":
        return len(labels)
    if subset == "wrong":
        return int(((labels >= 0) & (labels != guesses)).sum())
    name, _, number = subset.partition(":")
    return int(((labels if name == "class" else guesses) == int(number)).sum())


def words(shown: data.Frame, subset: str) -> str:
    """The subset as a noun phrase."""
    if subset == "all":
        return "all instances"
    if subset == "wrong":
        return "wrongly predicted instances"
    name, _, number = subset.partition(":")
    return f"instances {'labelled' if name == 'class' else 'predicted'} {shown.class_name(int(number))}"


def options(shown: data.Frame) -> list[dict[str, str]]:
    """What the picker offers."""
    listed = [("all", "all"), ("wrong", "wrong ones")]
    for kind, text in (("class", "labelled"), ("predicted", "predicted")):
        listed += [(f"{kind}:{at}", f"{text} {name}") for at, name in enumerate(shown.class_names)]
    return [{"value": value, "label": label} for value, label in listed]


def mark(many: Many) -> list[Any]:
    """What its drawing depends on."""
    job, answer = many.found.job, many.answer
    told = job and many.found.answer is None and [job.id, job.state, job.progress, job.position]
    return [many.method, many.subset, many.token, many.found.state, many.count, answer.key if answer else None, told]
