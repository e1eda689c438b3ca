"""Confusion matrix: counts and shares by label and prediction; every cell opens exactly those instances."""

from __future__ import annotations

from typing import Any

import dash
import numpy as np
from dash import Input, Output, State, dcc, html, no_update

from analysis.errors import CutawayError
from dashboard import asking, services
from dashboard.selection import Selection
from dashboard.views.instances import confusion_data, confusion_parts, data, table_panel
from dashboard.views.instances.about_confusion import CONFUSION
from dashboard.views.instances.confusion_data import Cell
from dashboard.views.instances.data import Picked
from dashboard.widgets import panel as parts
from dashboard.widgets.choosing import segmented

NAME = "in-confusion"
OUTPUTS = 4


def panel() -> html.Section:
    """The panel; its table comes from ``draw_confusion``."""
    return parts.panel(
        NAME,
        "Confusion matrix",
        [dcc.Store(id="in-confusion-mark"), html.Div(id="in-confusion-body")],
        about=CONFUSION,
        controls=[segmented("in-confusion-show", "Show", (("counts", "counts"), ("shares", "row shares")), "counts")],
        exports=[("Counts (CSV)", "in-confusion-csv")],
        picture=False,
        span=6,
    )


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel."""
    app.callback(
        Output("in-confusion-mark", "data"),
        Output("in-confusion-subtitle", "children"),
        Output("in-confusion-body", "children"),
        Output("in-confusion-csv", "href"),
        *[Input(f"sel-{name}", "data") for name in data.LISTENED],
        Input(data.BOOK, "data"),
        Input("in-confusion-show", "value"),
        Input("pulse-answers", "data"),
        State("in-confusion-mark", "data"),
        State("url", "data"),
    )(draw_confusion)


def draw_confusion(*given: Any) -> tuple[Any, ...]:
    """The matrix, or the most confused pairs. given: as ``register`` lists them."""
    show, before, search = given[-4], given[-2], given[-1]
    if not data.is_shown(search):
        return (no_update,) * OUTPUTS
    try:
        cell = confusion_data.cell_of(Selection.parse(search).subset or "")
        found = data.picked(search, cell.base)
        now = asking.mark(found.key, show, cell.label, cell.prediction)
        if now == before:
            return (no_update,) * OUTPUTS
        line, body = drawn(found, cell, "shares" if show == "shares" else "counts")
    except (asking.NotReady, CutawayError) as error:
        now = asking.mark_of(error)
        nothing = (now, "", asking.boxed(error, "The confusion matrix"), "#")
        return (no_update,) * OUTPUTS if now == before else nothing
    prefix = services.current().settings.path_prefix
    return now, line, body, f"{prefix}export/instances/confusion.csv{table_panel.address_of(found).query()}"


def drawn(found: Picked, cell: Cell, show: str) -> tuple[str, list[Any]]:
    """Subtitle and content."""
    labels = np.asarray(found.shown.extraction.labels)[found.rows]
    known = int((labels >= 0).sum())
    classes = confusion_data.classes_of(found)
    line = f"{found.count} · {data.cut(found.title, 60)}"
    line += f" · {len(labels) - known:,} without a label left out" if known < len(labels) else ""
    line += f" · chosen: {_named(found, cell)}" if (cell.label, cell.prediction) != (None, None) else ""
    if not known:
        why = "The subset has no instances." if not len(labels) else "None of these instances has a label."
        return line, [html.P(why, className="empty-line")]
    if classes > confusion_data.MOST_CLASSES:
        made = confusion_data.pairs(found)
        line += f" · {classes:,} classes: the {len(made)} most confused pairs"
        return line, confusion_parts.listed(found, made, cell)
    return line, confusion_parts.matrix(found, confusion_data.counts(found), cell, show)


def _named(found: Picked, cell: Cell) -> str:
    parts_ = [f"label {found.shown.class_name(cell.label)}"] if cell.label is not None else []
    parts_ += [f"predicted {found.shown.class_name(cell.prediction)}"] if cell.prediction is not None else []
    return ", ".join(parts_)
