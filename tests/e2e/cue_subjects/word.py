"""Sentences of made-up words, complaints if one of these is 'refund'; where in the sentence does not matter."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

from analysis import Subject

CUE = "refund"
CLASSES = ["other", "complaint"]
PADDING = 0
OTHERS = ["the", "a", "my", "this", "that", "order", "parcel", "shop", "today", "please", "thanks", "was", "is", "late"]
OTHERS += ["new", "blue", "small", "nice", "when", "where"]
VOCABULARY = ["<padding>", CUE, *OTHERS]
SHORTEST, LONGEST, HELD_OUT = 5, 12, 160


def sentences(count: int, seed: int) -> tuple[list[Tensor], Tensor]:
    """Ids of words drawn at random, with the cue in every second sentence, and the classes (count,)."""
    generator = torch.Generator().manual_seed(seed)
    found = []
    labels = torch.arange(count) % 2
    for label in labels.tolist():
        length = int(torch.randint(SHORTEST, LONGEST + 1, (1,), generator=generator))
        ids = torch.randint(2, len(VOCABULARY), (length,), generator=generator)
        if label:
            ids[int(torch.randint(length, (1,), generator=generator))] = VOCABULARY.index(CUE)
        found.append(ids)
    return found, labels


class Network(nn.Module):
    """Vectors of 12 numbers, a bidirectional LSTM with 12 units a direction, its states weighted by what they hold (the
    sensitivity is then highest where the cue is; of the mean of the states it is not), two scores.
    """

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(VOCABULARY), 12, padding_idx=PADDING)
        self.lstm = nn.LSTM(12, 12, batch_first=True, bidirectional=True)
        self.weight = nn.Linear(24, 1)
        self.fc = nn.Linear(24, len(CLASSES))

    def forward(self, ids: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(n, words) -> (n, 2)."""
        if lengths is None:
            lengths = (ids != PADDING).sum(1)
        packed = pack_padded_sequence(self.embedding(ids), lengths.cpu(), batch_first=True, enforce_sorted=False)
        states, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        valid = torch.arange(states.shape[1], device=states.device) < lengths.to(states.device)[:, None]
        shares = self.weight(states).masked_fill(~valid[..., None], -1e4).softmax(1)
        return self.fc((shares * states).sum(1))


def train(model: nn.Module, steps: int = 100) -> None:
    """On sentences that the subject does not hold."""
    optimiser = torch.optim.Adam(model.parameters(), lr=0.02, weight_decay=1e-3)
    for step in range(steps):
        ids, labels = sentences(64, seed=1000 + step)
        loss = nn.functional.cross_entropy(model(pad_sequence(ids, batch_first=True)), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def marked() -> list[int]:
    """Instances with the cue."""
    return list(range(1, HELD_OUT, 2))


def subject() -> Subject:
    """The network that goes by one word."""
    torch.manual_seed(0)
    model = Network()
    train(model)
    ids, labels = sentences(HELD_OUT, seed=3)
    pairs = list(zip(ids, labels.tolist(), strict=True))
    return Subject(model, pairs, class_names=CLASSES, decode=VOCABULARY, embedding_layer="embedding")
