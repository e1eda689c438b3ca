"""Which filters respond to the same patches: phi = sum of minima / sum of maxima (DeepEyes, VIS 2017).

phi_ij = sum_p min(f_i, f_j) / sum_p max(f_i, f_j), with sums that decay from record to record. The sum of minima comes
from the L1 distance d = sum |f_i - f_j|, as min = (a + b - |a - b|) / 2 and max = a + b - min. Two filters that were
both always 0 have no phi.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

EXACT_UP_TO = 512  # filters; beyond, all pairs cost more time and memory than a training step has to spare
_ROWS = 1024  # patches whose float32 distances are summed before they are added up in float64
_ELEMENTS = 1 << 22  # elements of one temporary block
_FEW = 16  # neighbours found one by one
_RANKED = 512  # patches that candidates are ranked by


class Similarity(Protocol):
    """Accumulates phi over records."""

    def update(self, patches: Tensor) -> None:
        """Take in the non-negative, finite activations of one record, shape (P, F)."""

    def nearest(self) -> tuple[Tensor, Tensor]:
        """The k most similar filters of each and their phi, descending: int64 and float64, shape (F, k); -1 / NaN."""


def similarity(filters: int, neighbours: int, decay: float, exact_up_to: int = EXACT_UP_TO) -> Similarity:
    """All pairs of a layer with few filters, tracked candidates of one with many.

    Args:
        filters: F. neighbours: k asked for; at most F - 1 are kept. decay: weight of the past, per record, in (0, 1].
    """
    kept = max(min(neighbours, filters - 1), 0)
    return AllPairs(filters, kept, decay) if filters <= exact_up_to else TrackedPairs(filters, kept, decay)


def distances(patches: Tensor) -> Tensor:
    """L1 distance of every pair of filters over patches of shape (P, F): float64, condensed, shape (F * (F-1) / 2,)."""
    filters = patches.shape[1]
    total = torch.zeros(filters * (filters - 1) // 2, dtype=torch.float64)
    for block in patches.split(_ROWS):
        total += torch.pdist(block.T.contiguous(), p=1.0)
    return total


def phi(total: Tensor, distance: Tensor) -> Tensor:
    """Similarity from sum(f_i) + sum(f_j) and sum |f_i - f_j|; NaN where both filters are 0 throughout."""
    distance = torch.minimum(distance, total)  # rounding must not make a similarity negative
    return (total - distance) / (total + distance)


class AllPairs:
    """phi of every pair: F * (F - 1) / 2 decayed sums."""

    def __init__(self, filters: int, kept: int, decay: float) -> None:
        self._filters, self._kept, self._decay = filters, kept, decay
        self._first, self._second = torch.triu_indices(filters, filters, offset=1).contiguous()
        places = torch.zeros(filters, filters, dtype=torch.int32)  # of each pair among the sums
        places[self._first, self._second] = torch.arange(len(self._first), dtype=torch.int32)
        self._places = (places + places.T).flatten()
        self._mass = torch.zeros(filters, dtype=torch.float64)
        self._distance = torch.zeros(len(self._first), dtype=torch.float64)

    def update(self, patches: Tensor) -> None:
        """See Similarity."""
        self._mass.mul_(self._decay).add_(patches.sum(dim=0, dtype=torch.float64))
        self._distance.mul_(self._decay).add_(distances(patches))

    def matrix(self) -> Tensor:
        """phi of every pair, float64, shape (F, F), with -1 on the diagonal and where phi is undefined."""
        return self._matrix(torch.float64)

    def _matrix(self, dtype: torch.dtype) -> Tensor:
        if self._filters < 2:
            return torch.full((self._filters, self._filters), -1.0, dtype=dtype)
        total = self._mass.index_select(0, self._first) + self._mass.index_select(0, self._second)
        values = phi(total, self._distance).nan_to_num_(nan=-1.0)
        full = values.to(dtype).index_select(0, self._places).view(self._filters, self._filters)
        return full.fill_diagonal_(-1.0)

    def nearest(self) -> tuple[Tensor, Tensor]:
        """See Similarity."""
        return _padded(*_largest(self._matrix(torch.float32), self._kept))


class TrackedPairs:
    """phi of a few pairs a filter: the most similar so far, and challengers with the highest cosine in this record.

    Sums of a pair start when it is first tracked, so phi of a new pair speaks only of the records since.
    """

    def __init__(self, filters: int, kept: int, decay: float) -> None:
        self._kept, self._decay = kept, decay
        slots = min(2 * kept, filters - 1)
        self._partners = torch.full((filters, slots), -1, dtype=torch.int64)
        self._total = torch.zeros(filters, slots, dtype=torch.float64)
        self._distance = torch.zeros(filters, slots, dtype=torch.float64)

    def update(self, patches: Tensor) -> None:
        """See Similarity."""
        if self._kept == 0:
            return
        self._choose(patches)
        mass = patches.sum(dim=0, dtype=torch.float64)
        self._total.mul_(self._decay).add_(mass[:, None] + mass[self._partners])
        self._distance.mul_(self._decay).add_(_pair_distances(patches, self._partners))

    def _choose(self, patches: Tensor) -> None:
        """Keep the best pairs so far; give the other slots to this record's candidates, with sums of 0."""
        slots = self._partners.shape[1]
        values = phi(self._total, self._distance).nan_to_num_(nan=-1.0)
        candidates = cosine_candidates(patches, slots)
        same = candidates[:, :, None] == self._partners[:, None, :]
        # Rank: the k best by phi (2 + phi), then candidates by cosine (1 .. 2), then what else there is.
        challenge = 1.0 + torch.linspace(1.0, 0.0, slots, dtype=torch.float64)
        best = values.argsort(dim=1, descending=True, stable=True).argsort(dim=1) < self._kept
        safe = best & (values >= 0)
        tracked_rank = torch.where(safe, 3.0 + values, values)
        tracked_rank = torch.maximum(tracked_rank, (same * challenge[None, :, None]).amax(dim=1))
        tracked_rank[self._partners < 0] = -2.0
        fresh_rank = torch.where(same.any(dim=2), -3.0, challenge.expand(len(candidates), slots))
        order = torch.cat([tracked_rank, fresh_rank], dim=1).topk(slots, dim=1).indices
        nothing = torch.zeros_like(self._total)
        self._partners = torch.cat([self._partners, candidates], dim=1).gather(1, order)
        self._total = torch.cat([self._total, nothing], dim=1).gather(1, order)
        self._distance = torch.cat([self._distance, nothing], dim=1).gather(1, order)

    def nearest(self) -> tuple[Tensor, Tensor]:
        """See Similarity."""
        values, places = phi(self._total, self._distance).nan_to_num_(nan=-1.0).topk(self._kept, dim=1)
        indices = self._partners.gather(1, places) if self._kept else places
        return _padded(values, indices)


def cosine_candidates(patches: Tensor, count: int) -> Tensor:
    """Filters with the highest cosine to each, over at most 512 evenly spaced patches: int64, shape (F, count)."""
    stride = max(1, -(-patches.shape[0] // _RANKED))
    columns = torch.nn.functional.normalize(patches[::stride].T.float(), dim=1)
    filters = columns.shape[0]
    found = []
    rows = max(1, _ELEMENTS // filters)
    for start in range(0, filters, rows):
        block = columns[start : start + rows] @ columns.T
        own = torch.arange(len(block))
        block[own, own + start] = -torch.inf
        found.append(block.topk(count, dim=1).indices)
    return torch.cat(found)


def _pair_distances(patches: Tensor, partners: Tensor) -> Tensor:
    """sum |f_i - f_j| of the pairs (i, partners[i, c]): float64, shape of partners, in blocks of bounded memory."""
    columns = patches.T.contiguous()
    result = torch.empty(partners.shape, dtype=torch.float64)
    rows = max(1, _ELEMENTS // max(1, partners.shape[1] * columns.shape[1]))
    for start in range(0, len(partners), rows):
        block = columns[partners[start : start + rows]].sub_(columns[start : start + rows, None])
        result[start : start + rows] = block.abs_().sum(dim=2, dtype=torch.float64)
    return result


def _largest(values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The ``count`` largest of each row, descending, as float64, and where they are; ``values`` is overwritten."""
    if count > _FEW:
        found, places = values.topk(count, dim=1)
        return found.double(), places
    # Going over the rows once for each is several times quicker than topk.
    array, rows = values.numpy(), np.arange(len(values))
    columns, highest = np.zeros((len(array), count), np.int64), np.zeros((len(array), count))
    for n in range(count):
        columns[:, n] = best = array.argmax(axis=1)
        highest[:, n] = array[rows, best]
        array[rows, best] = -np.inf
    return torch.from_numpy(highest), torch.from_numpy(columns)


def _padded(values: Tensor, indices: Tensor) -> tuple[Tensor, Tensor]:
    """Replace undefined neighbours, marked by a negative phi, by -1 / NaN."""
    undefined = values < 0
    return indices.masked_fill(undefined, -1), values.masked_fill(undefined, torch.nan)
