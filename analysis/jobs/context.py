"""What the function of a job is given: a way to report progress, a flag to look at, a directory to write in."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from analysis.jobs import files

MIN_SECONDS = 0.1  # between two writes of the progress


class Cancelled(BaseException):
    """Raised in the job's main thread when it is cancelled, so that ``finally`` blocks run.

    Not an Exception: code that catches every Exception must not swallow it.
    """


class JobContext:
    """One job, seen from inside its process.

    directory: scratch space of this job alone, there when the function is called.
    """

    def __init__(self, job_directory: Path) -> None:
        self._home = job_directory
        self.id = job_directory.name
        self.directory = job_directory / files.WORK
        self.directory.mkdir(exist_ok=True)
        self._began: tuple[float, float] | None = None
        self._written = float("-inf")

    @property
    def cancelled(self) -> bool:
        """Whether somebody asked for the job to stop."""
        return (self._home / files.CANCEL).exists()

    def progress(self, done: float, total: float, unit: str = "", message: str = "") -> None:
        """Say how far the job is: ``done`` of ``total`` units. Cheap: written at most ten times a second.

        The rate (units per second) counts from the first call; the time left follows from it.
        """
        now = time.monotonic()
        if self._began is None or done < self._began[1]:
            self._began = (now, done)
        if now - self._written < MIN_SECONDS and done < total:
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
        try:
            files.write_json(self._home / files.PROGRESS, value)
        except OSError:
            return  # a full disk costs the progress bar, not the job
