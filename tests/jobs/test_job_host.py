"""Jobs that share a warm process: what they share, and that nothing else of one reaches another."""

import os
import signal
import time

import pytest
from job_desk import alive, until

from analysis.jobs import processes

pytestmark = pytest.mark.timeout(60)
MIB = 1 << 20


def pid_of(desk):
    job = desk.finish("pid")
    assert job.state == "done", job.error
    return job.result["pid"]


def words(path):
    return path.read_text().split() if path.exists() else []


def started(desk, kind, marker, *, priority=0, **params):
    job_id = desk.jobs.submit(kind, {"marker": str(marker), **params}, name=kind, priority=priority)
    until(marker.exists)
    return job_id


def test_two_jobs_share_a_process_and_what_it_holds(running):
    first, second = running.finish("pid", n=1), running.finish("pid", n=2)
    assert first.result["pid"] == second.result["pid"]
    assert second.result["seen"] == [1, 2]


@pytest.mark.parametrize(
    ("kind", "message", "tail", "warm"),
    [
        ("warm_fail", "ValueError: the third layer has no name", "Traceback", True),
        ("warm_refuse", "The value 9 is too large.", "", True),
        ("warm_exit", "exit code 3", "", False),
        ("warm_system_exit", "exit code 7", "leaving", False),
        ("warm_segfault", "signal SEGV", "about to crash", False),
    ],
)
def test_what_kills_a_job_kills_no_other(running, kind, message, tail, warm):
    before = pid_of(running)
    waiting = [running.jobs.submit(kind, {}, name="x"), running.jobs.submit("warm_count", {}, name="x")]
    failed, after = (running.wait(job_id, "done", "failed") for job_id in waiting)
    assert failed.state == "failed"
    assert message in failed.error["message"]
    assert tail in failed.error["tail"]
    assert after.state == "done"
    assert (after.result == before) is warm


def test_a_job_that_is_killed_is_tried_once_more_and_then_said_to_lack_memory(running):
    job = running.finish("warm_killed")
    assert job.state == "failed"
    assert "ran out of memory (killed). It did so again with batches of half the size." in job.error["message"]
    assert running.finish("warm_count").state == "done"


def test_out_of_memory_is_tried_once_more_with_half_the_batch(running, tmp_path):
    marker = tmp_path / "marker"
    job = running.finish("warm_memory", marker=str(marker))
    assert (job.state, job.result, words(marker)) == ("done", 16, ["32", "16"])
    assert job.note == "It ran out of memory and is tried once more, with batches of 16 instead of 32."
    job = running.finish("warm_greedy")
    assert job.state == "failed"
    assert job.error["message"] == "The job ran out of memory. It did so again with batches of 16."


def test_a_job_above_the_limit_is_ended_with_the_reason(desk, tmp_path):
    desk.start("--memory", str(200 * MIB))
    job = desk.finish("warm_hungry", marker=str(tmp_path / "marker"), mib=500)
    assert job.state == "failed"
    assert "took more than 0.195 GiB of memory" in job.error["message"]
    assert "--worker-memory" in job.error["remedy"]
    assert words(tmp_path / "marker") == ["1.0", "0.5"]
    assert desk.finish("warm_count").state == "done"


def test_cancel_interrupts_a_sleep_and_keeps_the_process_warm(running, tmp_path):
    marker = tmp_path / "marker"
    job_id = started(running, "warm_sleep", marker)
    host, child = map(int, until(lambda: len(words(marker)) == 2 and words(marker)))
    began = time.monotonic()
    running.jobs.cancel(job_id, "ann")
    running.wait(job_id, "cancelled", seconds=5)
    until(lambda: not alive(child), seconds=5)
    assert time.monotonic() - began < 5
    assert pid_of(running) == host


@pytest.mark.parametrize("kind", ["warm_busy", "warm_stubborn"])
def test_cancel_ends_what_does_not_listen_within_five_seconds(running, tmp_path, kind):
    marker = tmp_path / "marker"
    job_id = started(running, kind, marker)
    host = int(until(lambda: words(marker))[0])
    began = time.monotonic()
    running.jobs.cancel(job_id, "ann")
    until(lambda: not alive(host), seconds=5)
    running.wait(job_id, "cancelled", seconds=5)
    assert time.monotonic() - began < 5
    assert pid_of(running) != host


def test_a_cancelled_job_that_waits_never_runs(running, tmp_path):
    marker, other = tmp_path / "marker", tmp_path / "other"
    first = started(running, "warm_long", marker, steps=20)
    second = running.jobs.submit("warm_count", {"marker": str(other)}, name="x")
    assert running.jobs.get(second).position == 1
    running.jobs.cancel(second, "ann")
    running.wait(first, "done")
    running.wait(second, "cancelled")
    assert not other.exists()


def test_the_urgent_go_first(desk, tmp_path):
    marker = tmp_path / "marker"
    for name, priority in (("heavy", 0), ("plain", 1), ("quick", 2), ("late", 2)):
        desk.jobs.submit("warm_count", {"marker": str(marker), "name": name}, name=name, priority=priority)
    desk.start()
    assert until(lambda: len(words(marker)) == 4 and words(marker)) == ["quick", "late", "plain", "heavy"]


def test_a_long_job_lets_an_urgent_one_pass(running, tmp_path):
    marker, other = tmp_path / "marker", tmp_path / "other"
    long = started(running, "warm_long", marker, steps=60)
    until(lambda: (running.jobs.get(long).progress or {}).get("done", 0) > 2)
    equal = running.jobs.submit("warm_count", {"marker": str(other), "name": "equal"}, name="x", priority=0)
    urgent = running.jobs.submit("warm_count", {"marker": str(other), "name": "urgent"}, name="x", priority=2)
    job = running.wait(urgent, "done")
    assert running.jobs.get(long).state == "running"
    assert running.wait(long, "done").result == job.result  # the same process
    running.wait(equal, "done")
    assert words(other) == ["urgent", "equal"]
    assert words(marker) == ["begun", "ended"]


def test_a_job_that_crashes_while_another_waits_for_it_ends_alone(running, tmp_path):
    marker = tmp_path / "marker"
    long = started(running, "warm_long", marker, steps=40)
    until(lambda: running.jobs.get(long).progress)
    inner = running.jobs.submit("warm_segfault", {}, name="x", priority=2)
    assert running.wait(inner, "failed").error["message"].startswith("The job's process was ended by signal SEGV")
    assert running.wait(long, "done").state == "done"
    assert words(marker) == ["begun", "begun", "ended"]


def test_each_of_two_nested_jobs_can_be_cancelled(running, tmp_path):
    marker, other = tmp_path / "marker", tmp_path / "other"
    long = started(running, "warm_long", marker, steps=400)
    until(lambda: running.jobs.get(long).progress)
    inner = started(running, "warm_sleep", other, priority=2)
    running.jobs.cancel(inner, "ann")
    running.wait(inner, "cancelled", seconds=5)
    until(lambda: words(marker) == ["begun", "begun"])  # what the cancelled one left half done is not gone on with
    until(lambda: (running.jobs.get(long).progress or {}).get("done", 0) > 1)
    other.unlink()
    inner = started(running, "warm_busy", other, priority=2)
    running.jobs.cancel(long, "ann")
    running.wait(long, "cancelled", seconds=5)
    running.wait(inner, "running")  # it is innocent, and begins anew
    running.jobs.cancel(inner, "ann")
    running.wait(inner, "cancelled", seconds=5)


def test_a_job_that_cannot_run_in_between_runs_after(running, tmp_path):
    marker, other = tmp_path / "marker", tmp_path / "other"
    long = started(running, "warm_long", marker, steps=20)
    until(lambda: running.jobs.get(long).progress)
    later = running.jobs.submit("warm_later", {"marker": str(other)}, name="x", priority=2)
    assert running.wait(later, "done").result == "ran"
    assert other.read_text().splitlines() == ["nested True", "nested False"]
    assert words(marker) == ["begun", "ended"]
    assert running.jobs.get(long).state == "done"


def test_what_a_job_prints_goes_to_its_own_log(running):
    jobs = [running.finish("warm_loud"), running.finish("warm_fail")]
    logs = [(running.directory / job.id / "log.txt").read_text() for job in jobs]
    assert all(text in logs[0] for text in ("printed by the model", "and complained", "from a child", "from C"))
    assert "printed" not in logs[1]
    assert "ValueError" in logs[1]


def test_settings_reach_the_jobs(desk):
    desk.start("--setting", "subject=a=b.py", "--setting", "trusted=x", "--setting", "trusted=y")
    assert desk.finish("warm_settings").result == {"subject": ["a=b.py"], "trusted": ["x", "y"]}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_when_the_server_goes_the_host_goes_and_its_jobs_come_back(running, tmp_path, number):
    marker = tmp_path / "marker"
    job_id = started(running, "warm_resume", marker)
    queued = running.jobs.submit("warm_count", {}, name="x")
    host = int(until(lambda: words(marker))[0])
    running.runner.send_signal(number)
    running.runner.wait(8)
    until(lambda: not alive(host), seconds=5)
    running.start()
    assert running.wait(job_id, "done").result == "resumed"
    assert running.wait(queued, "done").result != host


def test_an_idle_host_goes_with_the_server(running):
    host = pid_of(running)
    os.kill(running.runner.pid, signal.SIGKILL)
    until(lambda: not alive(host), seconds=5)


def test_a_host_that_is_killed_while_idle_is_replaced(running):
    host = pid_of(running)
    os.kill(host, signal.SIGKILL)
    until(lambda: not alive(host))
    assert pid_of(running) != host


def test_jobs_with_a_process_of_their_own_run_beside_the_queue(running, tmp_path):
    long = started(running, "warm_long", tmp_path / "marker", steps=40)
    assert running.finish("count").state == "done"
    assert running.jobs.get(long).state == "running"


def test_the_memory_of_the_machine_is_known():
    assert processes.machine_memory() > 100 * MIB
    assert processes.resident(os.getpid()) > 10 * MIB
    assert processes.resident(2**22 + 1) == 0
