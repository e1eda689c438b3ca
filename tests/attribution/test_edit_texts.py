"""Edits that change a text's length, beside inputs of which it cannot be told whether they belong to it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from analysis.attribution import edits
from analysis.errors import ParameterError
from analysis.subject.session import Session
from tests.attribution.conftest import WORDS, ids, opened

INSERT, DELETE = {"op": "insert", "at": 1, "token": "w7"}, {"op": "delete", "at": 0}


class Pair(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second, self.out = nn.Embedding(20, 6), nn.Embedding(20, 6), nn.Linear(12, 2)

    def forward(self, input_ids: Tensor, other: Tensor) -> Tensor:
        return self.out(torch.cat([self.first(input_ids).mean(1), self.second(other).mean(1)], 1))


def pair(other: Tensor) -> Session:
    data = [({"input_ids": one, "other": other}, number % 2) for number, one in enumerate(ids((5,) * 6))]
    return opened(Pair().eval(), data, kind="text", decode=WORDS, embedding_layer="first")


@pytest.mark.parametrize("edit", [INSERT, DELETE])
def test_a_second_text_of_the_same_length_is_a_reason_not_to_change_the_length(edit: dict[str, object]) -> None:
    session = pair(torch.tensor([3, 1, 4, 1, 5]))
    with pytest.raises(ParameterError, match=r"'other' is as long as the text, 5, and it cannot be told"):
        edits.applied(session, session.batch([0]), edits.read([edit]))
    replaced = edits.applied(session, session.batch([0]), edits.read([{"op": "replace", "at": 0, "token": "w7"}]))
    assert replaced.kwargs["other"].tolist() == [[3, 1, 4, 1, 5]]


def test_one_of_another_length_stays_and_what_looks_like_a_mask_follows() -> None:
    session = pair(torch.tensor([3, 1, 4]))
    longer = edits.applied(session, session.batch([0]), edits.read([INSERT]))
    assert (longer.principal.shape, longer.kwargs["other"].tolist()) == ((1, 6), [[3, 1, 4]])
    session = pair(torch.tensor([1, 0, 1, 0, 0]))
    shorter = edits.applied(session, session.batch([0]), edits.read([DELETE]))
    assert shorter.kwargs["other"].tolist() == [[0, 1, 0, 0]]
