"""A run from beginning to end: budget, wrappers, checkpoints, failures, and the real store."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from analysis.errors import NotARun, RecordingError, RunBusy, StoreError
from analysis.recording import Recorder

from .conftest import FakeWriter, SmallNet


class Clock:
    """Seconds that pass only when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Slow(SmallNet):
    """Takes 0.25 s to evaluate."""

    clock: Clock

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if not self.training:
            self.clock.now += 0.25
        return super().forward(images)


def test_records_are_put_off_to_keep_the_budget(make: Any, writer: Any, images: Any) -> None:
    clock, model = Clock(), Slow()
    model.clock = clock
    recorder = make(budget=0.01, every=5, clock=clock)
    recorder.watch(model, probe=images)
    for step in range(400):
        clock.now += 1.0
        recorder.log({"loss": 1.0}, step)
    steps = [record.step for record in writer.records["fc"]]
    assert steps[:2] == [0, 5]
    assert all(b - a >= 20 for a, b in pairwise(steps[1:]))
    assert recorder.overhead["share"] <= 0.01
    assert recorder.overhead["records"] == len(steps) >= 12
    assert recorder.overhead["skipped"] == 80 - len(steps)
    assert recorder.overhead["seconds"] == pytest.approx(0.25 * len(steps))
    assert [(kind, message) for kind, message, _ in writer.notes] == [
        ("info", "Layers are recorded about every 25 steps, to stay within 1.0% of the time.")
    ]


def test_due_once_a_step_and_after_an_earlier_restart(make: Any, writer: Any, images: Any) -> None:
    recorder = make(every=10)
    recorder.watch(SmallNet(), probe=images)
    for step in (3, 3, 9, 12, 12, 19, 20, 41, 49, 5, 6, 10):
        recorder.log({}, step)
    assert [record.step for record in writer.records["fc"]] == [3, 12, 20, 41, 5, 10]


def test_compiled_models_run_uncompiled_for_the_probe(make: Any, writer: Any, images: Any) -> None:
    graphs: list[Any] = []

    def backend(graph: Any, _inputs: Any) -> Any:
        graphs.append(graph)
        return graph.forward

    torch._dynamo.reset()
    for in_place in (False, True):
        writer.records.clear()
        model = SmallNet()
        compiled = model if in_place else torch.compile(model, backend=backend)
        if in_place:
            model.compile(backend=backend)
        compiled(images).sum().backward()
        before = len(graphs)
        recorder = make()
        recorder.watch(compiled, probe=images)
        recorder.log({}, 0)
        compiled(images).sum().backward()
        assert set(writer.records) == {"conv1", "conv2", "fc"}
        assert len(graphs) == before > 0
        with pytest.raises(RecordingError, match="probe="):
            make().watch(compiled, sample_batches=True)
    torch._dynamo.reset()


def test_data_parallel_is_unwrapped(make: Any, writer: Any, images: Any) -> None:
    recorder = make()
    recorder.watch(nn.DataParallel(SmallNet()), probe=images)
    recorder.log({}, 0)
    assert set(writer.records) == {"conv1", "conv2", "fc"}


def test_other_ranks_do_nothing(make: Any, writer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    recorder = make()
    recorder.log({"a": 1.0}, 0)
    recorder.close()
    assert writer.metrics == []
    assert writer.reason is None


def test_directory_that_cannot_be_written(recwarn: Any, images: Any) -> None:
    def refuse(*_: Any) -> FakeWriter:
        raise StoreError("runs/a is read-only.", "Choose another directory.")

    with Recorder("runs/a", writer=refuse) as recorder:
        model = SmallNet()
        recorder.watch(model, probe=images)
        for step in range(3):
            recorder.log({"loss": model(images).sum()}, step)
        recorder.batch(labels=[1])
        recorder.record(3)
        assert recorder.checkpoint(model, 3) is None
    assert [str(w.message) for w in recwarn] == ["Nothing is recorded: runs/a is read-only. Choose another directory."]


@pytest.mark.parametrize("error", [NotARun, RunBusy])
def test_wrong_directories_raise(error: type[StoreError]) -> None:
    def refuse(*_: Any) -> FakeWriter:
        raise error("no")

    with pytest.raises(error):
        Recorder("runs/a", writer=refuse)


def test_reason_of_the_end(make: Any, writer: Any) -> None:
    with pytest.raises(KeyboardInterrupt), make():
        raise KeyboardInterrupt
    assert writer.reason == "KeyboardInterrupt"
    with make():
        pass
    assert writer.reason == "finished"


def test_dropped_recorder_closes(make: Any, writer: Any) -> None:
    make()
    assert writer.reason == "finished"


def test_forked_child_does_not_write(make: Any, writer: Any) -> None:
    recorder = make()
    child = os.fork()
    if child == 0:
        recorder.log({"a": 1.0}, 0)
        recorder.close()
        os._exit(1 if writer.metrics or writer.reason else 0)
    assert os.waitpid(child, 0)[1] == 0
    recorder.log({"a": 1.0}, 0)
    assert len(writer.metrics) == 1


class Tied(nn.Module):
    """An embedding that is also the last layer's weight, and a view."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(7, 4)
        self.head = nn.Linear(4, 7, bias=False)
        self.head.weight = self.embedding.weight
        self.register_buffer("first", self.embedding.weight.detach()[:2])

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.head(self.embedding(tokens))


def test_checkpoint_of_tied_weights(make: Any) -> None:
    model = Tied()
    path = make().checkpoint(nn.DataParallel(model), step=3)
    twin = Tied()
    twin.load_state_dict(load_file(path), strict=True)
    assert torch.equal(twin.head.weight, model.embedding.weight)
    assert torch.equal(twin.first, model.first)
    with pytest.raises(RecordingError, match="no values yet"):
        make().checkpoint(nn.LazyLinear(3), step=0)


def test_the_store_keeps_what_is_recorded(tmp_path: Path, images: Any, labels: Any) -> None:
    from analysis.store import Run

    model = SmallNet()
    with Recorder(tmp_path / "run", config={"lr": 1e-3}, every=2, budget=None) as recorder:
        recorder.watch(model, probe=(images, labels), class_names=list("abcde"))
        for step in range(5):
            recorder.log({"loss": 1.0 / (step + 1)}, step, epoch=0)
        assert recorder.checkpoint(model, step=4) is not None
    run = Run(tmp_path / "run")
    assert run.scalars("loss").values.tolist() == [1.0, 0.5, 1 / 3, 0.25, 0.2]
    assert [meta.name for meta in run.layers()] == ["conv1", "conv2", "fc"]
    assert [record.step for record in run.layer_records("conv1")] == [0, 2, 4]
    sampled = Recorder(tmp_path / "batches", every=1, budget=None)
    sampled.watch(model, sample_batches=True, pool=1, class_names=list("abcde"))
    for step in range(4):
        model(images)
        sampled.batch(labels=labels)
        sampled.log({}, step)
    sampled.close()
    assert len(Run(tmp_path / "batches").layer_records("conv2")) == 3


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only to the superuser")
def test_read_only_directory(tmp_path: Path, recwarn: Any) -> None:
    tmp_path.chmod(0o500)
    recorder = Recorder(tmp_path / "run")
    recorder.log({"a": 1.0}, 0)
    recorder.close()
    tmp_path.chmod(0o700)
    assert len(recwarn) == 1
