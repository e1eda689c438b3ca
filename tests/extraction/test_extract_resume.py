"""Whatever interrupts an extraction, what was finished stays, and the files end up with the same bytes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from analysis.extraction.extract import extract
from analysis.extraction.reader import Extraction
from tests.extraction.standin import files_of, standin

ROOT = Path(__file__).parents[2]
N = 150  # three shards of 64: 64, 64, 22

# Forked, because loading torch takes longer than all the rest. Each child is killed in the middle of a shard.
KILLED = """
import os, signal, sys
import torch
torch.set_num_threads(1)
from pathlib import Path
from analysis.extraction.extract import extract
from analysis.extraction.reader import Extraction
from tests.extraction.standin import standin
for at in map(int, sys.argv[2:]):
    child = os.fork()
    if not child:
        def before(indices):
            if at in indices:
                os.kill(os.getpid(), signal.SIGKILL)
        session = standin(150, before=before)
        extract(session, Path(sys.argv[1]), indices=range(150), layers=session.layers, batch_size=16, full=True)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    found = Extraction(Path(sys.argv[1]))
    print(os.waitstatus_to_exitcode(status), found.settled, found.complete)
"""


def run(directory: Path, **more) -> None:
    session = standin(N, **more)
    extract(session, directory, indices=range(N), layers=session.layers, batch_size=16, full=True)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    directory = tmp_path_factory.mktemp("whole")
    run(directory)
    return files_of(directory)


def test_killed_at_any_shard_the_files_have_the_same_bytes(whole: dict[str, bytes], tmp_path: Path) -> None:
    """One directory, killed in each shard in turn by SIGKILL, in one of them twice, then finished."""
    command = [sys.executable, "-c", KILLED, str(tmp_path), "20", "40", "100", "149"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.split("\n")[:-1] == ["-9 0 False", "-9 0 False", "-9 64 False", "-9 128 False"], done.stderr
    run(tmp_path)
    assert files_of(tmp_path) == whole


def test_finished_shards_are_not_computed_again(whole: dict[str, bytes], tmp_path: Path) -> None:
    for name in ("manifest.json", "shard-00001.safetensors", "display-00001.safetensors"):
        (tmp_path / name).write_bytes(whole[name])
    session = standin(N)
    extract(session, tmp_path, indices=range(N), layers=session.layers, batch_size=16, full=True)
    assert sorted(index for batch in session.passes for index in batch) == [*range(64), *range(128, 150)]


def test_batches_do_not_reach_across_shards(tmp_path: Path) -> None:
    session = standin(N)
    extract(session, tmp_path, indices=range(N), layers=session.layers, batch_size=48)
    assert [len(batch) for batch in session.passes] == [48, 16, 48, 16, 22]


@pytest.mark.parametrize("damage", ["cut", "empty", "header"])
def test_a_damaged_shard_is_computed_again(damage: str, whole: dict[str, bytes], tmp_path: Path) -> None:
    for name, content in whole.items():
        (tmp_path / name).write_bytes(content)
    path = tmp_path / "shard-00000.safetensors"
    content = path.read_bytes()
    path.write_bytes({"cut": content[:-1], "empty": b"", "header": b"\xff" * 8 + content[8:]}[damage])
    assert Extraction(tmp_path).done == N - 64
    run(tmp_path)
    assert files_of(tmp_path) == whole


def test_another_batch_size_starts_anew(whole: dict[str, bytes], tmp_path: Path) -> None:
    """Other batches give other roundings: shards of two kinds are never mixed."""
    for name, content in whole.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / ".shard-00000.safetensors.1.tmp").write_bytes(b"left behind")
    session = standin(N)
    extract(session, tmp_path, indices=range(N), layers=session.layers, batch_size=8)
    assert sum(map(len, session.passes)) == N
    assert not [name for name in files_of(tmp_path) if name.startswith(("full", "."))]


def test_an_extraction_that_is_finished_runs_nothing(whole: dict[str, bytes], tmp_path: Path) -> None:
    for name, content in whole.items():
        (tmp_path / name).write_bytes(content)
    session = standin(N)
    extract(session, tmp_path, indices=range(N), layers=session.layers, batch_size=16, full=True)
    assert session.passes == []
    assert files_of(tmp_path) == whole


def test_whole_activations_are_those_of_the_layer(whole: dict[str, bytes], tmp_path: Path) -> None:
    for name, content in whole.items():
        (tmp_path / name).write_bytes(content)
    session, found = standin(N), Extraction(tmp_path)
    for index in (0, 63, 64, 149):
        values = session.model[0](session.instances[index][None])[0].detach().numpy()
        assert found.full("0", index) == pytest.approx(values, abs=1e-5)  # before the ReLU that overwrites it
