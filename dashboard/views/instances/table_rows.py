"""Rows of the instance table as the browser asks for them: filtered, sorted, a block at a time. Neither torch nor dash.

What the browser sends is compared with the columns there are; nothing of it is run.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.errors import ParameterError
from analysis.subsets.table import CATEGORY, NUMBER, TEXT, TRUTH, Column

MOST = 500  # rows of one answer
MOST_CONDITIONS = 40
MOST_SORTS = 6
MOST_TEXT = 300  # characters of a cell
REMEDY = "Clear the table's filters and sorting, or reload the page."
Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]

_COMPARE: dict[str, Callable[[Any, float], Any]] = {
    "equals": lambda values, at: values == at,
    "notEqual": lambda values, at: np.isfinite(values) & (values != at),
    "greaterThan": lambda values, at: values > at,
    "greaterThanOrEqual": lambda values, at: values >= at,
    "lessThan": lambda values, at: values < at,
    "lessThanOrEqual": lambda values, at: values <= at,
}
_MATCH: dict[str, Callable[[str, str], bool]] = {
    "contains": lambda text, part: part in text,
    "notContains": lambda text, part: part not in text,
    "equals": lambda text, part: text == part,
    "notEqual": lambda text, part: text != part,
    "startsWith": lambda text, part: text.startswith(part),
    "endsWith": lambda text, part: text.endswith(part),
}


@dataclass(frozen=True)
class Asked:
    """start, stop: places in the order, at most MOST apart. filters: by column. sorts: (column, descending)."""

    start: int
    stop: int
    filters: Mapping[str, Any]
    sorts: tuple[tuple[str, bool], ...]


def read(start: Any, stop: Any, filters: Any, sorts: Any) -> Asked:
    """What a request asks for. filters, sorts: JSON as AG Grid writes it.

    Raises:
        ParameterError: it is not of that form.
    """
    try:
        first, last = int(str(start)[:12]), int(str(stop)[:12])
        model, order = json.loads(str(filters or "{}")), json.loads(str(sorts or "[]"))
    except (ValueError, RecursionError) as error:
        raise ParameterError("This is no request for rows of the table.", REMEDY) from error
    if not (0 <= first < last <= first + MOST):
        raise ParameterError(f"At most {MOST} rows are sent at once.", REMEDY)
    if not isinstance(model, dict) or not isinstance(order, list) or len(model) > MOST_CONDITIONS:
        raise ParameterError("These filters cannot be read.", REMEDY)
    if len(order) > MOST_SORTS or not all(isinstance(one, dict) for one in order):
        raise ParameterError("This order cannot be read.", REMEDY)
    return Asked(first, last, model, tuple((str(one.get("colId")), one.get("sort") == "desc") for one in order))


def ordered(columns: Mapping[str, Column], rows: Rows, asked: Asked) -> Rows:
    """Rows that pass the filters, in the order asked for; ties, and without an order, by place in the data set.

    Raises:
        ParameterError: an unknown column, or a condition that its kind does not have.
    """
    for name, model in asked.filters.items():
        rows = rows[passes(_column(columns, name), rows, model)]
    for name, descending in reversed(asked.sorts):
        rows = rows[_order(_column(columns, name), rows, descending)]
    return rows


def _column(columns: Mapping[str, Column], name: str) -> Column:
    found = columns.get(name)
    if found is None:
        raise ParameterError(f"The table has no column {name[:60]!r}.", REMEDY)
    return found


def _order(column: Column, rows: Rows, descending: bool) -> NDArray[np.intp]:
    """A stable order; what is missing comes last either way."""
    absent = column.missing[rows]
    if column.kind == TEXT:
        texts = [column.folded[row] for row in rows.tolist()]
        rank = np.unique(np.array(texts, object), return_inverse=True)[1] if texts else np.zeros(0)
        values = rank.astype(np.float64)
    elif column.kind == CATEGORY:  # by name, as it reads
        names = [_key(name) for name in _names(column)]
        values = np.argsort(np.argsort(names, kind="stable"), kind="stable")[_codes(column, rows)].astype(np.float64)
    else:
        values = np.asarray(column.values)[rows].astype(np.float64)
    values = np.where(absent, np.nan, -values if descending else values)
    return np.argsort(values, kind="stable")


def _key(name: Any) -> str:
    """Numbers in names are compared as numbers: '9' before '10'."""
    text = str(name).casefold()
    return f"{int(text):020d}" if text.isascii() and text.isdigit() and len(text) < 20 else text


def passes(column: Column, rows: Rows, model: Any) -> Mask:
    """Which of the rows pass the filter of one column. Raises ParameterError."""
    if not isinstance(model, dict):
        raise ParameterError(f"The filter of {column.title} cannot be read.", REMEDY)
    conditions = model.get("conditions")
    if conditions is None:
        return _condition(column, rows, model)
    if not isinstance(conditions, list) or not 0 < len(conditions) <= MOST_CONDITIONS:
        raise ParameterError(f"The filter of {column.title} cannot be read.", REMEDY)
    found = [_condition(column, rows, one) for one in conditions]
    return np.logical_or.reduce(found) if model.get("operator") == "OR" else np.logical_and.reduce(found)


def _condition(column: Column, rows: Rows, one: Any) -> Mask:
    if not isinstance(one, dict):
        raise ParameterError(f"The filter of {column.title} cannot be read.", REMEDY)
    kind = one.get("type")
    if kind in ("blank", "notBlank"):
        absent: Mask = column.missing[rows]
        return absent if kind == "blank" else ~absent
    if column.kind == NUMBER:
        return _numbers(column, rows, one, kind)
    match, part = _MATCH.get(str(kind)), one.get("filter")
    if match is None or not isinstance(part, str):
        raise ParameterError(f"{column.title} cannot be filtered like this.", REMEDY)
    part = part.casefold()
    if column.kind == TEXT:
        return np.array([match(column.folded[row], part) for row in rows.tolist()], bool)
    kept = np.array([match(name.casefold(), part) for name in _names(column)], bool)
    return kept[_codes(column, rows)]


def _numbers(column: Column, rows: Rows, one: Any, kind: Any) -> Mask:
    values = np.asarray(column.values)[rows].astype(np.float64)
    at = _number(one.get("filter"))
    if kind == "inRange":
        to = _number(one.get("filterTo"))
        if at is None or to is None:
            raise ParameterError(f"The range of {column.title} has no ends.", REMEDY)
        inside: Mask = (values >= at) & (values <= to)
        return inside
    compare = _COMPARE.get(str(kind))
    if compare is None or at is None:
        raise ParameterError(f"{column.title} cannot be filtered like this.", REMEDY)
    found: Mask = compare(values, at)
    return found


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:  # JSON has whole numbers of any length
        return None
    return number if math.isfinite(number) else None


def _codes(column: Column, rows: Rows) -> NDArray[np.int64]:
    """Places in ``_names``; the last one is of what is missing."""
    values = np.asarray(column.values)[rows].astype(np.int64)
    return np.where(column.missing[rows], len(_names(column)) - 1, values)


def _names(column: Column) -> list[str]:
    """What the codes of a column are called, then '' for what is missing."""
    if column.kind == TRUTH:
        return ["no", "yes", ""]
    most = int(np.max(column.values, initial=-1)) + 1
    return [*map(str, column.names), *(f"class {code}" for code in range(len(column.names), most)), ""]


def cells(columns: Mapping[str, Column], rows: Rows) -> list[dict[str, Any]]:
    """A dictionary for each row: its values by the names of columns, None for what is missing."""
    made: list[dict[str, Any]] = [{} for _ in range(len(rows))]
    for name, column in columns.items():
        for row, value in zip(made, values_of(column, rows), strict=True):
            row[name] = value
    return made


def values_of(column: Column, rows: Rows, *, whole: bool = False) -> list[Any]:
    """The values of some rows as JSON has them. whole: texts and numbers are not cut."""
    if column.kind == TEXT:
        texts = [str(column.values[row]) for row in rows.tolist()]
        return [(text if whole else _short(text)) or None for text in texts]
    if column.kind == NUMBER:
        values = np.asarray(column.values)[rows]
        if values.dtype.kind in "iu":
            return [int(value) for value in values.tolist()]
        digits = ".9g" if whole else ".6g"
        return [float(format(value, digits)) if math.isfinite(value) else None for value in values.tolist()]
    names = _names(column)
    return [names[code] or None for code in _codes(column, rows).tolist()]


def _short(text: str) -> str:
    return text if len(text) <= MOST_TEXT else text[: MOST_TEXT - 1] + "…"
