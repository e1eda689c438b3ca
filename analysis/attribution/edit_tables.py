"""What-if edits of rows of a table: a value in the units that are shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from analysis.data.batch import Batch
from analysis.errors import ParameterError

TOLERANCE = 1e-3  # of a column's change, within which inverse_transform counts as a straight line


def applied(session: Any, batch: Batch, edit: Mapping[str, Any]) -> Batch:
    """A batch of one row with one column set. Raises ParameterError."""
    row = batch.principal[0].detach()
    column, value = edit["column"], edit["value"]
    if column >= row.numel():
        raise ParameterError(f"There is no column {column:,}.", f"Give 0 to {row.numel() - 1:,}.")
    displays = session.opened.displays
    if displays is not None and displays.undo is not None:
        value = _inverted(displays, row.cpu(), column, value)
    if not row.is_floating_point():
        if abs(value - round(value)) > TOLERANCE:
            raise ParameterError(f"Column {column:,} holds whole numbers, not {value:g}.", "Give a whole number.")
        value = round(value)
    changed = batch.principal.detach().clone()
    changed[0].view(-1)[column] = value
    return batch.with_principal(changed)


def _inverted(displays: Any, row: Tensor, column: int, wanted: float) -> float:
    """The input value that ``inverse_transform`` shows as ``wanted``: its line is taken from two points, and checked.

    Raises:
        ParameterError: it is no straight line, or depends on other columns.
    """
    impossible = ParameterError(
        f"What the model gets for {wanted:g} in column {column:,} cannot be told: inverse_transform is no straight "
        "line there, or mixes columns.",
        "Change another column.",
    )

    def shown(value: float) -> np.ndarray[Any, Any]:
        changed = row.double() if row.is_floating_point() else row.clone()
        changed = changed.clone()
        changed.view(-1)[column] = value
        return np.asarray(displays.show(changed.to(row.dtype)), np.float64)

    here = float(row.reshape(-1)[column])
    start = shown(here)
    if start.shape != (row.numel(),):
        raise impossible
    slope = shown(here + 1.0)[column] - start[column]
    if not np.isfinite(slope) or slope == 0:
        raise impossible
    found = here + (wanted - start[column]) / slope
    if not row.is_floating_point():
        found = float(round(found))
    again = shown(found)
    allowed = TOLERANCE * max(abs(slope), abs(wanted - start[column]), abs(wanted) * 1e-2)
    others = np.delete(np.abs(again - start), column)
    if not abs(again[column] - wanted) <= allowed or not bool((others <= allowed).all()):
        raise impossible
    return float(torch.tensor(found).to(row.dtype)) if row.is_floating_point() else found
