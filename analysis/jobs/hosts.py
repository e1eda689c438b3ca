"""The runner's side of a queue: starts its host, assigns jobs to it, sees how they end, and ends the host."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.jobs import files, processes
from analysis.jobs.endings import Endings

GRACE_SECONDS = 2.5  # between asking a job to end and SIGKILL


@dataclass
class Assigned:
    """A job given to the host. number: of the assignment. stop_at: when its host is killed (monotonic seconds)."""

    id: str
    number: int
    priority: int
    stop_at: float | None = None


class Desk:
    """One queue. external: its host is a process that started this server: it is not started, signalled or killed."""

    def __init__(
        self, directory: Path, queue: str, endings: Endings, arguments: tuple[str, ...] = (), external: bool = False
    ) -> None:
        self.directory = directory
        self.queue = queue
        self.home = directory / files.HOSTS / queue
        self.external = external
        self.running: list[Assigned] = []  # the outermost first; the second runs while the first waits
        self._endings = endings
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None
        self._mark = ""
        self._killed = False  # by us: whatever ran and was not cancelled is innocent
        self._number = int((files.read_json(self.home / files.ASSIGNED) or {}).get("number", 0))

    def takes(self, priority: int, alone: bool) -> bool:
        """Whether a job of this priority can be assigned now: nothing runs, or something that lets it pass."""
        if not self.running:
            return True
        first = self.running[0]
        if len(self.running) > 1 or alone or first.stop_at is not None or priority <= first.priority:
            return False
        return (self.directory / first.id / files.BREATHES).exists()

    def assign(self, job_id: str, priority: int, attempt: dict[str, Any]) -> None:
        """Give a job to the host, which is started if there is none."""
        if not self.external and (self._process is None or self._process.poll() is not None):
            self._start()
        self._number += 1
        self.home.mkdir(parents=True, exist_ok=True)
        nested = bool(self.running)
        # The host first: if the disk is full it was not told, and the job is still queued.
        files.write_json(self.home / files.ASSIGNED, {"number": self._number, "job": job_id})
        self.running.append(Assigned(job_id, self._number, priority))
        process = {"pid": self._process.pid, "ticks": processes.start_time(self._process.pid)} if self._process else {}
        status = {**attempt, **process, "state": "running", "host": self._mark, "nested": nested}
        self._endings.status(job_id, status)

    def adopt(self, job_id: str) -> bool:
        """Take over a job of the runner before, if the external host is still at it."""
        state = files.read_json(self.home / files.STATE) or {}
        if not self.external or job_id not in state.get("stack", []):
            return False
        self.running.append(Assigned(job_id, self._number, 0))
        return True

    def watch(self) -> list[str]:
        """See what has ended. Returns the ids of those jobs; their status is written."""
        if self._process is not None and self._process.poll() is not None:
            return self._bury()
        state = files.read_json(self.home / files.STATE) or {}
        stack = state.get("stack", [])
        ended = [job for job in self.running if job.id not in stack and state.get("number", 0) >= job.number]
        for job in ended:
            self._finish(job)
        for job in list(self.running):
            self._cancel(job, state)
        return [job.id for job in ended]

    def stop(self) -> None:
        """Ask the host to end, and its jobs to clear up."""
        for job in self.running:
            job.stop_at = job.stop_at or time.monotonic() + GRACE_SECONDS
        if self._process is not None:
            processes.signal_group(self._process.pid, signal.SIGTERM)

    def stopped(self) -> bool:
        """Whether nothing is left of it; what does not end in time is killed."""
        if self._process is None or self._process.poll() is not None:
            return True
        if all(job.stop_at is not None and time.monotonic() > job.stop_at for job in self.running):
            self._kill()
        return False

    def _start(self) -> None:
        for name in (files.STATE, files.ASSIGNED, files.EXIT):
            (self.home / name).unlink(missing_ok=True)
        self.home.mkdir(parents=True, exist_ok=True)
        self._mark, self._killed = secrets.token_hex(16), False
        place = [str(self.directory.resolve()), self.queue, "--parent", str(os.getpid()), *self._arguments]
        with (self.home / files.LOG).open("wb") as output:
            # In the directory of the server: a subject may name its files from there.
            self._process = subprocess.Popen(
                processes.python("analysis.jobs.host", *place),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=processes.environment(**{processes.MARK: self._mark, "PYTHONFAULTHANDLER": "1"}),
            )

    def _bury(self) -> list[str]:
        """The host died: the job that ran ends with it; what waited for that job is queued again."""
        processes.sweep(self._mark)
        gone = list(self.running)
        stack = (files.read_json(self.home / files.STATE) or {}).get("stack", [])
        ending = files.read_json(self.home / files.EXIT)
        culprit = stack[-1] if stack else gone[0].id if gone else ""
        for job in gone:
            home = self.directory / job.id
            over = (home / files.OUTCOME).exists() or (home / files.CANCEL).exists() or job.stop_at is not None
            if home.exists() and not over and (job.id != culprit or self._killed):
                self._endings.again(job.id, files.read_json(home / files.STATUS) or {})
                self.running.remove(job)
                continue
            if home.exists() and job.id == culprit and ending is not None:
                files.write_json(home / files.EXIT, ending)
            self._finish(job)
        self._process = None
        return [job.id for job in gone]

    def _finish(self, job: Assigned) -> None:
        """Write how a job ended; then it is none of those that run."""
        home = self.directory / job.id
        if not home.exists():
            self.running.remove(job)
            return
        outcome = files.read_json(home / files.OUTCOME) or {}
        if outcome.get("memory") and self.running == [job]:
            self._kill()  # what it still holds is not known
        stopped = job.stop_at is not None or "cancelled" in outcome
        self._endings.finish(job.id, stopped, died=self._process is None or self._process.poll() is not None)
        self.running.remove(job)

    def _cancel(self, job: Assigned, state: dict[str, Any]) -> None:
        if job.stop_at is None:
            if (self.directory / job.id / files.CANCEL).exists():
                job.stop_at = time.monotonic() + GRACE_SECONDS
                if state.get("stack", [])[-1:] == [job.id] and not self.external:
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.kill(state["pid"], signal.SIGUSR1)
        elif time.monotonic() > job.stop_at:
            if job.number > state.get("number", 0) and len(self.running) > 1:  # not begun: it never will
                self._finish(job)
            else:
                self._kill()

    def _kill(self) -> None:
        if self._process is None:
            return
        self._killed = True
        processes.signal_group(self._process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(2.0)
        processes.sweep(self._mark)
