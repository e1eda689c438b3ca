"""A unit of a layer as a score: its activation, with a graph back to the input."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from analysis.attribution.targets import Unit
from analysis.errors import NotFound
from analysis.models.taps import Tap, Taps


class Reader:
    """Context with a hook on the unit's layer; ``score`` after each pass.

    Raises:
        NotFound: no such layer or filter, or the layer cannot be read.
    """

    def __init__(self, session: Any, unit: Unit) -> None:
        [self.info] = session.infos([unit.layer])
        if self.info.reason:
            raise NotFound(f"The layer {unit.layer!r} cannot be read: {self.info.reason}.", "Choose another layer.")
        if unit.index >= self.info.filters:
            raise NotFound(
                f"There is no filter {unit.index:,} in {unit.layer}: it has {self.info.filters:,}.",
                "Choose one of the layer's.",
            )
        self.unit = unit
        self._taps = Taps(session.model, [self.info], graph=True)

    def __enter__(self) -> Reader:
        self._taps.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._taps.__exit__(*error)

    def clear(self) -> None:
        """Before a pass."""
        self._taps.begin()

    def score(self, lengths: Tensor | None) -> Tensor:
        """The unit's activation in the pass that ended, (r,): mean or largest over its valid positions.

        lengths: of each row, where the data are padded. Raises NotFound if the pass did not reach the layer.
        """
        tap: Tap | None = self._taps.take().get(self.info.key)
        if tap is None:
            raise NotFound(f"The instance does not reach {self.info.key}.", "Choose another layer or instance.")
        values = tap.values[:, self.unit.index].flatten(1)
        if values.shape[1] == 0:
            return tap.values[:, self.unit.index]
        lengths = tap.lengths if tap.lengths is not None else lengths
        valid = torch.ones_like(values, dtype=torch.bool)
        if lengths is not None and tap.values.dim() == 3:
            steps = torch.arange(values.shape[1], device=values.device)
            valid = steps < lengths.to(values.device).clamp(1, values.shape[1])[:, None]
        if self.unit.pool == "max":
            return values.masked_fill(~valid, -torch.inf).amax(1)
        return torch.where(valid, values, 0.0).sum(1) / valid.sum(1)
