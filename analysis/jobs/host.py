"""The host of a queue: one warm process that runs the jobs of the queue, one after another.

``python -m analysis.jobs.host JOBS QUEUE``, started by the runner, which names the next job in ``assigned.json``; the
host says in ``state.json`` what it runs. A program may be a host itself, and so keep its own objects: it calls
``Host(...).serve()`` (``Subject.serve``).

Why no library: process pools (concurrent.futures, loky, joblib; pebble under the LGPL) send work and results as pickles
and forget their queue when they end. Task queues (Celery, RQ, Dramatiq under the LGPL, Huey, Parsl) want a broker,
pickle, or fork for each task. None promises that a job's processes are gone 5 s after a cancel, in C code and in
grandchildren, or that a crash ends one job only and the next one finds a warm process. What would be left to write on
top of any of them is this file.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

from analysis.jobs import calls, files, keeper, processes
from analysis.jobs.context import Cancelled, JobContext, Later
from analysis.jobs.kinds import KINDS, QUEUES

POLL_SECONDS = 0.02


class HostContext(JobContext):
    """A job in a host."""

    def __init__(self, job_directory: Path, host: Host) -> None:
        super().__init__(job_directory)
        self._host = host
        self.settings = host.settings
        self.nested = bool(host.stack)

    def progress(self, done: float, total: float, unit: str = "", message: str = "") -> None:
        """As in a process of its own; where a cancel cannot interrupt, it is seen here."""
        super().progress(done, total, unit, message)
        if not self._host.owned and (self.cancelled or self._host.stopping):
            raise Cancelled

    def breathe(self) -> None:
        """Run the more urgent job that waits, if there is one.

        Raises:
            Later: that job ended in a way after which this one has to begin anew. Cancelled: this one was cancelled.
        """
        if not self.nested:
            self._host.breathe(self)


class Host:
    """Runs what is assigned to a queue, in the calling thread.

    jobs: the directory of all jobs. settings: what jobs see as ``context.settings``. kinds: functions besides the
    registered ones. owned: this process is there for nothing else: output goes to the jobs' logs, signals cancel, and
    an exit ends it; else jobs print where the program prints, and a cancel is seen at the next ``progress``.
    """

    def __init__(
        self,
        jobs: Path,
        queue: str,
        *,
        settings: Mapping[str, list[str]] | None = None,
        kinds: Mapping[str, str] | None = None,
        owned: bool = True,
    ) -> None:
        self.jobs = Path(jobs).resolve()
        self.directory = self.jobs / files.HOSTS / queue
        self.settings = dict(settings or {})
        known = {kind: target for kind, target in KINDS.items() if QUEUES.get(kind) == queue}
        self.kinds = {**known, **(kinds or {})}
        self.owned = owned
        self.stopping = False
        self.stack: list[str] = []  # jobs under way, the one that runs last
        self._armed = False  # whether a signal may interrupt what runs
        self._number = 0
        self._seen: tuple[int, int] | None = None
        self._clean = True  # the last job ended as it should

    def serve(self) -> None:
        """Until ``stopping``: run what is assigned."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self._say()
        while not self.stopping:
            if not self._take():
                time.sleep(POLL_SECONDS)

    def breathe(self, context: HostContext) -> None:
        """Between two steps of a job: run what is assigned, if anything is, and come back."""
        marker = context.directory.parent / files.BREATHES
        if not marker.exists():
            with contextlib.suppress(OSError):
                marker.touch()
        self._armed = False
        taken = self._take()
        if self.stopping or context.cancelled:
            raise Cancelled
        if taken and not self._clean:
            raise Later
        self._armed = self.owned

    def _assigned(self) -> dict[str, Any] | None:
        path = self.directory / files.ASSIGNED
        version = files.version(path)
        if version is None or version == self._seen:
            return None
        self._seen = version
        return files.read_json(path)

    def _take(self) -> bool:
        """Run the job that was assigned since the last time, if any."""
        assigned = self._assigned()
        if assigned is None or assigned["number"] <= self._number:
            return False
        self._number = assigned["number"]
        self._run(assigned["job"])
        return True

    def _run(self, job_id: str) -> None:
        home = self.jobs / job_id
        if not home.is_dir() or (home / files.CANCEL).exists():
            self._say()
            return
        if self.owned:
            signal.signal(signal.SIGTERM, self._signal)  # again for each: a job may have replaced them
            signal.signal(signal.SIGUSR1, self._signal)
        context = HostContext(home, self)
        self.stack.append(job_id)
        self._say()
        with _written_to(home / files.LOG) if self.owned else contextlib.nullcontext():
            outcome = self._call(context, home)
        self._clean = bool({"result", "again"} & outcome.keys() or outcome.get("meant"))
        with contextlib.suppress(OSError):
            files.write_json(home / files.OUTCOME, outcome)
        if "cancelled" in outcome and self.owned:
            self._sweep()
        self.stack.pop()
        self._say()

    def _call(self, context: HostContext, home: Path) -> dict[str, Any]:
        """Call the job's function. Returns its outcome: the result, the error, or that it was cancelled."""
        try:
            spec = files.read_json(home / files.SPEC) or {}
            target = self.kinds.get(spec.get("kind", ""))
            if target is None:
                raise KeyError(f"no function for a job of kind {spec.get('kind')!r}")
            try:
                self._armed = self.owned
                if context.cancelled:
                    raise Cancelled
                result = {"result": calls.load(target)(context, **spec["params"])}
            finally:
                self._armed = False
            json.dumps(result)
        except Cancelled:
            return {"cancelled": True}
        except Later:
            return {"again": True}
        except Exception as error:
            self._explain(home)
            return calls.explained(error)
        except BaseException as error:  # an exit, or an interrupt
            if isinstance(error, KeyboardInterrupt) and not self.owned:
                self.stopping = True
                return {"cancelled": True}
            self._explain(home)
            if self.owned:
                raise
            return {"error": {"message": f"The model raised {type(error).__name__}.", "remedy": "The log shows where."}}
        return result

    def _explain(self, home: Path) -> None:
        if self.owned:
            traceback.print_exc()
            return
        with contextlib.suppress(OSError), (home / files.LOG).open("a", encoding="utf-8") as log:
            traceback.print_exc(file=log)

    def _say(self) -> None:
        value = {"pid": os.getpid(), "number": self._number, "stack": list(self.stack)}
        with contextlib.suppress(OSError):
            files.write_json(self.directory / files.STATE, value)

    def _signal(self, number: int, _frame: FrameType | None) -> None:
        """SIGUSR1: the job that runs was cancelled; SIGTERM: everything ends."""
        if number == signal.SIGTERM:
            self.stopping = True
        cancelled = self.stack and (self.jobs / self.stack[-1] / files.CANCEL).exists()
        if self._armed and (self.stopping or cancelled):
            self._armed = False  # once is enough: a second one would interrupt the clearing up
            raise Cancelled

    def _sweep(self) -> None:
        """Kill what a cancelled job started and left."""
        mark = os.environ.get(processes.MARK, "")
        for pid in processes.marked(mark) if mark else []:
            if pid != os.getppid():  # the keeper
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def _written_to(log: Path) -> Iterator[None]:
    """Send what this process prints, also from C, to a log; afterwards to where it went before."""
    _flush()
    kept = [os.dup(1), os.dup(2)]
    try:
        with log.open("ab") as stream:
            for number in (1, 2):
                os.dup2(stream.fileno(), number)
        yield
    finally:
        _flush()
        for number, before in zip((1, 2), kept, strict=True):
            os.dup2(before, number)
            os.close(before)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).fflush(None)


def main(arguments: list[str] | None = None) -> int:
    """Be the host of a queue, in the worker; the keeper ends with its whole group."""
    parser = argparse.ArgumentParser(prog="analysis.jobs.host")
    parser.add_argument("jobs", type=Path)
    parser.add_argument("queue")
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--memory", type=int, help="bytes that the worker may hold")
    parser.add_argument("--kind", action="append", default=[], metavar="NAME=MODULE:FUNCTION")
    parser.add_argument("--setting", action="append", default=[], metavar="NAME=VALUE")
    options = parser.parse_args(arguments)
    settings: dict[str, list[str]] = {}
    for item in options.setting:
        name, _, value = item.partition("=")
        settings.setdefault(name, []).append(value)
    kinds = dict(item.split("=", 1) for item in options.kind)
    host = Host(options.jobs, options.queue, settings=settings, kinds=kinds)
    mark = os.environ.get(processes.MARK, "")
    if not keeper.split(host.directory / files.EXIT, mark, options.parent, options.memory):
        return 1
    for number in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, host._signal)
    os.nice(5)  # pages stay quick while jobs compute
    host.serve()
    return 0


if __name__ == "__main__":
    sys.exit(main())
