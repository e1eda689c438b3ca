"""What the panel of attributions shows: the answers of the chosen methods, each with its state, on their scales."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.errors import CutawayError, NotFound
from analysis.extraction.reader import Extraction
from analysis.jobs import Job
from analysis.results import Answer
from dashboard.asking import NotReady, Pending, boxed, mark, mark_of
from dashboard.pictures import attributions
from dashboard.views.attribution import data, words


@dataclass(frozen=True)
class Multiple:
    """One method on the instance.

    answer: its result, perhaps a partial one; None while there is none. obstacle: why it is not there, or not complete.
    mark: changes when any of it does. key: that pictures of it are found under, complete or not.
    """

    name: str
    title: str
    answer: Answer | None
    obstacle: Exception | None
    mark: str
    key: str = ""

    @property
    def said(self) -> dict[str, Any]:
        """The plain part of the answer; {} without one."""
        return self.answer.json if self.answer is not None else {}

    @property
    def partial(self) -> bool:
        """Whether more is being computed."""
        return self.answer is not None and self.obstacle is not None

    @property
    def job(self) -> Job | None:
        """What computes it."""
        return self.obstacle.found.job if isinstance(self.obstacle, Pending) else None

    @property
    def box(self) -> Any:
        """What stands in its place."""
        return boxed(self.obstacle, self.title) if self.obstacle is not None else None

    @cached_property
    def values(self) -> NDArray[Any]:
        """The attribution. Raises NotFound if the answer has none."""
        return array(self.answer, "attribution")

    @property
    def form(self) -> str:
        """'input', 'filters' or 'attention'."""
        return str(self.said.get("form") or "input")


def array(answer: Answer | None, name: str) -> NDArray[Any]:
    """An array of an answer. Raises NotFound for one without it, or that was removed from the cache meanwhile."""
    try:
        if answer is not None:
            return answer.array(name)
    except (KeyError, OSError) as error:
        raise NotFound("A part of this answer is gone.", "Reload the page: it is computed again.") from error
    raise NotFound("There is no answer yet.", "It is being computed.")


def optional(answer: Answer | None, name: str) -> NDArray[Any] | None:
    """The same, or None."""
    try:
        return array(answer, name)
    except NotFound:
        return None


def one(shown: data.Frame, name: str, wait: float = 0.0) -> Multiple:
    """A method's state now; whatever keeps it away stays in its own multiple."""
    title = str(shown.method(name)["title"])
    try:
        answer = data.attribution(shown, name, wait=wait)
        return Multiple(name, title, answer, None, mark(answer.key), answer.key)
    except Pending as pending:
        part = pending.found.partial
        return Multiple(name, title, part, pending, mark(pending.mark, part.key if part else ""), pending.found.key)
    except (NotReady, CutawayError) as error:
        return Multiple(name, title, None, error, mark_of(error))


def gather(shown: data.Frame, wait: float = 0.0) -> list[Multiple]:
    """All chosen methods, asked together; then the first may be waited for, at most ``wait`` seconds."""
    found = [one(shown, name) for name in shown.chosen]
    if wait and found and waiting(found[0]) and found[0].answer is None:
        found[0] = one(shown, found[0].name, wait)
        found[1:] = [one(shown, each.name) if waiting(each) else each for each in found[1:]]
    return found


def waiting(multiple: Multiple) -> bool:
    """Whether it comes by itself."""
    return isinstance(multiple.obstacle, NotReady) and multiple.obstacle.waiting


@dataclass(frozen=True)
class Scale:
    """How the values of a multiple become colour.

    sign: of what is drawn. limit: the value with full colour. quantity: what the values are. common: whether other
    multiples share it. drawn: the values as they are drawn. clipped: how many are beyond the limit.
    """

    sign: str
    limit: float
    quantity: str
    common: bool
    drawn: NDArray[np.float64]
    clipped: int


def scales(shown: data.Frame, found: Sequence[Multiple]) -> dict[str, Scale]:
    """The scale of each answer that is there, by the method's name.

    With a common scale, answers of the same quantity reach to the largest of their limits.
    """
    look = shown.selection
    made: dict[str, Scale] = {}
    for each in found:
        if each.answer is None:
            continue
        try:
            made[each.name] = scale_of(each.values, each.said, look.asign, look.aclip, shown.kind)
        except NotFound:
            continue
    if look.ascale != "common":
        return made
    groups: dict[tuple[str, str], list[str]] = {}
    for name, scale in made.items():
        groups.setdefault((scale.quantity, scale.sign), []).append(name)
    for names in groups.values():
        limit = max(made[name].limit for name in names)
        for name in names:
            scale = made[name]
            beyond = int((np.abs(scale.drawn) > limit).sum())
            made[name] = Scale(scale.sign, limit, scale.quantity, len(names) > 1, scale.drawn, beyond)
    return made


def scale_of(values: NDArray[Any], said: dict[str, Any], asign: str, clip: float, kind: str) -> Scale:
    """A scale of its own for an answer."""
    sign = attributions.sign_of(asign, said.get("signed") is not False)
    picture = said.get("form") == "input" and kind == "image"
    drawn = attributions.drawn(values, sign, picture=picture)
    limit = attributions.limit_of(drawn, clip)
    return Scale(sign, limit, words.quantity(said), False, drawn, int((np.abs(drawn) > limit).sum()))


def display_of(shown: data.Frame, found: Sequence[Multiple]) -> NDArray[Any] | None:
    """The instance as an array: from an answer, else from the sample; None for a text, or where it is not there yet."""
    for each in found:
        display = optional(each.answer, "display")
        if display is not None:
            return display
    try:
        return shown.extraction.display(shown.instance) if shown.extraction and shown.kind != "text" else None
    except NotFound:
        return None


def tokens_of(shown: data.Frame, found: Sequence[Multiple]) -> list[str]:
    """The tokens of a text; [] where they are not there yet, or the instance is none."""
    for each in found:
        if isinstance(each.said.get("tokens"), list):
            return [str(token) for token in each.said["tokens"]]
    try:
        return shown.extraction.tokens(shown.instance) if shown.extraction and shown.kind == "text" else []
    except NotFound:
        return []


def outcome(shown: data.Frame, found: Sequence[Multiple]) -> dict[str, Any]:
    """{'prediction', 'label', 'scores': [[class, share]], 'score': of what is explained, or None}; {} if not known."""
    for each in found:
        if "prediction" in each.said:
            return {name: each.said.get(name) for name in ("prediction", "label", "scores", "score")}
    row = shown.extraction.row_of(shown.instance) if shown.extraction is not None else None
    if row is None or shown.extraction is None:
        return {}
    return of_row(shown.extraction, row)


def of_row(found: Extraction, row: int) -> dict[str, Any]:
    """The same of a row of the sample."""
    logits = np.nan_to_num(np.asarray(found.logits[row], np.float64), nan=-1e30, posinf=1e30, neginf=-1e30)
    if len(logits) == 1:
        logits = np.array([0.0, logits[0]])
    shares = np.exp(logits - logits.max())
    shares /= shares.sum()
    best = np.argsort(-shares, kind="stable")[:5]
    scores = [[int(number), float(shares[number])] for number in best]
    return {"prediction": int(found.predictions[row]), "label": int(found.labels[row]), "scores": scores, "score": None}


def names_of(shown: data.Frame, count: int, what: str) -> list[str]:
    """Names of columns or channels: the subject's, else 'column 3'."""
    given = shown.description.get("feature_names")
    names = [str(name) for name in given] if isinstance(given, list) else []
    return [names[i] if i < len(names) else f"{what} {i}" for i in range(count)]
