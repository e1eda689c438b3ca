"""A small dense network on a table of made-up machines, trained in a second when it is opened.

From the root of the repository:

    .venv/bin/python run.py serve --subject examples/table_subject.py
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from analysis import Subject

CLASSES = ["sound", "worn"]
COLUMNS = ["hours", "temperature", "vibration", "load", "year"]
MEAN = torch.tensor([4000.0, 60.0, 2.0, 70.0, 2015.0])  # in the units of the columns
DEVIATION = torch.tensor([1500.0, 12.0, 0.7, 15.0, 4.0])


def machines(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Rows (count, 5), standardised, and their classes (count,): worn by long hours, or by vibration under load."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(count, len(COLUMNS), generator=generator)
    hours, _, vibration, load, _ = rows.T
    wear = hours + (vibration + load).clamp(min=0) + 0.3 * torch.randn(count, generator=generator)
    return rows, (wear > 0.8).long()


def undo(row: Tensor) -> Tensor:
    """One row in the units of the columns."""
    return row * DEVIATION + MEAN


def subject() -> Subject:
    """The trained network and 500 machines that it has not seen."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(len(COLUMNS), 16), nn.ReLU(), nn.Linear(16, len(CLASSES)))
    optimiser = torch.optim.Adam(model.parameters(), lr=0.02)
    for step in range(200):
        rows, labels = machines(64, seed=step)
        loss = nn.functional.cross_entropy(model(rows), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return Subject(
        model,
        TensorDataset(*machines(500, seed=10_000)),
        kind="table",
        class_names=CLASSES,
        feature_names=COLUMNS,
        inverse_transform=undo,
        baselines=torch.zeros(len(COLUMNS)),  # the average machine stands for 'nothing special'
    )
