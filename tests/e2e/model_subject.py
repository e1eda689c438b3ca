"""A small residual network in modules, a part of it frozen, a branch of it dead, and its weights before fine-tuning.

The tests copy this file to a directory of their own: the weights are written beside it. Pictures are noisy stripes of
12 x 12 pixels in three directions; training takes a second.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from analysis import Subject

CLASSES = ["horizontal", "vertical", "diagonal"]
FROZEN, SAME, BARELY, REWRITTEN, DEAD = "stem", "stage1", "stage2", "head", "aux"
SIDE, COUNT = 12, 240


class Block(nn.Module):
    """Two convolutions with a sum around them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.relu = nn.ReLU()
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.conv2(self.relu(self.conv1(x))))


class Net(nn.Module):
    """A stem, two stages of two blocks, a head; ``aux`` is called and what it yields is dropped."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 3, padding=1)
        self.stage1 = nn.Sequential(Block(8), Block(8))
        self.stage2 = nn.Sequential(Block(8), Block(8))
        self.aux = nn.Linear(8, 2)
        self.head = nn.Linear(8, len(CLASSES))

    def forward(self, x: Tensor) -> Tensor:
        x = self.stage2(self.stage1(torch.relu(self.stem(x)))).mean((2, 3))
        self.aux(x)
        return self.head(x)


def pictures(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Float (count, 1, 12, 12) and labels (count,)."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % len(CLASSES)
    y, x = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    along = torch.stack([1.2 * y, 1.2 * x, 1.2 * (x + y)])[labels]
    phase = 6.3 * torch.rand(count, 1, 1, generator=generator)
    return (torch.sin(along + phase) + 0.4 * torch.randn(count, SIDE, SIDE, generator=generator))[:, None], labels


def subject() -> Subject:
    """The network after fine-tuning, with its weights before it as the checkpoint 'before'."""
    torch.manual_seed(0)
    model = Net()
    images, labels = pictures(300, seed=1)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(40):
        loss = nn.functional.cross_entropy(model(images), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    before = Path(__file__).with_name("before.safetensors")
    if not before.exists():
        save_file(model.state_dict(), before)
    with torch.no_grad():
        for name, value in model.named_parameters():
            generator = torch.Generator().manual_seed(len(name))
            if name.startswith(BARELY):
                value.mul_(1.001)
            if name.startswith(REWRITTEN):
                value.add_(2 * value.std() * torch.randn(value.shape, generator=generator))
    model.stem.requires_grad_(False)
    return Subject(model, TensorDataset(*pictures(COUNT, seed=3)), class_names=CLASSES, checkpoints={"before": before})
