from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import warnings

import numpy as np
import pytest
from store_runs import ENVIRONMENT, ROOT, layer_meta, layer_record

from analysis.errors import StoreError
from analysis.store import Run, RunWriter, appendfile

LIMITED = """
import json, resource, sys, warnings
from analysis.store import Run, RunWriter, appendfile
appendfile.RETRY_AFTER = 0.0
writer = RunWriter(sys.argv[1])
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (1010, hard))
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    for step in range(60):
        if step == 50:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        writer.scalars({"loss": float(step)}, step, 1.0)
    writer.close()
print(json.dumps([[str(w.message) for w in seen], writer.dropped]))
"""


def test_a_file_that_may_not_grow_loses_records_but_not_the_training(tmp_path):
    path = tmp_path / "run"
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path)],
        env=ENVIRONMENT,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    messages, dropped = json.loads(done.stdout)
    assert len(messages) == 1
    assert "Training goes on" in messages[0]
    assert dropped == 25
    run = Run(path)
    assert run.scalars("loss").steps.tolist() == [*range(25), *range(50, 60)]
    assert run.damage() == []
    assert [(note.kind, note.step) for note in run.notes()] == [("dropped", 49)]
    assert "25 records" in run.notes()[0].message
    assert "steps 25 to 49" in run.notes()[0].message


class Disk:
    """Replaces os.write: full from ``full`` on, and then takes ``part`` bytes of a record."""

    def __init__(self, monkeypatch, part=None):
        self.full, self.part, self.write = False, part, os.write
        monkeypatch.setattr(appendfile.os, "write", self)

    def __call__(self, fd, data):
        if not self.full:
            return self.write(fd, data)
        if self.part is None:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self.write(fd, data[: self.part])


@pytest.mark.parametrize("part", [None, 0, 1, 12, 39])
def test_full_disk_warns_once_and_writing_resumes(tmp_path, monkeypatch, part):
    disk = Disk(monkeypatch, part)
    now = [1000.0]
    monkeypatch.setattr(appendfile.time, "monotonic", lambda: now[0])
    writer = RunWriter(tmp_path / "run")
    writer.declare_layer(layer_meta())
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        for step in range(30):
            now[0] += 1
            disk.full = 10 <= step < 20
            writer.scalars({"loss": step}, step, 1.0)
            writer.layer_record("conv1", layer_record(step))
            run = Run(tmp_path / "run")
            assert run.damage() == []
        writer.close()
    assert len([w for w in seen if issubclass(w.category, RuntimeWarning)]) == 1
    kept = Run(tmp_path / "run").scalars("loss").steps.tolist()
    assert kept[:10] == list(range(10))
    assert kept[-5:] == list(range(25, 30))
    assert len(kept) + len(Run(tmp_path / "run").layer_steps("conv1")) + writer.dropped == 60
    notes = Run(tmp_path / "run").notes()
    assert {note.kind for note in notes} == {"dropped"}
    assert sum(int(note.message.split()[0]) for note in notes) == writer.dropped


def test_a_part_of_a_record_that_cannot_be_cut_away_is_cut_before_the_next(tmp_path, monkeypatch):
    disk = Disk(monkeypatch, 17)
    monkeypatch.setattr(appendfile, "RETRY_AFTER", 0.0)
    cut = os.ftruncate

    def refuse(*_):
        raise OSError(errno.EIO, "Input/output error")

    writer = RunWriter(tmp_path / "run")
    writer.scalars({"loss": 1}, 1, 1.0)
    monkeypatch.setattr(appendfile.os, "ftruncate", refuse)
    disk.full = True
    with pytest.warns(RuntimeWarning):
        writer.scalars({"loss": 2}, 2, 1.0)
    disk.full = False
    writer.scalars({"loss": 3}, 3, 1.0)
    run = Run(tmp_path / "run")
    assert [d.kind for d in run.scalars("loss").damage] == ["partial"]
    monkeypatch.setattr(appendfile.os, "ftruncate", cut)
    writer.scalars({"loss": 4}, 4, 1.0)
    writer.close()
    assert run.scalars("loss").steps.tolist() == [1, 4]
    assert run.damage() == []
    assert writer.dropped == 2


def test_a_run_removed_while_writing_does_not_stop_the_training(tmp_path):
    writer = RunWriter(tmp_path / "run")
    writer.scalars({"loss": 1}, 1, 1.0)
    shutil.rmtree(tmp_path / "run")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        writer.scalars({"loss": 2, "new": 3}, 2, 1.0)
        writer.checkpoint(3, lambda path: path.write_bytes(b"x") and None)
        writer.probe({"inputs": np.ones(2)}, {})
        writer.heartbeat()
        writer.close()
    assert writer.dropped >= 1


def test_a_place_that_cannot_be_written_is_said_at_once(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        RunWriter(tmp_path / "file" / "run")
    with pytest.raises(StoreError):
        RunWriter("/proc/run")
