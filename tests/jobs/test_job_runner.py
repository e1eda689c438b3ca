"""Jobs in real processes: how they end, and that nothing of them stays."""

import os
import signal
import time
from pathlib import Path

import pytest
from job_desk import alive, until

from analysis.errors import NotFound

pytestmark = pytest.mark.timeout(60)


def stubborn(desk, tmp_path, owner="ann"):
    note = tmp_path / "pids"
    job_id = desk.jobs.submit("stubborn", {"pids": str(note)}, name="x", owner=owner)
    until(lambda: note.exists() and len(note.read_text().split()) == 4)
    return job_id, [int(pid) for pid in note.read_text().split()]


def test_progress_is_seen_and_the_result_kept(running):
    job_id = running.jobs.submit("count", {"n": 30, "pause": 0.05}, name="x")
    job = until(lambda: (job := running.jobs.get(job_id)).progress and job.progress["done"] > 3 and job)
    assert job.state == "running"
    assert (job.progress["total"], job.progress["unit"]) == (30, "steps")
    assert 5 < job.progress["rate"] < 25
    assert job.progress["eta_s"] > 0
    job = running.wait(job_id, "done")
    assert (job.result, job.progress["done"]) == ({"counted": 30}, 30)
    assert job.submitted <= job.started <= job.finished


def test_cancel_ends_processes_that_resist_within_five_seconds(running, tmp_path):
    job_id, pids = stubborn(running, tmp_path)
    assert all(alive(pid) for pid in pids)
    began = time.monotonic()
    running.jobs.cancel(job_id, "ann")
    until(lambda: not any(alive(pid) for pid in pids), seconds=5.0)
    assert running.wait(job_id, "cancelled").finished
    assert time.monotonic() - began < 5.0


def test_a_cancelled_job_can_clear_up(running, tmp_path):
    marker = tmp_path / "marker"
    job_id = running.jobs.submit("polite", {"marker": str(marker)}, name="x")
    until(lambda: running.jobs.get(job_id).progress)
    running.jobs.cancel(job_id, "anybody")
    assert running.wait(job_id, "cancelled", seconds=5)
    assert marker.read_text() == "cleared up"


def test_a_job_that_ends_by_itself_when_cancelled_is_cancelled(running, tmp_path):
    marker = tmp_path / "marker"
    job_id = running.jobs.submit("attentive", {"marker": str(marker)}, name="x")
    until(marker.exists)
    running.jobs.cancel(job_id, "anybody")
    assert running.wait(job_id, "cancelled", "failed").state == "cancelled"


def test_anothers_cancel_leaves_the_job_alive(running, tmp_path):
    job_id, pids = stubborn(running, tmp_path)
    with pytest.raises(NotFound):
        running.jobs.cancel(job_id, "mallory")
    time.sleep(0.6)
    assert all(alive(pid) for pid in pids)
    assert running.jobs.get(job_id).state == "running"


@pytest.mark.parametrize(
    ("kind", "params", "message", "tail"),
    [
        ("segfault", {}, "signal SEGV", "about to crash"),
        ("killed", {}, "ran out of memory (killed)", ""),
        ("memory", {}, "ran out of memory", "MemoryError"),
        ("leave", {"code": 0}, "exit code 0", ""),
        ("leave", {"code": 3}, "exit code 3", ""),
        ("system_exit", {}, "exit code 7", ""),
        ("fail", {}, "ValueError: the third layer has no name", "Traceback"),
        ("not_json", {}, "not JSON serializable", ""),
        ("no_such_kind", {}, "no kind of job", ""),
        ("count", {"unknown": 1}, "unexpected keyword", ""),
    ],
)
def test_a_job_that_dies_is_reported_and_the_next_one_runs(running, kind, params, message, tail):
    job = running.finish(kind, **params)
    assert job.state == "failed"
    assert message in job.error["message"]
    assert tail in job.error["tail"]
    assert len(job.error["tail"].splitlines()) <= 20
    assert running.finish("count", n=1).state == "done"


def test_the_remedy_of_an_error_is_kept(running):
    job = running.finish("refuse")
    assert job.error["message"] == "The value 9 is too large."
    assert job.error["remedy"] == "Give one below 5."


def test_jobs_run_in_order_and_equal_ones_once(desk, tmp_path):
    marker = tmp_path / "order"
    ids = [desk.jobs.submit("count", {"n": n, "marker": str(marker)}, name="x") for n in (3, 1, 2, 1, 3)]
    assert len(set(ids)) == 3
    desk.start()
    for job_id in ids:
        desk.wait(job_id, "done")
    assert marker.read_text().split() == ["3", "1", "2"]


def test_a_waiting_job_that_is_cancelled_never_starts(desk, tmp_path):
    marker = tmp_path / "marker"
    job_id = desk.jobs.submit("count", {"marker": str(marker)}, name="x")
    desk.jobs.cancel(job_id, "ann")
    desk.start()
    assert desk.finish("count").state == "done"
    assert desk.jobs.get(job_id).finished
    assert not marker.exists()


def test_a_stopped_runner_leaves_no_process_and_the_job_is_lost(running, tmp_path):
    job_id, pids = stubborn(running, tmp_path)
    running.runner.terminate()
    assert running.runner.wait(8) == 0
    assert not any(alive(pid) for pid in pids)
    job = running.jobs.get(job_id)
    assert (job.state, job.error["message"]) == ("lost", "The server stopped while it ran.")


def test_a_killed_runner_leaves_no_process_and_the_next_one_settles_the_job(running, tmp_path):
    job_id, pids = stubborn(running, tmp_path)
    os.kill(running.runner.pid, signal.SIGKILL)
    until(lambda: not any(alive(pid) for pid in pids), seconds=5)
    assert running.jobs.get(job_id).state == "running"
    running.runner.wait()
    running.start()
    assert running.wait(job_id, "lost")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_resumable_job_goes_on_after_a_restart(running, tmp_path, number):
    marker = tmp_path / "marker"
    job_id = running.jobs.submit("resume", {"marker": str(marker)}, name="x")
    until(marker.exists)
    running.runner.send_signal(number)
    running.runner.wait(8)
    running.start()
    assert running.wait(job_id, "done").result == "resumed"


def test_a_second_runner_waits_for_the_first(desk, tmp_path):
    marker = tmp_path / "marker"
    first = desk.start()
    job_id = desk.jobs.submit("count", {"n": 10, "pause": 0.1, "marker": str(marker)}, name="x")
    desk.wait(job_id, "running")
    second = desk.start()
    desk.wait(job_id, "done")
    assert second.poll() is None
    assert marker.read_text().split() == ["10"]
    first.terminate()
    first.wait(8)
    assert desk.finish("count", n=2).state == "done"


def test_the_runner_ends_with_its_parent(desk):
    process = desk.start("--parent", str(os.getppid()))  # not its parent: as if that had gone
    assert process.wait(8) == 0


def test_a_planted_module_in_the_current_directory_is_not_imported(desk, tmp_path, monkeypatch):
    trap = tmp_path / "trap"
    trap.mkdir()
    for name in ("sitecustomize.py", "json.py", "analysis.py", "model.py"):
        (trap / name).write_text(f"open({str(tmp_path / 'sprung')!r}, 'w')\n")
    monkeypatch.chdir(trap)
    desk.start()
    assert desk.finish("count").state == "done"
    assert not Path(tmp_path / "sprung").exists()
