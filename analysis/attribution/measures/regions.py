"""Regions of an instance that measures add and take away: blocks of pixels, spans of channels, tokens, columns.

Single pixels of a large picture, taken away, leave noise of a kind that the model never met; blocks do so less (Samek
et al., 'Evaluating the Visualization of What a Deep Neural Network Has Learned', IEEE TNNLS 2017, section III).
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from analysis.attribution.case import Case

SIDE = 14  # blocks along each side of a picture, at most
SPANS = 256  # cells of a series, channels x spans, about


class Regions:
    """The regions of the first instance of a case.

    Attributes: labels: which region each number of the input belongs to, int64 (*inputs.shape[1:]), -1 for padding.
    count: how many there are. name: what one is called.
    """

    def __init__(self, case: Case) -> None:
        shape = tuple(case.inputs.shape[1:])
        places = tuple(axis - 1 for axis in case.places)
        if case.kind == "image" and len(places) == 2:
            labels, self.name = _blocks(shape, places), "blocks of pixels"
        elif case.kind == "series" and len(places) == 1:
            labels, self.name = _spans(shape, places[0], _steps(case)), "spans of a channel"
        elif case.kind == "text" and len(places) == 1:
            labels, self.name = _along(shape, places[0]), "tokens"
        else:
            labels, self.name = np.arange(int(np.prod(shape)), dtype=np.int64).reshape(shape), "columns"
        valid = case.valid()[:1].expand(1, *shape)[0].cpu().numpy()
        labels = np.where(valid, labels, -1)
        kept, inverse = np.unique(labels, return_inverse=True)
        inverse = inverse.reshape(shape) - int(len(kept) > 0 and kept[0] == -1)
        self.labels = torch.from_numpy(inverse.astype(np.int64)).to(case.inputs.device)
        self.count = int(inverse.max(initial=-1)) + 1

    def sums(self, values: Tensor) -> NDArray[np.float64]:
        """Sum of values (*inputs.shape[1:]) within each region, (count,)."""
        flat, labels = values.detach().double().cpu().flatten().numpy(), self.labels.cpu().flatten().numpy()
        inside = labels >= 0
        return np.bincount(labels[inside], weights=flat[inside], minlength=self.count).astype(np.float64)

    def mask(self, chosen: Tensor) -> Tensor:
        """Which numbers of the input lie in chosen regions. chosen: bool (r, count). Returns (r, *inputs.shape[1:])."""
        found: Tensor = chosen.to(self.labels.device)[:, self.labels.clamp(min=0)]
        return found & (self.labels >= 0)


def _steps(case: Case) -> int:
    """Valid steps of the first instance."""
    return int(case.lengths[0]) if case.lengths is not None else int(case.inputs.shape[case.places[0]])


def _along(shape: tuple[int, ...], axis: int) -> NDArray[np.int64]:
    """The position along an axis."""
    line = np.arange(shape[axis], dtype=np.int64).reshape([-1 if at == axis else 1 for at in range(len(shape))])
    return np.broadcast_to(line, shape)


def _blocks(shape: tuple[int, ...], places: tuple[int, ...]) -> NDArray[np.int64]:
    side = -(-max(shape[place] for place in places) // SIDE)
    down, across = (_along(shape, place) // side for place in places)
    return np.asarray(down * (int(across.max()) + 1) + across)


def _spans(shape: tuple[int, ...], axis: int, steps: int) -> NDArray[np.int64]:
    channels = int(np.prod(shape)) // shape[axis]
    bins = min(steps, max(8, SPANS // channels))
    span = _along(shape, axis) // -(-steps // bins)
    ids = np.moveaxis(np.zeros(shape, np.int64), axis, -1)
    ids += np.arange(channels).reshape(*ids.shape[:-1], 1)
    return np.asarray(np.moveaxis(ids, -1, axis) * (int(span.max()) + 1) + span)
