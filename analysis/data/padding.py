"""Lengths of padded sequences: where data say them, and telling them to a model that asks."""

from __future__ import annotations

import torch
from torch import Tensor

from analysis.data.batch import Batch
from analysis.data.collate import valid_lengths
from analysis.data.unpack import LENGTHS, MASK, Signature


def told_lengths(made: Batch, pad_id: int | None) -> Tensor | None:
    """Lengths (n,) that a batch itself gives: lengths, a mask, or trailing padding ids; None if it gives none."""
    for name in LENGTHS:
        if name in made.kwargs and made.kwargs[name].dim() == 1:
            told: Tensor = made.kwargs[name].long()
            return told
    if MASK in made.kwargs:
        return valid_lengths(made.kwargs[MASK])
    ids = made.principal
    if pad_id is None or ids.dim() != 2 or ids.is_floating_point():
        return None
    last = torch.where(ids != pad_id, torch.arange(1, ids.shape[1] + 1), 0).amax(1)
    return last.clamp(min=1) if bool((last < ids.shape[1]).any()) else None


def tell_model(made: Batch, lengths: Tensor | None, signature: Signature, axis: int) -> None:
    """Add a mask or lengths for a model whose ``forward`` takes them by name, where the data hold none.

    axis: of the batch, along which its steps lie.
    """
    if made.principal.dim() < 2:
        return
    steps = made.principal.shape[axis]
    for name in (MASK, *LENGTHS):
        given = name in made.kwargs or (name in LENGTHS and any(each in made.kwargs for each in LENGTHS))
        # A model that does without is not bothered where nothing is padded.
        if name not in signature.names or given or (lengths is None and name not in signature.required[1:]):
            continue
        known = lengths if lengths is not None else torch.full((len(made),), steps)
        made.kwargs[name] = (torch.arange(steps) < known[:, None]).long() if name == MASK else known


def is_told(signature: Signature) -> bool:
    """Whether the model's ``forward`` takes a mask or lengths by a name known here."""
    return any(name in signature.names for name in (MASK, *LENGTHS))
