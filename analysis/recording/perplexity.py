"""How specific the patterns are that a layer detects: perplexity of the activations on a patch (DeepEyes, VIS 2017)."""

from __future__ import annotations

import torch
from torch import Tensor


def perplexity(patches: Tensor) -> Tensor:
    """Perplexity of each patch: how many filters share its activation.

    With p the patch's activations over their sum, PP = 2^(-sum p log2 p) (DeepEyes, section 5.1).

    Args:
        patches: non-negative, finite activations, shape (P, F).

    Returns:
        Shape (P,), between 1 and F; NaN where every filter is 0.
    """
    if patches.shape[1] == 0:
        return patches.new_full((patches.shape[0],), torch.nan)
    # Dividing by the row's largest value first keeps the sum from overflowing or vanishing at any scale.
    scaled = patches / patches.amax(dim=1, keepdim=True)
    total = scaled.sum(dim=1)
    # A zero adds nothing, and its logarithm must be finite for that; quicker than xlogy.
    logarithms = scaled.clamp_min(torch.finfo(scaled.dtype).tiny).log_()
    # With p = v / total: -sum p ln p = ln(total) - sum(v ln v) / total.
    entropy = total.log() - logarithms.mul_(scaled).sum(dim=1) / total
    return entropy.exp().clamp(1.0, float(patches.shape[1]))


def histogram(perplexities: Tensor, edges: Tensor) -> Tensor:
    """Patches per bin; a value on an inner edge belongs to the bin on its right, the last edge to the last bin.

    Args:
        perplexities: shape (P,), NaN for silent patches, which are not counted.
        edges: ascending bin edges, shape (B + 1,).

    Returns:
        Counts, int64, shape (B,).
    """
    bins = edges.shape[0] - 1
    defined = perplexities[~perplexities.isnan()].to(edges.dtype)
    places = torch.bucketize(defined, edges[1:-1].contiguous(), right=True)
    return torch.bincount(places, minlength=bins)
