"""Opening a subject: its steps are told, weights are whole whatever interrupts their loading, changes are noticed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from analysis import Subject
from analysis.jobs.context import Cancelled
from analysis.models import checkpoints
from analysis.models.checkpoints import CheckpointError, sha256_of
from analysis.subject import Session
from tests.subject.subjects import IMAGES, LABELS, PAIRS, convolutional, session


def saved(path: Path, scale: float) -> dict[str, Any]:
    state = {name: value * scale for name, value in convolutional().state_dict().items()}
    save_file(state, str(path))
    return {"name": path.stem, "path": str(path), "sha256": sha256_of(path)}


def logits(found: Session) -> torch.Tensor:
    return found.forward(found.batch(range(4)))


@pytest.mark.parametrize("error", [Cancelled, KeyboardInterrupt, CheckpointError("It", "does not fit.")])
def test_weights_that_were_half_loaded_are_loaded_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Any
) -> None:
    a, b = saved(tmp_path / "a.safetensors", 2.0), saved(tmp_path / "b.safetensors", 3.0)
    model = convolutional()
    given = {name: value.clone() for name, value in model.state_dict().items()}
    found = session(model)
    own = logits(found)
    found.use(a)
    of_a = logits(found)
    whole = checkpoints.apply

    def half(model: nn.Module, _state: Any) -> None:
        with torch.no_grad():
            next(model.parameters()).fill_(7.0)
        raise error

    for before, oracle in ((None, own), (a, of_a)):
        found.use(before)
        monkeypatch.setattr(checkpoints, "apply", half)
        with pytest.raises((Cancelled, KeyboardInterrupt, CheckpointError)):
            found.use(b)
        monkeypatch.setattr(checkpoints, "apply", whole)
        found.use(before)
        assert torch.equal(logits(found), oracle)
    monkeypatch.setattr(checkpoints, "apply", half)
    with pytest.raises((Cancelled, KeyboardInterrupt, CheckpointError)):
        found.use(b)
    found.close()
    assert all(torch.equal(value, given[name]) for name, value in model.state_dict().items())


def test_weights_that_somebody_else_changes_are_noticed(tmp_path: Path) -> None:
    a = saved(tmp_path / "a.safetensors", 2.0)
    model = convolutional()
    found = session(model)
    assert not found.outdated
    for checkpoint in (a, None):
        found.use(checkpoint)
        logits(found)
        assert not found.outdated
    with torch.no_grad():
        next(model.parameters()).mul_(2)
    assert found.outdated


def test_a_model_that_writes_to_its_weights_in_a_pass_is_not_taken_for_changed() -> None:
    model = nn.Sequential(nn.Embedding(20, 4, max_norm=0.1), nn.Flatten(), nn.Linear(12, 2))
    data = [(torch.arange(3) + i, i % 2) for i in range(6)]
    found = session(model, data, kind="text")
    for start in range(4):
        found.forward(found.batch([start, start + 1]))
        assert not found.outdated


def test_every_step_of_opening_is_told(tmp_path: Path) -> None:
    told: list[tuple[float, float, str, str]] = []

    def progress(done: float, total: float, unit: str = "", message: str = "") -> None:
        told.append((done, total, unit, message))

    files = {"a": Path(saved(tmp_path / "a.safetensors", 2.0)["path"])}
    found = Session(Subject(convolutional(), PAIRS, checkpoints=files), device="cpu", progress=progress)
    found.describe(progress)
    messages = list(dict.fromkeys(message for *_, message in told))
    assert messages == [
        "Hashing the weights",
        "Reading the first instances",
        "Running the model for the first time",
        "Tracing the layers",
        "Reading labels",
        "Reading the data's fingerprint",
        "Predicting a few instances",
        "Comparing checkpoints with the model",
    ]
    assert (len(PAIRS), len(PAIRS), "instances", "Reading the first instances") in told
    assert len(IMAGES) == len(LABELS) == found.n
