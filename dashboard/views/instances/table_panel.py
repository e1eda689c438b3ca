"""Table: every instance of the subset, filtered and sorted by the server, a block at a time."""

from __future__ import annotations

import json
from typing import Any

import dash
import dash_ag_grid as dag
from dash import ClientsideFunction, Input, Output, State, dcc, html, no_update

from analysis.errors import CutawayError
from dashboard import asking, services
from dashboard.selection import Selection
from dashboard.views.instances import data, table_columns, table_data
from dashboard.views.instances.about_table import TABLE
from dashboard.views.instances.data import Picked
from dashboard.widgets import panel as parts

NAME = "in-table"
GRID = "in-table-grid"
OUTPUTS = 7
HEIGHT = 460
ROW = 32


def panel() -> html.Section:
    """The panel; its rows come by themselves as it is scrolled: see assets/instances_table.js."""
    use = html.Button(
        "Make these filters the subset", id="in-table-use", type="button", className="outline-button", hidden=True
    )
    clear = html.Button("Clear filters", id="in-table-clear", type="button", className="outline-button", hidden=True)
    return parts.panel(
        NAME,
        "Table",
        [
            dcc.Store(id="in-table-mark"),
            dcc.Store(id="in-table-followed"),
            dcc.Store(id="in-table-asked"),
            html.Div(id="in-table-state"),
            html.Div(id="in-table-spec", hidden=True),
            html.Div(_grid(), id="in-table-box", hidden=True),
            html.Div(id="in-table-note", className="quiet", role="status"),
        ],
        about=TABLE,
        controls=[
            html.Span("A click chooses an instance, ticks choose several.", className="quiet"),
            html.Div([use, clear], className="offers"),
        ],
        exports=[("Instances of the subset (CSV)", "in-table-csv")],
        picture=False,
        span=12,
    )


def _grid() -> dag.AgGrid:
    return dag.AgGrid(
        id=GRID,
        rowModelType="infinite",
        columnDefs=[],
        getRowId=f"params.data['{table_columns.ROW}']",
        defaultColDef={"sortable": True, "resizable": True, "minWidth": 60},
        dashGridOptions={
            "animateRows": False,
            "rowHeight": ROW,
            "headerHeight": 34,
            "cacheBlockSize": 100,
            "maxBlocksInCache": 40,
            "blockLoadDebounceMillis": 60,
            "suppressFieldDotNotation": True,
            "enableCellTextSelection": True,
            "tooltipShowDelay": 500,
            "rowSelection": {
                "mode": "multiRow",
                "checkboxes": True,
                "headerCheckbox": False,
                "enableClickSelection": True,
            },
            "selectionColumnDef": {"headerName": "Chosen", "width": 74, "pinned": "left"},
        },
        className="ag-theme-quartz cutaway-grid compact in-grid",
        style={"height": f"{HEIGHT}px"},
    )


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel."""
    app.callback(
        Output("in-table-mark", "data"),
        Output("in-table-subtitle", "children"),
        Output("in-table-state", "children"),
        Output("in-table-box", "hidden"),
        Output(GRID, "columnDefs"),
        Output("in-table-spec", "children"),
        Output("in-table-csv", "href"),
        *[Input(f"sel-{name}", "data") for name in data.LISTENED],
        Input("sel-layer", "data"),
        Input(data.BOOK, "data"),
        Input("pulse-answers", "data"),
        State("in-table-mark", "data"),
        State("url", "data"),
    )(draw_table)
    app.clientside_callback(
        ClientsideFunction("instancesTable", "follow"),
        Output("in-table-followed", "data"),
        Input("sel-instance", "data"),
    )
    app.clientside_callback(ClientsideFunction("instancesTable", "asked"), Input(GRID, "getRowsRequest"))


def draw_table(*given: Any) -> tuple[Any, ...]:
    """Columns, and where the rows are to be asked for. given: as ``register`` lists them."""
    before, search = given[-2], given[-1]
    if not data.is_shown(search):
        return (no_update,) * OUTPUTS
    then = before if isinstance(before, dict) else {}
    try:
        found = data.picked(search)
        held = table_data.columns(found)
        now = {"mark": asking.mark(found.key, found.shown.layer.key), "columns": asking.mark(*map(str, held))}
        if now == then:
            return (no_update,) * OUTPUTS
        changed = now["columns"] != then.get("columns")
        told = table_columns.definitions(held, found.shown.extraction.kind, found.shown.class_names)
    except (asking.NotReady, CutawayError) as error:
        mark = {"mark": asking.mark_of(error), "columns": ""}
        nothing = (mark, "", asking.boxed(error, "The table"), True, no_update, "", "#")
        return (no_update,) * OUTPUTS if mark == then else nothing
    columns = told if changed else no_update
    return now, subtitle(found), state_of(found), not len(found.rows), columns, spec(found), csv(found)


def subtitle(found: Picked) -> str:
    """'37 of 1,000 instances · label is 3 · 14 columns'."""
    more = " · more columns are being computed" if found.table.waiting else ""
    return f"{found.count} · {data.cut(found.title, 80)} · {len(table_data.columns(found)):,} columns{more}"


def state_of(found: Picked) -> Any:
    """What stands above the table: columns that could not be computed."""
    left = found.table.left_out
    if not len(found.rows):
        return html.P("The subset has no instances.", className="empty-line")
    if not left:
        return None
    items = [html.Li(f"{data.cut(name, 60)}: {data.cut(reason, 200)}") for name, reason in left[:20]]
    text = "A column was left out" if len(left) == 1 else f"{len(left)} columns were left out"
    return html.Details([html.Summary(text), html.Ul(items)], className="quiet")


def address_of(found: Picked) -> Selection:
    """What of the selection says which instances these are; all else is left out, so that links stay short."""
    whole = found.shown.selection
    layer = whole.layer if found.shown.chosen else None
    return Selection(
        runs=whole.runs,
        checkpoint=whole.checkpoint,
        n=whole.n,
        include=whole.include,
        layer=layer,
        subset=found.text or None,
    )


def spec(found: Picked) -> str:
    """What assets/instances_table.js reads: where rows come from, and what tells two tables apart."""
    prefix = services.current().settings.path_prefix
    kind = found.shown.extraction.kind
    return json.dumps(
        {
            "rows": f"{prefix}export/instances/rows.json",
            "query": address_of(found).query(),
            "key": found.key,
            "count": len(found.rows),
            "height": 44 if kind in ("image", "series") else ROW,
        }
    )


def csv(found: Picked) -> str:
    """Address of the download."""
    prefix = services.current().settings.path_prefix
    return f"{prefix}export/instances/subset.csv{address_of(found).query()}"
