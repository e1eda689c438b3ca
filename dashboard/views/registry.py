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

    needs: 'run' or 'subject': greyed while there is none; '' for nothing. inspector: id of what the inspector shows
    beside it; '' if it has none.
    """

    slug: str
    title: str
    layout: Callable[[], Any]
    register: Callable[[dash.Dash], None]
    needs: str
    summary: str
    inspector: str = ""


VIEWS: tuple[View, ...] = tuple(
    View(module.__name__.rpartition(".")[2], title, page.layout, wiring.register, needs, str(module.__doc__), inspector)
    for module, title, page, wiring, needs, inspector in (
        (runs, "Runs", runs_layout, runs_callbacks, "", ""),
        (training, "Training", training_layout, training_callbacks, "run", "inspector-body"),
        # Shown without a subject too: it says how to start with one.
        (subject, "Subject", subject_layout, subject_callbacks, "", ""),
        (layers, "Layers", layers_layout, layers_callbacks, "subject", "layers-inspector"),
        (sequences, "Sequences", sequences_layout, sequences_callbacks, "subject", "sq-inspector"),
        (model, "Model", model_layout, model_callbacks, "subject", "md-inspector"),
        (instances, "Instances", instances_layout, instances_callbacks, "subject", "in-inspector"),
        (attribution, "Attribution", attribution_layout, attribution_callbacks, "subject", "at-inspector"),
    )
)


def by_slug(slug: str) -> View:
    """The view of that name, or the first one."""
    return next((view for view in VIEWS if view.slug == slug), VIEWS[0])
