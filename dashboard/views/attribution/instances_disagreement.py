"""How the methods disagree about the instances listed: what is known, what is missing, and the way to compute it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from dash import html

from analysis.attribution.agreement import COMPARED
from analysis.attribution.disagreement import MOST, disagreement
from analysis.errors import CutawayError
from analysis.extraction.reader import Extraction
from analysis.questions import keys
from dashboard import asking, services, subjects
from dashboard.asking import NotReady
from dashboard.views.attribution import data, wanted
from dashboard.widgets.waiting import failed_box, waiting_box

QUESTION = "attribution_disagreement"
LOOKED_AT = 300  # instances whose maps are looked for one by one, the first of the list


@dataclass(frozen=True)
class Known:
    """values: disagreement by index; NaN where it is undefined. listed: how many instances were asked about.

    missing: how many of them are not known. maps: what computing these costs at most. token: what a click asks for, ''
    where nothing can be computed; why: then the reason. found: of the question, None before it can be asked.
    """

    values: dict[int, float]
    listed: int
    missing: int = 0
    maps: int = 0
    token: str = ""
    why: str = ""
    found: subjects.Asked | None = None

    def mark(self) -> list[Any]:
        """What a drawing of it depends on."""
        found = self.found
        job = found.job if found is not None else None
        told = job and [job.id, job.state, job.progress, job.position]
        return [len(self.values), self.listed, self.missing, self.token, self.why, found and found.state, told]


def load(search: object, reader: Extraction, listed: Sequence[int], stored: set[str]) -> Known:
    """What is known of the instances listed; asks only for what the visitor wants.

    listed: indices in the data set, in the order in which they are computed. stored: tokens of the visitor.
    """
    try:
        shown = data.frame(search)
        methods = _compared(shown)
        checkpoint = subjects.checkpoint_of(shown.selection)
    except (NotReady, CutawayError) as error:
        return Known({}, len(listed), len(listed), why=asking.line_of(error).replace("<br>", " "))
    if len(methods) < 2:
        return Known({}, len(listed), len(listed), why="Choose at least two methods whose values lie on the input.")
    params = _params(shown, methods, listed)
    found = wanted.asked(shown, QUESTION, params, stored) if reader.complete and listed else None
    values: dict[int, float] = {}
    every = data.ranked(reader, "wrong")
    if list(listed[:MOST]) != every[:MOST]:  # filtered: what was computed for all of them counts too
        values |= _read(subjects.known(shown.selection, QUESTION, **_params(shown, methods, every)))
    values |= _read(found)
    rest = [index for index in listed[:LOOKED_AT] if index not in values]
    values |= _one_by_one(shown, methods, checkpoint, rest)
    missing = sum(index not in values for index in listed[:MOST])
    token = wanted.token(shown, QUESTION, params) if found is not None else ""
    return Known(values, len(listed), missing, missing * len(methods), token, "", found)


def box(known: Known, order: str) -> Any:
    """The button that computes what is missing, or how far that is; None where nothing is missing.

    order: what the others are ordered by meanwhile.
    """
    if known.why:
        return html.P(f"The order is that of '{order}'. {known.why}", className="quiet at-offer")
    if known.found is None:
        return None
    if not known.missing:
        lost = sum(not np.isfinite(value) for value in known.values.values())
        reason = "a map of them is constant, or could not be computed"
        line_ = f"The disagreement is undefined for {lost:,} of {known.listed:,} instances: {reason}."
        return html.P(line_, className="quiet at-offer") if lost else None
    what = f"Maps of {known.missing:,} more instances" if known.missing > 1 else "Maps of one more instance"
    if known.found.state == "waiting":
        return waiting_box(known.found.job, what)
    if known.found.state == "failed":
        return failed_box(known.found.job, what)
    cost = f"It costs up to {known.maps:,} maps, which are kept; it can be cancelled, and you may go on working."
    if known.listed > MOST:
        cost += f" At most {MOST:,} of the {known.listed:,} listed are computed, the first ones."
    plural = "" if known.missing == 1 else "s"
    button = wanted.button(f"Compute the maps of {known.missing:,} instance{plural}", [known.token])
    return html.Div(
        [button, html.Span(f"{line(known)} {cost}", className="quiet")], className="at-offer", role="status"
    )


def line(known: Known) -> str:
    """Over how many instances the order is."""
    return f"The order is over {known.listed - known.missing:,} of {known.listed:,} instances; the others follow."


def _compared(shown: data.Frame) -> list[dict[str, Any]]:
    """The chosen methods that fit and lie on the input, as the question takes them. Raises ParameterError."""
    fitting = [name for name in shown.chosen if not shown.method(name)["reason"]]
    inside = [name for name in fitting if shown.method(name).get("form", "input") in COMPARED]
    return [{key: shown.asked(name)[key] for key in ("method", "version", "params")} for name in inside]


def _params(shown: data.Frame, methods: list[dict[str, Any]], listed: Sequence[int]) -> dict[str, Any]:
    what = {"target": shown.selection.target, "unit": shown.unit}
    return {"instances": list(listed[:MOST]), "methods": methods} | what


def _read(found: subjects.Asked | None) -> dict[int, float]:
    """Disagreement by index, of an answer or of what there is of it; {} where a part of it is gone."""
    answer = found and (found.answer or found.partial)
    if not answer:
        return {}
    try:
        indices, values = answer.array("instance"), answer.array("disagreement")
    except (KeyError, OSError):
        return {}
    return dict(zip(map(int, indices), map(float, values), strict=True))


def _one_by_one(
    shown: data.Frame, methods: list[dict[str, Any]], checkpoint: dict[str, Any] | None, listed: Sequence[int]
) -> dict[int, float]:
    """Of instances that have a map of every method already, for whatever reason they were computed."""
    found = services.current()
    sample = subjects.sample_of(shown.selection, shown.description)
    shared = {"target": shown.selection.target, "unit": shown.unit, "edit": []}

    def keys_of(index: int) -> list[str]:
        asked = [{"instance": index, **shared, **one} for one in methods]
        return [keys.answer_key(shown.description, "attribution", one, checkpoint, sample) for one in asked]

    form = asking.mark(methods, shared, checkpoint, shown.description.get("weights"), shown.description.get("code"))
    known: dict[int, float] = {}
    for index in listed:
        keys_ = found.memo.get(("at-keys", form, index), partial(keys_of, index))
        ready = tuple(key for key in keys_ if (found.answers.directory / key).exists())
        if len(ready) == len(keys_):
            value = found.memo.get(("at-disagreement", ready), partial(_of, ready))
            known[index] = np.nan if value is None else value
    return known


def _of(ready: Sequence[str]) -> float | None:
    """Disagreement of some answers; None where it is undefined, or one of them is gone."""
    answers = [services.current().answers.get(key) for key in ready]
    try:
        return disagreement([answer for answer in answers if answer is not None])
    except (KeyError, OSError):
        return None
