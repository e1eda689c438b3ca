"""The line above the panels: which data, which weights, which sample; how far its activations are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dash
import dash_mantine_components as dmc
import numpy as np
from dash import ClientsideFunction, Input, Output, State, dcc, html, no_update

from analysis.errors import CutawayError
from analysis.extraction.reader import Extraction
from dashboard import subjects
from dashboard.readers import SAMPLE
from dashboard.selection import Selection
from dashboard.views.layers import data
from dashboard.widgets.attributes import attributes
from dashboard.widgets.states import failure
from dashboard.widgets.waiting import failed_box, waiting_box

SIZES = (250, 1000, 5000)
NAMED = 5  # instances that could not be read, in the notice


def bar() -> html.Div:
    """Text at the left, controls at the right, progress below."""
    return html.Div(
        [
            dcc.Store(id="sample-mark"),
            html.Div(id="sample-text", className="sample-text"),
            html.Div(
                [
                    html.Span("Sample", className="control-label"),
                    dmc.Select(
                        id="ctl-n",
                        data=[],
                        allowDeselect=False,
                        size="xs",
                        w=130,
                        **attributes({"aria-label": "Instances in the sample"}),
                    ),
                    html.Span("always include", className="control-label"),
                    dmc.TextInput(
                        id="ctl-include",
                        placeholder="e.g. 3, 17-20",
                        size="xs",
                        debounce=500,
                        w=120,
                        value="",
                        **attributes({"aria-label": "Instances always in the sample, as numbers and ranges"}),
                    ),
                ],
                className="control",
            ),
            html.Div(id="sample-state", className="sample-state"),
        ],
        id="sample-bar",
        className="frame-bar sample-bar",
        role="group",
        **attributes({"aria-label": "Data, weights and sample shown"}),
    )


def register(app: dash.Dash) -> None:
    """Attach the callbacks of the bar."""
    app.callback(
        Output("sample-mark", "data"),
        Output("sample-text", "children"),
        Output("sample-state", "children"),
        Output("ctl-n", "data"),
        Input("sel-view", "data"),
        Input("sel-sample", "data"),
        Input("sel-checkpoint", "data"),
        Input("sel-runs", "data"),
        Input("pulse-answers", "data"),
        State("sample-mark", "data"),
        State("url", "data"),
    )(draw_bar)
    app.clientside_callback(
        ClientsideFunction("selection", "intent"), Input("ctl-n", "value"), prevent_initial_call=True
    )
    app.clientside_callback(
        ClientsideFunction("layerPanels", "ranges"),
        Output("ctl-include", "error"),
        Input("ctl-include", "value"),
        State("ctl-include", "id"),
        prevent_initial_call=True,
    )
    for name in ("n", "include"):
        app.clientside_callback(
            ClientsideFunction("layerPanels", "followText"), Output(f"ctl-{name}", "value"), Input("sel-sample", "data")
        )


def draw_bar(
    _view: Any, _sample: Any, _checkpoint: Any, _runs: Any, _pulse: Any, before: Any, search: str | None
) -> tuple[Any, ...]:
    """What is shown, and how far its activations are."""
    if not data.is_shown(search):
        return (no_update,) * 4
    selection = Selection.parse(search)
    about = subjects.described()
    if about.state != "ready" or about.data is None:
        job = about.job
        now = data.mark(about.state, job and [job.id, job.state, job.progress, job.position])
        return (no_update,) * 4 if now == before else (now, *_without(about), no_update)
    try:
        checkpoint = subjects.checkpoint_of(selection)
        found = subjects.extraction(selection)
    except CutawayError as error:
        now = data.mark(error.message)
        box = failure(error, "The activations")
        return (no_update,) * 4 if now == before else (now, "", box, sizes(about.data["n"], selection.n))
    job, reader = found.job, found.reader
    facts = [reader.done, reader.settled, reader.planned] if reader else []
    now = data.mark(found.state, found.key, facts, job and [job.id, job.state, job.progress, job.position])
    if now == before:
        return (no_update,) * 4
    text = _text(about.data, selection, checkpoint, reader)
    return now, text, _state(found), sizes(int(about.data["n"]), selection.n)


def _without(about: subjects.Described) -> tuple[Any, Any]:
    if about.state == "none":
        try:
            data.described()
        except data.NotReady as nothing:
            return "No model", nothing.box
    if about.state == "failed":
        return "No model", failed_box(about.job, "Reading the model and its data")
    return "", waiting_box(about.job, "Reading the model and its data")


def sizes(total: int, chosen: int) -> list[dict[str, str]]:
    """What the picker of the sample's size offers; the last is all there is."""
    every = str(chosen) if chosen >= total else str(int(np.clip(total, *SAMPLE)))
    part = sorted({size for size in (*SIZES, chosen) if size < total})
    return [
        *({"value": str(size), "label": f"{size:,} instances"} for size in part),
        {"value": every, "label": f"all {total:,}"},
    ]


def _text(
    found: dict[str, Any], selection: Selection, checkpoint: dict[str, Any] | None, reader: Extraction | None
) -> list[Any]:
    """Name, sample, weights, accuracy."""
    classes = len(found.get("classes", []))
    total = int(found["n"])
    parts: list[Any] = [html.Strong(str(found.get("name") or "model"))]
    if reader is not None:
        taken = f"{reader.planned:,} of {total:,} instances" if reader.planned < total else f"all {total:,} instances"
        spread = f", stratified over {classes:,} classes" if reader.planned < total and classes > 1 else ""
        included = len(set(selection.include) | set(found.get("always_include") or ()))
        parts.append(f"{taken}{spread}" + (f", {included:,} always included" if included else ""))
        parts.append(_accuracy(reader))
    name = checkpoint["name"] if checkpoint else "as given"
    digest = str(checkpoint["sha256"] if checkpoint else found.get("weights", ""))
    parts.append(html.Span([f"weights {name} ", html.Code(digest[:10], title=f"SHA-256 {digest}")]))
    parts.append(str(found.get("device", "")))
    shown: list[Any] = []
    for part in parts:
        if part:
            shown += [html.Span(" · ", className="quiet"), part] if shown else [part]
    return shown


def _accuracy(reader: Extraction) -> str:
    if not reader.done:
        return ""
    known = reader.labels >= 0
    count = int(known.sum())
    if not count:
        return "no labels"
    right = float((reader.predictions == reader.labels)[known].mean())
    text = f"accuracy {100 * right:.1f} %"
    return text if reader.complete else f"{text} from {reader.done:,}"


def _state(found: subjects.Extracting) -> Any:
    reader = found.reader
    notices = _notices(reader) if reader is not None else []
    if found.state == "waiting":
        note = "Every panel shows what is there so far." if reader is not None and reader.done else None
        return [waiting_box(found.job, "Reading the activations"), html.P(note, className="quiet"), *notices]
    if found.state == "failed":
        return [failed_box(found.job, "Reading the activations"), *notices]
    return notices


def _notices(reader: Extraction) -> list[Any]:
    found: list[Any] = []
    if reader.skipped:
        found.append(_notice(f"{len(reader.skipped):,} instances could not be read", reader.skipped))
    for failure_ in reader.failed[:3]:
        count = len(failure_["indices"])
        text = f"{count:,} instances are missing: {failure_.get('message', 'their part of the work failed')}"
        tail = failure_.get("tail")
        found.append(
            html.Details([html.Summary(text), html.Pre(str(tail), className="code")], className="damage")
            if tail
            else html.P(text, className="damage")
        )
    if len(reader.failed) > 3:
        found.append(html.P(f"{len(reader.failed) - 3:,} more parts failed.", className="damage"))
    return found


def _notice(what: str, skipped: Sequence[Sequence[Any]]) -> html.P:
    some = "; ".join(f"#{index} ({str(reason)[:80]})" for index, reason in skipped[:NAMED])
    return html.P(f"{what}, and are left out: {some}{' …' if len(skipped) > NAMED else '.'}", className="damage")
