"""A session at which questions are asked as in a worker: extraction, other questions and their cache included."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from analysis import Subject
from analysis.demos import digits
from analysis.extraction.extract import run_extraction
from analysis.extraction.reader import Extraction
from analysis.questions import registry
from analysis.results import Answer, Answers, key_of
from analysis.subject.session import Session


class Context:
    """Notes the progress it is told."""

    cancelled = False

    def __init__(self) -> None:
        self.told: list[tuple[float, float, str, str]] = []

    def progress(self, done: float, total: float, unit: str = "", message: str = "") -> None:
        self.told.append((done, total, unit, message))


def open_desk(model: nn.Module, data: Any, home: Path, n: int = 10_000, **options: Any) -> Session:
    """A session with everything that ``analysis.questions.run`` gives it."""
    session = Session(Subject(model, data, **options))
    session.cache = home
    session.sample = {"n": n, "random_state": 0, "include": []}
    context = Context()
    answers = Answers(home / "answers")

    def extraction() -> Extraction:
        run_extraction(session, context, key="e" * 40, n=n)
        return Extraction(home / "extractions" / ("e" * 40))

    def ask(name: str, **parameters: Any) -> Answer:
        key = key_of(name=name, **parameters)
        found = answers.get(key)
        if found is None:
            module, _, function = registry.get(name).function.partition(":")
            value, arrays = getattr(importlib.import_module(module), function)(session, context, **parameters)
            found = answers.put(key, value, arrays)
        return found

    session.extraction, session.ask = extraction, ask
    return session


def pairs(images: Tensor, labels: Tensor) -> list[tuple[Tensor, int]]:
    return list(zip(images, labels.tolist(), strict=True))


def learn(model: nn.Module, images: Tensor, labels: Tensor, epochs: int, rate: float = 0.02) -> nn.Module:
    """Train as the digits demo does."""
    optimiser = torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9)
    for _ in range(epochs):
        for batch in torch.randperm(len(images)).split(64):
            loss = nn.functional.cross_entropy(model(images[batch]), labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return model.eval()


def split_digits(per_class: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Training images and labels, then validation ones."""
    images, labels = digits.load_digits()
    training, held_out = digits.split(labels, per_class, 0)
    return images[training], labels[training], images[held_out], labels[held_out]


def seeded(make: Any, *arguments: Any, seed: int = 0) -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return make(*arguments)


def correct(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return logits.argmax(1) == labels
