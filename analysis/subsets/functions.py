"""The functions of expressions. Each takes values and the number of rows. No torch."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.subsets.comparing import Unlike, Value, as_number, missing_of, strings
from analysis.subsets.table import CATEGORY, NUMBER, TEXT, TRUTH


def _needle(value: Value) -> str:
    if value.kind != TEXT or not value.constant:
        raise Unlike("{1} is " + value.words + ", not a string", "Write what to look for in quotes.")
    if not value.data:
        raise Unlike("the string is empty", "Write what to look for in quotes.")
    return str(value.data).casefold()


def _each(value: Value, test: Callable[[str], bool]) -> Value:
    """A test of each text; of a category only its names are tested. Missing ones fail."""
    if value.kind not in (TEXT, CATEGORY) or value.constant or value.column is None:
        raise Unlike("{0} is " + value.words + ", not a column of texts", "Use a column of texts or names.")
    if value.kind == CATEGORY:
        fits = np.array([*(test(name.casefold()) for name in value.column.names), False], bool)
        return Value(TRUTH, fits[np.asarray(value.column.values)])
    return Value(TRUTH, np.array([test(text) for text in value.column.folded], bool) & ~value.column.missing)


def _contains(text: Value, part: Value, _n: int) -> Value:
    needle = _needle(part)
    return _each(text, lambda one: needle in one)


def _starts(text: Value, part: Value, _n: int) -> Value:
    needle = _needle(part)
    return _each(text, lambda one: one.startswith(needle))


def _ends(text: Value, part: Value, _n: int) -> Value:
    needle = _needle(part)
    return _each(text, lambda one: one.endswith(needle))


def _word(text: Value, part: Value, _n: int) -> Value:
    # A literal between ends of words: no pattern of the reader's is compiled.
    needle = _needle(part)
    found = re.compile(rf"(?<!\w){re.escape(needle)}(?!\w)").search
    return _each(text, lambda one: needle in one and found(one) is not None)


def _matches(text: Value, part: Value, _n: int) -> Value:
    pattern = _needle(part)
    inner = pattern.removeprefix("*").removesuffix("*") if len(pattern) > 1 else pattern
    if "*" in inner or not inner:
        raise Unlike("a star may stand at the beginning and at the end only", "Write 'good*', '*good' or '*good*'.")
    first, last = pattern.startswith("*"), pattern.endswith("*")
    if first and last:
        return _each(text, lambda one: inner in one)
    if first:
        return _each(text, lambda one: one.endswith(inner))
    return _each(text, lambda one: one.startswith(inner) if last else one == inner)


def _length(text: Value, _n: int) -> Value:
    if text.kind not in (TEXT, CATEGORY) or text.constant:
        raise Unlike("{0} is " + text.words + ", not a column of texts", "Use a column of texts.")
    return Value(NUMBER, np.array([len(one) for one in strings(text)], np.float64))


def _missing(value: Value, _n: int) -> Value:
    if value.kind == "list" or value.constant:
        raise Unlike("{0} is no column", "Write the name of a column.")
    return Value(TRUTH, missing_of(value))


def _number(value: Value) -> Any:
    found = as_number(value)
    if found is None:
        raise Unlike("{0} is " + value.words + ", not a number", "Use a column of numbers.")
    return found


def _abs(value: Value, _n: int) -> Value:
    return Value(NUMBER, np.abs(_number(value)), constant=value.constant)


def _rank(value: Value, n: int) -> Value:
    return Value(NUMBER, ranks(np.broadcast_to(np.asarray(_number(value), np.float64), (n,))))


def ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 1 for the smallest, ties share their mean rank; NaN where missing, (n,)."""
    made = np.full(len(values), np.nan)
    there = ~np.isnan(values)
    _, inverse, counts = np.unique(values[there], return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    made[there] = (last - (counts - 1) / 2)[inverse]
    return made


def _quantile(value: Value, share: Value, _n: int) -> Value:
    numbers = np.atleast_1d(_number(value))
    if share.kind != NUMBER or not share.constant or not 0 <= float(share.data) <= 1:
        raise Unlike("{1} is no number between 0 and 1", "Write quantile(loss, 0.9).")
    there = numbers[~np.isnan(numbers)]
    return Value(NUMBER, float(np.quantile(there, float(share.data))) if len(there) else float("nan"))


CALLS: dict[str, Callable[..., Value]] = {
    "contains": _contains,
    "starts": _starts,
    "ends": _ends,
    "word": _word,
    "matches": _matches,
    "length": _length,
    "missing": _missing,
    "abs": _abs,
    "rank": _rank,
    "quantile": _quantile,
}
