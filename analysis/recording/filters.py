"""How strongly and how often each filter responds, and since when it has not (DeepEyes, VIS 2017)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Responses(NamedTuple):
    """Per filter, shape (F,) each, float32 or wider; NaN when there is no patch.

    mean: mean activation. frequency: share of patches with f > beta * maximum. active_share: share with f > 0.
    """

    mean: Tensor
    frequency: Tensor
    active_share: Tensor


def responses(patches: Tensor, maximum: Tensor, beta: float) -> Responses:
    """Mean activation and shares of patches each filter responds to (DeepEyes, section 5.2).

    Args:
        patches: non-negative, finite activations, shape (P, F).
        maximum: largest activation of each filter over the record, shape (F,); NaN counts as never exceeded.
        beta: share of the maximum above which a filter counts as responding, in [0, 1].
    """
    count = patches.shape[0]
    if count == 0:
        undefined = patches.new_full((patches.shape[1],), torch.nan)
        return Responses(undefined, undefined.clone(), undefined.clone())
    return Responses(
        patches.sum(dim=0, dtype=torch.float64) / count,
        _share_above(patches, beta * maximum.to(patches.dtype)),
        _share_above(patches, patches.new_zeros(())),
    )


def _share_above(patches: Tensor, limit: Tensor) -> Tensor:
    # Ones and zeros as floats are made and added several times faster than truth values, exactly up to 2^24 patches.
    return torch.gt(patches, limit, out=torch.empty_like(patches)).sum(dim=0) / patches.shape[0]


class Staleness:
    """Steps since each filter last exceeded theta * peak, its largest activation so far (DeepEyes, section 5.2)."""

    def __init__(self, filters: int, theta: float) -> None:
        """Args: filters: F. theta: share of the peak, in [0, 1]."""
        self.theta = theta
        self.peak = torch.zeros(filters, dtype=torch.float64)
        self._last = torch.full((filters,), -1, dtype=torch.int64)

    def update(self, maximum: Tensor, step: int) -> Tensor:
        """Take in a record's maxima, shape (F,), NaN where undefined.

        Returns:
            Steps since each filter last exceeded its threshold (0: at this step), int64, shape (F,); -1 if it never
            was active.
        """
        self.peak = torch.fmax(self.peak, maximum.to(torch.float64))
        self._last[maximum > self.theta * self.peak] = step
        # A run resumed from an earlier step may lie before the last response.
        return torch.where(self._last < 0, -1, (step - self._last).clamp_min(0))
