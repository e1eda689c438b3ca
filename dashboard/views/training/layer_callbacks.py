"""Callbacks of the histograms, the stability panel and the filter map: all follow the step slider."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import dash
import numpy as np
from dash import ClientsideFunction, Input, Output, State, no_update

from analysis.errors import CutawayError, NotFound
from analysis.training.findings import noun
from analysis.training.heatmap import heatmap_values
from dashboard import services
from dashboard.selection import Selection
from dashboard.views.training import data
from dashboard.views.training.filter_figures import heatmap_figure
from dashboard.views.training.perplexity_figures import PER_PAGE, columns_for, perplexity_figure, with_scale
from dashboard.views.training.stability_figures import stability_figure
from dashboard.widgets.states import empty_figure

NO_LAYERS = "No layer was recorded yet.<br>recorder.watch(model, probe=(inputs, labels)) writes here."


def register(app: dash.Dash) -> None:
    """Attach the callbacks of these panels."""
    app.callback(
        Output("frame-steps", "data"),
        Output("ctl-base", "data"),
        Input("sel-runs", "data"),
        Input("pulse-selected", "data"),
        State("frame-steps", "data"),
        State("url", "data"),
    )(list_steps)
    app.clientside_callback(
        ClientsideFunction("training", "place"),
        Output("ctl-frame", "max"),
        Output("ctl-frame", "value"),
        Output("ctl-frame", "disabled"),
        Input("frame-steps", "data"),
        Input("sel-frame", "data"),
    )
    app.clientside_callback(
        ClientsideFunction("training", "frame"),
        Output("frame", "data"),
        Output("frame-text", "children"),
        Input("ctl-frame", "value"),
        Input("frame-steps", "data"),
        State("frame", "data"),
    )
    app.clientside_callback(
        ClientsideFunction("training", "mark"),
        Input("frame", "data"),
        Input("curves", "figure"),
        Input("frame-steps", "data"),
    )
    app.clientside_callback(
        ClientsideFunction("training", "play"),
        Output("play-tick", "disabled"),
        Input("play", "n_clicks"),
        Input("play-tick", "n_intervals"),
        State("play-tick", "disabled"),
        State("ctl-frame", "value"),
        State("ctl-frame", "max"),
        prevent_initial_call=True,
    )
    _register_panels(app)


def _register_panels(app: dash.Dash) -> None:
    app.callback(
        Output("perplexity", "figure"),
        Output("perplexity-box", "style"),
        Output("perplexity-subtitle", "children"),
        Output("perplexity-csv", "href"),
        Output("ctl-page", "total"),
        Input("frame", "data"),
        Input("frame-steps", "data"),
        Input("sel-runs", "data"),
        Input("sel-frame", "data"),
        Input("sel-layer", "data"),
        Input("sel-page", "data"),
        Input("narrow", "data"),
        State("url", "data"),
    )(draw_perplexity)
    app.callback(
        Output("stability", "figure"),
        Output("stability-box", "style"),
        Output("stability-subtitle", "children"),
        Input("frame", "data"),
        Input("frame-steps", "data"),
        Input("sel-runs", "data"),
        Input("sel-layer", "data"),
        Input("sel-limit", "data"),
        Input("sel-page", "data"),
        State("url", "data"),
    )(draw_stability)
    app.callback(
        Output("heatmap", "figure"),
        Output("heatmap-subtitle", "children"),
        Output("heatmap-csv", "href"),
        Output("heatmap-layer", "data"),
        Input("frame", "data"),
        Input("frame-steps", "data"),
        Input("sel-runs", "data"),
        Input("sel-layer", "data"),
        Input("sel-filter", "data"),
        Input("sel-heat", "data"),
        Input("scheme", "data"),
        State("url", "data"),
    )(draw_heatmap)


def list_steps(_runs: Any, _pulse: Any, before: Any, search: str | None) -> tuple[Any, Any]:
    """Steps of run A that have records, ascending, and the baselines to choose from."""
    selection = Selection.parse(search)
    try:
        steps = data.record_steps(services.open_runs(selection.runs[:1])[0]) if selection.runs else []
    except CutawayError:
        steps = []
    found = {"run": selection.runs[0] if selection.runs else None, "steps": steps}
    if found == before:
        return no_update, no_update
    bases = [{"value": "first", "label": "first record"}, {"value": "previous", "label": "record before"}]
    return found, bases + [
        {"value": str(step), "label": f"step {step:,}"} for step in steps[:: max(1, len(steps) // 200)]
    ]


def draw_perplexity(
    frame: Any, _steps: Any, _runs: Any, _frame: Any, _layer: Any, _page: Any, narrow: Any, search: str | None
) -> tuple[Any, ...]:
    """The histograms of one page of layers."""
    selection = Selection.parse(search)
    style = {"height": "220px"}
    try:
        runs = services.open_runs(selection.runs)
        frames = data.frames_of(selection, runs, data.step_of(frame)) if runs else []
    except CutawayError as error:
        return empty_figure(f"{error.message}<br>{error.remedy}"), style, "", "#", 1
    if not frames:
        return empty_figure(NO_LAYERS if runs else "Choose a run in the top bar."), style, "", "#", 1
    pages = -(-len(frames) // PER_PAGE)
    page = min(selection.page, pages)
    shown = frames[(page - 1) * PER_PAGE : page * PER_PAGE]
    shown = [with_scale(item, data.records_of(runs[0], item.meta)) for item in shown]
    columns = min(2, len(shown)) if narrow else columns_for(len(shown))
    rows = -(-len(shown) // columns)
    record = shown[0].record
    silent = sum(item.record.silent for item in shown)
    broken = sum(item.record.nonfinite for item in shown)
    text = f"{len(frames)} layers · {record.patches:,} patches in {shown[0].meta.name} · step {record.step:,}"
    if shown[0].baseline is not None:
        text += f" · change since step {shown[0].baseline.step:,}"
    if silent:
        text += f" · {silent:,} patches silent"
    if broken:
        text += f" · {broken:,} patches not finite"
    query = urlencode([("runs", selection.runs[0]), ("step", record.step)])
    prefix = services.current().settings.path_prefix
    figure = perplexity_figure(shown, selection.layer, columns)
    return figure, {"height": f"{60 + 210 * rows}px"}, text, f"{prefix}export/histograms.csv?{query}", pages


def draw_stability(
    frame: Any, _steps: Any, _runs: Any, _layer: Any, _limit: Any, _page: Any, search: str | None
) -> tuple[Any, Any, str]:
    """One row per layer of the histograms' page: how far its histogram moved from record to record."""
    selection = Selection.parse(search)
    style = {"height": "220px"}
    try:
        runs = services.open_runs(selection.runs)
    except CutawayError as error:
        return empty_figure(f"{error.message}<br>{error.remedy}"), style, ""
    if not runs or not runs[0].layers():
        return empty_figure(NO_LAYERS if runs else "Choose a run in the top bar."), style, ""
    thresholds = data.thresholds_of(selection)
    others = {meta.name: found.stability for meta, found in data.summaries_of(runs[1], thresholds)} if runs[1:] else {}
    rows = [
        (meta.name, found.stability, others.get(meta.name)) for meta, found in data.summaries_of(runs[0], thresholds)
    ]
    settled = sum(item.state == "settled" for _, item, _ in rows)
    text = f"{settled} of {len(rows)} layers settled · distance at most {selection.limit:g}"
    text += f", {thresholds.stable_records} records in a row"
    first = (min(selection.page, -(-len(rows) // PER_PAGE)) - 1) * PER_PAGE
    if len(rows) > PER_PAGE:
        text = f"layers {first + 1} to {min(len(rows), first + PER_PAGE)} · {text}"
        rows = rows[first : first + PER_PAGE]
    figure = stability_figure(rows, selected=selection.layer, step=data.step_of(frame))
    return figure, {"height": f"{80 + max(58, 240 // len(rows)) * len(rows)}px"}, text


def draw_heatmap(
    frame: Any, _steps: Any, _runs: Any, _layer: Any, _filter: Any, _heat: Any, scheme: Any, search: str | None
) -> tuple[Any, ...]:
    """One cell per filter of the selected layer, or of the first one."""
    selection = Selection.parse(search)
    try:
        runs = services.open_runs(selection.runs[:1])
        if not runs:
            return empty_figure("Choose a run in the top bar."), "", "#", None
        meta = data.layer_of(runs[0], selection.layer)
        records = services.current().histories.records(runs[0], meta)
        record = data.nearest(records, data.step_of(frame))
        if record is None:
            raise NotFound(
                f"{meta.name} has no record yet.", "Wait for the next one, or record with a smaller `every`."
            )
    except CutawayError as error:
        return empty_figure(f"{error.message}<br>{error.remedy}"), "", "#", None
    if not np.isfinite(heatmap_values(record, selection.mode)).any():
        reason = "was ever active" if selection.mode == "staleness" else "had a finite activation"
        return (
            empty_figure(
                f"None of the {meta.filters:,} {noun(meta, 2)} of {meta.name} {reason}<br>at step {record.step:,}."
            ),
            "",
            "#",
            meta.name,
        )
    tops = [_largest(heatmap_values(item, selection.mode)) for item in records]
    figure = heatmap_figure(
        record,
        word=noun(meta, 1),
        mode=selection.mode,
        sort=selection.sort,
        chosen=selection.filter,
        scheme="dark" if scheme == "dark" else "light",
        top=max(tops),
    )
    blank = int((~np.isfinite(heatmap_values(record, selection.mode))).sum())
    text = (
        f"{meta.name} · {meta.filters:,} {noun(meta, meta.filters)} · {record.patches:,} patches · step {record.step:,}"
    )
    if len(selection.runs) > 1:
        text = f"{runs[0].info.name} (run A) · {text}"
    if blank:
        text += f" · {blank:,} {'never active' if selection.mode == 'staleness' else 'not finite'} (empty cells)"
    if selection.layer is None:
        text += " · first layer, choose another in the top bar"
    query = urlencode([("runs", selection.runs[0]), ("layer", meta.name), ("step", record.step)])
    return figure, text, f"{services.current().settings.path_prefix}export/filters.csv?{query}", meta.name


def _largest(values: Any) -> float:
    finite = np.asarray(values, float)
    finite = finite[np.isfinite(finite)]
    return float(finite.max()) if len(finite) else 0.0
