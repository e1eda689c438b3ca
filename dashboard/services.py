"""What callbacks reach for: the run index, the curve cache, the job queue. They hold data, never a visit's state."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import flask

from analysis.demos import registry
from analysis.jobs import Jobs
from analysis.results import Answer, Answers
from analysis.store.curves import CurveCache
from analysis.store.reader import Run
from analysis.store.runs import RunIndex
from dashboard.histories import LayerHistories, Memo
from dashboard.settings import Settings

_KEY = "cutaway"
WAITERS = 4  # requests that wait for an answer at the same time; the other threads of the server stay free


@dataclass(frozen=True)
class Services:
    """One per app; a second app in the same process has its own."""

    settings: Settings
    index: RunIndex
    curves: CurveCache
    jobs: Jobs
    histories: LayerHistories
    memo: Memo
    answers: Answers
    kept: Memo  # answers read last
    # The newest description of the subject, by the id of the job that made it; what memo is for results.
    described: dict[str, Answer] = field(default_factory=dict)
    waiters: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(WAITERS))


def install(server: flask.Flask, settings: Settings) -> Services:
    """Make the services of this app and attach them to its server."""
    services = Services(
        settings=settings,
        index=RunIndex(settings.roots),
        curves=CurveCache(settings.cache_dir / "curves"),
        jobs=Jobs(settings.jobs_dir),
        histories=LayerHistories(),
        memo=Memo(),
        answers=Answers(settings.answers_dir),
        kept=Memo(most=64),
    )
    server.extensions[_KEY] = services
    return services


def current() -> Services:
    """The services of the app that answers the current request."""
    found: Services = flask.current_app.extensions[_KEY]
    return found


def open_runs(ids: tuple[str, ...]) -> list[Run]:
    """The selected runs, in order. Raises NotFound for one that is gone."""
    index = current().index
    return [index.open(run_id) for run_id in ids]


def submit_demo(found: Services, name: str, owner: str) -> str:
    """Queue a demo; an equal one that is still waiting or running is not queued again."""
    demo = registry.get(name)
    registry.check(demo)
    return found.jobs.submit("demo", demo_params(found, name), name=f"Demo: {demo.title}", owner=owner)


def demo_params(found: Services, name: str) -> dict[str, str]:
    """What the job of a demo is asked for."""
    return {"name": name, "directory": str(found.settings.demos_dir)}


def submit_subject(found: Services) -> str:
    """Queue the description of the subject, which reads its file, its data and its model anew. Returns the job's id."""
    return found.jobs.submit("subject", subject_params(found), name="Open the model and its data", priority=9)


def subject_params(found: Services) -> dict[str, str]:
    """What the description is asked for: the same for every server of this subject."""
    return {"subject": found.settings.subject_name}
