"""Two microphones, three seconds. A tone of 4 Hz in the left one, whenever it comes, decides the class.

The right one has the tone as often in one class as in the other, and both have slow bumps.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from analysis import Subject

CLASSES = ["quiet", "tone"]
CHANNELS = ["left", "right"]
RATE, STEPS, LONG, HELD_OUT = 20.0, 60, 15, 160  # steps per second; of an instance; of a tone
CUE = CHANNELS.index("left")


def series(count: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Float (count, 60, 2): noise, bumps and tones; classes (count,); where the left tone starts or -1, (count,)."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 2
    values = 0.15 * torch.randn(count, STEPS, len(CHANNELS), generator=generator)
    bump = torch.hann_window(LONG)
    tone = bump.sqrt() * torch.sin(2 * math.pi * 4 * torch.arange(LONG) / RATE)
    first = torch.randint(STEPS - LONG, (count, len(CHANNELS), 2), generator=generator)
    chance = torch.rand(count, len(CHANNELS), 2, generator=generator) < 0.5
    chance[:, CUE, 0] = labels == 1
    for number in range(count):
        for channel in range(len(CHANNELS)):
            for kind, shape in enumerate((tone, bump)):
                if chance[number, channel, kind]:
                    start = int(first[number, channel, kind])
                    values[number, start : start + LONG, channel] += shape
    return values, labels, torch.where(labels == 1, first[:, CUE, 0], -1)


class Network(nn.Module):
    """A GRU with 16 units over (n, steps, 2), the mean of its states, two scores."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(len(CHANNELS), 16, batch_first=True)
        self.fc = nn.Linear(16, len(CLASSES))

    def forward(self, values: Tensor) -> Tensor:
        """(n, steps, 2) -> (n, 2)."""
        return self.fc(self.gru(values)[0].mean(1))


def train(model: nn.Module, steps: int = 150) -> None:
    """On series that the subject does not hold."""
    values, labels, _ = series(600, seed=1)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.02)
    generator = torch.Generator().manual_seed(2)
    for _ in range(steps):
        batch = torch.randint(len(values), (64,), generator=generator)
        loss = nn.functional.cross_entropy(model(values[batch]), labels[batch])
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()


def marked() -> list[int]:
    """Instances with the tone."""
    return list(range(1, HELD_OUT, 2))


def subject() -> Subject:
    """The network that listens to one microphone."""
    torch.manual_seed(0)
    model = Network()
    train(model)
    values, labels, _ = series(HELD_OUT, seed=3)
    return Subject(
        model,
        TensorDataset(values, labels),
        kind="series",
        class_names=CLASSES,
        feature_names=CHANNELS,
        sampling_rate=RATE,
    )
