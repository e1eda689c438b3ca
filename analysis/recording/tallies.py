"""Which labels a filter responds to: t_i[label] += f_i(p), decayed from record to record (DeepEyes, VIS 2017)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

SHOWN = 10  # labels kept of each filter


class Tally(NamedTuple):
    """Labels with the largest tallies. F filters, m = min(10, labels seen).

    labels: int64, shape (F, m), -1 where there is none. tallies: float64, shape (F, m), 0 likewise; total: sum over
    all labels, shape (F,); perplexity: 2^entropy of the tally over labels, shape (F,), NaN where the total is 0.
    """

    labels: Tensor
    tallies: Tensor
    total: Tensor
    perplexity: Tensor


class Tallies:
    """Accumulates activation by label. Labels are any non-negative integers; a column is added as one appears."""

    def __init__(self, filters: int, decay: float) -> None:
        """Args: filters: F. decay: weight of the past, per record, in (0, 1]."""
        self._decay = decay
        self._labels = torch.zeros(0, dtype=torch.int64)  # ascending
        self._sums = torch.zeros(0, filters, dtype=torch.float64)  # one row a label, so that a row is added at once

    def update(self, patches: Tensor, labels: Tensor) -> None:
        """Take in non-negative, finite activations, shape (P, F), and labels, shape (P,); negative ones are unknown."""
        self._sums.mul_(self._decay)
        known = labels >= 0
        if not bool(known.all()):
            patches, labels = patches[known], labels[known]
        seen = torch.unique(labels)
        if not bool(torch.isin(seen, self._labels).all()):
            self._admit(seen)
        rows = torch.searchsorted(self._labels, labels)
        self._sums.index_add_(0, rows, patches.to(torch.float64))

    def _admit(self, seen: Tensor) -> None:
        labels = torch.unique(torch.cat([self._labels, seen]))
        sums = torch.zeros(len(labels), self._sums.shape[1], dtype=torch.float64)
        sums[torch.searchsorted(labels, self._labels)] = self._sums
        self._labels, self._sums = labels, sums

    def top(self) -> Tally:
        """The tallies as they stand."""
        shown = min(SHOWN, len(self._labels))
        total = self._sums.sum(dim=0)
        values, places = self._sums.topk(shown, dim=0)
        none = values <= 0
        labels = self._labels[places].masked_fill(none, -1)
        share = self._sums / total
        perplexity = (-torch.xlogy(share, share).sum(dim=0)).exp()
        perplexity[total <= 0] = torch.nan
        return Tally(labels.T, values.T, total, perplexity)
