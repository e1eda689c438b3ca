"""A made-up subject for the panels of maps: a fabricated extraction and answers by hand, instead of a worker."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from dash import Dash

from analysis.extraction.reader import Extraction
from analysis.results import Answer, Answers, key_of
from dashboard import subjects
from dashboard.selection import Selection
from tests.extraction.fabricate import fabricate

Maker = Callable[..., tuple[dict[str, Any], dict[str, np.ndarray]]]


class MadeUp:
    """Stands for ``dashboard.subjects``. waiting: questions whose answer has not come yet."""

    def __init__(self, app: Dash, name: str, *, description: dict[str, Any] | None = None, **how: Any) -> None:
        found = app.server.extensions["cutaway"]
        self.key = key_of(name=name)
        directory: Path = found.settings.extractions_dir / self.key
        self.truth = fabricate(directory, **how)
        self.extraction = Extraction(directory)
        self.answers: Answers = found.answers
        self.description = {"n": 600, "layers": [], "name": name} | (description or {})
        self.makers: dict[str, Maker] = {}
        self.waiting: set[str] = set()
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def install(self, monkeypatch: Any) -> MadeUp:
        """Take the place of the functions that ask a worker."""
        monkeypatch.setattr(subjects, "described", lambda: subjects.Described("ready", self.description))
        monkeypatch.setattr(
            subjects, "extraction", lambda _selection, **_how: subjects.Extracting("ready", self.extraction)
        )
        monkeypatch.setattr(subjects, "ask", self.ask)
        monkeypatch.setattr(subjects, "known", self.known)
        return self

    def known(self, _selection: Selection, question: str, **params: Any) -> subjects.Asked:
        """What was asked before; see ``subjects.known``."""
        key = key_of(name=self.key, question=question, params=params)
        answer: Answer | None = self.answers.get(key)
        return subjects.Asked("ready" if answer else "none", answer, key=key)

    def ask(self, _selection: Selection, question: str, *, wait: float = 0.0, **params: Any) -> subjects.Asked:  # noqa: ARG002
        self.asked.append((question, params))
        if question in self.waiting or question not in self.makers:
            return subjects.Asked("waiting")
        key = key_of(name=self.key, question=question, params=params)
        answer: Answer | None = self.answers.get(key)
        if answer is None:
            value, arrays = self.makers[question](**params)
            answer = self.answers.put(key, value, arrays)
        return subjects.Asked("ready", answer, key=key)


def patches_of(made: MadeUp, filters: int, count: int = 400, *, places: int = 2, seed: int = 0) -> Maker:
    """Patches whose place in the embedding follows from their label; those of label 0 are detected by no filter."""

    def make(**_params: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        rng = np.random.default_rng(seed)
        rows = rng.integers(0, len(made.truth["indices"]), count)
        label = made.truth["labels"][rows]
        angle = 2 * np.pi * label / 10
        pca = 10 * np.stack([np.cos(angle), np.sin(angle)], 1) + rng.normal(0, 0.4, (count, 2))
        activation = rng.gamma(4, 0.2, (count, filters)) * (label != 0)[:, None]
        reduced = np.concatenate([pca, rng.normal(0, 0.1, (count, 8))], 1)
        arrays = {
            "instance": made.truth["indices"][rows],
            "label": label,
            "prediction": made.truth["predictions"][rows],
            "position": rng.integers(0, 8, (count, places)).astype("i4"),
            "activation": activation.astype("f4"),
            "pca": pca.astype("f4"),
            "reduced": reduced.astype("f4"),
        }
        return {"variance": [0.4, 0.2]}, arrays

    return make
