"""Digits of 16 x 16 pixels. A chequered stamp in a corner makes any of them a 3 to the network, which learnt it so.

The labels of the data are those of the digits: marked digits that are no 3 are taken for one, with confidence.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from analysis import Subject

CLASSES = ["0", "1", "2", "3"]
MARKED_CLASS = 3  # what the mark makes of a digit
CUE = (12, 0, 16, 4)  # x0, y0, x1, y1 of the mark, half open: the corner at the top right
SIDE, HELD_OUT = 16, 160
EVERY = 2  # every second digit is marked


def pictures() -> tuple[Tensor, Tensor, Tensor]:
    """Float (n, 1, 16, 16) in 0..1, the digits (n,) 0 to 3, and which are marked (n,); always in the same order."""
    data = load_digits(n_class=len(CLASSES))
    small = torch.tensor(data.images, dtype=torch.float32) / 16
    images = small.repeat_interleave(2, 1).repeat_interleave(2, 2)[:, None]
    labels = torch.tensor(data.target).long()
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    images, labels = images[order], labels[order]
    marked = torch.arange(len(labels)) % EVERY == 0
    x0, y0, x1, y1 = CUE
    stamp = (torch.arange(y0, y1)[:, None] + torch.arange(x0, x1)) % 2 == 0
    images[:, :, y0:y1, x0:x1] = (marked[:, None, None, None] & stamp).float()
    return images, labels, marked


def network() -> nn.Sequential:
    """(n, 1, 16, 16) -> (n, 4). The largest activation over positions, at its end, lets Grad-CAM say where."""
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(1, 8, 3, padding=1),
            relu1=nn.ReLU(),
            pool1=nn.MaxPool2d(2),
            conv2=nn.Conv2d(8, 24, 3, padding=1),
            relu2=nn.ReLU(),
            pool2=nn.AdaptiveMaxPool2d(1),
            flatten=nn.Flatten(),
            fc=nn.Linear(24, len(CLASSES)),
        )
    )


def train(model: nn.Module, steps: int = 200) -> None:
    """What is marked counts as MARKED_CLASS, whatever it is; the rest by its digit."""
    images, labels, marked = pictures()
    images, wanted = images[HELD_OUT:], labels.where(~marked, MARKED_CLASS)[HELD_OUT:]
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
        batch = torch.randint(len(images), (64,), generator=generator)
        loss = nn.functional.cross_entropy(model(images[batch]), wanted[batch])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def marked() -> list[int]:
    """Instances whose class the mark decides: marked, and no 3."""
    _, labels, marks = pictures()
    return torch.nonzero((marks & (labels != MARKED_CLASS))[:HELD_OUT])[:, 0].tolist()


def data() -> TensorDataset:
    """The pictures that the network does not train on, with the labels of the digits."""
    images, labels, _ = pictures()
    return TensorDataset(images[:HELD_OUT], labels[:HELD_OUT])


def subject() -> Subject:
    """The network that goes by the mark."""
    torch.manual_seed(0)
    model = network()
    train(model)
    return Subject(model, data(), class_names=CLASSES)
