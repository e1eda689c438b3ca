"""The filters of the instance table as an expression, so that they can be the subset. Neither torch nor dash."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from analysis.errors import ParameterError
from analysis.subsets.expression import quoted, written_name
from analysis.subsets.table import CATEGORY, NUMBER, TEXT, TRUTH, Column
from dashboard.views.instances.table_rows import REMEDY, passes

SIGNS = {
    "equals": "==",
    "notEqual": "!=",
    "greaterThan": ">",
    "greaterThanOrEqual": ">=",
    "lessThan": "<",
    "lessThanOrEqual": "<=",
}
CALLS = {"contains": "contains", "startsWith": "starts", "endsWith": "ends"}


def written(columns: Mapping[str, Column], filters: Any) -> str:
    """All filters, joined by 'and'; '' without any.

    Raises:
        ParameterError: an unknown column, or a condition that its kind does not have.
    """
    if not isinstance(filters, dict):
        raise ParameterError("These filters cannot be read.", REMEDY)
    parts = []
    for name, model in filters.items():
        column = columns.get(name)
        if column is None:
            raise ParameterError(f"The table has no column {str(name)[:60]!r}.", REMEDY)
        passes(column, np.zeros(0, np.int64), model)  # refuses what is no filter
        conditions = model.get("conditions") or [model]
        texts = [_condition(column, one) for one in conditions]
        joined = (" or " if model.get("operator") == "OR" else " and ").join(texts)
        parts.append(f"({joined})" if len(texts) > 1 and model.get("operator") == "OR" else joined)
    return " and ".join(parts)


def _condition(column: Column, one: Mapping[str, Any]) -> str:
    name, kind = written_name(column.name), str(one.get("type"))
    if kind in ("blank", "notBlank"):
        return f"missing({name})" if kind == "blank" else f"not missing({name})"
    if column.kind == NUMBER:
        if kind == "inRange":
            return f"{_number(one['filter'])} <= {name} <= {_number(one['filterTo'])}"
        return f"{name} {SIGNS[kind]} {_number(one['filter'])}"
    part = str(one["filter"])
    if column.kind == TRUTH:
        return _truth(column, name, one)
    if column.kind == TEXT and kind in CALLS:
        return f"{CALLS[kind]}({name}, {quoted(part)})"
    if column.kind == TEXT and kind == "notContains":
        return f"not contains({name}, {quoted(part)})"
    if column.kind == CATEGORY:
        return _category(column, name, one)
    return f"{name} {SIGNS[kind]} {quoted(part)}"


def _truth(column: Column, name: str, one: Mapping[str, Any]) -> str:
    kept = [value for value, code in (("yes", 1), ("no", 0)) if _passes_code(column, code, one)]
    return {("yes",): name, ("no",): f"not {name}", ("yes", "no"): f"not missing({name})"}.get(tuple(kept), "False")


def _category(column: Column, name: str, one: Mapping[str, Any]) -> str:
    """The names that pass, listed: a category has few values, and the list says what was meant."""
    kept = [code for code in range(len(column.names)) if _passes_code(column, code, one)]
    if not kept:
        return "False"
    if len(kept) == 1:
        return f"{name} == {quoted(column.names[kept[0]])}"
    return f"{name} in [{', '.join(quoted(column.names[code]) for code in kept)}]"


def _passes_code(column: Column, code: int, one: Mapping[str, Any]) -> bool:
    alone = Column(column.name, column.title, column.kind, np.array([code]), column.names)
    return bool(passes(alone, np.zeros(1, np.int64), dict(one))[0])


def _number(value: Any) -> str:
    return f"{float(value):.10g}"
