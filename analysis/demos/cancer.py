"""Malignant or benign: a small network on the 30 measurements of scikit-learn's breast cancer data.

The data are of Wolberg, Street and Mangasarian (1995): cell nuclei in pictures of fine needle aspirates, 569 patients.
For each of ten measurements there are the mean over the nuclei, its standard error, and the mean of the three largest.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from analysis.demos import classifier
from analysis.demos.plan import PlannedRun, Tick

VERSION = 1  # raised when anything below changes what is recorded
DIRECTORY, TITLE = "cancer-mlp", "Two dense layers on cell nuclei"
BATCH, RATE, SEED = 32, 0.005, 0
# Labels -> indices of training and of held-out patients, 30 % of each class.
split = partial(classifier.split, held_out=0.3, random_state=SEED)


def plan(epochs: int = 15) -> list[PlannedRun]:
    """The run of this demo. The argument makes it shorter, for tests."""
    config: dict[str, Any] = {
        "demo": "cancer",
        "demo_version": VERSION,
        "data": "breast cancer Wisconsin (diagnostic), 70 % of the patients",
        "epochs": epochs,
        "batch": BATCH,
        "optimiser": f"Adam, learning rate {RATE}, falling",
        "seed": SEED,
    }
    training, _ = split(load()[1])
    steps = classifier.steps_of(len(training), BATCH, epochs)
    return [PlannedRun(DIRECTORY, TITLE, config, steps, partial(train, config=config))]


@cache
def load() -> tuple[Tensor, Tensor, tuple[str, ...], tuple[str, ...]]:
    """Measurements float32 (569, 30), labels int (569,), the names of the columns and of the two classes."""
    from sklearn.datasets import load_breast_cancer

    found = load_breast_cancer()
    names = tuple(str(name) for name in found.feature_names)
    classes = tuple(str(name) for name in found.target_names)
    return torch.tensor(found.data, dtype=torch.float32), torch.tensor(found.target).long(), names, classes


def scale() -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each column over the training patients, (30,) each, in the data's units."""
    values, labels, *_ = load()
    training, _ = split(labels)
    return values[training].mean(0), values[training].std(0)


def network() -> nn.Sequential:
    """(n, 30) -> (n, 2)."""
    return nn.Sequential(
        OrderedDict(
            fc1=nn.Linear(30, 32), relu1=nn.ReLU(), fc2=nn.Linear(32, 16), relu2=nn.ReLU(), fc3=nn.Linear(16, 2)
        )
    )


def start() -> nn.Sequential:
    """The network as its training starts from it."""
    torch.manual_seed(SEED)
    return network()


def train(path: Path, tick: Tick, *, config: dict[str, Any]) -> None:
    """Train the network and record it at ``path``. tick: called after every step."""
    values, labels, _, classes = load()
    mean, deviation = scale()
    training, held_out = split(labels)
    values = (values - mean) / deviation
    lesson = classifier.Lesson(
        (values[training], labels[training]),
        (values[held_out], labels[held_out]),
        classes,
        epochs=config["epochs"],
        batch=BATCH,
        rate=RATE,
        validate_every=10,
        record_every=20,
    )
    classifier.record(path, tick, start(), lesson, title=TITLE, config=config)
