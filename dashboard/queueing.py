"""A job for the worker that holds the model: queued once, and waited for a moment."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from analysis.errors import NotFound
from analysis.jobs import Job
from dashboard import gate, services

POLL_SECONDS = 0.03


def queued(
    found: services.Services,
    kind: str,
    params: dict[str, Any],
    name: Callable[[], str],
    priority: int,
    again: bool,
    there: Callable[[], bool],
) -> Job:
    """The newest job of this kind and parameters; a new one if there is none, or if it must be computed again.

    A job that is done but whose result is gone is computed again; one that failed or was cancelled only with ``again``.
    name: what the list of jobs calls a new one. there: whether its result is there.

    Raises:
        CutawayError: it cannot be queued.
    """
    job = found.jobs.find(kind, params)
    stale = job is not None and not job.active and (again or (job.state == "done" and not there()))
    if job is not None and not stale:
        return job
    return found.jobs.get(found.jobs.submit(kind, params, name=name(), owner=gate.visitor(), priority=priority))


def wait_for(found: services.Services, job: Job, seconds: float, ready: Callable[[], bool]) -> Job:
    """Until the job has ended, what is waited for is there, or time is up. Returns the job as it stands then."""
    if not job.active or seconds <= 0 or not found.waiters.acquire(blocking=False):
        return job
    try:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and job.active and not ready():
            time.sleep(POLL_SECONDS)
            try:
                job = found.jobs.get(job.id)
            except NotFound:
                break
    finally:
        found.waiters.release()
    return job
