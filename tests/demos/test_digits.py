"""The demo as a job: real data and a real recorder, only shorter."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest

from analysis.demos import digits, run
from analysis.jobs.context import Cancelled
from analysis.store import Run


class Desk:
    """Stands in for the job runner; cancels after so many reports."""

    def __init__(self, cancel_after: int = 10**9) -> None:
        self.reports: list[tuple[float, float, str, str]] = []
        self.cancel_after = cancel_after

    @property
    def cancelled(self) -> bool:
        return len(self.reports) >= self.cancel_after

    def progress(self, done, total, unit="", message=""):
        self.reports.append((done, total, unit, message))


def tiny() -> list:
    return digits.plan(epochs=2, images_per_class=100)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    desk = Desk()
    return folder, desk, run.run_plan(desk, tiny(), folder)


def test_the_data():
    images, labels = digits.load_digits()
    assert images.shape == (5000, 1, 28, 28)
    assert (float(images.min()), float(images.max())) == (0.0, 1.0)
    assert labels.bincount().tolist() == [500] * 10


@pytest.mark.parametrize("per_class", [10, 500])
def test_the_split_is_stratified_disjoint_and_repeatable(per_class):
    _, labels = digits.load_digits()
    training, held_out = digits.split(labels, per_class, seed=0)
    assert labels[training].bincount().tolist() == [per_class * 4 // 5] * 10
    assert labels[held_out].bincount().tolist() == [per_class // 5] * 10
    assert not set(training.tolist()) & set(held_out.tolist())
    assert labels[held_out[: per_class // 2]].unique().numel() > 1
    again = digits.split(labels, per_class, seed=0)
    assert again[0].equal(training)
    assert again[1].equal(held_out)


def test_both_networks_are_trained_and_recorded(trained):
    folder, _desk, result = trained
    assert result["reused"] == []
    runs = [Run(folder / name) for name in digits.NETWORKS]
    assert [r.id for r in runs] == result["runs"]
    for made, planned in zip(runs, tiny(), strict=True):
        assert made.info.status == "finished"
        assert made.info.name == planned.title
        assert set(made.tags()) - {"epoch"} == {
            "train/loss",
            "train/accuracy",
            "validation/loss",
            "validation/accuracy",
        }
        assert made.scalars("train/loss").steps.tolist() == list(range(1, planned.steps + 1))
        assert [c.step for c in made.checkpoints()] == [0, planned.steps // 2, planned.steps]
    assert [m.filters for m in runs[0].layers()] == [20, 50, 500, 10]
    assert [m.filters for m in runs[1].layers()] == [10, 50, 100, 10]


def test_progress_covers_both(trained):
    _, desk, _ = trained
    done = [report[0] for report in desk.reports]
    assert done == sorted(done)
    assert desk.reports[-1][:3] == (52, 52, "steps")
    assert desk.reports[0][3] == "Training LeNet (1 of 2)"
    assert desk.reports[-1][3] == "Training LeNet, shrunken (2 of 2)"


def test_finished_runs_are_used_again(trained):
    folder, _, result = trained
    desk = Desk()
    again = run.run_plan(desk, tiny(), folder)
    assert again == {"runs": result["runs"], "reused": result["runs"]}
    assert desk.reports == []


def test_another_configuration_or_version_is_trained_afresh(trained):
    folder, _, _ = trained
    planned = tiny()[0]
    assert run.find_finished(folder, planned)
    for other in ({"demo_version": digits.VERSION + 1}, {"epochs": 3}, {"new": 1}):
        changed = replace(planned, config={**planned.config, **other})
        assert run.find_finished(folder, changed) is None
        assert run.free_path(folder, changed).name == "digits-lenet-2"


def test_a_cancelled_run_is_closed_and_trained_afresh_beside_it(tmp_path):
    with pytest.raises(Cancelled):
        run.run_plan(Desk(cancel_after=5), tiny(), tmp_path)
    cut = Run(tmp_path / "digits-lenet")
    assert cut.info.status == "interrupted"
    assert cut.segments()[0].reason == "Cancelled"
    assert 0 < len(cut.scalars("train/loss").steps) < 10
    result = run.run_plan(Desk(), tiny()[:1], tmp_path)
    assert result["runs"] == [Run(tmp_path / "digits-lenet-2").id]
    assert run.run_plan(Desk(), tiny()[:1], tmp_path)["reused"] == result["runs"]


def test_a_killed_or_broken_run_is_left_alone(trained, tmp_path):
    folder, _, _ = trained
    shutil.copytree(folder / "digits-lenet", tmp_path / "digits-lenet")
    (tmp_path / "digits-lenet" / "run.json").write_text("{")
    assert run.find_finished(tmp_path, tiny()[0]) is None
    assert run.free_path(tmp_path, tiny()[0]).name == "digits-lenet-2"
    assert (tmp_path / "digits-lenet" / "run.json").read_text() == "{"


def test_the_job_takes_a_name_and_returns_json(trained, monkeypatch):
    folder, _, result = trained
    full, short = digits.plan(), tiny()
    monkeypatch.setattr(digits, "plan", lambda: short)
    answer = run.run_demo(Desk(), name="digits", directory=str(folder))
    assert json.loads(json.dumps(answer))["runs"] == result["runs"]
    assert [planned.steps for planned in full] == [504, 504]
