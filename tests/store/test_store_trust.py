"""Opening a run executes nothing from it, whatever its files hold."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from analysis.errors import CutawayError
from analysis.store.reader import Run
from analysis.store.runs import find_runs
from analysis.store.writer import RunWriter


class Marker:
    """Unpickling this writes a file."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, (f"open({str(self.place)!r}, 'w').close()",)


def everything(path: Path) -> None:
    """Read all that a run offers; errors in words are fine."""
    try:
        run = Run(path)
        reads = [
            run.segments,
            run.tags,
            run.layers,
            run.probe,
            run.checkpoints,
            run.notes,
            run.damage,
            lambda: run.info,
        ]
    except CutawayError:
        return
    for read in reads:
        try:
            read()
        except CutawayError:
            continue


def test_pickles_in_every_file_of_a_run_are_not_executed(tmp_path: Path) -> None:
    marker = tmp_path / "executed"
    bomb = pickle.dumps(Marker(marker))
    writer = RunWriter(tmp_path / "runs" / "x", {}, "x")
    writer.scalars({"loss": 1.0}, 1, 1.0)
    writer.checkpoint(1, lambda place: place.write_bytes(bomb) and None)
    writer.close()
    for path in [p for p in (tmp_path / "runs").rglob("*") if p.is_file()]:
        before = path.read_bytes()
        path.write_bytes(bomb)
        find_runs([tmp_path / "runs"])
        everything(tmp_path / "runs" / "x")
        path.write_bytes(before)
    assert not marker.exists()
    pickle.loads(bomb)  # noqa: S301 - the bomb is a real one
    assert marker.exists()


@pytest.mark.parametrize("name", ["model.py", "sitecustomize.py", "__init__.py", "conftest.py"])
def test_code_in_a_run_is_not_imported(tmp_path: Path, name: str) -> None:
    marker = tmp_path / "executed"
    writer = RunWriter(tmp_path / "runs" / "x", {}, "x")
    writer.close()
    (tmp_path / "runs" / "x" / name).write_text(f"open({str(marker)!r}, 'w').close()")
    find_runs([tmp_path / "runs"])
    everything(tmp_path / "runs" / "x")
    assert not marker.exists()
