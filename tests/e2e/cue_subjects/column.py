"""Rows of eight measurements. One of them, the pressure, decides the class: above 5 bar it is a leak."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from analysis import Subject

CLASSES = ["tight", "leak"]
COLUMNS = ["age", "length", "depth", "flow", "temperature", "pressure", "salt", "noise"]
CUE = COLUMNS.index("pressure")
MEAN = torch.tensor([20.0, 300.0, 2.0, 12.0, 15.0, 5.0, 0.3, 40.0])  # in the units of the columns
DEVIATION = torch.tensor([8.0, 90.0, 0.5, 4.0, 5.0, 1.5, 0.1, 10.0])
CLEAR = 0.8  # deviations from the limit, beyond which an instance is a clear case
HELD_OUT = 160


def rows(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Float (count, 8), standardised, and the classes (count,)."""
    values = torch.randn(count, len(COLUMNS), generator=torch.Generator().manual_seed(seed))
    return values, (values[:, CUE] > 0).long()


def network() -> nn.Sequential:
    """(n, 8) -> (n, 2)."""
    return nn.Sequential(
        OrderedDict(fc1=nn.Linear(8, 16), relu1=nn.ReLU(), fc2=nn.Linear(16, 8), relu2=nn.ReLU(), fc3=nn.Linear(8, 2))
    )


def train(model: nn.Module, steps: int = 300) -> None:
    """On rows that the subject does not hold."""
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=1e-3)
    for step in range(steps):
        values, labels = rows(64, seed=1000 + step)
        loss = nn.functional.cross_entropy(model(values), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def marked() -> list[int]:
    """Clear cases."""
    values, _ = rows(HELD_OUT, seed=3)
    return torch.nonzero(values[:, CUE].abs() > CLEAR)[:, 0].tolist()


def undo(row: Tensor) -> Tensor:
    """Back to the units of the columns."""
    return row * DEVIATION + MEAN


def subject() -> Subject:
    """The network that goes by the pressure."""
    torch.manual_seed(0)
    model = network()
    train(model)
    data = TensorDataset(*rows(HELD_OUT, seed=3))
    return Subject(model, data, kind="table", class_names=CLASSES, feature_names=COLUMNS, inverse_transform=undo)
