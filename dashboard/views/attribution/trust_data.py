"""What the trust panel shows of each method: figures as far as they are measured, agreement, the verdict."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.attribution import agreement
from analysis.attribution.verdict import Verdict, verdict
from analysis.results import Answer
from dashboard import services, subjects
from dashboard.views.attribution import data, wanted
from dashboard.views.attribution.maps_data import optional

QUESTION = "attribution_trust"
RANDOM_STATE = 0


@dataclass(frozen=True)
class Row:
    """One method. trust: what is measured, perhaps in part; {} if nothing is. found: of the question. token: what a
    click on its button asks for. agreement: mean rank correlation with the others shown, None if there are none."""

    method: dict[str, Any]
    trust: dict[str, Any]
    found: subjects.Asked
    token: str
    agreement: float | None
    verdict: Verdict

    @property
    def name(self) -> str:
        """Of the method."""
        return str(self.method["name"])


@dataclass(frozen=True)
class Agreement:
    """Rank correlations of the methods whose maps are there. values: (k, k)."""

    names: list[str]
    titles: list[str]
    values: NDArray[Any]

    def mean_of(self, name: str) -> float | None:
        """Of a method with the others; None if there is none to compare with."""
        if name not in self.names or len(self.names) < 2:
            return None
        row = np.delete(self.values[self.names.index(name)], self.names.index(name))
        finite = row[np.isfinite(row)]
        return float(finite.mean()) if len(finite) else None


def params_of(shown: data.Frame, name: str) -> dict[str, Any]:
    """Of the question, for a method on the instance shown. Raises ParameterError for parameters that are wrong."""
    return shown.asked(name) | {"random_state": RANDOM_STATE}


def known(shown: data.Frame, name: str) -> subjects.Asked:
    """What there is of a method's figures; nothing is asked for. Raises ParameterError."""
    return subjects.known(shown.selection, QUESTION, **params_of(shown, name))


def fitting(shown: data.Frame) -> list[str]:
    """The methods shown that fit the model."""
    return [name for name in shown.chosen if not shown.method(name)["reason"]]


def agreed(shown: data.Frame) -> Agreement:
    """Over the maps that are there; none is asked for."""
    names, keys, arrays = [], [], []
    for name in fitting(shown):
        found = subjects.known(shown.selection, "attribution", **shown.asked(name))
        if found.answer is not None and found.answer.json.get("form") in agreement.COMPARED:
            names.append(name)
            keys.append(found.answer.key)
            arrays.append(found.answer)
    titles = [str(shown.method(name)["title"]) for name in names]
    if len(names) < 2:
        return Agreement(names, titles, np.ones((len(names), len(names))))
    values = services.current().memo.get(("at-agreement", *keys), partial(_correlations, arrays, shown.kind))
    return Agreement(names, titles, values)


def _correlations(answers: list[Answer], kind: str) -> NDArray[Any]:
    arrays = [optional(answer, "attribution") for answer in answers]
    return agreement.compared(arrays, [bool(answer.json.get("coarse")) for answer in answers], kind=kind).sizes


def rows(shown: data.Frame, stored: set[str], common: Agreement) -> list[Row]:
    """One for each method shown that fits. What the visitor wants is asked for. Raises ParameterError."""
    listed = []
    for name in fitting(shown):
        params = params_of(shown, name)
        found = wanted.asked(shown, QUESTION, params, stored)
        answer = found.answer or found.partial
        trust = answer.json if answer is not None else {}
        mean = common.mean_of(name)
        method = shown.method(name)
        token = wanted.token(shown, QUESTION, params)
        listed.append(Row(method, trust, found, token, mean, verdict(method, trust, mean)))
    return listed


def mark(row: Row) -> list[Any]:
    """What a row's drawing depends on."""
    job = row.found.job
    part = row.found.partial.key if row.found.partial else None
    told = job and row.found.answer is None and [job.id, job.state, job.progress, job.position]
    return [row.name, row.found.state, row.found.key, part, told, row.agreement and round(row.agreement, 4)]
