"""What a subset is: a shortcut, a saved name, or an expression; its rows, and how it is called. No torch."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from analysis.errors import NotFound
from analysis.subsets.expression import columns_used, named, quoted, select, subsets_used
from analysis.subsets.reading import ExpressionError, nearest
from analysis.subsets.table import Table

ALL, WRONG, SAVED = "all", "wrong", "saved:"
OPERATIONS = ("and", "or", "not")
SHORTCUT = re.compile(r"(class|predicted):(\d{1,9})", re.ASCII)
_CELL = re.compile(r"\s*label\s*==\s*(\d{1,9})\s+and\s+prediction\s*==\s*(\d{1,9})\s*", re.ASCII)
_ONE = re.compile(r"\s*(label|prediction)\s*==\s*(\d{1,9})\s*", re.ASCII)
_LONG = 80  # characters of a title
Mask = NDArray[np.bool_]


class NoClass(ExpressionError, NotFound):
    """A shortcut names a class that there is not."""


def mask(text: str | None, table: Table, saved: Mapping[str, Any] | None = None) -> Mask:
    """The rows of a table that belong to a subset.

    Args:
        text: '' or 'all', 'wrong' (the prediction is not the label), 'class:3' (the label), 'predicted:3',
            'saved:NAME', or an expression (``analysis.subsets.expression``). saved: subsets by name.

    Returns: bool (n,).

    Raises:
        ExpressionError: there is no such class or saved subset, or the expression cannot be read.
    """
    text = (text or ALL).strip() or ALL
    if text == ALL:
        return np.ones(table.n, bool)
    if text == WRONG:
        return table.wrong
    match = SHORTCUT.fullmatch(text)
    if match is not None:
        number = int(match[2])
        _check_class(number, table)
        return np.asarray((table.labels if match[1] == "class" else table.predictions) == number)
    if text.startswith(SAVED):
        return named(text.removeprefix(SAVED), table, saved or {})
    return select(text, table, saved)


@dataclass(frozen=True)
class Named:
    """A saved subset as others need it. text: an expression, '' where it is ``indices``, places in the data set."""

    text: str
    indices: Any = None


def columns_of(text: str | None, saved: Mapping[str, Any] | None = None) -> list[str]:
    """Names of the columns that a subset depends on, also by saved ones; 'wrong' is none. Raises ExpressionError."""
    found: dict[str, None] = {}
    for part in _parts(text, saved or {}):
        found |= dict.fromkeys(columns_used(part))
    found.pop(WRONG, None)
    return list(found)


def subsets_of(text: str | None, saved: Mapping[str, Any]) -> list[str]:
    """Names of the saved subsets that a subset refers to, also by others; those that are not there, too."""
    found: dict[str, None] = {}
    for part in _parts(text, saved):
        found |= dict.fromkeys(subsets_used(part))
    return list(found)


def _parts(text: str | None, saved: Mapping[str, Any]) -> Iterator[str]:
    """The expression of a subset, and those of the saved ones in it."""
    todo, seen = [as_expression(text)], set()
    while todo:
        part = todo.pop()
        yield part
        for name in subsets_used(part):
            if name not in seen and name in saved and saved[name].indices is None:
                todo.append(saved[name].text)
            seen.add(name)


def rows(text: str | None, table: Table, saved: Mapping[str, Any] | None = None) -> NDArray[np.int64]:
    """The same as rows, ascending, int64 (k,)."""
    return np.flatnonzero(mask(text, table, saved)).astype(np.int64)


def _check_class(number: int, table: Table) -> None:
    count = len(table.columns["label"].names)
    if number >= count:
        raise NoClass(
            f"There is no class {number}.", f"There are {count:,}, numbered from 0 to {count - 1:,}." if count else ""
        )


class Classes(Protocol):
    """What names classes, such as a table."""

    def class_name(self, label: int) -> str:
        """A label's name."""


def title(text: str | None, table: Classes, saved: Mapping[str, Any] | None = None) -> str:
    """A subset as a noun phrase: 'all instances', 'instances labelled cat', "'night'", 'instances where loss > 2'."""
    text = (text or ALL).strip() or ALL
    if text == ALL:
        return "all instances"
    if text == WRONG:
        return "wrongly predicted instances"
    match = SHORTCUT.fullmatch(text)
    if match is not None:
        word = "labelled" if match[1] == "class" else "predicted"
        return f"instances {word} {table.class_name(int(match[2]))}"
    if text.startswith(SAVED):
        name = text.removeprefix(SAVED)
        if saved is not None and name not in saved:
            raise ExpressionError(f"There is no saved subset '{name[:60]}'.", nearest(name, saved, "There are"))
        return f"'{name}'"
    cell = _CELL.fullmatch(text)
    if cell is not None:
        label, prediction = (table.class_name(int(number)) for number in cell.groups())
        return f"instances labelled {label}, predicted {prediction}"
    one = _ONE.fullmatch(text)
    if one is not None:
        word = "labelled" if one[1] == "label" else "predicted"
        return f"instances {word} {table.class_name(int(one[2]))}"
    flat = " ".join(text.split())
    return f"instances where {flat if len(flat) <= _LONG else flat[: _LONG - 1] + '…'}"


def as_expression(text: str | None) -> str:
    """A subset as an expression, so that it can be a part of one."""
    text = (text or ALL).strip() or ALL
    if text == ALL:
        return "True"
    match = SHORTCUT.fullmatch(text)
    if match is not None:
        return f"{'label' if match[1] == 'class' else 'prediction'} == {int(match[2])}"
    if text.startswith(SAVED):
        return f"subset({quoted(text.removeprefix(SAVED))})"
    return text


def combined(operation: str, *texts: str | None) -> str:
    """An expression for 'and' or 'or' of several subsets, or 'not' of one. Raises ExpressionError for another."""
    if operation not in OPERATIONS or (operation == "not") != (len(texts) == 1) or not texts:
        raise ExpressionError(
            f"Subsets cannot be combined by '{operation[:20]}'.", "Choose 'and' or 'or' of several, or 'not' of one."
        )
    parts = [as_expression(text) for text in texts]
    if operation == "not":
        return f"not ({parts[0]})"
    return f" {operation} ".join(f"({part})" for part in parts)


def of_indices(indices: Any, most: int = 3500) -> str | None:
    """An expression for instances by their place in the data set: "index in '3-9, 40'"; None if it would be longer than
    ``most`` characters: then they are saved under a name."""
    spans = spans_of(indices)
    if not spans:
        return "False"
    if 4 * len(spans) > most:
        return None
    said = ",".join(str(a) if a == b else f"{a}-{b}" for a, b in spans)
    text = f"index in '{said}'"
    return text if len(text) <= most else None


def spans_of(indices: Any) -> list[tuple[int, int]]:
    """Sorted runs of consecutive indices, both ends included."""
    values = np.unique(np.asarray(indices, np.int64).ravel())
    if not len(values):
        return []
    breaks = np.flatnonzero(np.diff(values) != 1)
    starts = values[np.concatenate([[0], breaks + 1])]
    ends = values[np.concatenate([breaks, [len(values) - 1]])]
    return list(zip(starts.tolist(), ends.tolist(), strict=True))
