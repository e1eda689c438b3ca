"""The list of jobs: a directory, so that any number of threads, processes and restarts agree on it."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock

from analysis.errors import JobError, NotFound
from analysis.jobs import files
from analysis.jobs.kinds import QUEUES

ACTIVE = frozenset({"queued", "running"})
SERVER = "server"  # owner of jobs that anybody may cancel
KEPT = 200  # finished jobs on the list; older ones are forgotten
MAX_SPEC = 1_000_000  # characters of parameters
_LIVE = re.compile(r"live-\d+-\d+", re.ASCII)
MISSING = ("This job does not exist.", "It may have been cleared from the list.")


@dataclass(frozen=True)
class Job:
    """One job as it stands now.

    state: 'queued', 'running', 'done', 'failed', 'cancelled' or 'lost' (the server stopped while it ran).
    submitted, started, finished: seconds since the epoch. progress: {done, total, unit, message, rate, eta_s}, rate in
    units per second. error: {message, remedy, tail}, tail being the last 20 lines of its log. position: 1 for the next
    one of its queue to start, None when not queued. params: what its function is called with. note: what the runner
    says about it, for example that it is tried again. priority: higher ones start earlier. same: equal for equal jobs.
    """

    id: str
    name: str
    kind: str
    state: str
    owner: str
    submitted: float
    started: float | None = None
    finished: float | None = None
    progress: dict[str, Any] | None = None
    error: dict[str, str] | None = None
    result: Any = None
    position: int | None = None
    params: dict[str, Any] | None = None
    note: str = ""
    priority: int = 0
    same: str = ""

    @property
    def active(self) -> bool:
        """Whether it is still waiting or running."""
        return self.state in ACTIVE

    @property
    def queue(self) -> str:
        """The queue it waits in: '' for jobs with a process of their own."""
        return QUEUES.get(self.kind, "")


_Several = list[Job]  # the class below has a method of that name


class Jobs:
    """The jobs of a directory. Cheap to make, safe to use from any thread; a runner must run for jobs to start."""

    def __init__(self, directory: Path) -> None:
        self.directory = Path(directory)
        self._ended: dict[str, Job] = {}  # they do not change any more, and there are many of them

    def submit(self, kind: str, params: dict[str, Any], *, name: str, owner: str = SERVER, priority: int = 0) -> str:
        """Queue a job and return its id, or the id of an equal one that is still waiting or running.

        Args:
            kind: a key of ``analysis.jobs.kinds.KINDS``.
            params: keyword arguments of its function, JSON.
            name: what the page calls it.
            owner: who may cancel it; 'server' for anybody.
            priority: of two that wait in the same queue, the higher one starts first.

        Raises:
            JobError: the parameters are not JSON or too long, or the job cannot be written.
        """
        same = _digest(kind, params)
        spec = {
            "id": secrets.token_hex(16),
            "kind": kind,
            "name": name,
            "params": params,
            "owner": owner,
            "priority": priority,
            "same": same,
        }
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            with FileLock(self.directory / "submit.lock", timeout=10):
                return self._equal(same) or self._write({**spec, "submitted": time.time()})
        except (OSError, TimeoutError) as error:
            raise JobError(f"The job cannot be queued: {error}.", "Check the disk of the workspace.") from error

    def find(self, kind: str, params: dict[str, Any]) -> Job | None:
        """The newest job of this kind with these parameters, however it stands; None if there is none on the list."""
        same = _digest(kind, params)
        return next((job for job in reversed(self._all()) if job.same == same), None)

    def retry(self, job_id: str, owner: str) -> str:
        """Submit an ended job once more, for this owner; returns the id of the new one.

        Raises:
            NotFound: there is none of this id. JobError: as for ``submit``.
        """
        job = self.get(job_id)
        if job.active:
            return job.id
        return self.submit(job.kind, job.params or {}, name=job.name, owner=owner, priority=job.priority)

    def list(self, limit: int = 50) -> _Several:
        """The newest jobs first, with the positions of those that wait."""
        return self._all()[::-1][:limit]

    def get(self, job_id: str) -> Job:
        """One job.

        Raises:
            NotFound: there is none of this id, or it is no id.
        """
        job = self._read(job_id) if files.is_id(job_id) else None
        if job is None:
            raise NotFound(*MISSING)
        if job.state != "queued":
            return job
        return next((other for other in self._all() if other.id == job_id), job)

    def cancel(self, job_id: str, owner: str) -> None:
        """Ask for a job's end; it is gone within 5 s. A job that has ended stays as it is.

        Raises:
            NotFound: there is none of this id, or it belongs to another.
            JobError: the disk does not take the request.
        """
        job = self.get(job_id)
        if job.owner not in (owner, SERVER):
            raise NotFound(*MISSING)
        if not job.active:
            return
        try:
            (self.directory / job.id / files.CANCEL).touch()
        except OSError as error:
            raise JobError(f"The job cannot be cancelled: {error}.", "Check the disk of the workspace.") from error

    def clear_finished(self, owner: str) -> int:
        """Forget the ended jobs that this owner may cancel. Returns how many."""
        mine = [job for job in self._all() if not job.active and job.owner in (owner, SERVER)]
        return sum(self._forget(job) for job in mine)

    def prune(self, keep: int = KEPT) -> int:
        """Forget all but the newest ended jobs, whoever owns them. Returns how many."""
        ended = [job for job in self._all() if not job.active]
        return sum(self._forget(job) for job in ended[: max(len(ended) - keep, 0)])

    def _forget(self, job: Job) -> bool:
        status = files.read_json(self.directory / job.id / files.STATUS) or {}
        if status.get("state") in ACTIVE:  # cancelled while it waited: the runner still has to see that
            return False
        shutil.rmtree(self.directory / job.id, ignore_errors=True)
        return True

    def _equal(self, same: str) -> str | None:
        for job in self._all():
            cancelled = (self.directory / job.id / files.CANCEL).exists()
            if job.active and not cancelled and job.same == same:
                return job.id
        return None

    def _write(self, spec: dict[str, Any]) -> str:
        # Under a name that is no id first: nobody sees half a job.
        draft = self.directory / f".{spec['id']}"
        draft.mkdir()
        files.write_json(draft / files.SPEC, spec)
        files.write_json(draft / files.STATUS, {"state": "queued"})
        draft.rename(self.directory / spec["id"])
        return str(spec["id"])

    def _all(self) -> _Several:
        """Oldest first."""
        try:
            names = {path.name for path in self.directory.iterdir() if files.is_id(path.name)}
        except OSError:
            return []
        for gone in set(self._ended) - names:
            self._ended.pop(gone, None)
        jobs = [job for name in names if (job := self._read(name))]
        jobs.sort(key=lambda job: (job.submitted, job.id))
        waiting: dict[str, _Several] = {}
        for job in jobs:
            if job.state == "queued":
                waiting.setdefault(job.queue, []).append(job)
        places = {
            job.id: place
            for queue in waiting.values()
            for place, job in enumerate(sorted(queue, key=lambda job: -job.priority), start=1)
        }
        return [replace(job, position=places[job.id]) if job.id in places else job for job in jobs]

    def _read(self, job_id: str) -> Job | None:
        if job_id in self._ended:
            return self._ended[job_id]
        home = self.directory / job_id
        spec = files.read_json(home / files.SPEC)
        if spec is None:
            return None
        found = files.read_json(home / files.STATUS)
        status = found or {"state": "lost"}
        state = status["state"]
        if state == "queued" and (home / files.CANCEL).exists():
            state = "cancelled"  # the runner, if there is one, will not start it
        job = Job(
            id=job_id,
            name=spec["name"],
            kind=spec["kind"],
            state=state,
            owner=spec["owner"],
            submitted=spec["submitted"],
            started=status.get("started"),
            finished=status.get("finished"),
            progress=None if state == "queued" else files.read_json(home / files.PROGRESS),
            error=status.get("error"),
            result=status.get("result"),
            params=spec["params"],
            note=status.get("note", ""),
            priority=spec.get("priority", 0),
            same=spec.get("same", ""),
        )
        if found and found["state"] not in ACTIVE:
            self._ended[job_id] = job
        return job


def directory_for(workspace: Path, subject: str = "") -> Path:
    """Where the jobs of a server are: servers of different subjects, in one workspace, do not take each other's.

    subject: what the server calls it; 'live-PID-N' for one that lives in a process of that number.
    """
    if not subject:
        return workspace / "jobs"
    name = subject if _LIVE.fullmatch(subject) else hashlib.sha256(subject.encode()).hexdigest()[:12]
    return workspace / f"jobs-{name}"


def _digest(kind: str, params: dict[str, Any]) -> str:
    """Equal for equal jobs. Raises JobError for parameters that are not JSON, or too long."""
    try:
        text = json.dumps([kind, params], sort_keys=True, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise JobError(f"The parameters of a {kind!r} job are not JSON: {error}.", "Give plain values.") from error
    if len(text) > MAX_SPEC:
        raise JobError(f"The parameters of a {kind!r} job are {len(text):,} characters long.", "Give fewer.")
    return hashlib.sha256(text.encode()).hexdigest()
