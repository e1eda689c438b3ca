"""From the activations of a batch to three numbers per filter and instance: largest, mean, and where the largest is.

This is where extraction could be slower than the forward pass. What counts is memory: large tensors are read once,
in parts that fit the processor's cache, and nothing of their size is allocated.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

PART = 1 << 20  # elements reduced at a time: 4 MB
_SCRATCH = threading.local()


@dataclass(frozen=True)
class Pooled:
    """Statistics of a layer for a batch of n instances: arrays, or tensors that are still on a GPU (``fetched``).

    maximum, mean: of the rectified activations over (valid) positions, float32, (n, F); NaN where there is none, and
    where one of them is NaN. where: flat position of the maximum, int32, (n, F); None without positions.
    length: valid positions of each instance, int32, (n,); None where nothing is padded.
    """

    maximum: Any
    mean: Any
    where: Any = None
    length: Any = None

    def fetched(self) -> Pooled:
        """The same as arrays. Waits for a GPU, which is why it is not done layer by layer."""
        return Pooled(*map(_array, (self.maximum, self.mean, self.where, self.length)))

    def shaped(self, n: int, filters: int) -> Pooled:
        """The same, of n times F rows, as (n, F)."""
        where = self.where.reshape(n, filters) if self.where is not None else None
        return Pooled(self.maximum.reshape(n, filters), self.mean.reshape(n, filters), where, self.length)


def pool(values: Tensor, rectifier: str, lengths: Tensor | None = None) -> Pooled:
    """Reduce activations of shape (n, F, *places).

    Args:
        values: any floating type; on any device. rectifier: 'relu', 'abs' or 'softmax' (over filters).
        lengths: valid positions of each instance, (n,), counted along the only axis of places.
    """
    places = values.shape[2:]
    values = values.detach()
    if rectifier == "softmax":
        values = values.softmax(1, dtype=torch.float32)
        rectifier = "none"
    elif not values.is_floating_point() or (not places and values.dtype != torch.float32):
        values = values.float()
    if not places:
        # A copy in any case: the model may go on to overwrite what it was taken from.
        pooled = _rectified(values, rectifier) if rectifier != "none" else values.clone()
        return Pooled(pooled, pooled)
    flat = values.flatten(2)
    if lengths is not None and len(places) == 1:
        return _masked(flat, rectifier, lengths.to(values.device))
    if flat.shape[2] == 0:
        empty = np.full(flat.shape[:2], np.nan, np.float32)
        return Pooled(empty, empty, np.zeros(flat.shape[:2], np.int32))
    if values.device.type != "cpu":
        return _elsewhere(flat, rectifier)
    return _by_parts(flat, rectifier)


def joined(parts: Sequence[Pooled]) -> Pooled:
    """Parts one after the other along their first axis."""
    if len(parts) == 1:
        return parts[0]
    where = [part.where for part in parts if part.where is not None]
    length = [part.length for part in parts if part.length is not None]
    return Pooled(
        np.concatenate([part.maximum for part in parts]),
        np.concatenate([part.mean for part in parts]),
        np.concatenate(where) if where else None,
        np.concatenate(length) if length else None,
    )


def _rectified(values: Tensor, rectifier: str) -> Tensor:
    return values.relu() if rectifier == "relu" else values.abs() if rectifier == "abs" else values


def _by_parts(values: Tensor, rectifier: str) -> Pooled:
    """On the CPU, for (n, F, P). NumPy finds a maximum and its place in one go, at the speed of memory; torch takes 4
    to 12 times as long for it."""
    n, filters, places = values.shape
    if values.is_contiguous() and values.dtype == torch.float32:
        return _lines(values.view(-1, places), rectifier).shaped(n, filters)
    many = max(1, PART // max(filters * places, 1))  # instances brought into order at a time
    parts = [_lines(part.float().reshape(-1, places), rectifier) for part in values.split(many)]
    return joined(parts).shaped(n, filters)


def _lines(lines: Tensor, rectifier: str) -> Pooled:
    """For contiguous float32 (R, P), each row reduced: arrays of shape (R,)."""
    count, places = lines.shape
    many = max(1, PART // places)
    room = _scratch(min(many, count), places) if rectifier != "none" else None
    maximum, mean, where = np.empty(count, np.float32), np.empty(count, np.float32), np.empty(count, np.int32)
    for first in range(0, count, many):
        part = lines[first : first + many]
        target = slice(first, first + len(part))
        spare = room[: len(part)] if room is not None else None
        # The maximum is looked for before negative values are cut off, so that its place has a meaning below 0 too.
        if rectifier == "abs":
            part = torch.abs(part, out=spare)
        best = where[target] = part.numpy().argmax(1)
        top = part.numpy()[np.arange(len(best)), best]
        if rectifier == "relu":
            np.maximum(top, 0, out=top)
            part = torch.clamp(part, min=0, out=spare)
        maximum[target] = top
        mean[target] = part.mean(1).numpy()
    return Pooled(maximum, mean, where)


def _scratch(rows: int, places: int) -> Tensor:
    """Room for rectified values, the same memory every time: new memory costs more than what is done in it."""
    held: NDArray[np.float32] | None = getattr(_SCRATCH, "held", None)
    if held is None or held.size < rows * places:
        # NumPy's, because a tensor made in inference mode could not be written to outside it.
        held = _SCRATCH.held = np.empty(rows * places, np.float32)
    return torch.from_numpy(held[: rows * places]).view(rows, places)


def _elsewhere(values: Tensor, rectifier: str) -> Pooled:
    """On a GPU, for (n, F, P)."""
    signed = values.abs() if rectifier == "abs" else values
    top, where = signed.max(2)
    mean = _rectified(signed, rectifier).mean(2, dtype=torch.float32)
    return Pooled(_rectified(top, rectifier).float(), mean, where.int())


def _masked(values: Tensor, rectifier: str, lengths: Tensor) -> Pooled:
    """For (n, F, T) of which only the first ``lengths`` steps of each instance count."""
    steps = values.shape[2]
    lengths = lengths.clamp(0, steps)
    valid = (torch.arange(steps, device=values.device) < lengths[:, None])[:, None]
    rectified = _rectified(values.float(), rectifier)
    signed = rectified if rectifier == "abs" else values.float()
    if steps:
        where = torch.where(valid, signed, -torch.inf).argmax(2)
        maximum = torch.where(valid, rectified, -torch.inf).amax(2)
    else:
        where = values.new_zeros(values.shape[:2], dtype=torch.int64)
        maximum = values.new_full(values.shape[:2], -torch.inf, dtype=torch.float32)
    nothing = (lengths == 0)[:, None]
    maximum = torch.where(nothing, torch.nan, maximum)
    mean = torch.where(valid, rectified, 0.0).sum(2) / lengths[:, None]
    return Pooled(maximum, mean, where.int(), lengths.int())


def _array(values: Any) -> NDArray[Any] | None:
    if isinstance(values, Tensor):
        found: NDArray[Any] = values.cpu().numpy()
        return found
    return values


def valid_steps(lengths: Tensor | None, padded: int, places: tuple[int, ...]) -> Tensor | None:
    """How many of a layer's positions are valid in each instance of a padded batch, shape (n,); None if all may be.

    A layer with as many steps as the input has the input's; one with fewer (a stride, a pooling) has them in
    proportion, rounded up.

    Args:
        lengths: valid steps of the input, (n,). padded: steps of the input. places: shape of the layer's positions.
    """
    if lengths is None or len(places) != 1 or padded <= 0 or places[0] > padded:
        return None
    if places[0] == padded:
        return lengths
    return torch.ceil(lengths.to(torch.float64) * (places[0] / padded)).to(lengths.dtype)
