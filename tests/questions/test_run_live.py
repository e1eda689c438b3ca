"""The worker's side within a program that keeps its own objects: several subjects, and models that go on training."""

from __future__ import annotations

import hashlib
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from analysis.errors import ParameterError
from analysis.jobs.context import Cancelled, JobContext
from analysis.questions import keys, run
from analysis.results import Answers
from analysis.subject import live
from tests.questions import asked
from tests.questions.small_subject import checkpoint, subject


class Context(JobContext):
    """A job without a host. stop: its progress raises Cancelled, as in a program that keeps its own objects."""

    stop = False

    def progress(self, done: float, total: float, unit: str = "", message: str = "") -> None:  # noqa: ARG002
        if self.stop:
            raise Cancelled
        self.told = message


@pytest.fixture
def desk(tmp_path: Path) -> Any:
    names: list[str] = []

    def context(name: str, nested: bool = False) -> Context:
        home = tmp_path / f"job{time.monotonic_ns()}"
        home.mkdir()
        made = Context(home)
        made.settings = {"subject": [name], "device": ["cpu"], "cache": [str(tmp_path / "cache")]}
        made.nested = nested
        return made

    def open_(name: str, own: Any) -> dict[str, Any]:
        live.provide(name, own)
        names.append(name)
        key = run.describe(context(name), subject=name)["key"]
        return Answers(tmp_path / "cache" / "answers").get(key).json  # type: ignore[union-attr]

    def ask(name: str, description: Any, question: str, saved: Any = None, job: Any = None, **params: Any) -> Any:
        sample = keys.sample_of(description, 20)
        key = keys.answer_key(description, question, params, saved, sample)
        spec = {"question": question, "params": params, "checkpoint": saved, "sample": sample, "key": key}
        run.answer(job or context(name), **spec)
        return Answers(tmp_path / "cache" / "answers").get(key).json  # type: ignore[union-attr]

    context.open, context.ask = open_, ask  # type: ignore[attr-defined]
    yield context
    for name in names:
        live.withdraw(name)


def saved(path: Path, seed: int) -> dict[str, Any]:
    checkpoint(path, seed)
    return {"name": path.stem, "path": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def other() -> Any:
    found = subject()
    with torch.no_grad():
        next(found.model.parameters()).mul_(2)
    return found


def test_each_of_two_subjects_is_asked_about_itself(desk: Any) -> None:
    first, second = desk.open("one", subject()), desk.open("two", other())
    a = desk.ask("one", first, "logits", text="a")
    b = desk.ask("two", second, "logits", text="a")
    assert a != b
    assert desk.ask("one", first, "logits", text="b") == a
    live.withdraw("two")  # ends the other one only
    assert run._held[0].subject == "one"


def test_two_subjects_wait_for_each_other(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = desk.open("one", subject()), desk.open("two", other())
    inside, go = threading.Event(), threading.Event()

    def slow(session: Any, _context: Any, *, text: str = "") -> Any:
        del text
        inside.set()
        assert go.wait(10)
        return {"held": session is run._held[0].session}, {}

    monkeypatch.setattr(asked, "counted", slow)
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(desk.ask("one", first, "counted", text="slow")))
    thread.start()
    assert inside.wait(10)
    waits = desk("two")
    later = threading.Thread(target=lambda: results.append(desk.ask("two", second, "logits", job=waits, text="z")))
    later.start()
    cancelled = desk("two")
    cancelled.stop = True
    with pytest.raises(Cancelled):  # also while it waits
        desk.ask("two", second, "logits", job=cancelled, text="y")
    assert not results
    go.set()
    thread.join(10)
    later.join(10)
    assert results[0] == {"held": True}
    assert "digest" in results[1]


def test_weights_that_went_on_training_are_not_taken_for_those_described(
    desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = subject()
    description = desk.open("one", own)
    before = desk.ask("one", description, "logits", text="a")

    def train() -> None:
        with torch.no_grad():
            next(own.model.parameters()).mul_(2)

    train()
    with pytest.raises(ParameterError, match="changed"):
        desk.ask("one", description, "logits", text="b")
    again = desk.open("one", own)
    assert again["weights"] != description["weights"]
    assert desk.ask("one", again, "logits", text="b") != before

    def meanwhile(_session: Any, _context: Any, *, text: str = "") -> Any:
        del text
        train()
        return {}, {}

    monkeypatch.setattr(asked, "counted", meanwhile)
    with pytest.raises(ParameterError, match="changed"):
        desk.ask("one", again, "counted", text="t")


def test_a_job_whose_weights_cannot_be_put_back_does_not_go_on(
    desk: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    description = desk.open("one", subject())
    a, b = saved(tmp_path / "a.safetensors", 5), saved(tmp_path / "b.safetensors", 6)

    def outer(_session: Any, _context: Any, *, text: str = "") -> Any:
        Path(a["path"]).write_bytes(b"gone")
        desk.ask("one", description, "logits", b, job=desk("one", nested=True), text=text)
        return {}, {}

    monkeypatch.setattr(asked, "counted", outer)
    with pytest.raises(RuntimeError, match="put back"):
        desk.ask("one", description, "counted", a, text="o")
