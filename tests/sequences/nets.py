"""Small recurrent networks of every form, and their states by hand: one sequence at a time, cell by cell."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

WORDS = 20
KINDS = ("RNN", "LSTM", "GRU")


def seeded(make: Any, seed: int = 0) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made: nn.Module = make().eval()
        return made


class Text(nn.Module):
    """(N, T) ids below WORDS, 0 is padding -> (N, 3). start: the states begin at h_0 = 0.3, c_0 = -0.2."""

    def __init__(
        self, kind: str, packed: bool = True, batch_first: bool = True, start: bool = False, **options: Any
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(WORDS, 6, padding_idx=0)
        self.rnn = getattr(nn, kind)(6, 5, batch_first=batch_first, **options)
        width = self.rnn.proj_size or 5
        self.head = nn.Linear(width * (1 + self.rnn.bidirectional), 3)
        self.packed, self.start = packed, start

    def first(self, n: int) -> Any:
        rnn = self.rnn
        layers = rnn.num_layers * (1 + rnn.bidirectional)
        hidden = torch.full((layers, n, rnn.proj_size or 5), 0.3)
        return (hidden, torch.full((layers, n, 5), -0.2)) if rnn.mode == "LSTM" else hidden

    def forward(self, ids: Tensor, lengths: Tensor | None = None) -> Tensor:
        lengths = (ids != 0).sum(1).clamp(min=1) if lengths is None else lengths
        x = self.embedding(ids)
        given = [self.first(len(ids))] if self.start else []
        if self.packed:
            x = x if self.rnn.batch_first else x.movedim(1, 0)
            packed = pack_padded_sequence(x, lengths.cpu(), batch_first=self.rnn.batch_first, enforce_sorted=False)
            out, _ = pad_packed_sequence(self.rnn(packed, *given)[0], batch_first=True)
        elif self.rnn.batch_first:
            out = self.rnn(x, *given)[0]
        else:
            out = self.rnn(x.movedim(1, 0), *given)[0].movedim(1, 0)
        mask = (torch.arange(out.shape[1], device=ids.device) < lengths[:, None])[..., None]
        found: Tensor = self.head((out * mask).sum(1) / mask.sum(1).clamp(min=1))
        return found


class Loop(nn.Module):
    """A cell, or a layer that gets one step at a time. (N, T) ids -> (N, 3)."""

    def __init__(self, kind: str, whole: bool = False, start: bool = False) -> None:
        super().__init__()
        self.embedding = nn.Embedding(WORDS, 6, padding_idx=0)
        self.cell = getattr(nn, kind)(6, 5, batch_first=True) if whole else getattr(nn, f"{kind}Cell")(6, 5)
        self.head, self.whole, self.start = nn.Linear(5, 3), whole, start
        self.lstm = kind == "LSTM"

    def forward(self, ids: Tensor) -> Tensor:
        x, n = self.embedding(ids), len(ids)
        shape = (1, n, 5) if self.whole else (n, 5)
        state: Any = None
        if self.start:
            state = (torch.full(shape, 0.3), torch.full(shape, -0.2)) if self.lstm else torch.full(shape, 0.3)
        for step in range(ids.shape[1]):
            state = self.cell(x[:, step : step + 1], state)[1] if self.whole else self.cell(x[:, step], state)
        hidden = state[0] if self.lstm else state
        found: Tensor = self.head(hidden[0] if self.whole else hidden)
        return found


class Series(nn.Module):
    """(N, T, channels) -> (N, 2)."""

    def __init__(self, channels: int = 2, kind: str = "GRU", units: int = 4) -> None:
        super().__init__()
        self.rnn, self.head = getattr(nn, kind)(channels, units, batch_first=True), nn.Linear(units, 2)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.head(self.rnn(x)[0][:, -1])
        return found


def one_by_one(
    rnn: nn.RNNBase, x: Tensor, level: int, hidden: float = 0.0, cell: float = 0.0
) -> tuple[Tensor, Tensor | None]:
    """States (T, U) of one sequence x (T, inputs) at one depth, hidden and cell: gates written out, step by step."""
    width, given = rnn.proj_size or rnn.hidden_size, x
    cells = None
    for layer in range(level + 1):
        halves, kept = [], []
        for suffix in ("", "_reverse")[: 1 + rnn.bidirectional]:
            h, c = torch.full((width,), hidden), torch.full((rnn.hidden_size,), cell)
            line, memory = [], []
            for step in given.flip(0) if suffix else given:
                h, c = _step(rnn, f"_l{layer}{suffix}", step, h, c)
                line.append(h)
                memory.append(c)
            halves.append(torch.stack(line[::-1] if suffix else line))
            kept.append(torch.stack(memory[::-1] if suffix else memory))
        given, cells = torch.cat(halves, 1), torch.cat(kept, 1)
    return given, cells if rnn.mode == "LSTM" else None


def _step(rnn: nn.RNNBase, name: str, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    def weight(base: str) -> Tensor:
        found: Tensor = getattr(rnn, base + name)
        return found

    own = weight("weight_ih") @ x + weight("bias_ih")
    back = weight("weight_hh") @ h + weight("bias_hh")
    if rnn.mode == "GRU":
        reset, update, new = own.chunk(3)
        r, z, n = back.chunk(3)
        reset, update = (reset + r).sigmoid(), (update + z).sigmoid()
        return (1 - update) * (new + reset * n).tanh() + update * h, c
    if rnn.mode != "LSTM":
        return (own + back).tanh() if rnn.mode == "RNN_TANH" else (own + back).relu(), c
    taken, forgotten, new, out = (own + back).chunk(4)
    c = forgotten.sigmoid() * c + taken.sigmoid() * new.tanh()
    h = out.sigmoid() * c.tanh()
    return (weight("weight_hr") @ h if rnn.proj_size else h), c
