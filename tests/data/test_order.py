"""A collate_fn that sorts its items gives instances the numbers of others: it is refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from analysis.data.errors import SubjectError
from analysis.data.instances import Instances
from analysis.data.labels import Labeller
from analysis.data.source import open_source

SERIES = [(torch.full((3 + i % 4,), float(i)), i % 2) for i in range(8)]


def padded(items: list[Any]) -> tuple[torch.Tensor, torch.Tensor]:
    return nn.utils.rnn.pad_sequence([x for x, _ in items], batch_first=True), torch.tensor([y for _, y in items])


def by_length(items: list[Any]) -> tuple[torch.Tensor, torch.Tensor]:
    return padded(sorted(items, key=lambda item: -len(item[0])))


def noisy(items: list[Any]) -> tuple[torch.Tensor, torch.Tensor]:
    x, y = padded(items)
    return x + torch.rand_like(x), y


def learnt(collate_fn: Any, data: Any = None) -> Instances:
    found = Instances(
        open_source(data or SERIES), nn.Linear(2, 2), collate_fn=collate_fn, forward_func=None, labeller=Labeller(None)
    )
    found.learn()
    return found


def test_sorting_is_refused_with_a_remedy() -> None:
    with pytest.raises(SubjectError, match="changes the order") as caught:
        learnt(by_length)
    assert "enforce_sorted=False" in caught.value.remedy


@pytest.mark.parametrize("function", [padded, noisy])
def test_padding_and_noise_are_not(function: Any) -> None:
    assert learnt(function).batch([5, 2]).indices.tolist() == [5, 2]


def test_equal_items_have_no_order() -> None:
    assert len(learnt(by_length, [(torch.ones(3), 0)] * 4).batch([0, 1])) == 2
