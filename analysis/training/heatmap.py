"""The activation heatmap: one cell per filter (DeepEyes, Pezzotti et al., IEEE VIS 2017)."""

from __future__ import annotations

import math
from typing import Literal, get_args

import numpy as np

from analysis.errors import ParameterError
from analysis.records import FloatArray, IntArray, LayerRecord

Mode = Literal["maximum", "frequency", "staleness"]
Sort = Literal["index", "value"]


def heatmap_values(record: LayerRecord, mode: str) -> FloatArray:
    """The value of each filter's cell, shape (F,).

    mode: 'maximum' (largest activation, the layer's own unit), 'frequency' (share of patches with f > beta * maximum,
    0..1) or 'staleness' (steps since the filter last exceeded theta * its peak; NaN if it never was active).
    Raises ParameterError for another mode.
    """
    if mode == "maximum":
        return np.asarray(record.maximum, dtype=np.float64)
    if mode == "frequency":
        return np.asarray(record.frequency, dtype=np.float64)
    if mode == "staleness":
        stale = np.asarray(record.stale_steps, dtype=np.float64)
        return np.where(stale < 0, np.nan, stale)
    raise ParameterError(f"There is no heatmap mode '{mode}'.", f"Choose one of: {', '.join(get_args(Mode))}.")


def grid(filters: int, aspect: float = 1.0) -> tuple[int, int]:
    """Rows and columns that hold all filters in about the given shape, without an empty row or column.

    filters: 0 or more. aspect: wanted columns per row (width over height when cells are square).
    Raises ParameterError when filters is negative or aspect is not a positive number.
    """
    if filters < 0 or not (aspect > 0 and math.isfinite(aspect)):
        raise ParameterError(
            f"No grid holds {filters} filters at aspect {aspect}.", "Give 0 or more filters and a positive aspect."
        )
    if filters == 0:
        return 0, 0
    columns = min(max(round(math.sqrt(filters * aspect)), 1), filters)
    rows = math.ceil(filters / columns)
    return rows, math.ceil(filters / rows)


def order(values: FloatArray, sort: str) -> IntArray:
    """Indices of the filters in the order in which their cells are drawn, shape (F,).

    sort: 'index', or 'value' (largest first; equal ones by index; NaN last). Raises ParameterError for another sort.
    """
    if sort == "index":
        return np.arange(len(values))
    if sort == "value":
        return np.argsort(-np.asarray(values, dtype=np.float64), kind="stable")
    raise ParameterError(f"There is no order '{sort}'.", f"Choose one of: {', '.join(get_args(Sort))}.")
