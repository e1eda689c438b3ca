"""Shoulder exercises, seen by a watch: a GRU on the acceleration and rotation of the wrist.

Ten people did seven exercises with each arm, twenty times in a row; seglearn carries the 140 recordings (Burns et al.,
'Shoulder physiotherapy exercise recognition', Physiological Measurement 39, 2018), 50 steps a second. They are read at
25 a second and cut into windows of four seconds. Three of the people are held out altogether: windows of one person are
alike, so that a random split would say nothing about a new one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from analysis.demos.classifier import Lesson, record, steps_of
from analysis.demos.numpy_objects import read_objects
from analysis.demos.packages import folder_of
from analysis.demos.plan import PlannedRun, Tick

VERSION = 1  # raised when anything below changes what is recorded
DIRECTORY, TITLE = "motion-gru", "GRU on a watch's motion"
PEOPLE = (8, 9, 10)  # held out
RATE = 25.0  # steps per second, half of the recording's
STEPS = 100  # of a window: four seconds
BATCH, LEARNING_RATE, SEED = 64, 0.005, 0
# As the data call them, and in words.
CLASSES = {
    "PEN": "pendulum",
    "ABD": "abduction",
    "FEL": "forward elevation",
    "IR": "internal rotation",
    "ER": "external rotation",
    "TRAP": "trapezius extension",
    "ROW": "upright row",
}
CHANNELS = {
    **{f"a{axis}": f"acceleration {axis}" for axis in "xyz"},
    **{f"w{axis}": f"rotation {axis}" for axis in "xyz"},
}


@dataclass(frozen=True)
class Windows:
    """values: float32 (n, 100, 6), in the data's units. labels: int64 (n,). The others, (n,): start in seconds."""

    values: Tensor
    labels: Tensor
    person: list[int]
    side: list[str]
    recording: list[int]
    start: list[float]


def plan(epochs: int = 15) -> list[PlannedRun]:
    """The run of this demo. The argument makes it shorter, for tests."""
    config: dict[str, Any] = {
        "demo": "motion",
        "demo_version": VERSION,
        "data": "windows of 4 s at 25 steps a second, of the people who are not held out",
        "held out": f"people {', '.join(map(str, PEOPLE))}",
        "epochs": epochs,
        "batch": BATCH,
        "optimiser": f"Adam, learning rate {LEARNING_RATE}, falling",
        "seed": SEED,
    }
    steps = steps_of(len(windows(held_out=False).labels), BATCH, epochs)
    return [PlannedRun(DIRECTORY, TITLE, config, steps, partial(train, config=config))]


@cache
def recordings() -> dict[str, Any]:
    """The file of seglearn: 'X': arrays (steps, 6), 'y', 'subject', 'side' (140,), 'X_labels', 'y_labels'."""
    found: dict[str, Any] = read_objects(folder_of("seglearn") / "data" / "watch_dataset.npy")
    return found


@cache
def windows(held_out: bool) -> Windows:
    """Windows of the people who are held out, end to end; of the others half over each other, for training."""
    data = recordings()
    rows: list[tuple[Any, ...]] = []
    every = STEPS if held_out else STEPS // 2
    for number, series in enumerate(data["X"]):
        person = int(data["subject"][number])
        if (person in PEOPLE) != held_out:
            continue
        slower = series[: len(series) // 2 * 2].reshape(-1, 2, series.shape[1]).mean(1)
        side = "right" if data["side"][number] else "left"
        for first in range(0, len(slower) - STEPS + 1, every):
            window = slower[first : first + STEPS]
            rows.append((window, int(data["y"][number]), person, side, number, first / RATE))
    values, labels, *told = (list(column) for column in zip(*rows, strict=True))
    return Windows(torch.tensor(np.stack(values), dtype=torch.float32), torch.tensor(labels), *told)


@cache
def scale() -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each channel over the training windows, (6,) each, in the data's units."""
    values = windows(held_out=False).values
    return values.mean((0, 1)), values.std((0, 1))


class Network(nn.Module):
    """A GRU with 48 units over (n, steps, 6), the mean of its states, and seven scores."""

    def __init__(self, units: int = 48) -> None:
        super().__init__()
        self.gru = nn.GRU(len(CHANNELS), units, batch_first=True)
        self.dropout = nn.Dropout(0.2)
        self.fc = nn.Linear(units, len(CLASSES))

    def forward(self, series: Tensor) -> Tensor:
        """(n, steps, 6) -> (n, 7)."""
        states, _ = self.gru(series)
        found: Tensor = self.fc(self.dropout(states.mean(1)))
        return found


def start() -> Network:
    """The network as its training starts from it."""
    torch.manual_seed(SEED)
    return Network()


def names() -> list[str]:
    """The seven exercises, in words, by their numbers."""
    return [CLASSES[code] for code in recordings()["y_labels"]]


def channels() -> list[str]:
    """The six channels, in words."""
    return [CHANNELS[code] for code in recordings()["X_labels"]]


def train(path: Path, tick: Tick, *, config: dict[str, Any]) -> None:
    """Train the network and record it at ``path``. tick: called after every step."""
    mean, deviation = scale()
    training, held_out = windows(held_out=False), windows(held_out=True)
    order = torch.randperm(len(held_out.labels), generator=torch.Generator().manual_seed(SEED))  # a mixed probe
    lesson = Lesson(
        ((training.values - mean) / deviation, training.labels),
        ((held_out.values[order] - mean) / deviation, held_out.labels[order]),
        names(),
        epochs=config["epochs"],
        batch=BATCH,
        rate=LEARNING_RATE,
        validate_every=20,
        record_every=20,
        probe=128,
    )
    record(path, tick, start(), lesson, title=TITLE, config=config)
