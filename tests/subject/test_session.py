"""A session computes what the model computes, with whatever weights and wherever, and leaves no trace."""

from __future__ import annotations

import copy
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from analysis import Subject
from analysis.errors import ParameterError
from analysis.models.checkpoints import CheckpointError, sha256_of
from analysis.subject import Session
from analysis.subject.device import choose_device
from tests.subject.subjects import (
    IMAGES,
    PAIRS,
    TEXTS,
    Likeness,
    N,
    Reader,
    convolutional,
    session,
    told,
)

# Passes


def test_logits_are_those_of_the_model_in_evaluation_mode() -> None:
    model = convolutional()
    oracle = copy.deepcopy(model).eval()(IMAGES)
    found = session(model)
    assert torch.allclose(found.forward(found.batch(range(N))), oracle, atol=1e-6)
    assert torch.allclose(found.forward(found.batch([5])), oracle[[5]], atol=1e-6)
    assert found.forward(found.batch([])).shape == (0, 3)


class Restless(nn.Module):
    """Does all that a pass may leave behind: draws at random, counts, prints."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 3)
        self.norm = nn.BatchNorm2d(3, momentum=0.5)
        self.register_buffer("seen", torch.zeros(1))
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.seen += len(x)
        noise = torch.rand(3) + random.random() + float(np.random.rand())
        return self.norm(self.conv(x)).mean((2, 3)) + noise


def test_passes_and_descriptions_leave_no_trace() -> None:
    model = Restless()
    model.train()
    model.norm.eval()
    state = copy.deepcopy(model.state_dict())
    random_before = random.getstate(), np.random.get_state()[1].tobytes(), torch.get_rng_state()
    found = session(model)
    batch = found.batch(range(4))
    first, again = found.forward(batch), found.forward(batch)
    found.describe()
    found.labels()
    assert not any(module.training for module in model.modules())
    found.close()
    assert model.training
    assert model.conv.training
    assert not model.norm.training
    assert model.calls == 0
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    assert random.getstate() == random_before[0]
    assert np.random.get_state()[1].tobytes() == random_before[1]
    assert torch.equal(torch.get_rng_state(), random_before[2])
    assert not first.requires_grad
    assert first.shape == again.shape


def test_random_numbers_of_torch_in_a_pass_are_the_same_every_time() -> None:
    class Noise(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(64, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.linear(x.flatten(1)) + torch.randn(len(x), 3)

    found = session(Noise())
    batch = found.batch(range(3))
    assert torch.equal(found.forward(batch), found.forward(batch))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_inputs_come_in_the_precision_of_the_model(dtype: torch.dtype) -> None:
    found = session(convolutional().to(dtype))
    logits = found.forward(found.batch(range(3)))
    assert logits.dtype == torch.float32
    assert logits.isfinite().all()
    assert str(dtype).removeprefix("torch.") in told(found, "precision")
    assert session(convolutional(), [(x.double().numpy(), y) for x, y in PAIRS]).forward is not None


# Weights


def saved(path: Path, seed: int) -> dict[str, Any]:
    own = convolutional().state_dict()
    torch.manual_seed(seed)
    weights = {name: torch.randn_like(v) if v.is_floating_point() else v for name, v in own.items()}
    weights["1.running_var"] = weights["1.running_var"].abs() + 0.1
    save_file(weights, path)
    return {"name": path.stem, "path": str(path), "sha256": sha256_of(path)}


def test_weights_come_from_a_checkpoint_and_go_back(tmp_path: Path) -> None:
    found = session()
    own = copy.deepcopy(found.model.state_dict())
    before = found.forward(found.batch([0, 1]))
    one, two = saved(tmp_path / "one.safetensors", 5), saved(tmp_path / "two.safetensors", 6)
    found.use(one)
    first = found.forward(found.batch([0, 1]))
    found.use(two)
    assert not torch.allclose(found.forward(found.batch([0, 1])), first)
    found.use(one)
    assert torch.equal(found.forward(found.batch([0, 1])), first)
    assert found.use(None) is found.model
    assert torch.equal(found.forward(found.batch([0, 1])), before)
    assert all(torch.equal(value, own[name]) for name, value in found.model.state_dict().items())
    found.use(two)
    found.close()
    assert all(torch.equal(value, own[name]) for name, value in found.model.state_dict().items())


def test_a_flipped_byte_is_noticed_and_changes_nothing(tmp_path: Path) -> None:
    checkpoint = saved(tmp_path / "one.safetensors", 5)
    content = bytearray((tmp_path / "one.safetensors").read_bytes())
    content[-3] ^= 1
    (tmp_path / "one.safetensors").write_bytes(content)
    found = session()
    before = found.forward(found.batch([0]))
    with pytest.raises(CheckpointError, match="checksum"):
        found.use(checkpoint)
    assert torch.equal(found.forward(found.batch([0])), before)


def test_checkpoints_are_listed_with_checksum_and_problem(tmp_path: Path) -> None:
    good = saved(tmp_path / "good.safetensors", 5)
    save_file({"0.weight": torch.zeros(9, 9)}, tmp_path / "other.safetensors")
    torch.save(Likeness(), tmp_path / "whole.pt")
    files = {name: tmp_path / name for name in ("good.safetensors", "other.safetensors", "whole.pt", "gone.pt")}
    listed = {row["name"]: row for row in session(checkpoints=files).description()["checkpoints"]}
    assert listed["good.safetensors"]["sha256"] == good["sha256"]
    assert not listed["good.safetensors"]["problem"]
    assert listed["good.safetensors"]["bytes"] == (tmp_path / "good.safetensors").stat().st_size
    for name, words in {
        "other.safetensors": "missing",
        "whole.pt": "execute code",
        "gone.pt": "cannot be read",
    }.items():
        assert words in listed[name]["problem"]


# Devices


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_there_falls_back_to_the_cpu_with_a_notice() -> None:
    found = Session(Subject(convolutional(), PAIRS), device="cuda")
    assert found.device == torch.device("cpu")
    assert "cuda" in found.notices[0]
    assert found.description()["notices"] == found.notices
    assert choose_device("auto") == (torch.device("cpu"), [])
    for wrong in ("tpu", "cuda:x", ""):
        with pytest.raises(ParameterError):
            choose_device(wrong)


def test_a_model_that_does_not_run_on_the_device_computes_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    class OnlyCpu(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(64, 3)

        def forward(self, x: Tensor) -> Tensor:
            if x.device.type == "meta":
                raise NotImplementedError("operator not implemented")
            return self.linear(x.flatten(1))

    model = OnlyCpu()
    # The meta device stands for a GPU; weights are not moved there, as they could not come back.
    monkeypatch.setattr(OnlyCpu, "to", lambda self, *_args, **_kwargs: self)
    monkeypatch.setattr("analysis.subject.session.choose_device", lambda _wanted: (torch.device("meta"), []))
    found = Session(Subject(model, PAIRS))
    assert found.device == torch.device("cpu")
    assert "operator not implemented" in found.notices[0]
    assert found.forward(found.batch([0])).shape == (1, 3)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_computes_what_the_cpu_computes() -> None:
    cpu = session().forward(session().batch(range(N)))
    with Session(Subject(convolutional(), PAIRS), device="auto") as found:
        assert found.device.type == "cuda"
        assert torch.allclose(found.forward(found.batch(range(N))).cpu(), cpu, atol=1e-4)
        reader = Session(Subject(Reader(), [(ids, 0) for ids in TEXTS]), device="cuda")
        assert reader.forward(reader.batch(range(6))).shape == (6, 2)
        assert len(found.description()["examples"]) == 8
    assert next(found.model.parameters()).device.type == "cpu"
