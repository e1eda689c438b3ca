"""The list of jobs, without any runner."""

import threading

import pytest

from analysis.errors import JobError, NotFound
from analysis.jobs import Jobs


@pytest.fixture
def jobs(tmp_path):
    return Jobs(tmp_path / "jobs")


def test_a_submitted_job_waits_in_line(jobs):
    first = jobs.submit("demo", {"n": 1}, name="One", owner="ann")
    second = jobs.submit("demo", {"n": 2}, name="Two")
    assert [job.id for job in jobs.list()] == [second, first]
    assert (jobs.get(first).position, jobs.get(second).position) == (1, 2)
    assert (jobs.get(first).name, jobs.get(first).owner, jobs.get(first).state) == ("One", "ann", "queued")
    assert len(jobs.list(limit=1)) == 1


def test_an_empty_directory_has_no_jobs(jobs):
    assert jobs.list() == []


@pytest.mark.parametrize(
    "forged", ["", "x", "0" * 32, "../../../etc/passwd", "..", "A" * 32, "0" * 31 + "\n", "0" * 32 + "\n", None, 7, []]
)
def test_a_forged_id_is_not_found(jobs, forged):
    jobs.submit("demo", {}, name="One")
    with pytest.raises(NotFound):
        jobs.get(forged)
    with pytest.raises(NotFound):
        jobs.cancel(forged, "ann")


def test_anothers_job_cannot_be_cancelled(jobs):
    job_id = jobs.submit("demo", {}, name="One", owner="ann")
    with pytest.raises(NotFound):
        jobs.cancel(job_id, "bob")
    assert jobs.get(job_id).state == "queued"
    jobs.cancel(job_id, "ann")
    assert jobs.get(job_id).state == "cancelled"


def test_a_job_of_the_server_can_be_cancelled_by_anybody(jobs):
    job_id = jobs.submit("demo", {}, name="One")
    jobs.cancel(job_id, "bob")
    assert jobs.get(job_id).state == "cancelled"


def test_the_same_job_twice_is_one(jobs):
    first = jobs.submit("demo", {"a": 1, "b": 2}, name="One", owner="ann")
    assert jobs.submit("demo", {"b": 2, "a": 1}, name="Again", owner="bob") == first
    assert jobs.submit("demo", {"a": 1, "b": 3}, name="Other") != first
    jobs.cancel(first, "ann")
    assert jobs.submit("demo", {"a": 1, "b": 2}, name="After the cancel") != first


def test_submitted_from_many_threads_the_same_job_is_one(jobs):
    ids = []
    threads = [
        threading.Thread(target=lambda: ids.append(Jobs(jobs.directory).submit("demo", {}, name="x"))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 8
    assert len(set(ids)) == 1


@pytest.mark.parametrize("params", [{"a": object()}, {"a": float("nan")}, {"a": {1, 2}}, {"a": "x" * 2_000_000}])
def test_parameters_that_are_not_json_are_refused(jobs, params):
    with pytest.raises(JobError):
        jobs.submit("demo", params, name="x")


def test_an_unwritable_place_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(JobError, match="cannot be queued"):
        Jobs(tmp_path / "file" / "jobs").submit("demo", {}, name="x")


def test_damaged_files_do_not_hide_the_other_jobs(jobs):
    broken, whole = (jobs.submit("demo", {"n": n}, name="x") for n in range(2))
    (jobs.directory / broken / "job.json").write_text("{")
    assert [job.id for job in jobs.list()] == [whole]
    (jobs.directory / whole / "status.json").write_text("")
    assert jobs.get(whole).state == "lost"


def test_clearing_leaves_active_jobs_and_those_of_others(jobs):
    waiting, mine, theirs = (
        jobs.submit("demo", {"n": n}, name="x", owner=owner) for n, owner in enumerate(("ann", "ann", "bob"))
    )
    for job_id in (mine, theirs):
        (jobs.directory / job_id / "status.json").write_text('{"state": "done"}')
    assert jobs.clear_finished("ann") == 1
    assert {job.id for job in jobs.list()} == {waiting, theirs}
    assert jobs.prune(keep=0) == 1
    assert {job.id for job in jobs.list()} == {waiting}
