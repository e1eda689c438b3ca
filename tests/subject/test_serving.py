"""``Subject.serve()``: the calling process answers, and afterwards everything is as before."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
import torch

from analysis.data.errors import SubjectError
from analysis.jobs import Jobs, directory_for, processes
from analysis.jobs.host import Host
from analysis.questions import keys
from analysis.results import Answers
from analysis.subject import serving
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


# As a terminal starts programs: what a shell's script starts in the background ignores SIGINT, and so do its children.
HEEDS = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
SERVES = """
from tests.questions.small_subject import subject
if __name__ == "__main__":
    subject().serve(port=0, workspace={workspace!r})
    print("went on", flush=True)
"""
# Reads a broken file, and takes the Ctrl-C of that moment for one more reason to skip it.
SWALLOWS = """
import torch
from analysis import Subject

class Files(torch.utils.data.Dataset):
    pressed = False

    def __len__(self):
        return 8

    def __getitem__(self, index):
        try:
            if not Files.pressed and index == 5:
                Files.pressed = True
                signal.raise_signal(signal.SIGINT)
        except:
            pass
        return torch.ones(4), index % 2

if __name__ == "__main__":
    Subject(torch.nn.Linear(4, 2), Files()).serve(port=0, workspace={workspace!r})
    print("went on", Files.pressed, signal.getsignal(signal.SIGINT) is signal.default_int_handler, flush=True)
"""


@pytest.fixture
def script(tmp_path):
    """Starts a script; what is left of it ends with the test."""
    started = []

    def begin(text):
        path = tmp_path / "script.py"
        path.write_text(text)
        command = [sys.executable, str(path)]
        process = subprocess.Popen(command, cwd=ROOT, env=processes.environment(), stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()
    until(lambda: not processes_of(tmp_path / "w"), 8)


@pytest.mark.parametrize("number", ["SIGINT", "SIGKILL"])
def test_a_script_that_ends_takes_the_server_with_it(tmp_path, script, number):
    process = script(HEEDS + SERVES.format(workspace=str(tmp_path / "w")))
    lines = [process.stdout.readline(), process.stdout.readline()]
    assert "Cutaway is at http://127.0.0.1" in lines[1]
    process.send_signal(getattr(signal, number))
    rest = process.communicate(timeout=60)[0]
    assert ("went on" in rest) is (number == "SIGINT")
    until(lambda: not processes_of(tmp_path / "w"), 8)


def test_ctrl_c_is_heeded_even_where_the_program_swallows_the_interrupt(tmp_path, script):
    process = script(HEEDS + SWALLOWS.format(workspace=str(tmp_path / "w")))
    assert "went on True True" in process.communicate(timeout=60)[0]


@pytest.mark.parametrize("own", [signal.SIG_IGN, lambda _number, _frame: None], ids=["ignored", "handled"])
def test_what_the_program_does_with_ctrl_c_itself_stays(tmp_path, own):
    works = Host(tmp_path, "model", owned=False)
    before = signal.signal(signal.SIGINT, own)
    try:
        with serving._interruptible(works):
            signal.raise_signal(signal.SIGINT)
        assert not works.stopping
        assert signal.getsignal(signal.SIGINT) is own
    finally:
        signal.signal(signal.SIGINT, before)
