"""A unit of a layer as a score, or the mean of several: its activation, with a graph back to the input."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from analysis.attribution.targets import Unit
from analysis.errors import NotFound
from analysis.extraction.pooling import valid_steps
from analysis.models.taps import Tap, Taps


class Reader:
    """Context with a hook on the unit's layer: ``begin`` before each pass, ``score`` after it.

    Raises:
        NotFound: no such layer or filter, or the layer cannot be read.
    """

    def __init__(self, session: Any, unit: Unit) -> None:
        [self.info] = session.infos([unit.layer])
        if self.info.reason:
            raise NotFound(f"The layer {unit.layer!r} cannot be read: {self.info.reason}.", "Choose another layer.")
        if unit.indices[-1] >= self.info.filters:
            raise NotFound(
                f"There is no filter {unit.indices[-1]:,} in {unit.layer}: it has {self.info.filters:,}.",
                "Choose one of the layer's.",
            )
        self.unit = unit
        self._taps = Taps(session.model, [self.info], graph=True)
        self._steps: tuple[Tensor | None, int] = (None, 0)

    def __enter__(self) -> Reader:
        self._taps.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._taps.__exit__(*error)

    def begin(self, rows: int, lengths: Tensor | None, padded: int) -> None:
        """Before a pass of so many rows. lengths: valid steps of each where the data are padded, to ``padded``."""
        self._steps = (lengths, padded)
        self._taps.begin(rows, lengths, padded or None)

    def score(self) -> Tensor:
        """The unit's activation in the pass that ended, (r,): mean or largest over its valid positions; of several
        units their mean.

        Raises:
            NotFound: the pass did not reach the layer.
        """
        tap: Tap | None = self._taps.take().get(self.info.key)
        if tap is None:
            raise NotFound(f"The instance does not reach {self.info.key}.", "Choose another layer or instance.")
        units = list(self.unit.indices)
        chosen = tap.values[:, units] if len(units) > 1 else tap.values[:, units[0], None]
        if tap.values.dim() == 2:
            return chosen.mean(1)
        values = chosen.flatten(2)
        lengths = tap.lengths
        if lengths is None and self.info.kind in ("conv", "recurrent"):
            # As in an extraction: a layer with fewer steps than its padded input.
            lengths = valid_steps(*self._steps, tuple(tap.values.shape[2:]))
        valid = torch.ones_like(values[:, 0], dtype=torch.bool)
        if lengths is not None and tap.values.dim() == 3:
            steps = torch.arange(values.shape[2], device=values.device)
            valid = steps < lengths.to(values.device).clamp(1, values.shape[2])[:, None]
        if self.unit.pool == "max":
            return values.masked_fill(~valid[:, None], -torch.inf).amax(2).mean(1)
        return (torch.where(valid[:, None], values, 0.0).sum(2) / valid.sum(1)[:, None]).mean(1)
