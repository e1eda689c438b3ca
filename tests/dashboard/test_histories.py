"""The cache of layer histories: it must never show other records than the run holds."""

from __future__ import annotations

import shutil
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np

from analysis.records import LayerMeta, LayerRecord
from analysis.store import Run, RunWriter
from analysis.training.findings import Thresholds
from dashboard.histories import RECENT, LayerHistories, Memo

from .conftest import record

CONV = LayerMeta("conv1", "conv", "Conv2d", 6, 0)


def made(step: int, meta: LayerMeta = CONV) -> LayerRecord:
    return record(meta, step, 1e9 + step, np.random.default_rng(step))


def write(path: Path, steps: range, meta: LayerMeta = CONV, *, close: bool = True) -> RunWriter:
    writer = RunWriter(path)
    writer.declare_layer(meta)
    for step in steps:
        writer.layer_record(meta.name, made(step, meta))
    if close:
        writer.close()
    return writer


def steps_of(histories: LayerHistories, run: Run) -> list[int]:
    ((meta, found),) = histories.of(run)
    assert [item.step for item in histories.records(run, meta)] == [item.step for item in found.records]
    return [item.step for item in found.records]


def test_old_records_are_brief_and_the_latest_whole(tmp_path: Path) -> None:
    write(tmp_path / "run", range(20))
    run = Run(tmp_path / "run")
    ((_, found),) = LayerHistories().of(run)
    for item, whole in zip(found.records, run.layer_records("conv1"), strict=True):
        for name in ("histogram", "maximum", "frequency", "stale_steps"):
            np.testing.assert_array_equal(getattr(item, name), getattr(whole, name))
        assert (item.patches, item.silent, item.wall) == (whole.patches, whole.silent, whole.wall)
    assert [bool(item.neighbours.size) for item in found.records] == [False] * (20 - RECENT) + [True] * RECENT
    defaults = Thresholds()
    assert max(defaults.steady_records, 1) <= RECENT


def test_records_are_followed_as_they_come(tmp_path: Path) -> None:
    writer = write(tmp_path / "run", range(10), close=False)
    run, histories = Run(tmp_path / "run"), LayerHistories()
    ((_, before),) = histories.of(run)
    assert histories.of(run)[0][1] is before  # nothing new: nothing made anew
    writer.layer_record("conv1", made(10))
    ((_, after),) = histories.of(run)
    assert (len(before.records), len(after.records)) == (10, 11)
    assert after.version != before.version
    assert not after.records[10 - RECENT].neighbours.size
    writer.close()


def test_a_record_at_an_earlier_step_is_not_missed(tmp_path: Path) -> None:
    writer = write(tmp_path / "run", range(0, 50, 10), close=False)
    run, histories = Run(tmp_path / "run"), LayerHistories()
    assert steps_of(histories, run) == [0, 10, 20, 30, 40]
    writer.layer_record("conv1", made(15))
    writer.layer_record("conv1", replace(made(40), silent=7))
    assert steps_of(histories, run) == [0, 10, 15, 20, 30, 40]
    assert histories.records(run, CONV)[-1].silent == 7
    writer.close()


def test_a_restart_takes_over_from_its_first_record(tmp_path: Path) -> None:
    write(tmp_path / "run", range(0, 1000, 100))
    run, histories = Run(tmp_path / "run"), LayerHistories()
    assert steps_of(histories, run)[-1] == 900
    write(tmp_path / "run", range(350, 500, 50))
    assert steps_of(histories, run) == [0, 100, 200, 300, 350, 400, 450]


def test_records_of_another_shape_are_left_out(tmp_path: Path) -> None:
    write(tmp_path / "run", range(0, 30, 10))
    write(tmp_path / "run", range(30, 60, 10), replace(CONV, filters=8, bins=16))
    assert steps_of(LayerHistories(), Run(tmp_path / "run")) == [30, 40, 50]


def test_a_run_put_in_place_of_another_is_read_anew(tmp_path: Path) -> None:
    write(tmp_path / "one", range(0, 30, 10))
    write(tmp_path / "two", range(1, 31, 10))
    shutil.copy(tmp_path / "one" / "run.json", tmp_path / "two" / "run.json")
    run, histories = Run(tmp_path / "one"), LayerHistories()
    assert steps_of(histories, run) == [0, 10, 20]
    shutil.rmtree(tmp_path / "one")
    (tmp_path / "two").rename(tmp_path / "one")
    assert steps_of(histories, run) == [1, 11, 21]
    assert steps_of(histories, Run(tmp_path / "one")) == [1, 11, 21]


def test_a_shortened_file_gives_its_records_up(tmp_path: Path) -> None:
    write(tmp_path / "run", range(0, 30, 10))
    run, histories = Run(tmp_path / "run"), LayerHistories()
    assert steps_of(histories, run) == [0, 10, 20]
    file = next((tmp_path / "run" / "segments" / "0001" / "layers").iterdir())
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    assert steps_of(histories, run) == [0]


def test_memory_is_bounded(tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        write(tmp_path / name, range(5))
    histories = LayerHistories(most_bytes=30_000)
    for name in ("one", "two", "three", "one"):
        assert steps_of(histories, Run(tmp_path / name)) == list(range(5))
    assert len(histories._entries) < 3


def test_eight_readers_and_a_writer(tmp_path: Path) -> None:
    writer = write(tmp_path / "run", range(1), close=False)
    run, histories, failures = Run(tmp_path / "run"), LayerHistories(), []

    def read() -> None:
        for _ in range(30):
            found = [item.step for item in histories.of(run)[0][1].records]
            if found != list(range(len(found))):
                failures.append(found)

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for step in range(1, 40):
        writer.layer_record("conv1", made(step))
    for thread in threads:
        thread.join()
    writer.close()
    assert not failures
    assert steps_of(histories, run) == list(range(40))


def test_a_memo_forgets_the_oldest() -> None:
    memo, calls = Memo(most=2), []

    def of(key: str) -> str:
        return memo.get(key, lambda: calls.append(key) or key.upper())  # type: ignore[func-returns-value]

    assert [of(key) for key in "aabacb"] == list("AABACB")
    assert calls == ["a", "b", "c", "b"]
