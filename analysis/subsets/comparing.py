"""Values in expressions, and how they compare: numbers, truths, categories and texts, each with what is missing.

No torch. A comparison with a missing value is False.
"""

from __future__ import annotations

import ast
import operator
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.subsets.reading import nearest
from analysis.subsets.table import CATEGORY, NUMBER, TEXT, TRUTH, UNKNOWN, Column

Mask = NDArray[np.bool_]
MOST_RANGES = 2000
_RANGE = re.compile(r"\s*(\d{1,15})\s*(?:-\s*(\d{1,15})\s*)?", re.ASCII)
_ORDERS: dict[type, Any] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.eq,
    ast.IsNot: operator.ne,
}
_EQUAL = (ast.Eq, ast.NotEq)


class Unlike(Exception):
    """Two values that cannot be compared. words: with {0} and {1} for how they are written."""

    def __init__(self, words: str, remedy: str) -> None:
        super().__init__(words)
        self.words, self.remedy = words, remedy


@dataclass(frozen=True)
class Value:
    """A part of an expression.

    kind: 'number', 'truth', 'category', 'text', 'list' or 'none'. data: float64 (n,) or float, NaN where missing; bool
    (n,) or bool; a text's str if it is constant; of lists their values. column: of categories and of texts that are
    columns. missing: of truths, None where nothing is.
    """

    kind: str
    data: Any = None
    column: Column | None = None
    missing: Mask | None = None
    constant: bool = False

    @property
    def words(self) -> str:
        """'a number'."""
        return {
            NUMBER: "a number",
            TRUTH: "true or false",
            CATEGORY: "a name out of several",
            TEXT: "a text",
            "list": "a list",
            "none": "nothing",
        }[self.kind]


def constant(value: Any) -> Value:
    """The value of a number, True, False or None in an expression."""
    if value is None:
        return Value("none", constant=True)
    if isinstance(value, bool):
        return Value(TRUTH, value, constant=True)
    return Value(NUMBER, float(value), constant=True)


def of_column(column: Column) -> Value:
    """A column as a value."""
    if column.kind == NUMBER:
        return Value(NUMBER, np.asarray(column.values, np.float64), column)
    if column.kind == TRUTH:
        values = np.asarray(column.values)
        unknown = values == UNKNOWN
        return Value(TRUTH, values == 1, column, unknown if unknown.any() else None)
    return Value(column.kind, None, column)


def as_number(value: Value) -> Any:
    """Numbers, float64 (n,) or float: also of truths (1, 0) and of the model's classes; None of what has none."""
    if value.kind == NUMBER:
        return value.data
    if value.kind == TRUTH:
        numbers = np.asarray(value.data, np.float64)
        return numbers if value.missing is None else np.where(value.missing, np.nan, numbers)
    if value.kind == CATEGORY and value.column is not None and value.column.source == "model":
        codes = np.asarray(value.column.values)
        return np.where(codes < 0, np.nan, codes.astype(np.float64))
    return None


def arithmetic(sign: ast.operator, a: Any, b: Any) -> Any:
    """a sign b; what is not finite is missing."""
    names: dict[type, Any] = {
        ast.Add: np.add,
        ast.Sub: np.subtract,
        ast.Mult: np.multiply,
        ast.Div: np.divide,
        ast.Mod: np.mod,
    }
    with np.errstate(all="ignore"):
        found = np.asarray(names[type(sign)](a, b), np.float64)
    return np.where(np.isfinite(found), found, np.nan)


def missing_of(value: Value) -> Any:
    """Where there is no value, bool (n,) or bool."""
    if value.kind == NUMBER:
        return np.isnan(value.data)
    if value.kind == TRUTH:
        return np.zeros(np.shape(value.data), bool) if value.missing is None else value.missing
    return value.column.missing if value.column is not None else value.kind == "none"


def compared(sign: ast.cmpop, left: Value, right: Value) -> Any:
    """left sign right, bool (n,) or bool. Raises Unlike."""
    if isinstance(sign, ast.In | ast.NotIn):
        found, known = _inside(left, right)
        return known & (~found if isinstance(sign, ast.NotIn) else found)
    if "none" in (left.kind, right.kind):
        if not isinstance(sign, ast.Eq | ast.NotEq | ast.Is | ast.IsNot):
            raise Unlike("{0} and {1} cannot be put in order", "Write missing(column).")
        absent = missing_of(right if left.kind == "none" else left)
        return np.logical_not(absent) if isinstance(sign, ast.NotEq | ast.IsNot) else absent
    if isinstance(sign, ast.Is | ast.IsNot):
        raise Unlike("'is' compares with None only", "Write == or !=.")
    if "list" in (left.kind, right.kind):
        raise Unlike("{0} and {1} cannot be compared: one is a list", "Write 'in' before a list.")
    a, b = as_number(left), as_number(right)
    both = a is not None and b is not None
    # Categories of different names, such as a label and a guess in the metadata, compare by name.
    if both and not (left.kind == right.kind == CATEGORY and _names(left) != _names(right)):
        return _numbers(sign, left, right, a, b)
    if left.kind in (TEXT, CATEGORY) and right.kind in (TEXT, CATEGORY):
        return _strings(sign, left, right)
    raise Unlike(
        "{0} is " + left.words + ", {1} is " + right.words + ": they cannot be compared",
        "Strings are written in quotes, numbers without.",
    )


def _names(value: Value) -> tuple[str, ...]:
    return value.column.names if value.column is not None else ()


def _numbers(sign: ast.cmpop, left: Value, right: Value, a: Any, b: Any) -> Any:
    for value, other in ((left, right), (right, left)):
        if value.kind == CATEGORY and other.constant and isinstance(sign, _EQUAL):
            _check_class(value, other.data)
    with np.errstate(invalid="ignore"):
        found = _ORDERS[type(sign)](a, b)
    if isinstance(sign, ast.NotEq):
        found = found & ~np.isnan(a) & ~np.isnan(b)
    return found


def _check_class(value: Value, number: Any) -> None:
    count = len(_names(value))
    if float(number) not in range(count):
        raise Unlike(f"There is no class {float(number):g}", f"There are {count:,}, numbered from 0 to {count - 1:,}.")


def _strings(sign: ast.cmpop, left: Value, right: Value) -> Any:
    if not isinstance(sign, _EQUAL):
        raise Unlike("{0} and {1} have no order", "Compare them with == or !=.")
    if left.constant and right.constant:
        return bool(_ORDERS[type(sign)](left.data, right.data))
    if left.constant:
        left, right = right, left
    if left.kind == CATEGORY and right.constant:
        found = np.isin(np.asarray(left.column.values), _codes(left, str(right.data)))  # type: ignore[union-attr]
    else:
        other = right.data if right.constant else strings(right)
        found = np.asarray(strings(left) == other, bool)
    if isinstance(sign, ast.Eq):
        return found & ~missing_of(left) & ~missing_of_text(right)
    return ~found & ~missing_of(left) & ~missing_of_text(right)


def missing_of_text(value: Value) -> Any:
    """As ``missing_of``; a constant text is there."""
    return np.False_ if value.constant else missing_of(value)


def strings(value: Value) -> NDArray[Any]:
    """The texts of a column, objects (n,)."""
    assert value.column is not None
    if value.kind == TEXT:
        return np.asarray(value.column.values, object)
    names = np.array([*value.column.names, ""], object)
    return np.asarray(names[np.asarray(value.column.values)])


def _codes(value: Value, name: str) -> list[int]:
    """Numbers of the category of this name. Raises Unlike if there is none."""
    codes = [at for at, one in enumerate(_names(value)) if one == name]
    if not codes:
        shown = repr(name[:60]).replace("{", "{{").replace("}", "}}")
        raise Unlike("{0} has no value " + shown, nearest(name, _names(value), "There are"))
    return codes


def _inside(left: Value, right: Value) -> tuple[Any, Any]:
    """Whether left is in right, and where that is known."""
    if right.kind == TEXT and not right.constant and left.kind == TEXT and left.constant:
        needle = str(left.data).casefold()
        assert right.column is not None
        return np.array([needle in text for text in right.column.folded], bool), ~right.column.missing
    numbers = as_number(left)
    if right.kind == TEXT and right.constant and numbers is not None:
        return _in_ranges(numbers, str(right.data)), ~np.isnan(numbers)
    if right.kind != "list":
        raise Unlike("'in' needs a list, but {1} is " + right.words, "Write [3, 5], or '0-99, 200' for ranges.")
    wanted = list(right.data)
    if left.kind == CATEGORY and (not wanted or any(one.kind == TEXT for one in wanted)):
        return _among(left, wanted)
    if left.kind == TEXT and all(one.kind == TEXT for one in wanted):
        texts = {str(one.data) for one in wanted}
        if left.constant:
            return np.bool_(left.data in texts), np.True_
        return np.array([text in texts for text in strings(left)], bool), ~missing_of(left)
    if numbers is None or not all(one.kind in (NUMBER, TRUTH) for one in wanted):
        raise Unlike("{1} holds other values than {0}, which is " + left.words, "List values of its kind.")
    if left.kind == CATEGORY:
        for one in wanted:
            _check_class(left, one.data)
    return np.isin(numbers, [float(one.data) for one in wanted]), ~np.isnan(numbers)


def _among(left: Value, wanted: list[Value]) -> tuple[Mask, Mask]:
    """Whether a category is one of several, by name, or by number where it is a class."""
    assert left.column is not None
    codes: list[int] = []
    for one in wanted:
        if one.kind == TEXT:
            codes += _codes(left, str(one.data))
        elif one.kind == NUMBER and left.column.source == "model":
            _check_class(left, one.data)
            codes.append(int(one.data))
        else:
            raise Unlike("{1} holds other values than {0}, which is " + left.words, "List names in quotes.")
    return np.isin(np.asarray(left.column.values), codes), ~left.column.missing


def _in_ranges(numbers: Any, text: str) -> Any:
    """Whether numbers lie in '0-99, 200', both ends included. Raises Unlike."""
    spans: list[tuple[int, int]] = []
    for part in text.split(","):
        match = _RANGE.fullmatch(part)
        low, high = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if high < low or len(spans) >= MOST_RANGES:
            raise Unlike("{1} is no list of ranges", "Write whole numbers as '0-99, 200', the smaller one first.")
        spans.append((low, high))
    spans.sort()
    starts = np.array([low for low, _ in spans], np.float64)
    ends = np.maximum.accumulate(np.array([high for _, high in spans], np.float64))
    at = np.searchsorted(starts, np.nan_to_num(numbers, nan=-1.0), side="right") - 1
    return (at >= 0) & (np.asarray(numbers) <= ends[np.maximum(at, 0)])
