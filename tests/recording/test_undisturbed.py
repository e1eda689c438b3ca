"""Training with the recorder is bit for bit training without it."""

from __future__ import annotations

import copy
import io
import random
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from .conftest import SmallNet


class Stateful(SmallNet):
    """Changes a buffer and attributes in every pass, draws random numbers, and may fail in evaluation."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))
        self.calls = 0
        self.hidden: torch.Tensor | None = None
        self.fails = False

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.seen += 1
        self.calls += 1
        images = images + 1e-3 * (torch.rand(()) + random.random() + np.random.rand())
        self.hidden = images.mean() if self.hidden is None else self.hidden.detach() + images.mean()
        if self.fails and not self.training:
            raise ValueError("no evaluation today")
        return super().forward(images)


def run(make: Any, mode: str | None, kind: type[nn.Module], fail_at: int | None = None) -> tuple[Any, ...]:
    """Train 6 steps; the final weights, optimizer state, and random states."""
    torch.manual_seed(3)
    random.seed(3)
    np.random.seed(3)
    model = kind()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    data, labels = torch.randn(6, 8, 1, 8, 8), torch.randint(5, (6, 8))
    recorder = make() if mode else None
    if recorder and mode == "probe":
        recorder.watch(model, probe=(data[0], labels[0]), batch_size=3)
    elif recorder:
        recorder.watch(model, sample_batches=True, pool=2)
    model.norm.eval()
    for step in range(6):
        if step == fail_at:
            model.fails = True
        loss = nn.functional.cross_entropy(model(data[step]), labels[step])
        optimizer.zero_grad()
        loss.backward()
        grads = [p.grad.clone() for p in model.parameters()]
        if recorder:
            recorder.batch(labels=labels[step])
            recorder.log({"loss": loss}, step=step)
        assert all(torch.equal(a, p.grad) for a, p in zip(grads, model.parameters(), strict=True))
        optimizer.step()
    flags = [module.training for module in model.modules()]
    if recorder:
        recorder.close()
    hooks = [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()]
    assert sum(hooks) == 0
    assert torch.is_grad_enabled()
    state = {key: value.clone() for key, value in model.state_dict().items()}
    moments = [v.clone() for entry in optimizer.state.values() for v in entry.values()]
    return state, moments, flags, getattr(model, "calls", 0), torch.rand(3), random.random(), np.random.rand()


def same(first: Any, second: Any) -> bool:
    if isinstance(first, torch.Tensor):
        return torch.equal(first, second)
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(first[key], second[key]) for key in first)
    if isinstance(first, list):
        return len(first) == len(second) and all(map(same, first, second))
    return first == second


@pytest.mark.parametrize("mode", ["probe", "batches"])
@pytest.mark.parametrize("kind", [SmallNet, Stateful])
def test_training_is_bit_identical(make: Any, writer: Any, mode: str, kind: type[nn.Module]) -> None:
    plain, recorded = run(make, None, kind), run(make, mode, kind)
    assert all(map(same, plain, recorded))
    assert writer.records["conv1"]


def test_training_survives_a_failing_probe(make: Any, writer: Any) -> None:
    plain = run(make, None, Stateful)
    with pytest.warns(RuntimeWarning, match="no evaluation today"):
        recorded = run(make, "probe", Stateful, fail_at=3)
    assert all(map(same, plain, recorded))
    assert len(writer.records["fc"]) == 3
    assert [kind for kind, _, _ in writer.notes] == ["warning"]


def test_copies_of_a_watched_model_do_not_record(make: Any, writer: Any) -> None:
    model = SmallNet()
    recorder = make()
    recorder.watch(model, sample_batches=True, pool=1)
    twin = copy.deepcopy(model)
    torch.save(model, io.BytesIO())
    for step in range(4):
        twin(torch.randn(2, 1, 8, 8))
        recorder.log({}, step)
    assert not writer.records


def test_autocast_keeps_its_weights_trainable(make: Any, images: torch.Tensor, labels: torch.Tensor) -> None:
    model = SmallNet()
    recorder = make()
    recorder.watch(model, probe=(images, labels))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        recorder.log({}, 0)
        model(images).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_lazy_modules_are_initialised_and_cached_tensors_stay_usable(make: Any, writer: Any, images: Any) -> None:
    class Caching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.LazyLinear(4)
            self.cache: dict[str, torch.Tensor] = {}

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if "scale" not in self.cache:
                self.cache["scale"] = torch.full((4,), 2.0)
            return self.fc(x.flatten(1)) * self.cache["scale"]

    model = Caching()
    recorder = make()
    recorder.watch(model, probe=images)
    recorder.log({}, 0)
    model(images).sum().backward()
    assert model.fc.weight.grad is not None
    assert writer.metas["fc"].filters == 4
