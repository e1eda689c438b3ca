"""The views, in the order of a debugging session. A view is a folder; only this list names them all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import dash

from dashboard.views import attribution, instances, layers, model, runs, sequences, subject, training
from dashboard.views.attribution import callbacks as attribution_callbacks
from dashboard.views.attribution import layout as attribution_layout
from dashboard.views.instances import callbacks as instances_callbacks
from dashboard.views.instances import layout as instances_layout
from dashboard.views.layers import callbacks as layers_callbacks
from dashboard.views.layers import layout as layers_layout
from dashboard.views.model import callbacks as model_callbacks
from dashboard.views.model import layout as model_layout
from dashboard.views.runs import callbacks as runs_callbacks
from dashboard.views.runs import layout as runs_layout
from dashboard.views.sequences import callbacks as sequences_callbacks
from dashboard.views.sequences import layout as sequences_layout
from dashboard.views.subject import callbacks as subject_callbacks
from dashboard.views.subject import layout as subject_layout
from dashboard.views.training import callbacks as training_callbacks
from dashboard.views.training import layout as training_layout


@dataclass(frozen=True)
class View:
    """slug: its name in the URL. layout: builds its page. register: wires its callbacks.

    needs: 'run' or 'subject': greyed while there is none; '' for nothing.
    """

    slug: str
    title: str
    icon: str
    layout: Callable[[], Any]
    register: Callable[[dash.Dash], None]
    needs: str
    summary: str


VIEWS: tuple[View, ...] = (
    View("runs", "Runs", "runs", runs_layout.layout, runs_callbacks.register, "", str(runs.__doc__)),
    View(
        "training",
        "Training",
        "training",
        training_layout.layout,
        training_callbacks.register,
        "run",
        str(training.__doc__),
    ),
    # Shown without a subject too: it says how to start with one.
    View("subject", "Subject", "subject", subject_layout.layout, subject_callbacks.register, "", str(subject.__doc__)),
    View("layers", "Layers", "layers", layers_layout.layout, layers_callbacks.register, "subject", str(layers.__doc__)),
    View(
        "sequences",
        "Sequences",
        "sequences",
        sequences_layout.layout,
        sequences_callbacks.register,
        "subject",
        str(sequences.__doc__),
    ),
    View("model", "Model", "model", model_layout.layout, model_callbacks.register, "subject", str(model.__doc__)),
    View(
        "instances",
        "Instances",
        "instances",
        instances_layout.layout,
        instances_callbacks.register,
        "subject",
        str(instances.__doc__),
    ),
    View(
        "attribution",
        "Attribution",
        "attribution",
        attribution_layout.layout,
        attribution_callbacks.register,
        "subject",
        str(attribution.__doc__),
    ),
)


def by_slug(slug: str) -> View:
    """The view of that name, or the first one."""
    return next((view for view in VIEWS if view.slug == slug), VIEWS[0])
