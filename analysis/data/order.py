"""Whether collation keeps the order of its items: otherwise instances would get the numbers of others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from analysis.data import seeds
from analysis.data.errors import SubjectError

_REMEDY = "Let it keep the order; to pack sequences in the model's forward, pass enforce_sorted=False."


def check_order(collated: Callable[[Sequence[Any]], Tensor], items: Sequence[Any]) -> None:
    """Compare what becomes of items with what becomes of them in the opposite order.

    Args:
        collated: from items to the inputs of their batch, (n, ...). What it draws at random is fixed here.

    Raises:
        SubjectError: the same rows come in another order than that of the items.
    """
    try:
        seeds.seed(0)
        there = _rows(collated(items))
        seeds.seed(0)
        back = _rows(collated(items[::-1]))
    except Exception:  # it takes these items in one order only, or yields what has no rows: told elsewhere
        return
    # Rows that are not among the others were changed at random, by noise or by mixing.
    if back != there[::-1] and sorted(back) == sorted(there):
        raise SubjectError("collate_fn changes the order of instances.", _REMEDY)


def _rows(inputs: Tensor) -> list[bytes]:
    return [row.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes() for row in inputs]
