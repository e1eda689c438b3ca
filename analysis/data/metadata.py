"""Columns that describe instances, from a data frame or what behaves like one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.data.errors import SubjectError

CATEGORIES = 50  # different values of a column that is a category
_REMEDY = "Give metadata= as a data frame, or a dictionary of columns, with one row for each instance, in their order."


@dataclass(frozen=True)
class Column:
    """kind: 'number' (values float64, NaN where missing), 'category' or 'text' (values str, '' where missing)."""

    name: str
    kind: str
    values: NDArray[Any]

    def to_json(self) -> dict[str, Any]:
        """Its name, kind, and range or categories."""
        if self.kind == "number":
            finite = self.values[np.isfinite(self.values)]
            span = [float(finite.min()), float(finite.max())] if len(finite) else None
            return {"name": self.name, "kind": self.kind, "range": span, "missing": int(len(self.values) - len(finite))}
        different, counts = np.unique(self.values[self.values != ""], return_counts=True)
        values = different[np.argsort(-counts, kind="stable")][:CATEGORIES].tolist() if self.kind == "category" else []
        missing = int(np.count_nonzero(self.values == ""))
        return {"name": self.name, "kind": self.kind, "values": values, "missing": missing}


def read_metadata(metadata: Any, n: int) -> list[Column]:
    """Columns of a data frame (told by ``columns``), of a dictionary of columns, or of a list of dictionaries.

    Raises:
        SubjectError: it is something else, or has another number of rows than the ``n`` instances.
    """
    if metadata is None:
        return []
    if hasattr(metadata, "columns") and hasattr(metadata, "__getitem__"):
        columns = {str(name): metadata[name] for name in metadata.columns}
    elif isinstance(metadata, Mapping):
        columns = {str(name): values for name, values in metadata.items()}
    elif isinstance(metadata, (list, tuple)) and all(isinstance(row, Mapping) for row in metadata):
        names = dict.fromkeys(str(name) for row in metadata for name in row)
        columns = {name: [row.get(name) for row in metadata] for name in names}
    else:
        raise SubjectError(f"The metadata are a {type(metadata).__name__}.", _REMEDY)
    for name, values in columns.items():
        if not hasattr(values, "__len__") or len(values) != n:
            length = len(values) if hasattr(values, "__len__") else "no"
            raise SubjectError(f"The metadata column {name!r} has {length} rows for {n:,} instances.", _REMEDY)
    return [_column(name, values) for name, values in columns.items()]


def _column(name: str, values: Any) -> Column:
    array = values.to_numpy() if hasattr(values, "to_numpy") else np.asarray(list(values), dtype=object)
    if array.dtype.kind in "iuf":
        return Column(name, "number", array.astype(np.float64))
    plain = [_missing_as_none(value) for value in array.tolist()]
    if all(value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)) for value in plain):
        return Column(name, "number", np.array([np.nan if v is None else float(v) for v in plain], np.float64))
    texts = np.array(["" if value is None else str(value) for value in plain], dtype=str)
    kind = "category" if len(np.unique(texts)) <= CATEGORIES or array.dtype.kind == "b" else "text"
    return Column(name, kind, texts)


def _missing_as_none(value: Any) -> Any:
    # NaN and pandas' missing values differ from themselves, or will not say.
    try:
        return value if value is not None and bool(value == value) else None
    except (TypeError, ValueError):
        return None
