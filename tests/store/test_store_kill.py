from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from store_runs import ENVIRONMENT, layer_record, same_record

from analysis.errors import RunBusy
from analysis.store import Run, RunWriter

HERE = Path(__file__).parent
KILLS, READERS = 20, 8


def start(script: str, *arguments: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(HERE / script), *map(str, arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=ENVIRONMENT, stdin=pipe, stdout=pipe, stderr=pipe)


def kill_in_the_middle(writers: subprocess.Popen[bytes], path: Path, seconds: float) -> tuple[int, int]:
    """Last acknowledged step and layer step of a writer killed while writing."""
    assert writers.stdin is not None
    assert writers.stdout is not None
    writers.stdin.write(b"go\n")
    writers.stdin.flush()
    pid = int(writers.stdout.readline().split()[1])
    first = writers.stdout.readline()
    time.sleep(seconds)
    with pytest.raises(RunBusy, match=str(pid)):
        RunWriter(path)
    os.kill(pid, signal.SIGKILL)
    lines = [first.decode()]
    while (line := writers.stdout.readline().decode()) != "dead\n":
        lines.append(line)
    return int(lines[-1].split()[0]), max(int(line.split()[0]) for line in lines if "L" in line)


def test_kill_9_loses_no_acknowledged_record_and_readers_see_prefixes(tmp_path):
    path = tmp_path / "run"
    readers, writers = start("store_reading.py", path, READERS), start("store_writing.py", path)
    chance = random.Random(7)
    acknowledged = [kill_in_the_middle(writers, path, chance.uniform(0.01, 0.1)) for _ in range(KILLS)]
    writers.communicate()
    (tmp_path / "run.stop").touch()
    _, errors = readers.communicate(timeout=60)
    assert readers.returncode == 0, errors.decode()

    run = Run(path, stale_after=0.0)
    assert run.info.status == "stopped updating"
    assert len(run.segments()) == KILLS
    for tag, factor in (("loss", 0.5), ("epoch", 0.01)):
        read = run.scalars(tag)
        for segment, (last, _) in enumerate(acknowledged, 1):
            steps = read.steps[read.segments == segment]
            # one record may be written and not yet acknowledged
            assert len(steps) - (last + 1) in (0, 1)
            np.testing.assert_array_equal(steps, np.arange(len(steps)))
        np.testing.assert_allclose(read.values, read.steps * factor)
    entries = dict.fromkeys(range(1, KILLS + 1), 0)
    for reader_of_segment in run._segments():
        found = reader_of_segment.layer_entries("conv1")
        entries[reader_of_segment.number] = found[-1].step
        record = next(iter(reader_of_segment.layer_records("conv1", [len(found) - 1])))
        same_record(record, layer_record(found[-1].step, filters=64))
    assert all(entries[segment] >= last for segment, (_, last) in enumerate(acknowledged, 1))
    assert {d.kind for d in run.damage()} <= {"partial"}
    RunWriter(path).close()
