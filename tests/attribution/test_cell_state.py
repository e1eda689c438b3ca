"""LSTMs of which the score takes the cell state, which is no output of theirs at any step."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from analysis.subject.session import Session
from tests.attribution.conftest import N, drawn, explained, labelled, opened

METHODS = ("layer_grad_cam", "neuron_conductance", "layer_conductance")


class Reader(nn.Module):
    def __init__(self, cell: float) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.inner, self.out, self.cell = nn.LSTM(3, 8, batch_first=True), nn.Linear(8, 2), cell

    def forward(self, x: Tensor) -> Tensor:
        _, (hidden, cell) = self.inner(x)
        return self.out(hidden[-1] + (self.cell * cell[-1] if self.cell else 0))


def session(cell: float) -> Session:
    return opened(Reader(cell).eval(), labelled(drawn(N, 11, 3)), kind="series")


@pytest.mark.parametrize("name", METHODS)
def test_what_goes_by_the_cell_state_is_said(name: str) -> None:
    seen, _ = explained(session(2.0), name, params={"layer": "inner"})
    assert any("cell state of inner (LSTM)" in note for note in seen["notes"])
    alone, _ = explained(session(0.0), name, params={"layer": "inner"})
    assert not any("cell state" in note for note in alone["notes"])
