"""Tasks that need a memory, and small networks that learn them in seconds."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn

SYMBOLS, NOISE, LENGTH = 4, 8, 8  # ids 1..4 are to be recalled, 5..12 are noise; 0 is padding


def recall(count: int, seed: int, length: int = LENGTH) -> tuple[Tensor, Tensor]:
    """A symbol, then noise: ids (count, length), and which symbol it was, (count,): to be copied at the end."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % SYMBOLS
    ids = torch.randint(1 + SYMBOLS, 1 + SYMBOLS + NOISE, (count, length), generator=generator)
    ids[:, 0] = 1 + labels
    return ids, labels


class Recaller(nn.Module):
    """(n, steps) ids -> (n, 4), from the last state. kind: 'LSTM', 'GRU' or 'RNN'."""

    def __init__(self, kind: str, units: int = 16) -> None:
        super().__init__()
        self.embedding = nn.Embedding(1 + SYMBOLS + NOISE, 8, padding_idx=0)
        self.rnn = getattr(nn, kind)(8, units, batch_first=True)
        self.fc = nn.Linear(units, SYMBOLS)

    def forward(self, ids: Tensor) -> Tensor:
        found: Tensor = self.fc(self.rnn(self.embedding(ids))[0][:, -1])
        return found


@cache
def trained(kind: str, steps: int = 300, length: int = LENGTH) -> Recaller:
    """A network that has learnt to recall, or has tried to. Always the same."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = Recaller(kind)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.02)
    for step in range(steps):
        ids, labels = recall(64, seed=1000 + step, length=length)
        loss = nn.functional.cross_entropy(model(ids), labels)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
    return model.eval()


@torch.no_grad()
def accuracy(model: nn.Module, ids: Tensor, labels: Tensor) -> float:
    """Share of correct answers."""
    return (model(ids).argmax(1) == labels).float().mean().item()
