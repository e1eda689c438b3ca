"""Callbacks of the Runs view: the table of runs, the demos and their start buttons."""

from __future__ import annotations

import json
import time
from typing import Any

import dash
import dash_ag_grid as dag
import dash_mantine_components as dmc
from dash import ALL, ClientsideFunction, Input, Output, State, ctx, html, no_update

from analysis.demos import registry
from analysis.errors import CutawayError
from analysis.records import RunInfo
from dashboard import gate, services
from dashboard.widgets.attributes import attributes
from dashboard.widgets.progress import share_done
from dashboard.widgets.states import empty

CODE = """from analysis.recording import Recorder

with Recorder("runs/mine", config={"lr": 1e-3}) as recorder:
    recorder.watch(model, probe=(inputs, labels))
    ...
    recorder.log({"train/loss": loss}, step=step)"""


def register(app: dash.Dash) -> None:
    """Attach the callbacks of the view."""
    app.callback(
        Output("runs-body", "children"),
        Output("runs-subtitle", "children"),
        Output("runs-intro", "children"),
        Input("pulse-runs", "data"),
    )(draw_runs)
    app.callback(Output("demos-body", "children"), Input("pulse-jobs", "data"), Input("pulse-runs", "data"))(draw_demos)
    app.callback(
        Output("demo-message", "children"),
        Output("jobs-drawer", "opened", allow_duplicate=True),
        Input({"type": "demo-start", "name": ALL}, "n_clicks"),
        prevent_initial_call=True,
    )(start_demo)
    app.clientside_callback(
        ClientsideFunction("runs", "open"),
        Input("runs-grid", "cellClicked"),
        Input("runs-compare", "n_clicks"),
        State("runs-grid", "selectedRows"),
        prevent_initial_call=True,
    )


def draw_runs(_pulse: Any) -> tuple[Any, str, Any]:
    """The table, the line above it, and an introduction while there is nothing."""
    infos = services.current().index.list()
    if not infos:
        return (
            empty(
                "No runs yet",
                "A run appears here as soon as a training script records one into a directory that this server reads: "
                + ", ".join(str(root) for root in services.current().settings.roots or ("none was given",)),
                html.Pre(CODE, className="code"),
            ),
            "none yet",
            _introduction(),
        )
    running = sum(info.status == "running" for info in infos)
    text = f"{len(infos):,} run{'s' if len(infos) != 1 else ''} · {running} running · newest first"
    return _table(infos[::-1]), text, None


def _introduction() -> html.Div:
    return html.Div(
        [
            html.H2("See inside a PyTorch model while it learns"),
            html.P(
                "Cutaway shows what each layer of your model detects as training goes on, which layers have settled, "
                "and which filters do nothing. Start a demo below, or record your own training with three lines."
            ),
        ],
        className="introduction",
    )


def _table(infos: list[RunInfo]) -> list[Any]:
    rows = [
        {
            "id": info.id,
            "name": info.name,
            "status": info.status if not info.error else f"{info.status}: {info.error}",
            "updated": _when(info.updated),
            "created": _when(info.created),
            "segments": info.segments,
            "config": ", ".join(f"{key} = {value}" for key, value in list(info.config.items())[:8])[:300],
        }
        for info in infos
    ]
    columns = [
        {"field": "name", "headerName": "Run", "minWidth": 160, "flex": 2, "cellClass": "run-link"},
        {"field": "status", "headerName": "Status", "minWidth": 120, "flex": 2},
        {"field": "updated", "headerName": "Last record", "minWidth": 180, "flex": 1},
        {"field": "created", "headerName": "Begun", "minWidth": 180, "flex": 1},
        {"field": "segments", "headerName": "Segments", "width": 130, "type": "rightAligned"},
        {"field": "config", "headerName": "Configuration", "minWidth": 200, "flex": 3},
    ]
    grid = dag.AgGrid(
        id="runs-grid",
        rowData=rows,
        columnDefs=columns,
        getRowId="params.data.id",
        defaultColDef={"sortable": True, "filter": True, "resizable": True},
        dashGridOptions={
            "rowSelection": {"mode": "multiRow", "checkboxes": True, "headerCheckbox": False},
            "selectionColumnDef": {"headerName": "Compare", "width": 100, "pinned": "left"},
            "suppressCellFocus": False,
            "animateRows": False,
            "enableCellTextSelection": True,
        },
        className="ag-theme-quartz cutaway-grid",
        style={"height": f"{min(560, 64 + 42 * len(rows))}px"},
    )
    hint = html.P(
        [
            "Click a run to open it. To compare, tick two and ",
            html.Button("open the ticked runs", id="runs-compare", className="link", type="button", n_clicks=0),
            ".",
        ],
        className="quiet",
    )
    return [grid, hint]


def _when(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds)) if seconds else ""


def draw_demos(_jobs: Any, _runs: Any) -> list[Any]:
    """A card per demo: what it is, how long it takes, and a button or how far it is."""
    found = services.current()
    jobs = [job for job in found.jobs.list() if job.kind == "demo" and job.active]
    recorded: dict[str, list[str]] = {}
    for info in found.index.list():
        if info.status == "finished" and "demo" in info.config:
            recorded.setdefault(str(info.config["demo"]), []).append(info.id)
    return [_card(demo, jobs, recorded.get(demo.name, [])[-2:]) for demo in registry.DEMOS]


def _card(demo: registry.Demo, jobs: list[Any], recorded: list[str]) -> html.Article:
    absent = registry.missing(demo)
    busy = next((job for job in jobs if job.name.endswith(demo.title)), None)
    if absent:
        foot: Any = html.P(f"Needs {', '.join(absent)}. {registry.REMEDY}", className="quiet")
    elif not demo.module:
        foot = html.P(
            ["Nothing is trained. Start it with ", html.Code(f"python run.py demo {demo.name}")], className="quiet"
        )
    elif busy is not None:
        share = share_done(busy.progress) or 0.0
        foot = html.Div(
            [
                dmc.Progress(value=share, size="sm", **attributes({"aria-label": f"Progress of {demo.title}"})),
                html.P((busy.progress or {}).get("message") or "waiting to start", className="quiet"),
            ]
        )
    else:
        # A second start reuses what is finished and trains what is missing.
        start = dmc.Button(
            "Complete" if recorded else "Start",
            id={"type": "demo-start", "name": demo.name},
            size="xs",
            n_clicks=0,
            variant="default" if recorded else "filled",
            **attributes({"aria-label": f"{'Complete' if recorded else 'Start'}: {demo.title}"}),
        )
        foot = html.Div([_open(demo, recorded), start] if recorded else start, className="demo-foot")
    return html.Article(
        [
            html.H3(demo.title),
            html.P(demo.description),
            html.P(demo.minutes, className="quiet"),
            foot,
        ],
        className="demo",
    )


def _open(demo: registry.Demo, recorded: list[str]) -> html.Button:
    place = json.dumps({"view": "training", "runs": ",".join(recorded), "layer": None})
    more = attributes({"data-nav": place, "aria-label": f"Open the finished runs of: {demo.title}"})
    return html.Button("Open", type="button", className="solid-button", **more)


def start_demo(_clicks: list[int | None]) -> tuple[Any, Any]:
    """Queue the demo whose button was pressed."""
    pressed = ctx.triggered_id
    if not pressed or not any(_clicks):
        return no_update, no_update
    try:
        services.submit_demo(services.current(), str(pressed["name"]), gate.visitor())
    except CutawayError as error:
        return html.P(f"{error.message} {error.remedy}", className="damage", role="alert"), no_update
    return html.P("Started. It appears under Runs within a few seconds.", className="quiet"), no_update
