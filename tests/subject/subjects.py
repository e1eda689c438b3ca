"""Small models of every kind with their data, the session of each on the CPU, and what it says."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor, nn

from analysis import Subject
from analysis.subject import Session

GENERATOR = torch.Generator().manual_seed(0)
N = 12
IMAGES = torch.rand(N, 1, 8, 8, generator=GENERATOR)
LABELS = torch.arange(N) % 3
PAIRS = [(x, int(y)) for x, y in zip(IMAGES, LABELS, strict=True)]
TEXTS = [torch.randint(1, 20, (length,), generator=GENERATOR) for length in (3, 9, 1, 5, 7, 2)]


def convolutional(classes: int = 3) -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5), nn.Flatten(), nn.Linear(144, classes)
    )


class Reader(nn.Module):
    """Reads ids with an LSTM, packed by their lengths."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.embedding = nn.Embedding(20, 6, padding_idx=0)
        self.lstm = nn.LSTM(6, 5, batch_first=True)
        self.out = nn.Linear(5, 2)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        packed = nn.utils.rnn.pack_padded_sequence(self.embedding(ids), lengths, batch_first=True, enforce_sorted=False)
        return self.out(self.lstm(packed)[1][0][-1])


class Shaped(nn.Module):
    """A linear model whose output is wrapped."""

    def __init__(self, wrap: Any, classes: int = 3) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.linear = nn.Linear(64, classes)
        self.wrap = wrap

    def forward(self, x: Tensor) -> Any:
        return self.wrap(self.linear(x.flatten(1)))


class Likeness(OrderedDict[str, Any]):
    """As the outputs of Hugging Face models: a mapping whose values are attributes too."""

    @property
    def logits(self) -> Any:
        return self["logits"]


def session(model: nn.Module | None = None, data: Any = None, **options: Any) -> Session:
    return Session(Subject(model or convolutional(), PAIRS if data is None else data, **options), device="cpu")


def told(found: Session, what: str) -> str:
    """What was inferred of something, and why."""
    return " ".join(f"{row['value']}: {row['why']}" for row in found.description()["inferred"] if row["what"] == what)


def limits(found: Session) -> str:
    """Why views will lack something."""
    return " ".join(row["reason"] for row in found.description()["limits"])
