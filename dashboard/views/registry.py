"""The views, in the order of a debugging session. A view is a folder; only this list names them all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import dash

from dashboard.views import runs, training
from dashboard.views.runs import callbacks as runs_callbacks
from dashboard.views.runs import layout as runs_layout
from dashboard.views.training import callbacks as training_callbacks
from dashboard.views.training import layout as training_layout


@dataclass(frozen=True)
class View:
    """slug: its name in the URL. layout: builds its page. register: wires its callbacks. needs_run: greyed without."""

    slug: str
    title: str
    icon: str
    layout: Callable[[], Any]
    register: Callable[[dash.Dash], None]
    needs_run: bool
    summary: str


VIEWS: tuple[View, ...] = (
    View("runs", "Runs", "runs", runs_layout.layout, runs_callbacks.register, False, str(runs.__doc__)),
    View(
        "training",
        "Training",
        "training",
        training_layout.layout,
        training_callbacks.register,
        True,
        str(training.__doc__),
    ),
)


def by_slug(slug: str) -> View:
    """The view of that name, or the first one."""
    return next((view for view in VIEWS if view.slug == slug), VIEWS[0])
