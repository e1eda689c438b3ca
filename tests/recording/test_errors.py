"""Wrong use is refused in words that help, before training starts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from analysis.errors import RecordingError
from analysis.recording import Recorder

from .conftest import SmallNet


@pytest.mark.parametrize(
    ("metrics", "says"),
    [
        ({"loss": torch.ones(3)}, "3 elements"),
        ({"loss": np.ones((2, 2))}, "4 elements"),
        ({"loss": "low"}, "not a real number"),
        ({"loss": None}, "not a real number"),
        ({"loss": 1j}, "not a real number"),
        ({"loss": torch.ones((), device="meta")}, "not a real number"),
        ({3: 1.0}, "not a name"),
        ([1.0], "not a mapping"),
    ],
)
def test_metrics(make: Any, metrics: Any, says: str) -> None:
    with pytest.raises(RecordingError, match=says):
        make().log(metrics, 0)


@pytest.mark.parametrize("step", [-1, 1.5, "3", None, True, 2**63, torch.ones(2)])
def test_steps(make: Any, step: Any) -> None:
    with pytest.raises(RecordingError, match="step"):
        make().log({"a": 1.0}, step)


def test_numbers_of_every_kind(make: Any, writer: Any) -> None:
    recorder = make()
    values = {
        "a": torch.tensor([1.5], requires_grad=True),
        "b": np.float32(2),
        "c": True,
        "d": torch.tensor(float("nan")),
    }
    recorder.log(values, np.int64(3), epoch=2)
    recorder.add_scalar("e", 4, global_step=4)
    recorder.log_metrics({"f": np.array([5])}, step=5)
    (first, step), *rest = writer.metrics
    assert step == 3
    assert first.pop("d") != first.get("d")
    assert first == {"a": 1.5, "b": 2.0, "c": 1.0, "epoch": 2.0}
    assert rest == [({"e": 4.0}, 4), ({"f": 5.0}, 5)]


IMAGES = torch.randn(4, 1, 8, 8)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "nothing to look at"),
        ({"probe": (IMAGES, torch.arange(3))}, "3 labels for 4 instances"),
        ({"probe": (IMAGES, torch.rand(4))}, "not integers"),
        ({"probe": (IMAGES, torch.ones(4, 5, dtype=torch.int64))}, "argmax"),
        ({"probe": (IMAGES, "cats")}, "labels are of type str"),
        ({"probe": (IMAGES, torch.arange(4)), "class_names": ["a", "b"]}, "2 class names.*up to 3"),
        ({"probe": (IMAGES, torch.arange(4)), "class_names": "abcd"}, "one text"),
        ({"probe": IMAGES[:, :, :3]}, "cannot run the probe: RuntimeError"),
        ({"probe": ((IMAGES, IMAGES[:2]), None)}, "shapes"),
        ({"probe": (IMAGES[:0], None)}, "shapes"),
        ({"probe": ("text", None)}, "not tensors"),
        ({"probe": (IMAGES, None, None)}, "3 parts"),
        ({"probe": IMAGES, "include": ["cnov1"]}, "matches no module.*conv1"),
        ({"probe": IMAGES, "exclude": ["*"]}, "after exclude"),
        ({"probe": IMAGES, "every": 0}, "every=0"),
        ({"probe": IMAGES, "beta": 2}, "beta=2"),
        ({"probe": IMAGES, "decay": 0.0}, "decay=0.0"),
        ({"probe": IMAGES, "bins": 1.5}, "bins=1.5"),
        ({"probe": IMAGES, "patches_per_instance": 0}, "patches_per_instance=0"),
    ],
)
def test_watch(make: Any, options: dict[str, Any], says: str) -> None:
    model = SmallNet()
    with pytest.raises(RecordingError, match=says):
        make().watch(model, **options)
    assert model.training
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_models_that_cannot_be_watched(make: Any) -> None:
    with pytest.raises(RecordingError, match=r"ReLU \(1\), Flatten \(1\).*include="):
        make().watch(nn.Sequential(nn.ReLU(), nn.Flatten()), probe=IMAGES)
    with pytest.raises(RecordingError, match="TorchScript"):
        make().watch(torch.jit.trace(SmallNet().eval(), IMAGES), probe=IMAGES)
    with pytest.raises(RecordingError, match="not a PyTorch module"):
        make().watch(len, probe=IMAGES)

    class Named(nn.Module):
        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"x": x}

    with pytest.raises(RecordingError, match="'0' cannot be watched: it yields a dict"):
        make().watch(nn.Sequential(Named()), probe=IMAGES, include=["0"])


def test_wrong_order_of_calls(make: Any) -> None:
    recorder = make()
    with pytest.raises(RecordingError, match="No model is watched"):
        recorder.record(0)
    recorder.watch(SmallNet(), probe=IMAGES)
    with pytest.raises(RecordingError, match="already watches"):
        recorder.watch(SmallNet(), probe=IMAGES)
    recorder.close()
    recorder.close()
    for call in (lambda: recorder.log({}, 0), lambda: recorder.record(0), lambda: recorder.batch()):
        with pytest.raises(RecordingError, match="closed"):
            call()


def test_labels_of_another_batch(make: Any) -> None:
    model, recorder = SmallNet(), make()
    recorder.watch(model, sample_batches=True)
    for step in range(2):
        model(IMAGES)
        if step:
            with pytest.raises(RecordingError, match="3 labels for 4"):
                recorder.batch(labels=torch.arange(3))
        recorder.log({}, step)


@pytest.mark.parametrize("budget", [0, -1, 2, "1%"])
def test_budget(make: Any, budget: Any) -> None:
    with pytest.raises(RecordingError, match="budget"):
        make(budget=budget)


@pytest.mark.parametrize("every", [0, -5, 2.5, True, "10"])
def test_an_interval_that_is_no_number_of_steps_is_refused(tmp_path, every):
    with pytest.raises(RecordingError, match="not a number of steps"):
        Recorder(tmp_path / "run", every=every)


def test_names_and_patterns_that_cannot_be_meant_are_refused(tmp_path):
    model, probe = torch.nn.Sequential(torch.nn.Linear(3, 2)), (torch.zeros(4, 3), torch.arange(4) % 2)
    with Recorder(tmp_path / "run") as recorder:
        with pytest.raises(RecordingError, match="dictionary"):
            recorder.watch(model, probe=probe, class_names={0: "a", 1: "b"})
        with pytest.raises(RecordingError, match="matches no module"):
            recorder.watch(model, probe=probe, exclude="convv*")
        with pytest.raises(RecordingError, match="no name of a layer"):
            recorder.watch(model, probe=probe, include=[model[0]])
        with pytest.raises(RecordingError, match="Both a probe set"):
            recorder.watch(model, probe=probe, sample_batches=True)
