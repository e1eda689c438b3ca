"""Sequence subjects whose truth is known, at a desk where questions are asked as in a worker."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import nn

from analysis import Subject
from analysis.subject.session import Session
from tests.layers.desk import open_desk
from tests.sequences import tasks

OPTIONS = ("class_names", "kind", "decode", "encode", "embedding_layer", "feature_names", "sampling_rate")


def seated(subject: Subject, home: Path) -> Session:
    """A subject at a desk."""
    options = {name: getattr(subject, name) for name in OPTIONS if getattr(subject, name) is not None}
    return open_desk(subject.model, subject.dataset, home, **options)


def recalling(model: nn.Module, home: Path, count: int = 200) -> Session:
    """A network for the recall task, with instances that it has not seen."""
    ids, labels = tasks.recall(count, seed=3)
    tokens = ["<padding>", *(f"symbol {n}" for n in range(tasks.SYMBOLS)), *(f"noise {n}" for n in range(tasks.NOISE))]
    return open_desk(model, list(zip(ids, labels.tolist(), strict=True)), home, decode=tokens)


class Told(NamedTuple):
    """An answer, read whole."""

    value: dict[str, Any]
    arrays: dict[str, NDArray[np.generic]]


def asked(session: Session, question: str, **parameters: Any) -> Told:
    """Ask a question."""
    answer = session.ask(question, **parameters)
    return Told(answer.json, {name: answer.array(name) for name in answer.names()})


def source(layer: str, state: str = "hidden") -> dict[str, Any]:
    """Which states are asked for."""
    return {"layer": layer, "state": state, "depth": -1}
