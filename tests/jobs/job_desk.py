"""A directory of jobs with its runner, and ways to wait."""

import contextlib
import os
import subprocess
import time
from pathlib import Path

from analysis.jobs import Jobs, processes

HERE = Path(__file__).parent
KINDS = [
    "count",
    "stubborn",
    "polite",
    "segfault",
    "killed",
    "leave",
    "system_exit",
    "fail",
    "refuse",
    "memory",
    "not_json",
    "resume",
    "attentive",
]


class Desk:
    """A directory of jobs with a runner that the test can stop, kill and start again."""

    def __init__(self, directory):
        self.directory = directory
        self.jobs = Jobs(directory)
        self.runner = None

    def start(self, *arguments):
        kinds = [part for name in KINDS for part in ("--kind", f"{name}=job_functions:{name}")]
        environment = processes.environment()
        environment["PYTHONPATH"] += os.pathsep + str(HERE)
        command = processes.python(
            "analysis.jobs.runner", str(self.directory), *kinds, "--resumable", "resume", *arguments
        )
        self.runner = subprocess.Popen(command, env=environment, start_new_session=True)
        return self.runner

    def stop(self):
        if self.runner and self.runner.poll() is None:
            self.runner.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.runner.wait(10)
            self.runner.kill()
        if self.runner:
            self.runner.wait()

    def wait(self, job_id, *states, seconds=15.0):
        return until(lambda: (job := self.jobs.get(job_id)).state in states and job, seconds)

    def finish(self, kind, **params):
        job_id = self.jobs.submit(kind, params, name=kind)
        return self.wait(job_id, "done", "failed", "cancelled", "lost")


def until(condition, seconds=15.0):
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.05)
    return value


def alive(pid):
    return processes.start_time(pid) is not None
