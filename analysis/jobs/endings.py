"""How jobs end: what the runner writes when one is over, fails, is interrupted, or has to be tried again."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

from analysis.jobs import files
from analysis.jobs.calls import MEMORY
from analysis.jobs.kinds import QUEUES

DISK = "Check the disk of the workspace."
STOPPED = ("The server stopped while it ran.", "Submit it again.")
KEPT = ("batch_scale", "note", "put_off")  # of the status, from one attempt to the next
HALF = 0.5  # of the size of batches, when memory did not suffice
MAX_AGAIN = 5  # times that a job may be put off for the sake of others


class Endings:
    """Writes the status of jobs that end. resumable: kinds that are queued once more when the server stopped."""

    def __init__(self, directory: Path, resumable: frozenset[str], queues: dict[str, str] | None = None) -> None:
        self.directory = directory
        self.resumable = resumable
        self.queues = QUEUES if queues is None else queues

    def status(self, job_id: str, status: dict[str, Any]) -> None:
        """Replace a job's status."""
        files.write_json(self.directory / job_id / files.STATUS, status)

    def finish(self, job_id: str, stopped: bool, died: bool = True) -> None:
        """Write how a job ended. stopped: by us, on a cancel or because the server ends. died: with its process."""
        home = self.directory / job_id
        status = {**(files.read_json(home / files.STATUS) or {}), "finished": time.time()}
        outcome = files.read_json(home / files.OUTCOME)
        ending = files.read_json(home / files.EXIT)
        if outcome is None and not died:
            outcome = {"error": {"message": "The outcome of the job could not be written.", "remedy": DISK}}
        if outcome is not None and "result" in outcome:
            self.status(job_id, {**status, "state": "done", "result": outcome["result"]})
        elif (home / files.CANCEL).exists():  # it may have seen that before us, and ended by itself
            self.status(job_id, {**status, "state": "cancelled"})
        elif outcome is not None and "again" in outcome:
            self.again(job_id, status)
        elif stopped and "error" not in (outcome or {}):
            self._interrupted(job_id, status)
        elif self._short_of_memory(outcome, ending) and self._halves(job_id) and "batch_scale" not in status:
            self._once_more(job_id, status)
        else:
            self._failed(job_id, status, outcome, ending)

    def again(self, job_id: str, status: dict[str, Any]) -> None:
        """Put a job off for the sake of others: queued once more, which counts as no attempt."""
        put_off = status.get("put_off", 0) + 1
        kept: dict[str, Any] = {name: status[name] for name in KEPT if name in status}
        attempts = max(status.get("attempts", 1) - 1, 0)
        # What was put off too often has to run alone.
        alone = status.get("nested", False) or put_off >= MAX_AGAIN
        self.status(job_id, {**kept, "state": "queued", "attempts": attempts, "put_off": put_off, "alone": alone})

    def _kind(self, job_id: str) -> str:
        return str((files.read_json(self.directory / job_id / files.SPEC) or {}).get("kind"))

    def _halves(self, job_id: str) -> bool:
        return self._kind(job_id) in self.queues

    @staticmethod
    def _short_of_memory(outcome: dict[str, Any] | None, ending: dict[str, Any] | None) -> bool:
        if outcome is not None:
            return bool(outcome.get("memory"))
        return ending is None or "memory" in ending or ending.get("signal") == signal.SIGKILL

    def _once_more(self, job_id: str, status: dict[str, Any]) -> None:
        batch = self._batch(job_id)
        size = (
            f" with batches of {max(1, batch // 2)} instead of {batch}" if batch else " with batches of half the size"
        )
        self.status(
            job_id,
            {
                "state": "queued",
                "attempts": status.get("attempts", 1),
                "batch_scale": HALF,
                "note": f"It ran out of memory and is tried once more,{size}.",
            },
        )

    def _batch(self, job_id: str) -> int:
        found = (files.read_json(self.directory / job_id / files.USES) or {}).get("batch_size", 0)
        return found if isinstance(found, int) else 0

    def _failed(
        self, job_id: str, status: dict[str, Any], outcome: dict[str, Any] | None, ending: dict[str, Any] | None
    ) -> None:
        error = {**reason(outcome, ending), "tail": files.tail(self.directory / job_id / files.LOG)}
        if self._short_of_memory(outcome, ending) and "batch_scale" in status:
            batch = self._batch(job_id)
            size = f"batches of {batch}" if batch else "batches of half the size"
            error["message"] += f" It did so again with {size}."
        self.status(job_id, {**status, "state": "failed", "error": error, "note": ""})

    def _interrupted(self, job_id: str, status: dict[str, Any]) -> None:
        """The server stopped: once more if the kind can go on, else lost."""
        attempts = status.get("attempts", 1)
        if self._kind(job_id) in self.resumable and attempts < 2:
            kept: dict[str, Any] = {name: status[name] for name in KEPT if name in status}
            self.status(job_id, {**kept, "state": "queued", "attempts": attempts})
            return
        tail = files.tail(self.directory / job_id / files.LOG)
        error = {"message": STOPPED[0], "remedy": STOPPED[1], "tail": tail}
        self.status(job_id, {**status, "state": "lost", "error": error})


def reason(outcome: dict[str, Any] | None, ending: dict[str, Any] | None) -> dict[str, str]:
    """Why a job failed: what it said, or how its process ended."""
    if outcome is not None and "error" in outcome:
        return dict(outcome["error"])
    ending = ending or {"signal": signal.SIGKILL}
    if "memory" in ending:
        size = f"{ending['memory'] / 2**30:.3g} GiB"
        return {
            "message": f"The job took more than {size} of memory and was ended.",
            "remedy": f"{MEMORY[1][:-1]}, or allow more with --worker-memory.",
        }
    number = ending.get("signal", 0)
    if number == signal.SIGKILL:
        return {"message": f"{MEMORY[0][:-1]} (killed).", "remedy": MEMORY[1]}
    if number:
        name = signal.Signals(number).name.removeprefix("SIG")
        return {"message": f"The job's process was ended by signal {name}.", "remedy": "The log shows where."}
    code = ending.get("code", 0)
    return {"message": f"The job's process ended early, with exit code {code}.", "remedy": "The log may say why."}
