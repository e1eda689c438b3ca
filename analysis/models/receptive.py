"""Receptive fields: which part of the input each position of each layer sees, by following NaN through the model."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from analysis.jobs.calls import is_memory
from analysis.layerinfo import LayerInfo
from analysis.models.structure import Structure, is_thin
from analysis.models.taps import Tap, Taps
from analysis.recording.isolation import undisturbed

Fields = dict[str, list[np.ndarray]]
_VALUES = 4_000_000  # input values in one pass
_ROWS = 32  # columns tested in one pass
_PROBED = 4  # columns on each axis that are also changed for real
_VISIBLE = {torch.float16: 3e-2, torch.bfloat16: 1e-1}  # relative change of an activation that is no rounding
_UNTOLD = 1e-3  # the same for other types


def receptive_fields(
    model: nn.Module,
    forward_from_tensor: Callable[[Tensor], Any],
    example: Tensor,
    infos: Sequence[LayerInfo],
    axes: Sequence[int],
    progress: Callable[[int, int], Any] | None = None,
) -> Fields:
    """The receptive fields of all layers, in one sweep over the columns of each input axis.

    A column is set to NaN, and the positions that become NaN see it, whatever the weights are. A few columns are also
    changed for real: a layer that reacts where it should not have seen anything is not told, nor is one that is NaN
    without our doing. What is between the first and the last column seen counts as seen.

    Args:
        model: not wrapped; left as it was. forward_from_tensor: runs the model on inputs of any number of instances.
        example: (N, ...) floating-point inputs, of which the first is used. infos: layers. axes: of ``example``; the
            i-th belongs to the i-th axis of positions of a layer. progress: called with columns done and their number.

    Returns:
        By layer key, for each of ``axes`` an int32 array (S, 2): first column and one past the last, S positions along
        the axis. (1, 2) with the whole axis where a layer's positions do not belong to these axes (none, or another
        number of them), and (S, 2) with the whole axis where it cannot be told. (0, 0): sees nothing but padding.

    Raises:
        MemoryError, RuntimeError: there is not even memory for two instances.
    """
    sizes = [example.shape[axis] for axis in axes]
    fields = {info.key: _whole(info, sizes) for info in infos}
    layers = [info for info in infos if not info.reason and len(info.spatial) == len(axes)]
    if not layers or not example.is_floating_point():
        return fields
    base = example[:1].detach().nan_to_num()
    rows = max(2, min(_ROWS, _VALUES // max(base.numel(), 1)))
    # Code of a model's own may refuse a way, or expect as many instances as the example has (0).
    ways: list[tuple[Callable[[], Any], int]] = [(Structure, rows), (Structure, 0), (_plain, rows), (_plain, 0)]
    with undisturbed(model):
        while ways:
            way, count = ways.pop(0)
            sweep = _Sweep(model, forward_from_tensor, base, layers, axes, count or len(example), not count)
            try:
                with way():
                    seen = sweep.run(progress)
                wrong = sweep.contradicted(seen)
            except Exception as error:
                if is_memory(error):
                    if count <= 2:
                        raise
                    ways.insert(0, (way, max(2, count // 4)))
                continue
            for info in layers:
                if info.key in seen and info.key not in wrong:
                    fields[info.key] = [_intervals(mask) for mask in seen[info.key]]
            return fields
    return fields


def _whole(info: LayerInfo, sizes: list[int]) -> list[np.ndarray]:
    places = info.spatial if len(info.spatial) == len(sizes) else (1,) * len(sizes)
    return [np.tile(np.array([[0, size]], np.int32), (n, 1)) for n, size in zip(places, sizes, strict=True)]


def _intervals(mask: np.ndarray) -> np.ndarray:
    """(columns, S) bool -> (S, 2) int32: first column and one past the last."""
    start = mask.argmax(0)
    stop = len(mask) - mask[::-1].argmax(0)
    return (np.stack([start, stop], 1) * mask.any(0, keepdims=True).T).astype(np.int32)


@contextlib.contextmanager
def _plain() -> Iterator[None]:
    """The operations as they are, but none of the algorithms that spread NaN to neighbours."""
    with (
        torch.backends.mkldnn.flags(enabled=False),
        torch.backends.nnpack.flags(enabled=False),
        torch.backends.cudnn.flags(enabled=False),
    ):
        yield


class _Sweep:
    """Passes with changed columns, ``count`` rows in each, or at most so many if not ``fixed``."""

    def __init__(
        self,
        model: nn.Module,
        forward: Callable[[Tensor], Any],
        base: Tensor,
        layers: list[LayerInfo],
        axes: Sequence[int],
        count: int,
        fixed: bool,
    ) -> None:
        self._model, self._forward, self._base = model, forward, base
        self._layers, self._axes, self._count, self._fixed = layers, axes, count, fixed
        self._sizes = [base.shape[axis] for axis in axes]

    def run(self, progress: Callable[[int, int], Any] | None) -> dict[str, list[np.ndarray]]:
        """By layer and axis, (columns, S): who sees a column. Layers that are NaN by themselves are missing."""
        total = sum(self._sizes)
        found: dict[str, list[list[np.ndarray]]] = {}
        axis = 0

        def reduce(_info: LayerInfo, tap: Tap) -> np.ndarray:
            values = tap.values[:, :1] if is_thin(tap.values) else tap.values
            mask = values.isnan().any(1)
            others = [d for d in range(1, mask.dim()) if d != axis + 1]
            return (mask.any(others) if others else mask).cpu().numpy()

        with Taps(self._model, self._layers, reduce=reduce) as taps:
            untold = {key for key, mask in self._pass(taps, self._rows([], 0)).items() if mask.any()}
            done = 0
            for axis, size in enumerate(self._sizes):
                for first in range(0, size, self._count):
                    columns = list(range(first, min(first + self._count, size)))
                    for key, mask in self._pass(taps, self._rows(columns, axis)).items():
                        parts = found.setdefault(key, [[] for _ in self._sizes])
                        parts[axis].append(mask[: len(columns)])
                    done += len(columns)
                    if progress is not None:
                        progress(done, total)
        told = {info.key: info.spatial for info in self._layers if info.key not in untold}
        seen = {key: [np.concatenate(parts) for parts in found[key]] for key in told if all(found.get(key, [[]]))}
        # A model may yield other positions for our input than it did for the batch that described it.
        return {key: masks for key, masks in seen.items() if tuple(mask.shape[1] for mask in masks) == told[key]}

    def contradicted(self, seen: dict[str, list[np.ndarray]]) -> set[str]:
        """Layers that react to a changed column where ``seen`` says that they do not see it."""
        wrong: set[str] = set()
        axis = 0

        def reduce(_info: LayerInfo, tap: Tap) -> np.ndarray:
            change = (tap.values[1:] - tap.values[:1]).abs().amax(1)
            tolerance = _VISIBLE.get(self._base.dtype, _UNTOLD) * tap.values[:1].abs().amax()
            others = [d for d in range(1, change.dim()) if d != axis + 1]
            return ((change.amax(others) if others else change) > tolerance).cpu().numpy()

        layers = [info for info in self._layers if info.key in seen]
        with Taps(self._model, layers, reduce=reduce) as taps:
            for axis, size in enumerate(self._sizes):
                columns = sorted({round(i * (size - 1) / (_PROBED - 1)) for i in range(_PROBED)})
                for first in range(0, len(columns), max(self._count - 1, 1)):
                    some = columns[first : first + max(self._count - 1, 1)]
                    for key, reacts in self._pass(taps, self._changed(some, axis)).items():
                        if (reacts[: len(some)] & ~seen[key][axis][some]).any():
                            wrong.add(key)
        return wrong

    def _pass(self, taps: Taps, inputs: Tensor) -> dict[str, np.ndarray]:
        taps.begin(len(inputs))
        self._forward(inputs)
        return taps.take()

    def _rows(self, columns: list[int], axis: int) -> Tensor:
        """The base, repeated, with NaN in one column of each row."""
        inputs = self._base.repeat(self._count, *[1] * (self._base.dim() - 1))
        for row, column in enumerate(columns):
            inputs[row].select(self._axes[axis] - 1, column).fill_(torch.nan)
        return inputs

    def _changed(self, columns: list[int], axis: int) -> Tensor:
        """The base, then copies with one column each replaced by noise of the size of the input."""
        count = self._count if self._fixed else len(columns) + 1
        inputs = self._base.repeat(count, *[1] * (self._base.dim() - 1))
        noise = torch.Generator().manual_seed(0)
        size = self._base.abs().amax().clamp_min(1).item()
        for row, column in enumerate(columns):
            part = inputs[row + 1].select(self._axes[axis] - 1, column)
            part.copy_(torch.randn(part.shape, generator=noise).to(part) * size)
        return inputs
