"""Three sensors, six seconds. A vibration of the middle one in the third second decides the class; nothing else does.

The other sensors vibrate too, and all of them have slow bumps, as often in one class as in the other.
"""

from __future__ import annotations

import math
from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from analysis import Subject

CLASSES = ["normal", "fault"]
SENSORS = ["inlet", "middle", "outlet"]
RATE, STEPS, HELD_OUT = 20.0, 120, 160  # steps per second, and in all
CUE = (1, 40, 60)  # channel, and the steps from 2 s to 3 s, half open


def series(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Float (count, 3, 120): noise, bumps and vibrations of a second each; classes (count,)."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 2
    values = 0.2 * torch.randn(count, len(SENSORS), STEPS, generator=generator)
    channel, first, end = CUE
    bump = torch.hann_window(end - first)
    vibration = 1.5 * bump * torch.sin(2 * math.pi * 5 * torch.arange(end - first) / RATE)  # 5 Hz
    chance = torch.rand(count, len(SENSORS), STEPS // len(bump), 2, generator=generator) < 0.2
    chance[:, channel, :, 0] = False
    chance[:, channel, first // len(bump)] = torch.stack([labels == 1, torch.zeros(count, dtype=torch.bool)], 1)
    events = (chance[..., :1] * vibration + chance[..., 1:] * bump).reshape(values.shape)
    return values + events, labels


def network() -> nn.Sequential:
    """(n, 3, 120) -> (n, 2). The largest activation over time, at its end, lets Grad-CAM say when."""
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv1d(3, 12, 7, padding=3),
            relu1=nn.ReLU(),
            pool1=nn.MaxPool1d(2),
            conv2=nn.Conv1d(12, 16, 5, padding=2),
            relu2=nn.ReLU(),
            pool2=nn.AdaptiveMaxPool1d(1),
            flatten=nn.Flatten(),
            fc=nn.Linear(16, len(CLASSES)),
        )
    )


def train(model: nn.Module, steps: int = 150) -> None:
    """On series that the subject does not hold."""
    values, labels = series(800, seed=1)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.005, weight_decay=1e-3)
    generator = torch.Generator().manual_seed(2)
    for _ in range(steps):
        batch = torch.randint(len(values), (64,), generator=generator)
        loss = nn.functional.cross_entropy(model(values[batch]), labels[batch])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def marked() -> list[int]:
    """Instances with the cue."""
    return list(range(1, HELD_OUT, 2))


def subject() -> Subject:
    """The network that goes by one second of one sensor."""
    torch.manual_seed(0)
    model = network()
    train(model)
    data = TensorDataset(*series(HELD_OUT, seed=3))
    return Subject(model, data, kind="series", class_names=CLASSES, feature_names=SENSORS, sampling_rate=RATE)
