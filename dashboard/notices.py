"""Notices above the views of the model: what the reader should know of it before believing any of them, such as that it
is untrained; and how far its activations are read, on which all of them wait."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import dash
from dash import Input, Output, State, dcc, html, no_update

from analysis.errors import CutawayError
from analysis.jobs import Job
from dashboard import asking, services
from dashboard.selection import Selection
from dashboard.views.registry import by_slug
from dashboard.widgets.attributes import attributes
from dashboard.widgets.waiting import waiting_box

MOST = 4
RECENT = 30  # jobs
DISMISSED = 50  # marks of notices that a visit remembers


@dataclass(frozen=True)
class Notice:
    """A line. kind: 'changed' (the weights shown are others than before), 'newer' (there are newer ones than those
    shown), 'weights' (of the subject's own weights) or 'subject'. label, nav: an action, as ``data-nav`` takes it."""

    kind: str
    text: str
    label: str = ""
    nav: dict[str, Any] | None = None

    @property
    def mark(self) -> str:
        """By which the reader dismisses it."""
        return asking.mark(self.kind, self.text)


def place() -> html.Div:
    """Lines above the panels; nothing where there is nothing to say."""
    stores = [dcc.Store(id="notices-seen"), dcc.Store(id="notices-dismissed", data=[])]
    return html.Div([*stores, html.Div(id="notices", className="notices", role="status")])


def register(app: dash.Dash) -> None:
    """Attach the callback of the lines."""
    app.callback(
        Output("notices", "children"),
        Output("notices-seen", "data"),
        Input("sel-view", "data"),
        Input("sel-checkpoint", "data"),
        Input("sel-runs", "data"),
        Input("pulse-selected", "data"),
        Input("pulse-answers", "data"),
        Input("notices-dismissed", "data"),
        State("notices-seen", "data"),
        State("url", "data"),
    )(draw_notices)


def draw_notices(*given: Any) -> tuple[Any, Any]:
    """The lines, and what this visit has seen of the weights. given: as ``register`` lists them."""
    dismissed, before, search = given[5], given[6], given[7]
    selection = Selection.parse(search)
    before = before if isinstance(before, dict) else {}
    if by_slug(selection.view).needs != "subject":
        # What was seen of the weights stays known; the lines are drawn anew on the way back.
        return ([], {**before, "mark": ""}) if before.get("mark") else (no_update, no_update)
    try:
        description = asking.described()
    except (asking.NotReady, CutawayError):
        return no_update, no_update
    seen: dict[str, Any] = {
        "weights": str(description.get("weights") or ""),
        "untrained": bool(description.get("weight_notices")),
        "changed": _changed(description, before),
    }
    gone = dismissed[-DISMISSED:] if isinstance(dismissed, list) else []
    lines = [one for one in notices(selection, description, seen["changed"]) if one.mark not in gone][:MOST]
    reading = _reading(selection)
    told = reading and (reading.id, reading.state, reading.progress, reading.position)
    seen["mark"] = asking.mark([(one.mark, one.nav) for one in lines], told)
    if seen == before:
        return no_update, no_update
    progress = [waiting_box(reading, "Activations of the sample")] if reading else []
    return [_line(one) for one in lines] + progress, seen


def _reading(selection: Selection) -> Job | None:
    """The job that reads activations; the Layers view has a bar of its own for it."""
    if selection.view == "layers":
        return None
    listed = services.current().jobs.list(limit=RECENT)
    return next((job for job in listed if job.kind == "extract" and job.active), None)


def notices(selection: Selection, description: dict[str, Any], changed: str = "") -> list[Notice]:
    """What is to be said. changed: how the subject's weights became others during this visit, '' if they did not."""
    own = set(description.get("weight_notices") or ())
    found: list[Notice] = []
    if selection.checkpoint is None:
        found += [Notice("changed", changed)] if changed else []
        found += [Notice("weights", str(text)) for text in own]
    newer = _newer(selection, description)
    found += [newer] if newer is not None else []
    return found + [Notice("subject", str(text)) for text in description.get("notices") or () if text not in own]


def _changed(description: dict[str, Any], before: dict[str, Any]) -> str:
    now = str(description.get("weights") or "")
    if not before.get("weights") or before["weights"] == now:
        return str(before.get("changed") or "")
    if before.get("untrained") and not description.get("weight_notices"):
        return "The model has been trained since you opened this page: its trained weights are shown now."
    return "The model's weights are others than when you opened this page: all panels show the new ones."


def _newer(selection: Selection, description: dict[str, Any]) -> Notice | None:
    """Run A has saved weights after those that are shown, or any while the subject's own are said to be no good."""
    if not selection.runs:
        return None
    try:
        [run] = services.open_runs(selection.runs[:1])
        saved = run.checkpoints()
    except CutawayError:
        return None
    if not saved:
        return None
    last = max(saved, key=lambda one: one.step)
    label, nav = f"Show step {last.step:,}", {"checkpoint": last.name, "step": str(last.step)}
    if selection.checkpoint is None:
        if not description.get("weight_notices"):
            return None
        return Notice("newer", f"Run '{run.info.name}' has saved its weights at step {last.step:,}.", label, nav)
    own = {str(one["name"]) for one in description.get("checkpoints") or ()}
    shown = next((one for one in saved if one.name == selection.checkpoint), None)
    if shown is None or shown.name in own or shown.step >= last.step:
        return None
    text = f"Weights of step {shown.step:,} are shown; run '{run.info.name}' has newer ones, of step {last.step:,}."
    return Notice("newer", text, label, nav)


def _line(notice: Notice) -> html.P:
    parts: list[Any] = [notice.text]
    if notice.nav is not None:
        nav = attributes({"data-nav": json.dumps(notice.nav)})
        parts.append(html.Button(notice.label, type="button", className="link", **nav))
    if notice.kind in ("changed", "newer"):
        more = attributes({"data-dismiss": notice.mark, "aria-label": f"Dismiss: {notice.text}"})
        parts.append(html.Button("Dismiss", type="button", className="link quiet", **more))
    return html.P(parts, **attributes({"data-kind": notice.kind}))
