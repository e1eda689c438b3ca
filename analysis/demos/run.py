"""The job that trains a demo. Finished runs are used again; nothing is ever deleted."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any, Protocol

from analysis.demos import registry
from analysis.demos.plan import PlannedRun
from analysis.errors import CutawayError
from analysis.jobs.context import Cancelled
from analysis.store import Run


class Context(Protocol):
    """What the job runner offers."""

    @property
    def cancelled(self) -> bool: ...

    def progress(self, done: float, total: float, unit: str = "", message: str = "") -> None: ...


def run_demo(context: Context, *, name: str, directory: str) -> dict[str, Any]:
    """Train what a demo plans, below ``directory``, and return its runs' ids: ``{"runs": [...], "reused": [...]}``.

    A demo that only opens a model trains nothing. Raises ParameterError for an unknown demo or one whose packages are
    missing; Cancelled when the job is.
    """
    demo = registry.get(name)
    registry.check(demo)
    if not demo.module:
        return {"runs": [], "reused": []}
    plan: list[PlannedRun] = importlib.import_module(demo.module).plan()
    return run_plan(context, plan, Path(directory))


def run_plan(context: Context, plan: Sequence[PlannedRun], directory: Path) -> dict[str, Any]:
    """Train each planned run that has not finished before. Progress counts the steps of those."""
    directory.mkdir(parents=True, exist_ok=True)
    finished = {planned.directory: find_finished(directory, planned) for planned in plan}
    todo = [planned for planned in plan if finished[planned.directory] is None]
    total = sum(planned.steps for planned in todo)
    ids, done = {name: run.id for name, run in finished.items() if run}, 0
    reused = list(ids.values())
    for number, planned in enumerate(todo, start=1):
        message = f"Training {planned.title} ({number} of {len(todo)})"

        def tick(step: int, done: int = done, message: str = message) -> None:
            context.progress(done + step, total, "steps", message)
            if context.cancelled:
                raise Cancelled

        tick(0)
        path = free_path(directory, planned)
        planned.train(path, tick)
        ids[planned.directory] = Run(path).id
        done += planned.steps
    return {"runs": [ids[planned.directory] for planned in plan], "reused": reused}


def _places(directory: Path, planned: PlannedRun) -> list[Path]:
    """Where this run was put so far: its own name, then -2, -3 ..."""
    places = [directory / planned.directory]
    for number in count(2):
        if not places[-1].exists():
            return places[:-1]
        places.append(directory / f"{planned.directory}-{number}")
    return places


def find_finished(directory: Path, planned: PlannedRun) -> Run | None:
    """The newest run that was finished in one go with the same configuration, None if there is none."""
    for path in reversed(_places(directory, planned)):
        try:
            run = Run(path)
            info = run.info
        except CutawayError:
            continue
        same = all(info.config.get(key) == value for key, value in planned.config.items())
        if same and info.status == "finished" and info.segments == 1:
            return run
    return None


def free_path(directory: Path, planned: PlannedRun) -> Path:
    """A directory that does not exist yet: a run that was cut off stays beside it, to be looked at."""
    taken = len(_places(directory, planned))
    return directory / (planned.directory if not taken else f"{planned.directory}-{taken + 1}")
