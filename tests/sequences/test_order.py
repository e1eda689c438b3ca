"""Loops over steps that begin at the end are refused; others are read as before."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from analysis.sequences import states
from analysis.sequences.faults import SequenceError
from tests.sequences.conftest import TOKENS, labelled, opened, texts
from tests.sequences.nets import Loop, seeded


class Backwards(nn.Module):
    def __init__(self, series: bool = False) -> None:
        super().__init__()
        self.embedding = nn.Linear(2, 6) if series else nn.Embedding(20, 6, padding_idx=0)
        self.cell, self.head = nn.GRUCell(6, 5), nn.Linear(5, 3)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embedding(ids)
        state = x.new_zeros(len(ids), 5)
        for step in reversed(range(ids.shape[1])):
            state = self.cell(x[:, step], state)
        found: Tensor = self.head(state)
        return found


def test_a_cell_that_begins_at_the_last_step_is_refused() -> None:
    session = opened(seeded(Backwards), labelled(texts()), decode=TOKENS)
    with pytest.raises(SequenceError, match="from the last to the first"):
        states.of_batch(session, session.batch(range(6)), states.source_of(session, "cell"))
    session = opened(seeded(lambda: Backwards(True)), labelled(torch.randn(6, 9, 2)), kind="series")
    with pytest.raises(SequenceError, match="from the last to the first"):
        states.of_batch(session, session.batch(range(6)), states.source_of(session, "cell"))


@pytest.mark.parametrize("whole", [False, True])
def test_a_cell_that_begins_at_the_first_step_is_read(whole: bool) -> None:
    session = opened(seeded(lambda: Loop("LSTM", whole=whole)), labelled(texts()), decode=TOKENS)
    chunk = states.of_batch(session, session.batch(range(6)), states.source_of(session, "cell"))
    assert chunk.states.shape == (6, 9, 5)
