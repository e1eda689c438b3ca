"""Changes of parameters against NumPy, and changes that were planted."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from analysis.models import change
from analysis.models.change import compare, parameter_change
from analysis.models.checkpoints import CheckpointError
from analysis.subject.session import Session
from tests.models import graph_nets as nets
from tests.models import zoo
from tests.models.graph_nets import Context, drawn, opened


def saved(folder: Path, name: str, state: dict[str, Tensor]) -> dict[str, str]:
    """A checkpoint as the page names it."""
    path = folder / f"{name}.safetensors"
    safetensors.torch.save_file({key: value.contiguous().clone() for key, value in state.items()}, path)
    return {"name": name, "path": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def asked(session: Session, other: dict[str, str] | None) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    value, arrays = parameter_change(session, Context(), other=other)
    assert not arrays
    return value, {row["name"]: row for row in value["modules"]}


def changed(model: nn.Module, **how: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
    """Weights of a model with some replaced; '__' stands for the dot."""
    state = {name: value.clone() for name, value in model.state_dict().items()}
    for name, function in how.items():
        state[name.replace("__", ".")] = function(state[name.replace("__", ".")])
    return state


@pytest.fixture
def lenet() -> Session:
    return nets.lenet()


def test_planted_changes_get_their_verdicts(lenet: Session, tmp_path: Path) -> None:
    state = changed(
        lenet.model,
        conv2__weight=lambda w: w * 1.005,
        fc1__weight=lambda w: w * 1.2,
        fc2__weight=lambda w: torch.randn_like(w) * w.std(),
        fc3__bias=lambda b: b + 1e-7,
    )
    other = saved(tmp_path, "tuned", state)
    value, rows = asked(lenet, other)
    verdicts = {name: row["verdict"] for name, row in rows.items()}
    assert verdicts == {"conv1": "same", "conv2": "barely", "fc1": "changed", "fc2": "rewritten", "fc3": "barely"}
    assert value["verdicts"] == {"same": 1, "barely": 2, "changed": 1, "rewritten": 1}
    assert (value["a"], value["b"]) == ("tuned", "")
    assert rows["conv1"]["relative"] == 0
    assert rows["fc2"]["relative"] == pytest.approx(2**0.5, rel=0.05)  # independent, of equal length
    assert abs(rows["fc2"]["cosine"]) < 0.1
    assert value["rule"].startswith("same: no number differs; barely: the change is below 1% of")


def test_numbers_are_those_of_numpy_in_whatever_parts_they_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    model, before = nets.LeNet(), nets.LeNet().state_dict()
    expected = {}
    for name, module in model.named_children():
        new = [p.detach().numpy().astype(np.float64).ravel() for p in module.parameters()]
        old = [before[f"{name}.{key}"].numpy().astype(np.float64).ravel() for key, _ in module.named_parameters()]
        a, b = np.concatenate(old), np.concatenate(new)
        largest = max(np.abs(y - x).max() / x.std() for x, y in zip(old, new, strict=True))
        cosine = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
        expected[name] = (np.linalg.norm(b - a) / np.linalg.norm(a), cosine, largest)
    for part in (1 << 22, 100):
        monkeypatch.setattr(change, "_CHUNK", part)
        rows, total = compare(model, before)
        assert [row["name"] for row in rows] == list(expected)
        for row in rows:
            assert (row["relative"], row["cosine"], row["largest"]) == pytest.approx(expected[row["name"]], rel=1e-9)
        assert total["parameters"] == 61706


def test_either_side_may_be_a_checkpoint_or_the_subjects_own_weights(lenet: Session, tmp_path: Path) -> None:
    one = saved(tmp_path, "one", changed(lenet.model, fc1__weight=lambda w: w * 2))
    two = saved(tmp_path, "two", changed(lenet.model, fc1__weight=lambda w: w * 4))
    assert asked(lenet, None)[0]["verdicts"] == {"same": 5}
    lenet.use(two)
    value, rows = asked(lenet, None)
    assert (value["a"], value["b"]) == ("", None)
    assert rows["fc1"]["relative"] == pytest.approx(3, rel=1e-2)  # its bias stayed
    assert asked(lenet, one)[1]["fc1"]["relative"] == pytest.approx(1, rel=1e-2)
    assert asked(lenet, two)[0]["verdicts"] == {"same": 5}
    assert not lenet.outdated
    lenet.use(None)
    assert asked(lenet, one)[1]["fc1"]["relative"] == pytest.approx(0.5, rel=1e-2)


def test_frozen_layers_and_statistics_that_moved_all_the_same_are_told(tmp_path: Path) -> None:
    session = nets.resnet()
    session.model.bn.requires_grad_(False)
    state = changed(session.model, bn__running_mean=lambda m: m + 1)
    rows = asked(session, saved(tmp_path, "moved", state))[1]
    assert (rows["bn"]["verdict"], rows["bn"]["frozen"]) == ("same", True)
    assert rows["bn"]["statistics"] > 0.1
    assert rows["blocks.0.bn1"]["statistics"] == 0
    assert rows["stem"]["statistics"] is None
    assert not rows["stem"]["frozen"]


def test_tied_weights_may_be_saved_once_and_name_their_owner(tmp_path: Path) -> None:
    session = nets.tied()
    state = changed(session.model, encoder__weight=lambda w: w * 1.1)
    for name in ("twin.weight", "decoder.weight"):
        del state[name]
    value, rows = asked(session, saved(tmp_path, "tied", state))
    assert (rows["decoder"]["verdict"], rows["decoder"]["shared"]) == ("same", "embedding")
    assert rows["twin"]["verdict"] == rows["encoder"]["verdict"] == "changed"
    assert value["total"]["parameters"] == 120


def test_attention_is_one_row_and_parameters_of_a_group_one_of_their_own() -> None:
    class Classed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.token, self.inner = nn.Parameter(torch.ones(4)), zoo.transformer_text()

    model = Classed()
    rows, _ = compare(model, {name: value * 2 for name, value in model.state_dict().items()})
    names = [row["name"] for row in rows]
    assert names[0] == ""
    assert "inner.encoder.layers.0.self_attn" in names
    assert not any(name.endswith("out_proj") for name in names)
    assert sum(row["parameters"] for row in rows) == sum(value.numel() for value in model.parameters())
    assert rows[0]["relative"] == pytest.approx(0.5)
    assert rows[0]["largest"] is None  # all its numbers were one and the same


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_told_and_nothing_is_divided_by_nought(number: float) -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    before = changed(model, **{"1__weight": torch.zeros_like, "1__bias": torch.zeros_like})
    with torch.no_grad():
        model[0].weight[0, 0] = number
    rows, total = compare(model, before)
    assert [(row["relative"], row["cosine"], row["verdict"]) for row in rows] == [(None, None, "rewritten")] * 2
    assert [row["finite"] for row in rows] == [False, True]
    assert total["relative"] is None
    assert compare(model, model.state_dict())[0][0]["verdict"] == "same"


def test_weights_are_compared_in_the_precision_in_which_the_model_would_hold_them() -> None:
    model = nn.Linear(8, 8).half()
    fine = {name: value.float() + 1e-9 for name, value in model.state_dict().items()}
    assert compare(model, fine)[0][0]["verdict"] == "same"
    complex_one = nn.ParameterList([nn.Parameter(torch.ones(3, dtype=torch.complex64))])
    rows, _ = compare(complex_one, {"0": torch.full((3,), 1j)})
    assert rows[0]["relative"] == pytest.approx(2**0.5)


def test_a_checkpoint_that_does_not_fit_or_is_another_file_is_refused(lenet: Session, tmp_path: Path) -> None:
    other = saved(tmp_path, "other", zoo.tied().state_dict() | {})
    with pytest.raises(CheckpointError, match="do not fit the model"):
        asked(lenet, other)
    fitting = saved(tmp_path, "fitting", lenet.model.state_dict())
    with pytest.raises(CheckpointError, match="checksum"):
        asked(lenet, {**fitting, "sha256": "0" * 64})
    assert opened(zoo.skipping(), drawn(5)).own_weights.keys() == zoo.skipping().state_dict().keys()
