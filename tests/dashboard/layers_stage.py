"""A subject that exists as files only: a description, an extraction with planted filters, answers put in place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dash
import flask
import numpy as np
import pytest

from analysis.layerinfo import LayerInfo
from analysis.questions import keys
from analysis.results import Answer
from dashboard import subjects
from dashboard.app import create_app
from dashboard.settings import Settings
from tests.extraction.fabricate import fabricate, lenet

N = 200
CLASSES = ["zero", "<b>one</b>", *map(str, range(2, 10))]
UNREAD = {**LayerInfo("spare", "spare", 0, "linear", "Linear", 5, (), reason="not called for these inputs").to_json()}


def description(layers: list[LayerInfo], **more: Any) -> dict[str, Any]:
    """What the worker would say of it."""
    value: dict[str, Any] = {
        "name": "digits",
        "kind": "image",
        "kind_reason": "three axes",
        "n": 3 * N,
        "classes": CLASSES,
        "class_counts": [60] * 10,
        "device": "cpu",
        "torch": "2.13.0",
        "batch_size": 32,
        "input": {"shape": [1, 28, 28], "dtype": "float32", "range": [0, 1]},
        "output": {"shape": [10], "how": "the output itself"},
        "model": {"type": "LeNet", "parameters": 431080, "trainable": 431080, "modules": 8},
        "layers": [*(info.to_json() for info in layers), UNREAD],
        "axes": [2, 3],
        "inferred": [{"what": "kind", "value": "image", "why": "3 axes", "override": "kind="}],
        "limits": [{"view": "pictures", "reason": "colours are not the original ones", "remedy": "Give it."}],
        "examples": [
            {"index": 4, "label": 1, "prediction": 1, "confidence": 0.91, "correct": True},
            {"index": 9, "label": 2, "prediction": 7, "confidence": 0.5, "correct": False},
            {"index": 11, "label": None, "prediction": 7, "confidence": None, "correct": None},
        ],
        "checkpoints": [
            {
                "name": "last",
                "path": "/x",
                "sha256": "ab" * 32,
                "format": "safetensors",
                "bytes": 1_000_000,
                "problem": "",
            },
            {"name": "bad", "path": "/y", "sha256": "cd" * 32, "format": "", "bytes": 5, "problem": "It is no file."},
        ],
        "metadata": None,
        "always_include": [],
        "skipped": [],
        "weights": "ee" * 20,
        "data": "dd" * 20,
        "code": "cc" * 20,
        "notices": ["CUDA is not there; the CPU is used."],
        "seconds": 0.5,
    }
    return value | more


class Stage:
    """The app, what its subject is, and what is true of its activations."""

    def __init__(self, app: dash.Dash, monkeypatch: pytest.MonkeyPatch, **planted: Any) -> None:
        self.app = app
        self.services = app.server.extensions["cutaway"]
        layers = planted.pop("layers", None) or lenet(side=planted.get("shape", (28,))[0])
        self.description = description(layers, kind=planted.get("kind", "image"))
        self.key = keys.extraction_key(self.description, None)
        self.directory = self.services.settings.extractions_dir / self.key
        self.truth = fabricate(self.directory, layers, N, class_names=CLASSES, **planted)
        self.answer: Answer | None = None
        monkeypatch.setattr(subjects, "described", self.described)

    def described(self) -> subjects.Described:
        return subjects.Described("ready", self.description, self.answer)

    def put(self, question: str, value: dict[str, Any], arrays: dict[str, Any] | None = None, **params: Any) -> Answer:
        """Make an answer known, as if the worker had given it."""
        key = keys.answer_key(self.description, question, params, None, keys.sample_of(self.description))
        return self.services.answers.put(key, value, arrays)

    def jobs(self) -> list[str]:
        """Names of the jobs that were queued."""
        return [job.name for job in self.services.jobs.list()]

    def filter_map(self, layer: str, filters: int) -> Answer:
        """Filters 2 and 3 are alike, the others are not."""
        rng = np.random.default_rng(0)
        neighbours = np.stack([np.r_[np.arange(i), np.arange(i + 1, filters)][:8] for i in range(filters)])
        phi = np.full(neighbours.shape, 0.3, np.float32)
        neighbours[2, 0], phi[2, 0], neighbours[3, 0], phi[3, 0] = 3, 1.0, 2, 1.0
        neighbours[2, 1:], neighbours[3, 1:] = np.arange(4, 11), np.arange(4, 11)
        tally = np.sort(rng.random((filters, 4)).astype(np.float32))[:, ::-1]
        arrays = {
            "xy": rng.random((filters, 2)).astype(np.float32),
            "order": np.arange(filters)[::-1].copy(),
            "neighbours": neighbours.astype(np.int32),
            "phi": phi,
            "tally": np.ascontiguousarray(tally),
            "tally_labels": np.tile(np.arange(4, dtype=np.int32), (filters, 1)),
            "tally_total": tally.sum(1),
            "tally_perplexity": np.full(filters, 3.2, np.float32),
            "silent": np.zeros(filters, bool),
            "frequency": np.where(np.arange(filters) == 1, 0.99, 0.2).astype(np.float32),
        }
        return self.put("filter_map", {"patches": 2048}, arrays, layer=layer, count=2048)


def make_app(root: Path, roots: tuple[Path, ...] = ()) -> dash.Dash:
    """An app without a subject of its own; ``Stage`` gives it one."""
    return create_app(Settings(roots=roots, workspace=root))


def stage_in(app: dash.Dash, monkeypatch: pytest.MonkeyPatch, search: str = "/", **planted: Any) -> Iterator[Stage]:
    """A stage inside a request."""
    found: flask.Flask = app.server
    with found.test_request_context(search):
        yield Stage(app, monkeypatch, **planted)
