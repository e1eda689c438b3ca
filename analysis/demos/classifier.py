"""The training that several demos share: a classifier on inputs held in memory, recorded while it learns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from analysis.demos.plan import Tick
from analysis.recording import Recorder

EVALUATED = 256  # instances in a pass without gradients


@dataclass(frozen=True)
class Lesson:
    """Data and pace of a training. inputs: (n, ...), of training and held out; labels (n,).

    validate_every, record_every: steps. rate: of Adam at the start; it falls linearly to a tenth. probe: how many of
    the held-out instances the recorder looks at.
    """

    training: tuple[Tensor, Tensor]
    held_out: tuple[Tensor, Tensor]
    classes: Sequence[str]
    epochs: int
    batch: int
    rate: float
    validate_every: int
    record_every: int
    probe: int = 256

    @property
    def steps(self) -> int:
        """How many there will be."""
        return steps_of(len(self.training[1]), self.batch, self.epochs)


def steps_of(instances: int, batch: int, epochs: int) -> int:
    """Steps in so many epochs."""
    return epochs * math.ceil(instances / batch)


def split(labels: Tensor, *, held_out: float, random_state: int, per_class: int | None = None) -> tuple[Tensor, Tensor]:
    """Indices (t,) of training instances and (h,) of all held-out ones, each of all classes alike; the latter shuffled.

    Args:
        labels: (n,) int. held_out: share of each class. per_class: training instances of a class at most, None for all
            that are not held out.
    """
    generator = torch.Generator().manual_seed(random_state)
    training, kept = [], []
    for label in labels.unique():
        members = torch.nonzero(labels == label)[:, 0]
        members = members[torch.randperm(len(members), generator=generator)]
        cut = round(len(members) * held_out)
        kept.append(members[:cut])
        training.append(members[cut:][:per_class])
    found = torch.cat(kept)
    return torch.cat(training), found[torch.randperm(len(found), generator=generator)]


def scores(model: nn.Module, inputs: Tensor, labels: Tensor) -> tuple[Tensor, float]:
    """Mean cross-entropy, and the share of correct answers."""
    answer = model(inputs)
    loss = nn.functional.cross_entropy(answer, labels)
    return loss, (answer.argmax(1) == labels).float().mean().item()


@torch.no_grad()
def evaluate(model: nn.Module, inputs: Tensor, labels: Tensor) -> tuple[float, float]:
    """Mean cross-entropy and accuracy in evaluation mode; the mode is put back."""
    mode = model.training
    model.eval()
    answer = torch.cat([model(part) for part in inputs.split(EVALUATED)])
    model.train(mode)
    loss = nn.functional.cross_entropy(answer, labels)
    return loss.item(), (answer.argmax(1) == labels).float().mean().item()


def record(path: Path, tick: Tick, model: nn.Module, lesson: Lesson, *, title: str, config: dict[str, Any]) -> None:
    """Train a model and record it at ``path``: the order of the batches is decided by torch's seed.

    tick: called after every step. Checkpoints are saved before the first step and after each epoch.
    """
    inputs, labels = lesson.training
    held_inputs, held_labels = lesson.held_out
    optimiser = torch.optim.Adam(model.parameters(), lr=lesson.rate)
    pace = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.1, total_iters=lesson.steps)
    with Recorder(path, config=config, name=title, every=lesson.record_every, budget=0.15) as recorder:
        probe = (held_inputs[: lesson.probe], held_labels[: lesson.probe])
        recorder.watch(model, probe=probe, class_names=list(lesson.classes))
        recorder.checkpoint(model, step=0)
        model.train()
        step = 0
        for epoch in range(1, lesson.epochs + 1):
            for batch in torch.randperm(len(labels)).split(lesson.batch):
                step += 1
                loss, accuracy = scores(model, inputs[batch], labels[batch])
                optimiser.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimiser.step()
                pace.step()
                recorder.log({"train/loss": loss.item(), "train/accuracy": accuracy}, step=step, epoch=epoch)
                if step % lesson.validate_every == 0:
                    held_loss, accuracy = evaluate(model, held_inputs, held_labels)
                    values = {"validation/loss": held_loss, "validation/accuracy": accuracy}
                    recorder.log(values, step=step, epoch=epoch)
                tick(step)
            recorder.checkpoint(model, step=step)
