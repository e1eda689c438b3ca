"""Runs queued jobs, in order: ``python -m analysis.jobs.runner DIR``. One at a time per directory.

Single-threaded: it looks at the directory and at its own children five times a second.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from filelock import FileLock, Timeout

from analysis.jobs import files, processes
from analysis.jobs.child import MEMORY
from analysis.jobs.kinds import KINDS, RESUMABLE
from analysis.jobs.queue import ACTIVE, Jobs

POLL_SECONDS = 0.2
GRACE_SECONDS = 3.0  # between SIGTERM and SIGKILL
STOPPED = ("The server stopped while it ran.", "Submit it again.")
log = logging.getLogger("cutaway.jobs")


@dataclass
class Running:
    """A job under way. stop_at: when SIGKILL is due (monotonic seconds), None while nobody wants it to end."""

    id: str
    process: subprocess.Popen[bytes]
    stop_at: float | None = None


@dataclass
class Runner:
    """Takes jobs from a directory. kinds: functions besides the registered ones, from the command line only.

    parent: the process to end with; None for none.
    """

    directory: Path
    slots: int = 1
    kinds: dict[str, str] = field(default_factory=dict)
    resumable: frozenset[str] = RESUMABLE
    parent: int | None = None
    stopping: bool = False
    running: dict[str, Running] = field(default_factory=dict)
    settled: set[str] = field(default_factory=set)  # ended jobs, not to be read again

    def run(self) -> int:
        """Until a signal or the parent's end. Returns the exit code."""
        self.directory.mkdir(parents=True, exist_ok=True)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._stop)
        lock = FileLock(self.directory / "runner.lock")
        while not self._ending():  # another server may own the directory: take over when it ends
            try:
                with lock.acquire(timeout=0):
                    self._serve()
            except Timeout:
                time.sleep(POLL_SECONDS)
        return 0

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stopping = True

    def _ending(self) -> bool:
        return self.stopping or (self.parent is not None and os.getppid() != self.parent)

    def _serve(self) -> None:
        self._recover()
        while not self._ending():
            self._guarded(self._step)
            time.sleep(POLL_SECONDS)
        self._shut_down()

    def _guarded(self, action: Callable[..., None], *arguments: Any) -> None:
        # A full disk, or a job directory that somebody removed, must not end the runner.
        try:
            action(*arguments)
        except OSError as error:
            log.warning("The jobs in %s: %s", self.directory, error)
            time.sleep(1.0)

    def _step(self) -> None:
        for job in list(self.running.values()):
            self._guarded(self._watch, job)
        for job_id, status in self._with_state("queued"):
            if (self.directory / job_id / files.CANCEL).exists():
                self._guarded(self._status, job_id, {**status, "state": "cancelled", "finished": time.time()})
            elif len(self.running) < self.slots and job_id not in self.running:
                self._guarded(self._start, job_id, status)

    def _with_state(self, state: str) -> list[tuple[str, dict[str, Any]]]:
        """Ids and status of the jobs in a state, oldest first."""
        found = []
        for path in self.directory.iterdir():
            if not files.is_id(path.name) or path.name in self.settled:
                continue
            status = files.read_json(path / files.STATUS)
            if status and status.get("state") not in ACTIVE:
                self.settled.add(path.name)
            elif status and status.get("state") == state:
                spec = files.read_json(path / files.SPEC) or {}
                found.append((spec.get("submitted", 0.0), path.name, status))
        return [(job_id, status) for _, job_id, status in sorted(found, key=lambda item: item[:2])]

    def _status(self, job_id: str, status: dict[str, Any]) -> None:
        files.write_json(self.directory / job_id / files.STATUS, status)

    def _start(self, job_id: str, status: dict[str, Any]) -> None:
        home = self.directory / job_id
        kind = (files.read_json(home / files.SPEC) or {}).get("kind", "")
        attempt = {"started": time.time(), "attempts": status.get("attempts", 0) + 1}
        if kind not in KINDS and kind not in self.kinds:
            error = {"message": f"There is no kind of job called {kind!r}.", "remedy": "", "tail": ""}
            self._status(job_id, {**attempt, "state": "failed", "finished": time.time(), "error": error})
            return
        for name in (files.PROGRESS, files.OUTCOME, files.EXIT):  # of an attempt before
            (home / name).unlink(missing_ok=True)
        (home / files.WORK).mkdir(exist_ok=True)
        extra = ["--function", self.kinds[kind]] if kind in self.kinds else []
        command = processes.python("analysis.jobs.child", str(home.resolve()), "--parent", str(os.getpid()), *extra)
        with (home / files.LOG).open("ab") as output:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=home / files.WORK,  # relative paths of a job end up there
                env=processes.environment(**{processes.MARK: job_id, "PYTHONFAULTHANDLER": "1"}),
            )
        self.running[job_id] = Running(job_id, process)
        ticks = processes.start_time(process.pid)
        self._status(job_id, {**attempt, "state": "running", "pid": process.pid, "ticks": ticks})

    def _watch(self, job: Running) -> None:
        if job.process.poll() is not None:
            processes.sweep(job.id)
            if (self.directory / job.id).exists():
                self._finish(job.id, job.stop_at is not None)
            del self.running[job.id]
            Jobs(self.directory).prune()
        elif job.stop_at is None:
            if (self.directory / job.id / files.CANCEL).exists():
                self._terminate(job)
        elif time.monotonic() > job.stop_at:
            processes.signal_group(job.process.pid, signal.SIGKILL)

    def _terminate(self, job: Running) -> None:
        job.stop_at = time.monotonic() + GRACE_SECONDS
        processes.signal_group(job.process.pid, signal.SIGTERM)

    def _finish(self, job_id: str, stopped: bool) -> None:
        """Write how a job ended. stopped: by us, on a cancel or because the server ends."""
        home = self.directory / job_id
        status = {**(files.read_json(home / files.STATUS) or {}), "finished": time.time()}
        outcome = files.read_json(home / files.OUTCOME)
        if outcome is not None and "result" in outcome:
            self._status(job_id, {**status, "state": "done", "result": outcome["result"]})
        elif (home / files.CANCEL).exists():  # it may have seen that before us, and ended by itself
            self._status(job_id, {**status, "state": "cancelled"})
        elif stopped and outcome is None:
            self._interrupted(job_id, status)
        else:
            error = {**_reason(outcome, files.read_json(home / files.EXIT)), "tail": files.tail(home / files.LOG)}
            self._status(job_id, {**status, "state": "failed", "error": error})

    def _interrupted(self, job_id: str, status: dict[str, Any]) -> None:
        """The server stopped: once more if the kind can go on, else lost."""
        kind = (files.read_json(self.directory / job_id / files.SPEC) or {}).get("kind")
        attempts = status.get("attempts", 1)
        if kind in self.resumable and attempts < 2:
            self._status(job_id, {"state": "queued", "attempts": attempts})
            return
        tail = files.tail(self.directory / job_id / files.LOG)
        error = {"message": STOPPED[0], "remedy": STOPPED[1], "tail": tail}
        self._status(job_id, {**status, "state": "lost", "finished": time.time(), "error": error})

    def _recover(self) -> None:
        """Settle the jobs of a runner that was killed. Its processes end by themselves; here we make sure."""
        for job_id, status in self._with_state("running"):
            pid, ticks = status.get("pid"), status.get("ticks")
            if pid and ticks and processes.start_time(pid) == ticks:
                processes.signal_group(pid, signal.SIGKILL)
            processes.sweep(job_id)
            self._guarded(self._finish, job_id, True)

    def _shut_down(self) -> None:
        for job in self.running.values():
            self._terminate(job)
        deadline = time.monotonic() + GRACE_SECONDS + 1.5
        while self.running and time.monotonic() < deadline:
            for job in list(self.running.values()):
                self._guarded(self._watch, job)
            time.sleep(0.05)


def _reason(outcome: dict[str, Any] | None, exit_: dict[str, Any] | None) -> dict[str, str]:
    """Why a job failed: what it said, or how its process ended."""
    if outcome is not None and "error" in outcome:
        return dict(outcome["error"])
    number = (exit_ or {"signal": signal.SIGKILL}).get("signal", 0)
    if number == signal.SIGKILL:
        return {"message": f"{MEMORY[0][:-1]} (killed).", "remedy": MEMORY[1]}
    if number:
        name = signal.Signals(number).name.removeprefix("SIG")
        return {"message": f"The job's process was ended by signal {name}.", "remedy": "The log shows where."}
    code = (exit_ or {}).get("code", 0)
    return {"message": f"The job's process ended early, with exit code {code}.", "remedy": "The log may say why."}


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="analysis.jobs.runner", description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--parent", type=int, help="end when this process is no longer the parent")
    parser.add_argument("--slots", type=int, default=1, help="jobs at the same time")
    parser.add_argument("--kind", action="append", default=[], metavar="NAME=MODULE:FUNCTION")
    parser.add_argument("--resumable", action="append", default=[], metavar="NAME")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    kinds = dict(item.split("=", 1) for item in options.kind)
    resumable = RESUMABLE | frozenset(options.resumable)
    return Runner(options.directory, options.slots, kinds, resumable, options.parent).run()


def start(directory: Path) -> subprocess.Popen[bytes]:
    """Start a runner that ends with this process, away from the terminal's Ctrl-C.

    Raises:
        OSError: the process cannot be started.
    """
    command = processes.python("analysis.jobs.runner", str(directory), "--parent", str(os.getpid()))
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, env=processes.environment())


if __name__ == "__main__":
    sys.exit(main())
