"""Subsets that somebody named: kept in the workspace, a directory for each subject. No torch.

A log of lines that is only ever appended to, as of verdicts (``analysis.attribution.feedback``): a line that was torn
is left out and counted, nothing else is lost with it. Names are content, never names of files.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.errors import CutawayError, NotFound, ParameterError
from analysis.results import key_of
from analysis.results.lines import Lines
from analysis.subsets.expression import renamed, subsets_used
from analysis.subsets.reading import LONGEST, ExpressionError, nearest, parse
from analysis.subsets.subset import as_expression, spans_of

NAME = 80  # characters
NOTE = 500
MOST = 500  # subsets of a subject
MOST_INDICES = 1_000_000
FILE = "subsets.jsonl"


@dataclass(frozen=True)
class Saved:
    """A named subset. text: an expression, '' where it is ``indices`` (int64, ascending, places in the data set).
    created: seconds since 1970, of the last change."""

    name: str
    text: str
    indices: NDArray[np.int64] | None
    note: str
    created: float

    @property
    def subset(self) -> str:
        """What selects it: 'saved:NAME'."""
        return f"saved:{self.name}"


class Book:
    """The named subsets of one subject. Any number of threads and processes may use it at once.

    Args:
        directory: 'subsets' in the workspace. subject: {'name', 'data'}, as the description has them: subsets outlive
            a training.
    """

    def __init__(self, directory: Path, subject: Mapping[str, Any]) -> None:
        self.home = Path(directory) / key_of(name=str(subject.get("name", "")), data=str(subject.get("data", "")))
        self.lines = Lines(self.home / FILE, "The subsets")

    def all(self) -> dict[str, Saved]:
        """Every subset by its name, in the order in which they were made. Raises ParameterError if the file cannot be
        read, as every method does."""
        return self._read()[0]

    def damaged(self) -> list[int]:
        """Numbers of lines, from 1, that are left out: torn, or they say nothing that could have been said."""
        return self._read()[1]

    def save(self, name: str, text: str = "", indices: Any = None, note: str = "", *, replace: bool = False) -> Saved:
        """Keep a subset under a name.

        Args:
            text: an expression or a shortcut. indices: places in the data set, instead. replace: whether one of this
                name is replaced.

        Raises:
            ParameterError: the name is taken, empty or too long; both or neither of text and indices are given; there
            are too many. ExpressionError: the text cannot be read, or the subset would refer to itself.
        """
        made = _checked(name, text, indices, note)
        with self.lines.alone():
            known = self.all()
            if made.name in known and not replace:
                raise ParameterError(f"There is a subset '{made.name}' already.", "Choose another name, or replace it.")
            if made.name not in known and len(known) >= MOST:
                raise ParameterError(f"There are {MOST:,} saved subsets: that is the most.", "Delete some.")
            _check_circle(made, known)
            self.lines.append({"saved": _to_json(made)})
        return made

    def rename(self, name: str, new: str) -> Saved:
        """Give a subset another name, also in the subsets that refer to it. Raises NotFound, ParameterError."""
        new = _name(new)
        with self.lines.alone():
            known = self.all()
            one = _of(known, name)
            if new in known:
                raise ParameterError(f"There is a subset '{new}' already.", "Choose another name.")
            users = [other for other in known.values() if name in _used(other.text)]
            if any(len(renamed(other.text, name, new)) > LONGEST for other in users):
                raise ParameterError(
                    f"The name '{new}' makes a subset too long that refers to it.", "Choose a shorter."
                )
            self.lines.append({"renamed": [one.name, new], "created": _now()})
        return self.all()[new]

    def delete(self, name: str) -> None:
        """Take a subset out. Raises NotFound, and ParameterError where others refer to it."""
        with self.lines.alone():
            known = self.all()
            _of(known, name)
            users = [one.name for one in known.values() if one.name != name and name in _used(one.text)]
            if users:
                listed = ", ".join(f"'{user}'" for user in users[:3])
                raise ParameterError(f"'{name}' is a part of {listed}.", "Delete or change that first.")
            self.lines.append({"deleted": name, "created": _now()})

    def _read(self) -> tuple[dict[str, Saved], list[int]]:
        found: dict[str, Saved] = {}
        damaged: list[int] = []
        for number, line in self.lines.read():
            if not _apply(found, line or {}):
                damaged.append(number)
        return found, damaged


def _apply(found: dict[str, Saved], line: Mapping[str, Any]) -> bool:
    """Carry a line out. Whether it said something."""
    try:
        if "saved" in line:
            one = _from_json(line["saved"])
            found[one.name] = one
        elif "renamed" in line:
            old, new = (str(name) for name in line["renamed"])
            one = found.pop(old)
            for other in list(found.values()):
                if old in _used(other.text):
                    text = renamed(other.text, old, new)
                    found[other.name] = Saved(other.name, text, None, other.note, other.created)
            found[_name(new)] = Saved(new, one.text, one.indices, one.note, one.created)
        else:
            found.pop(line["deleted"], None)
    except (CutawayError, KeyError, TypeError, ValueError, OverflowError):
        return False
    return True


def _of(known: Mapping[str, Saved], name: str) -> Saved:
    if name not in known:
        raise NotFound(f"There is no saved subset '{str(name)[:60]}'.", nearest(str(name), known, "There are"))
    return known[name]


def _now() -> float:
    return round(time.time(), 3)


def _name(name: str) -> str:
    made = " ".join(_clean(str(name)).split())
    if not made or len(made) > NAME or not made.isprintable():
        raise ParameterError(
            "The subset has no name." if not made else f"The name '{made[:40]}' cannot be kept.",
            f"Give 1 to {NAME} printable characters.",
        )
    return made


def _clean(text: str) -> str:
    """With every lone surrogate, which no file can hold, as U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _checked(name: str, text: str, indices: Any, note: str) -> Saved:
    text, note = _clean(str(text or "").strip()), _clean(str(note or "").strip())
    if bool(text) == (indices is not None):
        raise ParameterError("A subset is an expression or a list of instances.", "Give one of the two.")
    if len(note) > NOTE:
        raise ParameterError(f"The note has {len(note):,} characters.", f"Keep it to {NOTE:,}.")
    if text:
        text = as_expression(text)
        parse(text)
    return Saved(_name(name), text, None if indices is None else _indices(indices), note, _now())


def _indices(indices: Any) -> NDArray[np.int64]:
    values = np.unique(np.asarray(indices, np.int64).ravel())
    if len(values) > MOST_INDICES or (len(values) and values[0] < 0):
        raise ParameterError(
            f"{len(values):,} instances cannot be kept under a name.", f"Keep it to {MOST_INDICES:,}, counted from 0."
        )
    return values


def _used(text: str) -> list[str]:
    try:
        return subsets_used(text) if text else []
    except ExpressionError:
        return []


def _check_circle(made: Saved, known: Mapping[str, Saved]) -> None:
    """That a subset does not refer to itself, also by others, or to what there is not."""
    reached: set[str] = set()
    todo = _used(made.text)
    while todo:
        name = todo.pop()
        if name == made.name:
            raise ExpressionError(f"The subset '{made.name}' would refer to itself.", "Choose another name.")
        if name not in reached:
            reached.add(name)
            if name not in known:
                raise ExpressionError(f"There is no saved subset '{name[:60]}'.", nearest(name, known, "There are"))
            todo += _used(known[name].text)


def _to_json(one: Saved) -> dict[str, Any]:
    spans = None if one.indices is None else [end for span in spans_of(one.indices) for end in span]
    return {"name": one.name, "text": one.text, "spans": spans, "note": one.note, "created": one.created}


def _from_json(value: Mapping[str, Any]) -> Saved:
    """A subset as it was kept. Raises what reading something else raises."""
    spans, created = value["spans"], value["created"]
    if isinstance(created, bool) or not isinstance(created, int | float) or not 0 <= created < math.inf:
        raise ValueError("no time")
    text, note = value["text"], value["note"]
    if not all(isinstance(one, str) for one in (value["name"], text, note)) or len(text) > LONGEST or len(note) > NOTE:
        raise ValueError("no text")
    if bool(text) == (spans is not None):
        raise ValueError("neither text nor instances")
    return Saved(_name(value["name"]), text, None if spans is None else _from_spans(spans), note, float(created))


def _from_spans(spans: Any) -> NDArray[np.int64]:
    ends = np.asarray(spans, np.int64).reshape(-1, 2)
    lengths = ends[:, 1] - ends[:, 0] + 1
    if (lengths < 1).any() or (ends < 0).any() or lengths.sum() > MOST_INDICES:
        raise ValueError("no spans")
    before = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    return np.unique(np.arange(lengths.sum()) + np.repeat(ends[:, 0] - before, lengths))
