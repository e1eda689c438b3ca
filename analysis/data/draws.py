"""Whether a data set yields the same instance at every reading."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from analysis.data import seeds
from analysis.data.errors import SubjectError, Unreadable
from analysis.data.source import Source
from analysis.data.tensors import as_tensor, is_tensorlike
from analysis.data.unpack import unpack


def draws(source: Source, index: int) -> str:
    """'fixed' if an instance is the same at every reading; 'seeded' if it depends on random numbers, which are fixed
    here; 'random' if it depends on something else; 'unreadable'."""
    with seeds.random_states_kept():
        try:
            first, again, other = (_tensors(source.read(index, draw)) for draw in (0, 0, 1))
        except (Unreadable, SubjectError):
            return "unreadable"
    if not _same(first, again):
        return "random"
    return "fixed" if _same(first, other) else "seeded"


def _tensors(item: Any) -> list[Tensor]:
    parts = unpack(item)
    return [as_tensor(value).clone() for value in (*parts.inputs, *parts.named.values()) if is_tensorlike(value)]


def _same(left: list[Tensor], right: list[Tensor]) -> bool:
    pairs = list(zip(left, right, strict=False))
    return len(left) == len(right) and all(
        a.shape == b.shape and torch.equal(torch.nan_to_num(a), torch.nan_to_num(b)) for a, b in pairs
    )
