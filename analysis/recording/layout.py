"""Where instances, filters and positions lie in what a layer yields, whatever the layer's type."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from analysis.recording.selection import kind_of

_CHANNELS_FIRST = (nn.modules.batchnorm._NormBase, nn.GroupNorm, _ConvNd)  # of three-dimensional outputs


class Unreadable(Exception):
    """What a layer yields holds no activations that can be read."""


@dataclass(frozen=True)
class Activations:
    """A layer's output, with its axes named.

    values: the tensor. row: axis of instances; unit: axis of filters; places: axes of positions, in order.
    per_row: rows of one instance, more than 1 where the model folds positions into the instances; 0 when unknown.
    lengths: valid positions of each row, shape (rows,), where sequences were padded, else None.
    """

    values: Tensor
    row: int
    unit: int
    places: tuple[int, ...]
    per_row: int = 1
    lengths: Tensor | None = None

    @property
    def filters(self) -> int:
        """F."""
        return self.values.shape[self.unit]

    @property
    def rows(self) -> int:
        """Rows: instances, or parts of them."""
        return self.values.shape[self.row]

    @property
    def place_shape(self) -> tuple[int, ...]:
        """Shape of the positions within a row."""
        return tuple(self.values.shape[axis] for axis in self.places)

    @property
    def spatial(self) -> tuple[int, ...]:
        """Shape of the positions within an instance, () for one."""
        return (self.per_row, *self.place_shape) if self.per_row > 1 else self.place_shape


def first_tensor(output: Any) -> Tensor | PackedSequence:
    """The tensor a layer yields, or the first of its tuple.

    Raises:
        Unreadable: it yields something else.
    """
    while isinstance(output, (tuple, list)) and not isinstance(output, PackedSequence) and len(output):
        output = output[0]
    if isinstance(output, (Tensor, PackedSequence)):
        return output
    raise Unreadable(f"it yields a {type(output).__name__}, not a tensor")


def read(module: nn.Module, output: Any, instances: int | None, *, graph: bool = False) -> Activations:
    """Name the axes of a layer's output.

    Args:
        module: the layer. output: what it yielded. instances: instances passed to the model, None if unknown.
        graph: keep what gradients need.

    Raises:
        Unreadable: no tensor, no axis of filters, or complex numbers.
    """
    values = first_tensor(output)
    lengths = None
    if isinstance(values, PackedSequence):
        values, lengths = pad_packed_sequence(values, batch_first=True)
    if values.is_complex() or values.dim() == 0:
        raise Unreadable(f"it yields a {values.dtype} tensor of shape {tuple(values.shape)}")
    values = values if graph else values.detach()
    kind = kind_of(module)
    batched = module.weight.dim() if isinstance(module, _ConvNd) else 3 if isinstance(module, nn.RNNBase) else 2
    if (values.dim() < batched and kind != "other") or values.dim() == 1:
        values = values.unsqueeze(0)
    time_first = isinstance(module, nn.RNNBase) and not module.batch_first and lengths is None
    unit = 1 if _channels_first(module, kind, values.dim()) else values.dim() - 1
    if kind in ("linear", "other") and unit == values.dim() - 1 and values.dim() == 3 and instances is not None:
        # Behind a recurrent layer, time may come first.
        time_first = values.shape[0] != instances == values.shape[1]
    row = 1 if time_first and values.dim() == 3 else 0
    places = tuple(axis for axis in range(values.dim()) if axis not in (row, unit))
    return Activations(values, row, unit, places, _rows_per_instance(values.shape[row], instances), lengths)


def _channels_first(module: nn.Module, kind: str, dims: int) -> bool:
    if kind != "other":
        return kind == "conv"
    if isinstance(module, (nn.LayerNorm, nn.RMSNorm, nn.Embedding)):
        return False
    if dims == 3:
        return any(isinstance(part, _CHANNELS_FIRST) for part in module.modules())
    return dims > 3


def _rows_per_instance(rows: int, instances: int | None) -> int:
    if instances is None or rows == instances:
        return 1
    return rows // instances if instances and rows % instances == 0 else 0


def largest(read_values: Tensor, unit: int) -> Tensor:
    """Largest finite value of each filter, shape (F,); NaN where it has none."""
    axes = [axis for axis in range(read_values.dim()) if axis != unit]
    if read_values.numel() == 0:
        return read_values.new_full((read_values.shape[unit],), torch.nan)
    # Reducing inner axes before the outermost is quicker than all at once.
    top = read_values.amax(axes[1:]) if len(axes) > 1 and unit != axes[-1] + 1 else None
    top = top.amax(0) if top is not None else read_values.amax(axes)
    # On a GPU, asking would wait for it; there the careful way costs one more pass.
    if top.device.type == "cpu" and math.isfinite(top.sum().item()):
        return top
    floor = torch.finfo(read_values.dtype).min
    finite = read_values.isfinite()
    top = torch.where(finite, read_values, floor).amax(axes)
    return torch.where(finite.sum(axes) > 0, top, torch.nan)
