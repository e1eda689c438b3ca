"""Expressions over the columns of a table: which rows are meant. No torch.

A small language, not Python: see ``analysis.subsets.reading`` for what may stand in it. A comparison with a missing
value is False, whatever it is; ``not`` turns every row round, so that a subset and its negation are all rows.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.subsets import comparing
from analysis.subsets.comparing import Value
from analysis.subsets.functions import CALLS
from analysis.subsets.reading import HELP, ExpressionError, Parsed, at, nearest, parse
from analysis.subsets.table import CATEGORY, NUMBER, TEXT, TRUTH, Column, Table

__all__ = ["ExpressionError", "columns_used", "nearest", "quoted", "renamed", "select", "subsets_used", "written_name"]
MOST_NESTED = 10  # saved subsets within saved subsets
WRONG = "wrong"  # the prediction is not the label: False without a label
Mask = NDArray[np.bool_]
Find = Callable[[str], Mask]


def select(text: str, table: Table, saved: Mapping[str, Any] | None = None) -> Mask:
    """The rows of a table that an expression is true of.

    Args:
        saved: subsets by name, for ``subset('name')``; each has ``text``, and ``indices`` or None.

    Returns: bool (n,).

    Raises:
        ExpressionError: the text cannot be read, names what is not there, or compares what cannot be compared.
    """
    return _select(text, table, saved or {}, ())


def columns_used(text: str) -> list[str]:
    """Names of the columns in an expression, in their order, each once. Raises ExpressionError."""
    parsed = parse(text)
    called = {id(node.func) for node in ast.walk(parsed.tree) if isinstance(node, ast.Call)}
    names = [node for node in ast.walk(parsed.tree) if isinstance(node, ast.Name) and id(node) not in called]
    plain = sorted((node.col_offset, parsed.name(node)) for node in names if parsed.string(node) is None)
    return list(dict.fromkeys(name for _, name in plain))


def subsets_used(text: str) -> list[str]:
    """Names of the saved subsets in an expression, each once. Raises ExpressionError."""
    parsed = parse(text)
    calls = [node for node in ast.walk(parsed.tree) if isinstance(node, ast.Call)]
    named = [parsed.string(node.args[0]) for node in calls if parsed.name(_func(node)) == "subset"]
    return list(dict.fromkeys(name for name in named if name is not None))


def renamed(text: str, name: str, new: str) -> str:
    """An expression with another name in place of that of a saved subset. Raises ExpressionError."""
    parsed = parse(text)
    calls = [node for node in ast.walk(parsed.tree) if isinstance(node, ast.Call)]
    spots = [node.args[0] for node in calls if parsed.name(_func(node)) == "subset"]
    ends = [
        (parsed.place(node), parsed.source.place((node.end_col_offset or 1) - 1) + 1)
        for node in spots
        if parsed.string(node) == name
    ]
    for start, end in sorted(ends, reverse=True):
        text = text[:start] + quoted(new) + text[end:]
    return text


def quoted(text: str) -> str:
    """A string as an expression holds it."""
    kept = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{kept}'"


def written_name(name: str) -> str:
    """A column's name as an expression holds it: in backticks unless it is an identifier. A backtick cannot be kept."""
    try:
        parsed = parse(name)
        plain = isinstance(parsed.tree, ast.Name) and parsed.string(parsed.tree) is None and name == name.strip()
    except ExpressionError:
        plain = False
    return name if plain and "`" not in name else f"`{name}`"


def _func(node: ast.Call) -> ast.Name:
    assert isinstance(node.func, ast.Name)
    return node.func


def _select(
    text: str, table: Table, saved: Mapping[str, Any], within: tuple[str, ...], known: dict[str, Mask] | None = None
) -> Mask:
    done: dict[str, Mask] = {} if known is None else known  # else work would double with every level of references

    def find(name: str) -> Mask:
        if name not in done:
            done[name] = named(name, table, saved, within, done)
        return done[name]

    reader = _Reader(parse(text), table, find)
    value = reader.value(reader.parsed.tree)
    mask = reader.truth(value, reader.parsed.tree)
    return np.array(np.broadcast_to(mask, (table.n,)))


def named(
    name: str,
    table: Table,
    saved: Mapping[str, Any],
    within: tuple[str, ...] = (),
    known: dict[str, Mask] | None = None,
) -> Mask:
    """The rows of a saved subset. within: names of those it is asked for by; known: rows of others that were found on
    the way. Raises ExpressionError."""
    if name not in saved:
        remedy = nearest(name, saved, "There are") if saved else "None is saved yet."
        raise ExpressionError(f"There is no saved subset '{name[:60]}'.", remedy)
    if name in within or len(within) >= MOST_NESTED:
        raise ExpressionError(f"The saved subset '{name[:60]}' refers to itself, or too far.", "Save it anew.")
    one = saved[name]
    if one.indices is not None:
        return np.isin(table.indices, np.asarray(one.indices, np.int64))
    return _select(one.text, table, saved, (*within, name), known)


@dataclass
class _Reader:
    """Evaluates a tree, part by part."""

    parsed: Parsed
    table: Table
    find: Find
    _columns: dict[str, Value] = field(default_factory=dict)

    def value(self, node: ast.AST) -> Value:
        """What a part of the tree stands for."""
        if isinstance(node, ast.BoolOp):
            parts = [self.truth(self.value(part), part) for part in node.values]
            join = np.logical_and if isinstance(node.op, ast.And) else np.logical_or
            return Value(TRUTH, _joined(join, parts))
        if isinstance(node, ast.UnaryOp):
            return self._unary(node)
        if isinstance(node, ast.BinOp):
            return self._arithmetic(node)
        if isinstance(node, ast.Compare):
            return self._compared(node)
        if isinstance(node, ast.Call):
            return self._called(node)
        if isinstance(node, ast.Name):
            string = self.parsed.string(node)
            return Value(TEXT, string, constant=True) if string is not None else self._column(node)
        if isinstance(node, ast.Constant):
            return comparing.constant(node.value)
        assert isinstance(node, ast.List | ast.Tuple)
        return Value("list", [self._item(item) for item in node.elts], constant=True)

    def truth(self, value: Value, node: ast.AST) -> Any:
        """A condition, bool (n,) or bool. Raises ExpressionError for what is none."""
        if value.kind == TRUTH:
            return value.data if value.missing is None else value.data & ~value.missing
        written = self.parsed.written(node)
        remedy = {
            NUMBER: f"Compare it, as in {written} > 0.5.",
            CATEGORY: f"Compare it, as in {written} == 'name'.",
            TEXT: f"Compare it, as in contains({written}, 'word').",
        }.get(value.kind, HELP)
        place = self.parsed.place(node)
        raise ExpressionError(f"{written} {at(place)} is {value.words}, not a condition.", remedy, place)

    def _unary(self, node: ast.UnaryOp) -> Value:
        value = self.value(node.operand)
        if isinstance(node.op, ast.Not):
            return Value(TRUTH, np.logical_not(self.truth(value, node.operand)))
        number = self.number(value, node.operand)
        return Value(NUMBER, -number if isinstance(node.op, ast.USub) else number, constant=value.constant)

    def number(self, value: Value, node: ast.AST) -> Any:
        """A number, float64 (n,) or float. Raises ExpressionError for what is none."""
        found = comparing.as_number(value)
        if found is None:
            place = self.parsed.place(node)
            raise ExpressionError(
                f"{self.parsed.written(node)} {at(place)} is {value.words}, not a number.",
                "Use a column of numbers.",
                place,
            )
        return found

    def _arithmetic(self, node: ast.BinOp) -> Value:
        left, right = self.value(node.left), self.value(node.right)
        a, b = self.number(left, node.left), self.number(right, node.right)
        return Value(NUMBER, comparing.arithmetic(node.op, a, b), constant=left.constant and right.constant)

    def _compared(self, node: ast.Compare) -> Value:
        left, value = node.left, self.value(node.left)
        parts = []
        for operator, right in zip(node.ops, node.comparators, strict=True):
            other = self.value(right)  # each once: in nested chains the work would double with every level
            try:
                parts.append(comparing.compared(operator, value, other))
            except comparing.Unlike as error:
                place = self.parsed.place(left)
                words = error.words.format(self.parsed.written(left), self.parsed.written(right))
                raise ExpressionError(f"{words} ({at(place)}).", error.remedy, place) from None
            left, value = right, other
        return Value(TRUTH, _joined(np.logical_and, parts))

    def _called(self, node: ast.Call) -> Value:
        name = self.parsed.name(_func(node))
        values = [self.value(argument) for argument in node.args]
        place = self.parsed.place(node)
        if name == "subset":
            if values[0].kind != TEXT or not values[0].constant:
                raise ExpressionError(f"'subset' {at(place)} takes a name.", "Write subset('name').", place)
            return Value(TRUTH, self.find(str(values[0].data)))
        try:
            return CALLS[name](*values, self.table.n)
        except comparing.Unlike as error:
            words = error.words.format(*(self.parsed.written(argument) for argument in node.args))
            raise ExpressionError(f"'{name}' {at(place)}: {words}.", error.remedy, place) from None

    def _item(self, node: ast.AST) -> Value:
        value = self.value(node)
        if not value.constant or value.kind == "list":
            place = self.parsed.place(node)
            raise ExpressionError(
                f"{self.parsed.written(node)} {at(place)} cannot stand in a list.", "List numbers or strings.", place
            )
        return value

    def _column(self, node: ast.Name) -> Value:
        name = self.parsed.name(node)
        if name not in self._columns:
            column = self.table.columns.get(name)
            if column is not None:
                self._columns[name] = comparing.of_column(column)
            elif name == WRONG:
                self._columns[name] = Value(TRUTH, self.table.wrong)
            else:
                raise self._unknown(name, self.parsed.place(node))
        return self._columns[name]

    def _unknown(self, name: str, place: int) -> ExpressionError:
        reasons = dict(self.table.left_out)
        if name in reasons:
            return ExpressionError(
                f"The column '{name[:60]}' ({at(place)}) could not be computed: {reasons[name]}.", "Use another.", place
            )
        if self.table.waiting:
            return ExpressionError(
                f"There is no column '{name[:60]}' ({at(place)}) so far.",
                "Columns of metadata and features are still being computed; wait, or check the name.",
                place,
            )
        remedy = nearest(name, [*self.table.columns, WRONG], "There are")
        return ExpressionError(f"There is no column '{name[:60]}' ({at(place)}).", remedy, place)


def _joined(join: Any, parts: list[Any]) -> Any:
    found = parts[0]
    for part in parts[1:]:
        found = join(found, part)
    return found


def title_of(column: Column) -> str:
    """A column's title with its unit: 'Peak frequency (Hz)'."""
    return f"{column.title} ({column.unit})" if column.unit else column.title
