"""A workspace with the worker of a small subject, without any page."""

import contextlib
import os
import subprocess
import time
from pathlib import Path

from analysis.jobs import Jobs, directory_for, processes
from analysis.questions import keys
from analysis.results import Answers

from . import asked  # noqa: F401 (the keys of its questions are computed here)

ROOT = Path(__file__).parents[2]
SUBJECT = Path(__file__).with_name("small_subject.py")


class Worker:
    def __init__(self, workspace, subject=SUBJECT):
        self.workspace, self.subject = workspace, str(subject)
        self.jobs = Jobs(directory_for(workspace, self.subject))
        self.answers = Answers(workspace / "cache" / "answers")
        self.computed = workspace / "computed.txt"
        self.runner = None

    def start(self):
        environment = processes.environment(OMP_NUM_THREADS="1")
        environment["PYTHONPATH"] += os.pathsep + str(ROOT)
        told = {"subject": self.subject, "device": "cpu", "cache": str(self.workspace / "cache")}
        options = [part for name, value in told.items() for part in ("--setting", f"{name}={value}")]
        functions = {"subject": "describe", "extract": "extract", "question": "answer"}
        for kind, name in functions.items():
            options += ["--kind", f"{kind}=tests.questions.asked:{name}"]
        command = processes.python("analysis.jobs.runner", str(self.jobs.directory), *options)
        self.runner = subprocess.Popen(command, env=environment, start_new_session=True)
        return self

    def stop(self):
        if self.runner is not None and self.runner.poll() is None:
            self.runner.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.runner.wait(10)
            self.runner.kill()
            self.runner.wait()

    def wait(self, job_id, *states, seconds=40.0):
        states = states or ("done", "failed", "cancelled", "lost")
        return until(lambda: (job := self.jobs.get(job_id)).state in states and job, seconds)

    def describe(self):
        job = self.wait(self.jobs.submit("subject", {"subject": self.subject}, name="Subject"))
        assert job.state == "done", job.error
        return self.answers.get(job.result["key"])

    def submit(self, description, question, checkpoint=None, n=100, **params):
        sample = keys.sample_of(description, n)
        key = keys.answer_key(description, question, params, checkpoint, sample)
        spec = {"question": question, "params": params, "checkpoint": checkpoint, "sample": sample, "key": key}
        return key, self.jobs.submit("question", spec, name=question, priority=2)

    def ask(self, description, question, checkpoint=None, **params):
        key, job_id = self.submit(description, question, checkpoint, **params)
        job = self.wait(job_id)
        return job, self.answers.get(key)

    def extract(self, description, n=100, checkpoint=None):
        sample = keys.sample_of(description, n)
        key = keys.extraction_key(description, checkpoint, **sample)
        spec = {"checkpoint": checkpoint, "sample": sample, "key": key}
        return key, self.jobs.submit("extract", spec, name="extract")

    def count(self, name):
        return self.computed.read_text().split().count(name) if self.computed.exists() else 0


def until(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.03)
    return value
