"""A 1-D CNN on made-up vibration signals, trained in a second or two when it is opened.

From the root of the repository:

    .venv/bin/python run.py serve --subject examples/series_subject.py
"""

from __future__ import annotations

import math
from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from analysis import Subject

CLASSES = ["steady", "knock", "chirp"]
LENGTH, RATE = 200, 100.0  # samples, and samples per second


def signals(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Two channels with noise: float (count, 2, 200), and what happens in the first of them, int (count,)."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(len(CLASSES), (count,), generator=generator)
    time = torch.arange(LENGTH) / RATE
    start = 0.2 + 1.2 * torch.rand(count, 1, generator=generator)
    since = (time - start).clamp(min=0)
    knock = torch.exp(-8 * since) * torch.sin(2 * math.pi * 12 * since)
    chirp = torch.sin(2 * math.pi * (4 + 6 * since) * since) * (since > 0) * (since < 0.5)
    event = torch.stack([torch.zeros_like(knock), knock, chirp])[labels, torch.arange(count)]
    strength = 0.3 + 0.7 * torch.rand(count, 1, generator=generator)  # weak ones drown in the noise
    series = 0.25 * torch.randn(count, 2, LENGTH, generator=generator)
    series[:, 0] += strength * event
    return series, labels


def network() -> nn.Module:
    """(n, 2, 200) -> (n, 3)."""
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv1d(2, 12, 9, padding=4),
            relu1=nn.ReLU(),
            pool1=nn.MaxPool1d(4),
            conv2=nn.Conv1d(12, 24, 7, padding=3),
            relu2=nn.ReLU(),
            pool2=nn.AdaptiveMaxPool1d(1),
            flatten=nn.Flatten(),
            fc=nn.Linear(24, len(CLASSES)),
        )
    )


def train(model: nn.Module, steps: int = 120) -> None:
    """A short training; the same each time."""
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    for step in range(steps):
        series, labels = signals(64, seed=step)
        loss = nn.functional.cross_entropy(model(series), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def subject() -> Subject:
    """The trained network and 600 signals that it has not seen."""
    torch.manual_seed(0)
    model = network()
    train(model)
    validation = TensorDataset(*signals(600, seed=10_000))
    return Subject(model, validation, class_names=CLASSES, kind="series", sampling_rate=RATE)
