"""A small network that was really trained, and then given what the Layers view must find. The tests name these places.

Pictures are noisy stripes of 16 x 16 pixels in three directions; a fourth class, checks, is withheld from the training.
Training and planting take a second or two, and give the same network each time.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from analysis import Subject

CLASSES = ["horizontal", "vertical", "diagonal", "checks"]
WITHHELD = 3  # class
DEAD, ALWAYS, TWINS, SPECIFIC = 2, 5, (3, 6), 7  # filters of conv1; SPECIFIC answers to HORIZONTAL only
HORIZONTAL = 0
LEARNT = (0, 1, 3, 4)  # filters of conv1 that the training found
REDUNDANT = "fc2"  # the second dense layer does next to nothing
SIDE, COUNT = 16, 800


def pictures(count: int, seed: int, classes: int = len(CLASSES)) -> tuple[Tensor, Tensor]:
    """Float (count, 1, 16, 16) and labels (count,) of the first ``classes`` classes."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % classes
    phase = 6.3 * torch.rand(count, 1, 1, generator=generator)
    y, x = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    along = torch.stack([1.2 * y, 1.2 * x, 1.2 * (x + y), 3.14 * (x + y)])[labels]
    noise = 0.1 * torch.randn(count, SIDE, SIDE, generator=generator)
    return (torch.sin(along + phase) + noise)[:, None], labels


def network(filters: int, redundant: bool) -> nn.Sequential:
    """(n, 1, 16, 16) -> (n, 4), with so many filters in conv1, and fc2 or none."""
    second = OrderedDict(fc2=nn.Linear(24, 24), relu4=nn.ReLU()) if redundant else {}
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(1, filters, 5),
            relu1=nn.ReLU(),
            pool1=nn.MaxPool2d(2),
            conv2=nn.Conv2d(filters, 12, 3),
            relu2=nn.ReLU(),
            flatten=nn.Flatten(),
            fc1=nn.Linear(12 * 4 * 4, 24),
            relu3=nn.ReLU(),
            **second,
            fc3=nn.Linear(24, len(CLASSES)),
        )
    )


def train(model: nn.Module, steps: int = 150) -> None:
    """Without the class WITHHELD, which is the last one."""
    images, labels = pictures(600, seed=1, classes=WITHHELD)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=1e-3)
    generator = torch.Generator().manual_seed(2)
    for _ in range(steps):
        batch = torch.randint(len(images), (64,), generator=generator)
        loss = nn.functional.cross_entropy(model(images[batch]), labels[batch])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


@torch.no_grad()
def plant(learnt: nn.Sequential) -> nn.Sequential:
    """A network that answers as the one that learnt does: it reads nothing of what is planted, and the twins share
    what one of them did.
    """
    model = network(8, redundant=True)
    for name in ("fc1", "fc3"):
        getattr(model, name).load_state_dict(getattr(learnt, name).state_dict())
    conv1, conv2, fc2 = model.conv1, model.conv2, model.fc2
    conv1.weight.zero_()
    conv1.bias.zero_()
    conv2.weight.zero_()
    conv2.bias.copy_(learnt.conv2.bias)
    for number, place in enumerate(LEARNT):
        conv1.weight[place], conv1.bias[place] = learnt.conv1.weight[number], learnt.conv1.bias[number]
        conv2.weight[:, place] = learnt.conv2.weight[:, number]
    one, other = TWINS
    conv1.weight[other], conv1.bias[other] = conv1.weight[one], conv1.bias[one]
    conv2.weight[:, other] = conv2.weight[:, one] = conv2.weight[:, one] / 2
    conv1.bias[DEAD], conv1.bias[ALWAYS] = -1, 3
    conv1.weight[SPECIFIC, 0] = torch.sin(1.2 * torch.arange(5.0))[:, None].expand(5, 5)
    conv1.bias[SPECIFIC] = -7
    fc2.weight.copy_(torch.eye(24))
    fc2.bias.zero_()
    return model


def subject() -> Subject:
    """The planted network and pictures of all four classes."""
    torch.manual_seed(0)
    model = network(len(LEARNT), redundant=False)
    train(model)
    return Subject(plant(model), TensorDataset(*pictures(COUNT, seed=3)), class_names=CLASSES)
