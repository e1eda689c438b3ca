"""Floating-point operations against formulas by hand, and against torch's own counter where that counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence
from torch.utils.flop_counter import FlopCounterMode

from analysis.models.graph_trace import Trace

N, T, E, H = 3, 7, 6, 5


def counted(model: nn.Module, *inputs: Any) -> int:
    """Operations of one pass, as the graph counts them."""
    trace = Trace(model.eval())
    with torch.no_grad(), trace:
        model(*inputs)
    return sum(node.flops or 0 for node in trace.notes.nodes.values())


def by_torch(model: nn.Module, *inputs: Any) -> int:
    with torch.no_grad(), FlopCounterMode(display=False) as mode:
        model.eval()(*inputs)
    return mode.get_total_flops()


class Call(nn.Module):
    """A function as a model."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function, self.held = function, nn.Identity()

    def forward(self, *inputs: Any) -> Any:
        return self.function(*inputs)


def recurrent(kind: str, depth: int = 1, both: bool = False) -> int:
    """Of one step: gates x units x (inputs + units), for each depth and direction."""
    gates, directions = {"RNN": 1, "GRU": 3, "LSTM": 4}[kind], 1 + both
    return sum(2 * directions * gates * H * ((E if d == 0 else H * directions) + H) for d in range(depth))


IMAGE, STEPS = torch.randn(N, 4, 8, 8), torch.randn(N, T, E)
ATTENTION = 2 * N * T * E * (3 * E) + 2 * 2 * N * T * T * E + 2 * N * T * E * E  # projections, two products, output
HAND: dict[str, tuple[nn.Module, tuple[Any, ...], int]] = {
    "linear": (nn.Linear(E, H), (STEPS,), 2 * N * T * E * H),
    "convolution": (nn.Conv2d(4, 6, 3, 2, 1), (IMAGE,), 2 * N * 6 * 4 * 4 * 4 * 9),
    "grouped": (nn.Conv2d(4, 8, 3, groups=4), (IMAGE,), 2 * N * 8 * 6 * 6 * 9),
    "transposed": (nn.ConvTranspose2d(4, 2, 2, 2), (IMAGE,), 2 * N * 8 * 8 * 4 * 2 * 4),
    "convolution of steps": (nn.Conv1d(T, 2, 3), (STEPS,), 2 * N * 2 * (E - 2) * T * 3),
    "LSTM": (nn.LSTM(E, H, batch_first=True), (STEPS,), N * T * recurrent("LSTM")),
    "deep LSTM, both ways": (
        nn.LSTM(E, H, 2, batch_first=True, bidirectional=True),
        (STEPS,),
        N * T * recurrent("LSTM", 2, True),
    ),
    "GRU": (nn.GRU(E, H, 2, batch_first=True), (STEPS,), N * T * recurrent("GRU", 2)),
    "RNN": (nn.RNN(E, H, batch_first=True, bidirectional=True), (STEPS,), N * T * recurrent("RNN", 1, True)),
    "attention": (nn.MultiheadAttention(E, 2, batch_first=True), (STEPS, STEPS, STEPS), ATTENTION),
    "fused attention": (
        Call(F.scaled_dot_product_attention),
        (STEPS[:, None], STEPS[:, None], STEPS[:, None]),
        2 * 2 * N * T * T * E,
    ),
    "matrix by vector": (Call(torch.mv), (torch.randn(H, E), torch.randn(E)), 2 * H * E),
    "dot product": (Call(torch.dot), (torch.randn(E), torch.randn(E)), 2 * E),
    "einsum": (Call(lambda x: torch.einsum("nte,nse->nts", x, x)), (STEPS,), 2 * N * T * T * E),
    "matrices, summed": (
        Call(lambda x: torch.addbmm(torch.zeros(T, T), x, x.transpose(1, 2))),
        (STEPS,),
        2 * N * T * T * E,
    ),
    "bilinear": (nn.Bilinear(E, E, 2), (STEPS[:, 0], STEPS[:, 1]), 4 * N * 2 * E * E),
    "nothing to multiply": (nn.Sequential(nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2)), (IMAGE,), 0),
    "embedding": (nn.Embedding(9, E), (torch.randint(9, (N, T)),), 0),
}
UNCOUNTED = ("LSTM", "attention", "deep LSTM, both ways", "fused attention", "matrix by vector", "dot product")
UNCOUNTED += (
    "matrices, summed",
    "bilinear",
)  # by torch, on a CPU; attention it counts where it is not fused


@pytest.mark.parametrize("name", HAND)
def test_operations_are_those_of_a_count_by_hand(name: str) -> None:
    model, inputs, expected = HAND[name]
    assert counted(model, *inputs) == expected
    if name not in UNCOUNTED:
        assert by_torch(model, *inputs) == expected


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_a_packed_sequence_costs_what_its_steps_cost(kind: str) -> None:
    layer, lengths = getattr(nn, kind)(E, H, 2, batch_first=True, bidirectional=True), torch.tensor([7, 4, 2])
    packed = pack_padded_sequence(STEPS, lengths, batch_first=True)
    assert counted(layer, packed) == int(lengths.sum()) * recurrent(kind, 2, True)


def test_operations_are_counted_where_gradients_are_switched_off_for_good() -> None:
    class Inferring(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(E, H)

        def forward(self, x: Tensor) -> Tensor:
            with torch.inference_mode():
                return self.fc(x)

    assert counted(Inferring(), STEPS) == 2 * N * T * E * H
