"""A disk that is full for a moment costs no job its ending."""

import os

import pytest

from analysis.jobs import files
from analysis.jobs.endings import Endings
from analysis.jobs.hosts import Desk


@pytest.fixture
def jobs(tmp_path):
    ids = ["a" * 32, "b" * 32]
    for job_id in ids:
        (tmp_path / job_id).mkdir()
        files.write_json(tmp_path / job_id / files.SPEC, {"kind": "question"})
        files.write_json(tmp_path / job_id / files.STATUS, {"state": "queued"})
    return tmp_path, ids


def full(monkeypatch, name):
    """The first write of files of this name fails."""
    write = files.write_json
    failures = [1]

    def failing(path, value):
        if path.name == name and failures:
            failures.pop()
            raise OSError(28, "No space left on device")
        write(path, value)

    monkeypatch.setattr(files, "write_json", failing)


def states(directory, ids):
    return [files.read_json(directory / job_id / files.STATUS)["state"] for job_id in ids]


def say(desk, stack, number=9):
    files.write_json(desk.home / files.STATE, {"pid": os.getpid(), "number": number, "stack": stack})


@pytest.mark.parametrize("name", [files.ASSIGNED, files.STATUS])
def test_a_job_that_could_not_be_assigned_is_assigned_later(jobs, monkeypatch, name):
    directory, [job, _] = jobs
    desk = Desk(directory, "model", Endings(directory, frozenset()), external=True)
    full(monkeypatch, name)
    with pytest.raises(OSError, match="No space"):
        desk.assign(job, 0, {"attempts": 1})
    if desk.takes(0, False):  # else the host has it, and only the note of that is missing
        desk.assign(job, 0, {"attempts": 1})
        assert states(directory, [job]) == ["running"]
    assert files.read_json(desk.home / files.ASSIGNED)["job"] == job
    assert [one.id for one in desk.running] == [job]


def test_an_ending_that_could_not_be_written_is_written_later(jobs, monkeypatch):
    directory, [job, _] = jobs
    desk = Desk(directory, "model", Endings(directory, frozenset()), external=True)
    desk.assign(job, 0, {"attempts": 1})
    files.write_json(directory / job / files.OUTCOME, {"result": 5})
    say(desk, [])
    full(monkeypatch, files.STATUS)
    with pytest.raises(OSError, match="No space"):
        desk.watch()
    assert desk.watch() == [job]
    assert states(directory, [job]) == ["done"]


@pytest.mark.parametrize("name", [files.STATUS, files.EXIT])
def test_so_are_those_of_a_host_that_died(jobs, monkeypatch, name):
    directory, ids = jobs
    desk = Desk(directory, "model", Endings(directory, frozenset()), external=True)
    for job_id in ids:
        desk.assign(job_id, 0, {"attempts": 1})

    class Dead:
        pid = 0

        def poll(self):
            return 1

    desk._process = Dead()
    say(desk, ids)  # the second ran while the first waited
    files.write_json(desk.home / files.EXIT, {"code": 3, "signal": 0})
    full(monkeypatch, name)
    with pytest.raises(OSError, match="No space"):
        desk.watch()
    desk.watch()
    assert states(directory, ids) == ["queued", "failed"]
    assert not desk.running
