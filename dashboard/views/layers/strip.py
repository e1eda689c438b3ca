"""The layers by depth: what each is, what was found about it, and how far it separates the classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dash
import dash_ag_grid as dag
from dash import Input, Output, State, dcc, html, no_update

from analysis.errors import CutawayError
from analysis.layerinfo import LayerInfo
from analysis.layers.findings import LayerFinding
from dashboard.views.layers import data, evidence
from dashboard.views.layers.about import STRIP
from dashboard.widgets import panel as parts

NAME = "strip"
MEASURE = "layers-separation-start"


def panel() -> html.Section:
    """A grid with a row per layer."""
    return parts.panel(
        NAME,
        "Layers by depth",
        [
            dcc.Store(id="strip-mark"),
            # The button's presses; its answer is shared by all visitors, so it is asked for once.
            html.Div(id="strip-state"),
            html.Div(_grid(), id="strip-box"),
            html.Div(id="strip-note", className="quiet"),
        ],
        about=STRIP,
        controls=[
            html.Button("Measure class separation", id=MEASURE, type="button", className="outline-button", n_clicks=0),
            html.Div(id="strip-legend", className="legend-line"),
        ],
        exports=[("Layers with separation (CSV)", "strip-csv")],
        picture=False,
        span=7,
    )


def columns(*, measured: bool) -> list[dict[str, Any]]:
    """The grid's columns; those of the separation once there is one, so that names have the room until then."""
    number = {"type": "rightAligned"}
    bar = {"minWidth": 98, "flex": 2}
    shown: list[dict[str, Any]] = [
        {"field": "order", "headerName": "#", "width": 38} | number,
        {"field": "key", "headerName": "Layer", "minWidth": 96, "flex": 4, "cellRenderer": "LayerName"},
        {"field": "type", "headerName": "Type, positions", "minWidth": 100, "flex": 3, "tooltipField": "type"},
        {"field": "filters", "headerName": "Filters", "width": 58} | number,
        {"field": "findings", "headerName": "Findings", "width": 72} | number,
    ]
    if measured:
        shown += [
            {"field": "purity", "headerName": "Purity", "cellRenderer": "LayerPurity"} | bar,
            {"field": "silhouette", "headerName": "Silhouette", "cellRenderer": "LayerSilhouette"} | bar,
        ]
    return shown


def _grid() -> dag.AgGrid:
    return dag.AgGrid(
        id="strip-grid",
        rowData=[],
        columnDefs=columns(measured=False),
        getRowId="params.data.key",
        rowClassRules={"chosen-row": "params.data.chosen", "grey-row": "params.data.reason"},
        defaultColDef={"sortable": True, "resizable": True, "suppressHeaderMenuButton": True},
        dashGridOptions={
            "animateRows": False,
            "rowHeight": 30,
            "headerHeight": 32,
            "enableCellTextSelection": True,
            "tooltipShowDelay": 300,
        },
        className="ag-theme-quartz cutaway-grid compact",
        style={"height": "360px"},
    )


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel."""
    app.callback(
        Output("strip-mark", "data"),
        Output("strip-grid", "rowData"),
        Output("strip-subtitle", "children"),
        Output("strip-state", "children"),
        Output("strip-box", "hidden"),
        Output("strip-grid", "style"),
        Output("strip-grid", "columnDefs"),
        Output("strip-note", "children"),
        Output("strip-legend", "children"),
        Output(MEASURE, "disabled"),
        Output("strip-csv", "href"),
        Input("sel-view", "data"),
        Input("sel-layer", "data"),
        Input("sel-sample", "data"),
        Input("sel-checkpoint", "data"),
        Input("sel-runs", "data"),
        Input("pulse-answers", "data"),
        Input(MEASURE, "n_clicks"),
        State("strip-mark", "data"),
        State("url", "data"),
    )(draw_strip)


def draw_strip(
    _view: Any,
    _layer: Any,
    _sample: Any,
    _checkpoint: Any,
    _runs: Any,
    _pulse: Any,
    clicks: Any,
    before: Any,
    search: str | None,
) -> tuple[Any, ...]:
    """Rows of the grid, the line above it, and what stands in its place while there is nothing."""
    if not data.is_shown(search):
        return (no_update,) * 11
    try:
        shown = data.frame(search)
    except (data.NotReady, CutawayError) as error:
        box = data.boxed(error, "The layers")
        now = data.mark(data.line_of(error))
        return (
            (no_update,) * 11 if now == before else (now, [], "", box, True, no_update, no_update, "", None, True, "#")
        )
    wanted = isinstance(clicks, int) and clicks > 0 and shown.grouping == "label"
    separation, state = evidence.separation(shown, ask=wanted)
    found = evidence.by_layer(shown)
    # Similarities that came meanwhile bring findings with them.
    known = [len(found.get(info.key, ())) for info in shown.layers]
    now = data.mark(shown.key, shown.layer.key, separation is not None, state, known)
    if now == before:
        return (no_update,) * 11
    rows = layer_rows(shown, separation, found)
    if separation is None and not state and shown.grouping != "label":
        state = "Class separation needs labels, and no instance of this sample has one."
    note = state if separation is None else _reading(separation)
    count = sum(len(items) for items in found.values())
    text = f"{len(shown.layers)} layer{'' if len(shown.layers) == 1 else 's'} · {shown.count}"
    if shown.extraction.complete:
        text += f" · {count:,} finding{'' if count == 1 else 's'} about filters"
    href = data.export("layers.csv", shown)
    busy = separation is not None or bool(state)
    shape = _height(len(rows)), columns(measured=separation is not None)
    return now, rows, text, None, False, *shape, note, _legend(separation), busy, href


def _height(rows: int) -> dict[str, str]:
    """Room for all layers of a small network; the others scroll."""
    return {"height": f"{min(380, 44 + 30 * rows)}px"}


def layer_rows(
    shown: data.Frame, separation: dict[str, Any] | None, found: dict[str, list[LayerFinding]]
) -> list[dict[str, Any]]:
    """A row per layer, those that cannot be shown last, with their reason."""
    measured = {item["layer"]: item for item in (separation or {}).get("layers", [])}
    chance = (separation or {}).get("chance")
    rows = [
        _row(info, shown.layer.key, found.get(info.key), measured.get(info.key, {}), chance) for info in shown.layers
    ]
    readable = {info.key for info in shown.layers}
    for item in shown.description.get("layers", []):
        if item.get("key") not in readable and item.get("reason"):
            info = LayerInfo.from_json(item)
            rows.append(_row(info, shown.layer.key, None, {}, None))
    return rows


def _row(
    info: LayerInfo,
    chosen: str,
    findings: Sequence[LayerFinding] | None,
    measured: dict[str, Any],
    chance: float | None,
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "order": info.order + 1 if info.order >= 0 else None,
        "key": info.key,
        "type": _type(info),
        "filters": info.filters or None,
        "findings": None if findings is None else len(findings),
        "chosen": info.key == chosen,
        "reason": info.reason,
    }
    if measured:
        row |= {"purity": measured.get("knn_purity"), "silhouette": measured.get("silhouette"), "chance": chance}
    return row


def _type(info: LayerInfo) -> str:
    """'Conv1d, 20 positions', 'Conv2d, 28 × 28 positions', 'Linear'."""
    sizes = " × ".join(str(size) for size in info.spatial)
    return f"{info.type}, {sizes} position{'' if sizes == '1' else 's'}" if sizes else info.type


def _reading(separation: dict[str, Any]) -> str:
    layers = [item for item in separation.get("layers", []) if item.get("knn_purity") is not None]
    if not layers:
        return "Separation is undefined here: it needs two classes with several instances each."
    best = max(layers, key=lambda item: item["knn_purity"])
    chance = _chance(separation)
    return (
        f"Purity is highest in {best['layer']}: {best['knn_purity']:.2f}, by chance {chance} "
        f"(k = {separation.get('k', 10)}, n = {best.get('n', 0):,})."
    )


def _legend(separation: dict[str, Any] | None) -> Any:
    if separation is None:
        return None
    chance = _chance(separation)
    return [html.Span(className="tick"), f"chance {chance}; purity 0 to 1, silhouette −1 to 1"]


def _chance(separation: dict[str, Any]) -> str:
    value = separation.get("chance")
    return "undefined" if value is None else f"{value:.2f}"
