"""The examples run as they are printed, and the README says nothing that its code or its tests do not."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from analysis.errors import NotARun
from analysis.store import Run
from analysis.subject.loading import load_subject
from analysis.subject.session import Session

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
LAYERS = ["conv1", "conv2", "fc"]


def run_example(name: str, *arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "examples" / name), *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("flags", [[], ["--sample-batches"]], ids=["probe", "batches"])
def test_the_training_is_recorded(tmp_path: Path, flags: list[str]) -> None:
    done = run_example("record_training.py", "runs/stripes", "--steps", 60, *flags, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    run = Run(tmp_path / "runs" / "stripes")
    assert (run.info.name, run.info.status, run.info.config["batch"]) == ("stripes", "finished", 32)
    loss = run.scalars("train/loss")
    assert loss.steps.tolist() == list(range(60))
    assert loss.values[-10:].mean() < loss.values[:10].mean()
    assert run.scalars("validation/accuracy").steps.tolist() == [0, 20, 40]
    assert [meta.name for meta in run.layers()] == LAYERS
    for name in LAYERS:
        record = run.layer_record(name)
        assert record.histogram.sum() + record.silent == record.patches > 0
        assert record.tally_total.sum() > 0  # labels came along
    if not flags:
        assert [step for step, _ in run.layer_steps("conv1")] == list(range(0, 60, 10))
    assert [saved.step for saved in run.checkpoints()] == [59]
    assert run.notes() == []
    assert run.damage() == []


def test_a_second_training_is_a_second_segment(tmp_path: Path) -> None:
    for _ in range(2):
        assert run_example("record_training.py", "run", "--steps", 2, cwd=tmp_path).returncode == 0
    run = Run(tmp_path / "run")
    assert [segment.reason for segment in run.segments()] == ["finished", "finished"]
    assert run.scalars("train/loss").segments.tolist() == [1, 1, 2, 2]


def test_a_table_becomes_a_run(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("step,time,train/loss,val/loss\n0,100,1.5,\n10,101.5,nan,0.75\n20,,0.5,\n")
    done = run_example("import_csv.py", "log.csv", "imported", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    run = Run(tmp_path / "imported")
    assert (run.info.name, run.info.status, run.info.config) == ("log", "finished", {"imported from": "log.csv"})
    assert run.tags() == ["train/loss", "val/loss"]
    loss = run.scalars("train/loss")
    assert loss.steps.tolist() == [0, 10, 20]
    assert loss.walls[:2].tolist() == [100, 101.5]
    np.testing.assert_array_equal(loss.values, [1.5, np.nan, 0.5])
    assert run.scalars("val/loss").steps.tolist() == [10]


def test_a_table_that_cannot_be_read_leaves_a_failed_run(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("step,loss\n0,1.0\n1,high\n")
    done = run_example("import_csv.py", "log.csv", "imported", cwd=tmp_path)
    assert "could not convert string to float: 'high'" in done.stderr
    run = Run(tmp_path / "imported")
    assert run.info.status == "failed"
    assert run.segments()[0].reason == "ValueError"
    assert run.scalars("loss").values.tolist() == [1.0]


def test_the_code_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = [block for block in PYTHON if "Recorder(" in block]
    assert len(blocks) == 2
    monkeypatch.chdir(tmp_path)
    for number, block in enumerate(blocks):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 2))
        names = {
            "model": model,
            "optimiser": torch.optim.SGD(model.parameters(), lr=0.1),
            "criterion": nn.CrossEntropyLoss(),
            "batches": [(torch.randn(8, 1, 8, 8), torch.randint(2, (8,))) for _ in range(4)],
            "held_out": (torch.randn(16, 1, 8, 8), torch.randint(2, (16,))),
            "classes": ["one", "two"],
        }
        exec(compile(block, f"README.md, block {number}", "exec"), names)  # noqa: S102 - our own text
        run = Run(tmp_path / "runs" / ("first", "second")[number])
        assert run.info.status == "finished"
        assert len(run.scalars("train/loss").steps) == 4
        assert len(run.layers()) == 2
        assert run.layer_record("0").tally_total.sum() > 0
    with pytest.raises(NotARun):
        Run(tmp_path / "runs")


def test_the_subject_of_the_readme_is_the_example() -> None:
    [block] = [block for block in PYTHON if "Recorder(" not in block]
    assert (ROOT / "examples" / "stripes_subject.py").read_text(encoding="utf-8").endswith(block)


def test_a_subject_shows_the_weights_of_its_run(tmp_path: Path) -> None:
    assert run_example("record_training.py", "run", cwd=tmp_path).returncode == 0
    run = Run(tmp_path / "run")
    [saved] = run.checkpoints()
    path = run.checkpoint_path(saved.name)
    session = Session(load_subject(ROOT / "examples" / "stripes_subject.py"), device="cpu")
    assert session.kind == "image"
    assert session.class_names == ["horizontal", "vertical", "diagonal"]
    assert [info.key for info in session.layers] == LAYERS
    before = _accuracy(session)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    session.use({"name": saved.name, "path": str(path), "sha256": digest})
    assert _accuracy(session) > 0.9 > before


def test_series_are_understood_too() -> None:
    session = Session(load_subject(ROOT / "examples" / "series_subject.py"), device="cpu")
    assert session.kind == "series"
    assert [info.key for info in session.layers] == ["conv1", "conv2", "fc"]
    assert session.display(0).shape == (2, 200)
    assert 0.7 < _accuracy(session) < 1  # some are too weak to be heard


def test_tables_have_columns_with_names_and_units() -> None:
    session = Session(load_subject(ROOT / "examples" / "table_subject.py"), device="cpu")
    described = session.description()
    assert (described["kind"], described["classes"]) == ("table", ["sound", "worn"])
    assert described["feature_names"] == ["hours", "temperature", "vibration", "load", "year"]
    years = [float(session.display(index)[4]) for index in range(50)]
    assert 2005 < np.mean(years) < 2025
    assert _accuracy(session) > 0.85


def _accuracy(session: Session) -> float:
    indices = np.arange(200)
    batch = session.batch(indices)
    return float((session.forward(batch).argmax(1).numpy() == session.labels(indices)).mean())


def test_the_importer_in_the_guide_is_the_example() -> None:
    [block] = re.findall(r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.DOTALL)
    assert block in (ROOT / "examples" / "import_csv.py").read_text(encoding="utf-8")


def test_every_promise_names_a_test_that_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", README)
    assert len(named) > 15
    for path, test in named:
        assert re.search(rf"^def {test}\(", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE), (path, test)


@pytest.mark.parametrize("page", ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_every_path_in_the_documents_exists(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    paths = re.findall(r"`((?:analysis|dashboard|assets|tests|examples|benchmarks)/[\w./]*)", text)
    made_by_bench = {"benchmarks/RESULTS.md", "benchmarks/run.py"}
    assert paths
    named = [path for path in paths if path not in made_by_bench and "NAME" not in path]
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_readme_names_every_option_of_the_command_line() -> None:
    done = subprocess.run(
        [sys.executable, "run.py", "serve", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    options = set(re.findall(r"(?<!\w)--[a-z-]+", done.stdout)) - {"--help"}
    assert len(options) >= 6
    assert [option for option in options if f"`{option}" not in README] == []
