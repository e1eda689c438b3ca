"""What callbacks reach for: the run index, the curve cache, the job queue. They hold data, never a visit's state."""

from __future__ import annotations

from dataclasses import dataclass

import flask

from analysis.demos import registry
from analysis.jobs import Jobs
from analysis.store.curves import CurveCache
from analysis.store.reader import Run
from analysis.store.runs import RunIndex
from dashboard.histories import LayerHistories, Memo
from dashboard.settings import Settings

_KEY = "cutaway"


@dataclass(frozen=True)
class Services:
    """One per app; a second app in the same process has its own."""

    settings: Settings
    index: RunIndex
    curves: CurveCache
    jobs: Jobs
    histories: LayerHistories
    memo: Memo


def install(server: flask.Flask, settings: Settings) -> Services:
    """Make the services of this app and attach them to its server."""
    services = Services(
        settings=settings,
        index=RunIndex(settings.roots),
        curves=CurveCache(settings.cache_dir / "curves"),
        jobs=Jobs(settings.jobs_dir),
        histories=LayerHistories(),
        memo=Memo(),
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
    params = {"name": demo.name, "directory": str(found.settings.demos_dir)}
    return found.jobs.submit("demo", params, name=f"Demo: {demo.title}", owner=owner)
