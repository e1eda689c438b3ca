"""Logs of a valve. It is open if the last 'open' was not yet followed by a 'close'; one unit of twelve remembers it.

The weights are set by hand: no training. The eleven other units come and go with the words, and count for nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from analysis import Subject

OPEN, CLOSE, PADDING = "open", "close", 0
UNIT = 7  # the one that remembers: about 0.76 from OPEN to CLOSE, else about 0
CUE = UNIT
CLASSES = ["shut", "open at the end"]
OTHERS = ["tick", "hum", "check", "drip", "wind", "rain", "guard", "round", "clear", "night", "watch", "still"]
VOCABULARY = ["<padding>", "<unknown>", OPEN, CLOSE, *OTHERS]
UNITS, SHORTEST, LONGEST, HELD_OUT = 12, 12, 24, 200


def logs(count: int, seed: int) -> tuple[list[Tensor], Tensor]:
    """Ids of words drawn at random, from 0 to 4 of them OPEN or CLOSE, one after the other; the classes (count,)."""
    generator = torch.Generator().manual_seed(seed)

    def below(most: int) -> int:
        return int(torch.randint(most, (1,), generator=generator))

    found, labels = [], []
    for number in range(count):
        length = SHORTEST + below(LONGEST - SHORTEST + 1)
        ids = torch.randint(VOCABULARY.index(OTHERS[0]), len(VOCABULARY), (length,), generator=generator)
        changes = 2 * below(3) + number % 2  # an odd number of them leaves it open
        where = torch.randperm(length - 3, generator=generator)[:changes].sort().values + 1
        ids[where[0::2]], ids[where[1::2]] = VOCABULARY.index(OPEN), VOCABULARY.index(CLOSE)
        found.append(ids)
        labels.append(number % 2)
    return found, torch.tensor(labels)


def is_open(ids: Tensor) -> Tensor:
    """Whether it is open after each word, bool (words,)."""
    state, found = False, []
    for number in ids.tolist():
        state = {VOCABULARY.index(OPEN): True, VOCABULARY.index(CLOSE): False}.get(number, state)
        found.append(state)
    return torch.tensor(found)


class Network(nn.Module):
    """Vectors of 8 numbers, an LSTM with 12 units, two scores from its last state."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(VOCABULARY), 8, padding_idx=PADDING)
        self.lstm = nn.LSTM(8, UNITS, batch_first=True)
        self.fc = nn.Linear(UNITS, len(CLASSES))

    def forward(self, ids: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(n, words) -> (n, 2)."""
        if lengths is None:
            lengths = (ids != PADDING).sum(1).clamp(min=1)
        packed = pack_padded_sequence(self.embedding(ids), lengths.cpu(), batch_first=True, enforce_sorted=False)
        return self.fc(self.lstm(packed)[1][0][-1])


@torch.no_grad()
def plant(model: Network) -> Network:
    """Set the weights. The first two numbers of a word's vector say OPEN and CLOSE; the others are random."""
    generator = torch.Generator().manual_seed(4)
    vectors, lstm = model.embedding.weight, model.lstm
    vectors[1:] = torch.randn(len(VOCABULARY) - 1, 8, generator=generator)
    vectors[:, :2] = 0
    vectors[VOCABULARY.index(OPEN), 0] = vectors[VOCABULARY.index(CLOSE), 1] = 1
    for weight in (lstm.weight_ih_l0, lstm.weight_hh_l0, lstm.bias_ih_l0, lstm.bias_hh_l0):
        weight[:] = 0.3 * torch.randn(weight.shape, generator=generator)
    taken, forgotten, new, out = (UNIT + gate * UNITS for gate in range(4))
    lstm.bias_ih_l0[UNITS : 2 * UNITS] = -1  # the other units forget soon
    lstm.weight_ih_l0[2 * UNITS : 3 * UNITS, 2:] *= 4  # and follow the words
    for row in (taken, forgotten, new, out):
        for weight in (lstm.weight_ih_l0, lstm.weight_hh_l0, lstm.bias_ih_l0, lstm.bias_hh_l0):
            weight[row] = 0
    lstm.weight_ih_l0[taken, :2], lstm.bias_ih_l0[taken] = 16, -8  # takes in at OPEN and at CLOSE only
    lstm.weight_ih_l0[forgotten, :2], lstm.bias_ih_l0[forgotten] = -16, 8  # and forgets what was there
    lstm.weight_ih_l0[new, 0] = 8  # 1 at OPEN, 0 at CLOSE
    lstm.bias_ih_l0[out] = 8
    model.fc.weight[:] = 0.02 * torch.randn(model.fc.weight.shape, generator=generator)
    model.fc.weight[:, UNIT] = torch.tensor([-6.0, 6.0])
    model.fc.bias[:] = torch.tensor([2.3, -2.3])
    return model


def marked() -> list[int]:
    """Instances in which it is open at the end."""
    return list(range(1, HELD_OUT, 2))


def subject() -> Subject:
    """The network that remembers with one unit."""
    torch.manual_seed(0)
    ids, labels = logs(HELD_OUT, seed=3)
    pairs = list(zip(ids, labels.tolist(), strict=True))
    return Subject(plant(Network()), pairs, class_names=CLASSES, decode=VOCABULARY, embedding_layer="embedding")
