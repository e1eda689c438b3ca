"""What the function of a job is given: a way to report progress, a flag to look at, a directory to write in."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from analysis.jobs import files

MIN_SECONDS = 0.1  # between two writes of the progress


class Cancelled(BaseException):
    """Raised in the job's main thread when it is cancelled, so that ``finally`` blocks run.

    Not an Exception: code that catches every Exception must not swallow it.
    """


class Later(BaseException):
    """Raised by a job that has to begin anew after others: it is queued once more, which counts as no attempt."""


class JobContext:
    """One job, seen from inside its process.

    directory: scratch space of this job alone, there when the function is called. settings: what the server was
    started with, for jobs that run in a queue's host. nested: whether it runs while another job of its queue waits.
    batch_scale: factor for sizes of batches: 1, or less when it ran out of memory before.
    """

    settings: Mapping[str, list[str]] = {}
    nested = False

    def __init__(self, job_directory: Path) -> None:
        self._home = job_directory
        self.id = job_directory.name
        self.directory = job_directory / files.WORK
        self.directory.mkdir(exist_ok=True)
        status = files.read_json(job_directory / files.STATUS) or {}
        self.batch_scale = float(status.get("batch_scale", 1.0))
        self._step: tuple[str, float] = ("", 0)
        self._began: tuple[float, float] | None = None
        self._written = float("-inf")

    @property
    def cancelled(self) -> bool:
        """Whether somebody asked for the job to stop."""
        return (self._home / files.CANCEL).exists()

    def progress(self, done: float, total: float, unit: str = "", message: str = "") -> None:
        """Say how far the job is: ``done`` of ``total`` units. Cheap: written at most ten times a second.

        The rate (units per second) counts from the first call of a step, which another unit or total begins; the time
        left follows from it.
        """
        now = time.monotonic()
        begins = (unit, total) != self._step
        if self._began is None or begins or done < self._began[1]:
            self._began, self._step = (now, done), (unit, total)
        if now - self._written < MIN_SECONDS and done < total and not begins:
            return
        self._written = now
        elapsed, gained = now - self._began[0], done - self._began[1]
        rate = gained / elapsed if elapsed > 0 and gained > 0 else None
        value: dict[str, Any] = {
            "done": done,
            "total": total,
            "unit": unit,
            "message": message,
            "rate": rate,
            "eta_s": max(total - done, 0) / rate if rate else None,
        }
        with contextlib.suppress(OSError):  # a full disk costs the progress bar, not the job
            files.write_json(self._home / files.PROGRESS, value)

    def breathe(self) -> None:
        """Between two steps of a long job: lets a job of its queue that is more urgent run first, if one waits.

        The caller must hold nothing that the other could disturb: no hooks, no half-read batch. In a process of its own
        a job has nobody to wait for it.
        """

    def uses(self, batch_size: int) -> None:
        """Say how large batches are: told to the user if memory does not suffice."""
        with contextlib.suppress(OSError):
            files.write_json(self._home / files.USES, {"batch_size": batch_size})
