"""``Subject.serve()``: the calling process answers, and afterwards everything is as before."""

import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
import torch

from analysis.data.errors import SubjectError
from analysis.jobs import Jobs, directory_for, processes
from analysis.questions import keys
from analysis.results import Answers
from tests.questions.small_subject import checkpoint, subject
from tests.questions.worker import until

pytestmark = pytest.mark.timeout(120)
ROOT = Path(__file__).parents[2]


def processes_of(workspace):
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if str(workspace).encode() in line and processes.start_time(int(entry.name)) is not None:
            found.append(int(entry.name))
    return found


def ask(jobs, answers, description, question, checkpoint=None, **params):
    sample = keys.sample_of(description, 20)
    key = keys.answer_key(description, question, params, checkpoint, sample)
    spec = {"question": question, "params": params, "checkpoint": checkpoint, "sample": sample, "key": key}
    job_id = jobs.submit("question", spec, name=question)
    job = until(lambda: (found := jobs.get(job_id)).finished and found, 30)
    return job, answers.get(key)


def test_questions_are_answered_by_this_process_and_nothing_is_left(tmp_path):
    workspace = tmp_path / "w"
    small = subject()
    small.model.train()
    before = {name: value.clone() for name, value in small.model.state_dict().items()}
    served = small.serve(port=0, block=False, workspace=workspace, device="cpu")
    try:
        with urllib.request.urlopen(served.url + "healthz", timeout=10) as answer:
            assert answer.read() == b"ok"
        [place] = workspace.glob("jobs-live-*")
        assert place == directory_for(workspace, place.name.removeprefix("jobs-"))
        jobs, answers = Jobs(place), Answers(workspace / "cache" / "answers")
        [first] = until(jobs.list)
        first = until(lambda: (found := jobs.get(first.id)).finished and found, 30)
        assert first.state == "done", first.error
        description = answers.get(first.result["key"]).json
        path = tmp_path / "other.safetensors"
        checkpoint(path)
        import hashlib

        other = {"name": "o", "path": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        _, own = ask(jobs, answers, description, "logits")
        job, others = ask(jobs, answers, description, "logits", other, text="x")
        assert job.state == "done", job.error
        assert own.json["digest"] != others.json["digest"]
        assert ask(jobs, answers, description, "counted")[1].json["pid"] == os.getpid()
        sample = keys.sample_of(description, 20)
        slow = {"question": "slow", "params": {}, "checkpoint": None, "sample": sample}
        slow["key"] = keys.answer_key(description, "slow", {}, None, sample)
        job_id = jobs.submit("question", slow, name="slow")
        until(lambda: jobs.get(job_id).progress)
        began = time.monotonic()
        jobs.cancel(job_id, "anybody")
        until(lambda: jobs.get(job_id).state == "cancelled", 5)
        assert time.monotonic() - began < 5
    finally:
        served.stop()
    assert not served.running
    until(lambda: not processes_of(workspace), 8)
    assert not list(workspace.glob("jobs-live-*"))
    assert small.model.training
    assert all(torch.equal(value, before[name]) for name, value in small.model.state_dict().items())


def test_a_taken_port_is_said(tmp_path):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(SubjectError, match="is in use"):
        subject().serve(port=taken.getsockname()[1], block=False, workspace=tmp_path / "w")
    assert not list((tmp_path / "w").glob("jobs-live-*"))


@pytest.mark.parametrize("number", ["SIGINT", "SIGKILL"])
def test_a_script_that_ends_takes_the_server_with_it(tmp_path, number):
    import signal

    script = tmp_path / "script.py"
    script.write_text(
        "from tests.questions.small_subject import subject\n"
        "if __name__ == '__main__':\n"
        f"    subject().serve(port=0, workspace={str(tmp_path / 'w')!r})\n"
        "    print('went on', flush=True)\n"
    )
    environment = processes.environment()
    process = subprocess.Popen(
        [sys.executable, str(script)], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    )
    lines = [process.stdout.readline(), process.stdout.readline()]
    assert "Cutaway is at http://127.0.0.1" in lines[1]
    process.send_signal(getattr(signal, number))
    rest = process.communicate(timeout=20)[0]
    assert ("went on" in rest) is (number == "SIGINT")
    until(lambda: not processes_of(tmp_path / "w"), 8)
