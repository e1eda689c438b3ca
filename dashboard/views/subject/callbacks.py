"""Callbacks of the Subject view: what was understood, or how far reading it is, or why it failed."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import dash
import dash_ag_grid as dag
from dash import Input, Output, State, no_update

from analysis.training.findings import plural
from dashboard import services, subjects
from dashboard.selection import Selection
from dashboard.views.subject import cards
from dashboard.views.subject.layout import PANELS
from dashboard.widgets.waiting import failed_box, waiting_box

VIEW = "subject"
PARTS = tuple(name for name, _, _ in PANELS)


def register(app: dash.Dash) -> None:
    """Attach the callbacks of the view."""
    app.callback(
        Output("subject-mark", "data"),
        Output("subject-state", "children"),
        Output("subject-grid", "hidden"),
        *[Output(f"subject-{name}-body", "children") for name in PARTS],
        *[Output(f"subject-{name}-subtitle", "children") for name in PARTS],
        Output("subject-modules-csv", "href"),
        Input("sel-view", "data"),
        Input("pulse-answers", "data"),
        State("subject-mark", "data"),
        State("url", "data"),
    )(draw_subject)


def draw_subject(_view: Any, _pulse: Any, before: Any, search: str | None) -> tuple[Any, ...]:
    """State, and the content of every panel when there is a subject."""
    count = 2 * len(PARTS) + 1
    nothing = (no_update,) * (count + 3)
    if Selection.parse(search).view != VIEW:
        return nothing
    found = subjects.described()
    progress = found.job.progress if found.job else None
    now = _mark(found.state, found.job.state if found.job else None, progress, (found.data or {}).get("weights"))
    if now == before:
        return nothing
    unchanged = (no_update,) * count
    if found.state == "none":
        return now, cards.no_subject(), True, *unchanged
    if found.state == "failed":
        return now, failed_box(found.job, "Reading the model and its data", None), True, *unchanged
    if found.state != "ready" or found.data is None:
        return now, waiting_box(found.job, "Reading the model and its data"), True, *unchanged
    data = found.data
    bodies = (
        cards.understood(data),
        cards.limits(data),
        cards.examples(data, _pictures(found)),
        _table(data),
        cards.classes(data),
        cards.weights(data),
    )
    prefix = services.current().settings.path_prefix
    return now, None, False, *bodies, *_subtitles(data), f"{prefix}export/modules.csv"


def _mark(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:20]


def _pictures(found: Any) -> str | None:
    """Address of the examples' pictures, with '{index}' for the place; None where there are none."""
    pictures = found.data.get("kind") in ("image", "series")
    if not pictures or found.answer is None or "examples" not in found.answer.names():
        return None
    return f"{services.current().settings.path_prefix}picture/example?answer={found.answer.key}&index={{index}}"


def _subtitles(data: dict[str, Any]) -> tuple[str, ...]:
    layers = data.get("layers", [])
    unread = sum(bool(item.get("reason")) for item in layers)
    shown = data.get("examples", [])
    judged = [item["correct"] for item in shown if item.get("correct") is not None]
    right = f"{sum(judged):,} predicted correctly" if judged else "no labels to compare with"
    counts = data.get("class_counts") or []
    saved = data.get("checkpoints", [])
    usable = sum(not item.get("problem") for item in saved)
    kept = (
        plural(len(saved), "checkpoint") if usable == len(saved) else f"{usable:,} of {len(saved):,} checkpoints usable"
    )
    limits = len(cards.all_limits(data))
    spread = f" · {min(counts):,} to {max(counts):,} each" if counts and min(counts) < max(counts) else ""
    return (
        f"{data.get('name') or 'subject'} · {plural(len(data.get('inferred', [])), 'thing')} found out",
        f"{plural(limits, 'limit')}" if limits else "none",
        f"{len(shown):,} of {data.get('n', 0):,} · {right}",
        f"{len(layers):,} layers in call order · {unread:,} cannot be shown",
        f"{len(data.get('classes', [])):,} classes · {sum(counts):,} instances{spread}",
        f"{data.get('device', '')} · {kept}",
    )


def _table(data: dict[str, Any]) -> dag.AgGrid:
    """Every layer found; a click on a readable one opens it."""
    rows = [
        {
            "key": item.get("key"),
            "order": item["order"] + 1 if item.get("order", -1) >= 0 else None,
            "type": item.get("type"),
            "shape": " × ".join(str(size) for size in item.get("spatial") or ()) or "–",
            "filters": item.get("filters") or None,
            "parameters": item.get("parameters"),
            "read_after": item.get("read_after") if item.get("read_after") != item.get("name") else "",
            "reason": item.get("reason") or "",
        }
        for item in data.get("layers", [])
    ]
    number = {"type": "rightAligned", "width": 118, "valueFormatter": {"function": "d3.format(',')(params.value)"}}
    find = {"filter": True}
    columns = [
        {"field": "order", "headerName": "#", "width": 56, "type": "rightAligned"},
        {
            "field": "key",
            "headerName": "Layer",
            "minWidth": 150,
            "flex": 2,
            "cellRenderer": "LayerName",
            "cellRendererParams": {"view": "layers"},
        }
        | find,
        {"field": "type", "headerName": "Type", "minWidth": 120, "flex": 1, "tooltipField": "type"} | find,
        {"field": "shape", "headerName": "Positions", "minWidth": 120, "flex": 1},
        {"field": "filters", "headerName": "Filters"} | number,
        {"field": "parameters", "headerName": "Parameters"} | number,
        # A column for layers that are read behind another module, such as the activation function; else it is empty.
        *(
            [{"field": "read_after", "headerName": "Read after", "minWidth": 100, "flex": 1}]
            if any(row["read_after"] for row in rows)
            else []
        ),
        {
            "field": "reason",
            "headerName": "Why not shown",
            "minWidth": 180,
            "flex": 2,
            "tooltipField": "reason",
        },
    ]
    return dag.AgGrid(
        id="subject-layers",
        rowData=rows,
        columnDefs=columns,
        getRowId="params.data.key",
        defaultColDef={"sortable": True, "resizable": True},
        dashGridOptions={"animateRows": False, "enableCellTextSelection": True, "rowHeight": 34, "headerHeight": 36},
        className="ag-theme-quartz cutaway-grid",
        style={"height": f"{min(460, 60 + 34 * len(rows))}px"},
    )
