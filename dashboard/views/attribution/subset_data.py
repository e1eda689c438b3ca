"""What the panel about many instances shows: whose attributions, by which method, and the answer if it is there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from analysis.errors import ParameterError
from analysis.results import Answer
from dashboard import asking, members, subjects
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


def read(shown: data.Frame) -> tuple[str, dict[str, Any]]:
    """The subset of an address, and the saved ones that it refers to.

    Raises:
        ParameterError: there is no such subset. NotReady: it is about columns that are still computed.
    """
    subset = (shown.selection.subset or "all").strip() or "all"
    match = _SUBSET.fullmatch(subset)
    if subset in ("all", "wrong") or (match is not None and int(match[2]) < len(shown.class_names)):
        return subset, {}
    if match is not None:
        raise ParameterError(f"There are no instances called {subset[:60]!r}.", "Choose some of those listed.")
    try:
        return members.portable(shown, subset)
    except ParameterError as error:
        if members.table(shown).waiting:  # it may be about them
            raise asking.NotReady(
                "The subset", "Columns of metadata and features are being computed.", waiting=True
            ) from error
        raise


def load(shown: data.Frame, stored: set[str]) -> Many:
    """The answer if it is there, or if the visitor wants it. Raises NotReady, ParameterError."""
    name = edit_data.closely(shown)
    subset, saved = read(shown)
    asked = shown.asked(name)
    params = {key: asked[key] for key in ("method", "version", "target", "unit", "params")}
    params |= {"subset": subset, "most": MOST} | ({"saved": saved} if saved else {})
    found = wanted.asked(shown, QUESTION, params, stored)
    return Many(name, subset, found, wanted.token(shown, QUESTION, params), _count(shown, subset))


def _count(shown: data.Frame, subset: str) -> int | None:
    return None if shown.extraction is None else len(members.rows(shown, subset))


def words(shown: data.Frame, subset: str) -> str:
    """The subset as a noun phrase."""
    return members.title(shown, subset)


def options(shown: data.Frame) -> list[dict[str, str]]:
    """What the picker offers."""
    return members.options(shown)


def mark(many: Many) -> list[Any]:
    """What its drawing depends on."""
    job, answer = many.found.job, many.answer
    told = job and many.found.answer is None and [job.id, job.state, job.progress, job.position]
    return [many.method, many.subset, many.token, many.found.state, many.count, answer.key if answer else None, told]
