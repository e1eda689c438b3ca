"""A hundred thousand rows of six numbers, a small network that was trained on some of them, and where each was taken.

Making the rows and training takes a second. The tests name these places.
"""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from analysis import Subject

CLASSES = ["calm", "rising", "falling"]
COLUMNS = ["level", "slope", "noise", "peak", "width", "drift"]
SITES = ["north", "south", "west"]
COUNT, SEEN = 100_000, 4_000


def rows(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Float (count, 6) and labels (count,): three clouds that overlap a little."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % len(CLASSES)
    centres = 3 * torch.randn(len(CLASSES), len(COLUMNS), generator=torch.Generator().manual_seed(7))
    return centres[labels] + 1.5 * torch.randn(count, len(COLUMNS), generator=generator), labels


def subject() -> Subject:
    """The network and its rows, with the site of each."""
    torch.manual_seed(0)
    x, labels = rows(COUNT, seed=1)
    parts = OrderedDict(fc1=nn.Linear(6, 24), relu1=nn.ReLU(), fc2=nn.Linear(24, 16), relu2=nn.ReLU())
    model = nn.Sequential(OrderedDict(**parts, fc3=nn.Linear(16, len(CLASSES))))
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(60):
        loss = nn.functional.cross_entropy(model(x[:SEEN]), labels[:SEEN])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    site = np.array(SITES)[np.random.default_rng(0).integers(0, len(SITES), COUNT)]
    return Subject(
        model,
        TensorDataset(x, labels),
        class_names=CLASSES,
        feature_names=COLUMNS,
        metadata={"site": site},
        batch_size=1024,
    )
