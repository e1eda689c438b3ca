"""Runs queued jobs, in order: ``python -m analysis.jobs.runner DIR``. One at a time per directory and queue.

Single-threaded: it looks at the directory, at its own children and at the hosts of the queues.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from filelock import FileLock, Timeout

from analysis.jobs import files, processes
from analysis.jobs.endings import KEPT, Endings
from analysis.jobs.hosts import GRACE_SECONDS, Desk
from analysis.jobs.kinds import KINDS, QUEUES, RESUMABLE
from analysis.jobs.queue import ACTIVE, Jobs

POLL_SECONDS = 0.2
LOOK_SECONDS = 0.03  # between two looks for something new, which cost a few file times
MEMORY_SHARE = 0.8  # of the machine's memory that a job may take
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

    slots: jobs with a process of their own at the same time. queues: kind -> queue. external: queues whose host is a
    process that started this server. host_arguments: passed to hosts. memory: bytes that a job may take. parent: the
    process to end with; None for none.
    """

    directory: Path
    slots: int = 1
    kinds: dict[str, str] = field(default_factory=dict)
    resumable: frozenset[str] = RESUMABLE
    parent: int | None = None
    queues: dict[str, str] = field(default_factory=lambda: dict(QUEUES))
    external: frozenset[str] = frozenset()
    host_arguments: tuple[str, ...] = ()
    memory: int | None = None
    stopping: bool = False
    running: dict[str, Running] = field(default_factory=dict)
    settled: set[str] = field(default_factory=set)  # ended jobs, not to be read again
    desks: dict[str, Desk] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.endings = Endings(self.directory, self.resumable, self.queues)

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
        for name in set(self.queues.values()):
            self.desks[name] = Desk(self.directory, name, self.endings, self.host_arguments, name in self.external)
        self._recover()
        while not self._ending():
            before = self._versions()
            self._guarded(self._step)
            self._rest(before)
        self._shut_down()

    def _versions(self) -> list[Any]:
        """Another value when a job was submitted, or a host has something to say."""
        return [files.version(path) for path in (self.directory, *(d.home / files.STATE for d in self.desks.values()))]

    def _rest(self, before: list[Any]) -> None:
        until = time.monotonic() + POLL_SECONDS
        while not self._ending() and time.monotonic() < until and self._versions() == before:
            time.sleep(LOOK_SECONDS)

    def _guarded(self, action: Callable[..., None], *arguments: Any) -> None:
        # A full disk, or a job directory that somebody removed, must not end the runner.
        try:
            action(*arguments)
        except OSError as error:
            log.warning("The jobs in %s: %s", self.directory, error)
            time.sleep(1.0)

    def _step(self) -> None:
        self._look()
        for job_id, status, spec in self._with_state("queued"):
            queue = self.queues.get(spec.get("kind", ""))
            if (self.directory / job_id / files.CANCEL).exists():
                status = {**status, "state": "cancelled", "finished": time.time()}
                self._guarded(self.endings.status, job_id, status)
            elif queue is not None:
                if self.desks[queue].takes(spec.get("priority", 0), status.get("alone", False)):
                    self._guarded(self._assign, self.desks[queue], job_id, status, spec)
            elif len(self.running) < self.slots and job_id not in self.running:
                self._guarded(self._start, job_id, status, spec)

    def _look(self) -> None:
        """See which jobs have ended."""
        for job in list(self.running.values()):
            self._guarded(self._watch, job)
        for desk in self.desks.values():
            self._guarded(self._watch_desk, desk)

    def _watch_desk(self, desk: Desk) -> None:
        if desk.watch():
            Jobs(self.directory).prune()

    def _with_state(self, state: str) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
        """Ids, status and specification of the jobs in a state: the most urgent first, of those the oldest."""
        found = []
        for path in self.directory.iterdir():
            if not files.is_id(path.name) or path.name in self.settled:
                continue
            status = files.read_json(path / files.STATUS)
            if status and status.get("state") not in ACTIVE:
                self.settled.add(path.name)
            elif status and status.get("state") == state:
                found.append((path.name, status, files.read_json(path / files.SPEC) or {}))
        return sorted(found, key=lambda job: (-job[2].get("priority", 0), job[2].get("submitted", 0.0), job[0]))

    def _prepare(self, job_id: str, status: dict[str, Any], kind: str) -> dict[str, Any] | None:
        """What the status says of the attempt that begins; None if the kind is unknown, and then that is written."""
        home = self.directory / job_id
        kept: dict[str, Any] = {name: status[name] for name in KEPT if name in status}
        attempt = {**kept, "started": time.time(), "attempts": status.get("attempts", 0) + 1}
        if kind not in KINDS and kind not in self.kinds:
            error = {"message": f"There is no kind of job called {kind!r}.", "remedy": "", "tail": ""}
            self.endings.status(job_id, {**attempt, "state": "failed", "finished": time.time(), "error": error})
            return None
        for name in (files.PROGRESS, files.OUTCOME, files.EXIT, files.BREATHES, files.USES):  # of an attempt before
            (home / name).unlink(missing_ok=True)
        (home / files.WORK).mkdir(exist_ok=True)
        return attempt

    def _assign(self, desk: Desk, job_id: str, status: dict[str, Any], spec: dict[str, Any]) -> None:
        attempt = self._prepare(job_id, status, spec.get("kind", ""))
        if attempt is not None:
            desk.assign(job_id, spec.get("priority", 0), {**status, **attempt})

    def _start(self, job_id: str, status: dict[str, Any], spec: dict[str, Any]) -> None:
        home, kind = self.directory / job_id, spec.get("kind", "")
        attempt = self._prepare(job_id, status, kind)
        if attempt is None:
            return
        extra = ["--function", self.kinds[kind]] if kind in self.kinds else []
        extra += ["--memory", str(self.memory)] if self.memory else []
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
        self.endings.status(job_id, {**attempt, "state": "running", "pid": process.pid, "ticks": ticks})

    def _watch(self, job: Running) -> None:
        if job.process.poll() is not None:
            processes.sweep(job.id)
            if (self.directory / job.id).exists():
                self.endings.finish(job.id, job.stop_at is not None)
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

    def _recover(self) -> None:
        """Settle the jobs of a runner that was killed. Its processes end by themselves; here we make sure."""
        for job_id, status, spec in self._with_state("running"):
            queue = self.queues.get(spec.get("kind", ""))
            if queue is not None and self.desks[queue].adopt(job_id):
                continue
            pid, ticks = status.get("pid"), status.get("ticks")
            if pid and ticks and processes.start_time(pid) == ticks:
                processes.signal_group(pid, signal.SIGKILL)
            processes.sweep(status.get("host") or job_id)
            self._guarded(self.endings.finish, job_id, True)

    def _shut_down(self) -> None:
        for job in self.running.values():
            self._terminate(job)
        for desk in self.desks.values():
            desk.stop()
        deadline = time.monotonic() + GRACE_SECONDS + 1.5
        while time.monotonic() < deadline:
            self._look()
            left = [desk for desk in self.desks.values() if not desk.stopped()]
            if not self.running and not left:
                break
            time.sleep(0.05)
        self._look()


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="analysis.jobs.runner", description=__doc__)
    add = parser.add_argument
    add("directory", type=Path)
    add("--parent", type=int, help="end when this process is no longer the parent")
    add("--slots", type=int, default=1, help="jobs at the same time, of those with a process of their own")
    add("--kind", action="append", default=[], metavar="NAME=MODULE:FUNCTION")
    add("--resumable", action="append", default=[], metavar="NAME")
    add("--queue", action="append", default=[], metavar="KIND=QUEUE")
    add("--external", action="append", default=[], metavar="QUEUE", help="the process above is this queue's host")
    add("--setting", action="append", default=[], metavar="NAME=VALUE", help="what jobs in hosts are told")
    add("--memory", type=int, help="bytes that one job may take (default: a share of the machine's)")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    machine = processes.machine_memory()
    memory = options.memory or (int(machine * MEMORY_SHARE) if machine else None)
    passed = [f"--setting={item}" for item in options.setting] + [f"--kind={item}" for item in options.kind]
    return Runner(
        options.directory,
        options.slots,
        dict(item.split("=", 1) for item in options.kind),
        RESUMABLE | frozenset(options.resumable),
        options.parent,
        {**QUEUES, **dict(item.split("=", 1) for item in options.queue)},
        frozenset(options.external),
        (*passed, *([f"--memory={memory}"] if memory else [])),
        memory,
    ).run()


def start(
    directory: Path,
    settings: Iterable[tuple[str, str]] = (),
    memory: int | None = None,
    external: Iterable[str] = (),
) -> subprocess.Popen[bytes]:
    """Start a runner that ends with this process, away from the terminal's Ctrl-C.

    Args:
        directory: of the jobs. settings: names and values that jobs in hosts are told. memory: bytes that one job may
        take, None for a share of the machine's. external: queues whose host is a process above this one.

    Raises:
        OSError: the process cannot be started.
    """
    options = [f"--setting={name}={value}" for name, value in settings]
    options += [f"--memory={memory}"] if memory else []
    options += [f"--external={queue}" for queue in external]
    command = processes.python("analysis.jobs.runner", str(directory), "--parent", str(os.getpid()), *options)
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, env=processes.environment())


if __name__ == "__main__":
    sys.exit(main())
