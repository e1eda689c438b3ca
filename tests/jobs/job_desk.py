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
# Of the queue "warm": one process runs them all.
WARM = ["pid", "warm_count", "warm_fail", "warm_exit", "warm_segfault", "warm_killed", "warm_refuse", "warm_sleep"]
WARM += [
    "warm_busy",
    "warm_loud",
    "warm_long",
    "warm_memory",
    "warm_hungry",
    "warm_resume",
    "warm_settings",
    "warm_later",
]
WARM += ["warm_greedy", "warm_system_exit", "warm_stubborn"]


class Desk:
    """A directory of jobs with a runner that the test can stop, kill and start again."""

    def __init__(self, directory):
        self.directory = directory
        self.jobs = Jobs(directory)
        self.runner = None

    def start(self, *arguments):
        functions = {**dict.fromkeys(KINDS, "job_functions"), **dict.fromkeys(WARM, "job_warm")}
        kinds = [part for name, module in functions.items() for part in ("--kind", f"{name}={module}:{name}")]
        kinds += [part for name in WARM for part in ("--queue", f"{name}=warm")]
        environment = processes.environment()
        environment["PYTHONPATH"] += os.pathsep + str(HERE)
        command = processes.python(
            "analysis.jobs.runner",
            str(self.directory),
            *kinds,
            "--resumable",
            "resume",
            "--resumable",
            "warm_resume",
            *arguments,
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
