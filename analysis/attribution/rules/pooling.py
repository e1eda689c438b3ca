"""Max pooling in one form, whatever the function: which position of a window is its largest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from analysis.attribution.operations import Call

_POOL = ("input", "kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")
_ADAPTIVE = ("input", "output_size", "return_indices")
_REDUCTION = ("input", "dim", "keepdim")


@dataclass
class Pooled:
    """The result of a max pooling.

    flat: its input with the pooled axes as the last one (..., L), a view with a graph if the input has one. indices:
    (..., K) into that axis, which position each of the K results is. values: (..., K). shape: of what the operation
    yields. places: the indices that it yields besides, if it does. named: in a named tuple.
    """

    flat: Tensor
    indices: Tensor
    values: Tensor
    shape: torch.Size
    places: Tensor | None = None
    named: bool = False

    def result(self, values: Tensor) -> Any:
        """``values`` (..., K) as the operation yields them, with the indices where it does."""
        shaped = values.reshape(self.shape)
        if self.places is None:
            return shaped
        return torch.return_types.max((shaped, self.places)) if self.named else (shaped, self.places)


def pooled(call: Call) -> Pooled | None:
    """A max pooling taken apart; None for a form that is not known."""
    if call.name in ("amax", "max"):
        return _reduced(call)
    axes = int(call.name[-2])
    names = _ADAPTIVE if call.name.startswith("adaptive") else _POOL
    given = {**dict(zip(names, call.args, strict=False)), **call.kwargs}
    wanted = bool(given.pop("return_indices", False))
    x = given.pop("input")
    function = getattr(F, f"{call.name}_with_indices")
    values, indices = function(x.detach(), return_indices=True, **given)
    flat = x.flatten(-axes)
    places = indices if wanted else None
    return Pooled(flat, indices.flatten(-axes), values.flatten(-axes), values.shape, places)


def _reduced(call: Call) -> Pooled | None:
    given = {**dict(zip(_REDUCTION, call.args, strict=False)), **call.kwargs}
    x, dims, keepdim = given["input"], given.get("dim", given.get("axis", ())), bool(given.get("keepdim", False))
    chosen = [dims] if isinstance(dims, int) else list(dims)
    axes = sorted(axis % x.dim() for axis in chosen) if chosen else list(range(x.dim()))
    if not x.dim() or (call.name == "max" and len(axes) != 1):
        return None
    flat = x.movedim(axes, list(range(-len(axes), 0))).flatten(-len(axes))
    values, indices = flat.detach().max(-1, keepdim=True)
    shape = [1 if axis in axes else size for axis, size in enumerate(x.shape) if keepdim or axis not in axes]
    places = indices.reshape(shape) if call.name == "max" else None
    return Pooled(flat, indices, values, torch.Size(shape), places, named=True)
