from __future__ import annotations

import json
import os
import shutil
import time

import pytest
from store_runs import small_run

from analysis.errors import NotFound
from analysis.store import Run, RunIndex, RunWriter, find_runs, layout


def test_a_thousand_runs_are_listed(tmp_path):
    for number in range(1000):
        path = tmp_path / f"group {number % 10}" / f"run {number}"
        (path / "segments" / "0001").mkdir(parents=True)
        description = {"schema_version": 1, "id": f"{number:012x}", "name": path.name, "created": 1000 - number}
        (path / "run.json").write_text(json.dumps(description))
        (path / "segments" / "0001" / "segment.json").write_text('{"started": 1, "config": {"a": 1}}')
    runs = find_runs([tmp_path])
    assert len(runs) == 1000
    assert [run.created for run in runs] == sorted(run.created for run in runs)
    index = RunIndex([tmp_path])
    assert index.list() == runs
    assert index.open(f"{5:012x}").info.name == "run 5"


def test_damaged_and_newer_runs_are_listed_with_the_reason(tmp_path):
    small_run(tmp_path / "good")
    (small_run(tmp_path / "bad") / "run.json").write_text("{")
    newer = small_run(tmp_path / "newer") / "run.json"
    layout.write_json(newer, {**layout.read_json(newer), "schema_version": 9})
    runs = {run.name: run for run in find_runs([tmp_path, tmp_path / "good"])}
    assert len(runs) == 3
    assert runs["good"].status == "finished"
    assert runs["bad"].status == runs["newer"].status == "unreadable"
    assert "version 9" in runs["newer"].error
    assert "cannot be read" in runs["bad"].error


def test_links_that_leave_the_root_are_refused(tmp_path):
    small_run(tmp_path / "outside" / "secret")
    small_run(tmp_path / "root" / "a" / "run")
    (tmp_path / "root" / "link").symlink_to(tmp_path / "outside")
    (tmp_path / "root" / "direct").symlink_to(tmp_path / "outside" / "secret")
    (tmp_path / "root" / "inner").symlink_to(tmp_path / "root" / "a")
    (tmp_path / "root" / "a" / "loop").symlink_to(tmp_path / "root")
    assert [run.name for run in find_runs([tmp_path / "root"])] == ["run"]
    path = tmp_path / "root" / "b"
    shutil.copytree(tmp_path / "root" / "a" / "run", path)
    shutil.rmtree(path / "segments")
    (path / "segments").symlink_to(tmp_path / "outside" / "secret" / "segments")
    assert Run(path).tags() == []


def test_copies_get_ids_of_their_own_that_open(tmp_path):
    small_run(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    index = RunIndex([tmp_path])
    ids = [run.id for run in index.list()]
    assert len(set(ids)) == 2
    assert {index.open(run_id).path.name for run_id in ids} == {"a", "b"}
    assert [run.id for run in index.list()] == ids


def test_a_renamed_run_keeps_its_id_and_a_removed_one_is_missing(tmp_path):
    small_run(tmp_path / "before")
    index = RunIndex([tmp_path])
    (run_id,) = [run.id for run in index.list()]
    run = index.open(run_id)
    assert index.open(run_id) is run
    (tmp_path / "before").rename(tmp_path / "after")
    assert run.info.status == "unreadable"
    assert index.open(run_id).path.name == "after"
    shutil.rmtree(tmp_path / "after")
    with pytest.raises(NotFound, match="missing"):
        index.open(run_id)
    for wrong in ("../etc", "", "x" * 10_000, "\0"):
        with pytest.raises(NotFound):
            index.open(wrong)


def test_status_follows_the_last_write_whatever_the_clock(tmp_path):
    writer = RunWriter(tmp_path / "run")
    writer.scalars({"x": 1.0}, 1, 1.0)
    index = RunIndex([tmp_path])
    assert index.list()[0].status == "running"

    def age(seconds: float) -> None:
        for path in (tmp_path / "run" / "segments" / "0001").rglob("*"):
            os.utime(path, (time.time() - seconds,) * 2)

    age(100)
    assert index.list()[0].status == Run(tmp_path / "run").info.status == "stopped updating"
    assert Run(tmp_path / "run", stale_after=1000).info.status == "running"
    age(-86_400)
    assert index.list()[0].status == "running"
    age(86_400)
    writer._beat -= 60
    writer.heartbeat()
    assert index.list()[0].status == "running"
    writer.close("ValueError")
    assert index.list()[0].status == "failed"
    RunWriter(tmp_path / "run").close()
    assert index.list()[0].status == "finished"
    assert index.list()[0].segments == 2


def test_missing_roots_are_empty(tmp_path):
    assert find_runs([tmp_path / "no", tmp_path]) == []


def test_a_long_silence_is_no_end_while_the_process_lives(tmp_path, monkeypatch):
    monkeypatch.setattr("analysis.store.writer._HEARTBEAT", 0.05)
    writer = RunWriter(tmp_path / "run")
    segment = tmp_path / "run" / "segments" / "0001"

    def aged():
        for path in segment.rglob("*"):
            os.utime(path, (time.time() - 1000,) * 2)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if Run(tmp_path / "run").info.status == "running":
                return True
            time.sleep(0.02)
        return False

    assert aged()
    writer.close()
    assert Run(tmp_path / "run").info.status == "finished"


def test_a_missing_run_is_found_when_it_comes_back(tmp_path, monkeypatch):
    writer = RunWriter(tmp_path / "a" / "run")
    writer.close()
    index = RunIndex([tmp_path / "b"])
    with pytest.raises(NotFound):
        index.open(writer.run_id)
    (tmp_path / "a").rename(tmp_path / "b")
    monkeypatch.setattr("analysis.store.runs._LOOK_AGAIN", 0.0)
    assert index.open(writer.run_id).path == tmp_path / "b" / "run"
