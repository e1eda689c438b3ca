"""Callbacks of the curves panel: draw it, extend it while the run grows, offer its metrics."""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import urlencode

import dash
import numpy as np
from dash import ClientsideFunction, Input, Output, State, no_update

from analysis.errors import CutawayError
from analysis.records import Scalars
from analysis.store.curves import curve
from analysis.store.reader import Run
from dashboard import services
from dashboard.selection import Selection
from dashboard.views.training.curve_figures import Series, TraceKey, curves_figure, display_x, rounded
from dashboard.views.training.data import metric_groups, scale_of, series_of
from dashboard.widgets.states import empty_figure

# After this many points are appended to a drawn line it is thinned anew.
REDRAW_AFTER = 1500


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel."""
    app.callback(
        Output("curves", "figure"),
        Output("curves-cursors", "data"),
        Output("curves-subtitle", "children"),
        Output("curves-note", "children"),
        Output("curves-csv", "href"),
        Input("sel-runs", "data"),
        Input("sel-curves", "data"),
        Input("curves-stale", "data"),
        State("url", "data"),
    )(draw_curves)
    app.callback(
        Output("curves-delta", "data"),
        Output("curves-stale", "data"),
        Input("pulse-selected", "data"),
        State("curves-cursors", "data"),
        State("url", "data"),
        prevent_initial_call=True,
    )(extend_curves)
    app.clientside_callback(
        ClientsideFunction("training", "extend"),
        Output("curves-cursors", "data", allow_duplicate=True),
        Input("curves-delta", "data"),
        State("curves-cursors", "data"),
        prevent_initial_call=True,
    )
    app.callback(
        Output("ctl-tag", "data"),
        Output("ctl-axis", "data"),
        Input("sel-runs", "data"),
        Input("pulse-selected", "data"),
        State("ctl-tag", "data"),
        State("url", "data"),
    )(offer_metrics)


def draw_curves(_runs: Any, _curves: Any, _stale: Any, search: str | None) -> tuple[Any, ...]:
    """The whole figure, the cursors to extend it from, the line under the title, a note, and the export's address."""
    selection = Selection.parse(search)
    if not selection.runs:
        return empty_figure("Choose a run in the top bar."), None, "", "", "#"
    try:
        runs = services.open_runs(selection.runs)
        series, groups = series_of(selection, runs)
    except CutawayError as error:
        return empty_figure(f"{error.message}<br>{error.remedy}"), None, "", "", "#"
    if not series:
        return empty_figure("Nothing was logged yet.<br>recorder.log({...}, step=step) writes here."), None, "", "", "#"
    if selection.range is not None and not any(item.curve.total for item in series):
        low, high = selection.range
        reason = (
            f"No record lies between {selection.axis} {low:,.6g} and {high:,.6g}.<br>Remove the zoom in the top bar."
        )
        return empty_figure(reason), None, "0 records", "", _export(selection, series)
    revision = "|".join([*selection.runs, *groups, selection.axis, selection.scale, str(selection.range)])
    figure, keys = curves_figure(
        series,
        groups,
        axis=selection.axis,
        scale=selection.scale,
        smooth=selection.smooth,
        x_range=selection.range,
        revision=revision,
    )
    counts = _counts(series)
    cursors = {
        "rev": secrets.token_hex(8),
        "keys": [[key.run_id, key.tag, key.smooth] if key else None for key in keys],
        "cursors": {f"{item.run_id}\t{item.tag}": item.curve.cursor for item in series},
        "appended": 0,
        "counts": counts,
        "shape": _shape(runs),
    }
    return figure, cursors, _subtitle(counts), _note(series), _export(selection, series)


def _counts(series: list[Series]) -> list[Any]:
    """Runs, records, points drawn, and the largest x where it counts steps or epochs."""
    xs = [float(item.curve.x.max()) for item in series if len(item.curve.x) and item.unit == 1.0]
    return [
        len({item.run_id for item in series}),
        sum(item.curve.total for item in series),
        sum(len(item.curve.x) for item in series),
        max(xs, default=None),
    ]


def _subtitle(counts: list[Any]) -> str:
    runs, total, drawn, last = counts
    text = f"{runs} run{'s' if runs > 1 else ''} · {total:,} records"
    if drawn < total:
        text += f", {drawn:,} drawn (extremes kept)"
    return text + (f" · up to {last:,.6g}" if last is not None else "")


def _recount(before: list[Any], fresh: list[Any]) -> list[Any]:
    runs, total, drawn, last = before
    new = sum(len(item.steps) for item in fresh)
    steps = [int(item.steps.max()) for item in fresh if len(item.steps)]
    return [runs, total + new, drawn + new, None if last is None else max(last, *steps)]


def _note(series: list[Series]) -> str:
    lines = []
    for item in series:
        if item.curve.nonfinite_count:
            count = item.curve.nonfinite_count
            verb = "value is" if count == 1 else "values are"
            lines.append(f"{item.run_name}, {item.tag}: {count:,} {verb} not finite (crosses).")
        lines += [damage.sentence() for damage in item.curve.damage]
    return " ".join(dict.fromkeys(lines))


def _export(selection: Selection, series: list[Series]) -> str:
    prefix = services.current().settings.path_prefix
    query = [("runs", ",".join(selection.runs)), *(("tag", tag) for tag in dict.fromkeys(i.tag for i in series))]
    return f"{prefix}export/scalars.csv?{urlencode(query)}"


def _shape(runs: list[Run]) -> list[list[int]]:
    """What has to stay for lines to be extended: another tag is another line, another segment begins apart."""
    return [[len(run.tags()), len(run.segments())] for run in runs]


def _is_state(value: Any) -> bool:
    """Whether this is what ``draw_curves`` gave out: it comes back from the browser."""
    if not isinstance(value, dict) or not isinstance(value.get("appended"), int | float):
        return False
    counts = value.get("counts")
    if not isinstance(counts, list) or len(counts) != 4 or not all(isinstance(n, int) for n in counts[:3]):
        return False
    if not isinstance(counts[3], int | float | None):
        return False
    keys, cursors = value.get("keys"), value.get("cursors")
    if not isinstance(keys, list) or not isinstance(cursors, dict) or "rev" not in value:
        return False
    known = all(
        key is None or (isinstance(key, list) and len(key) == 3 and f"{key[0]}\t{key[1]}" in cursors) for key in keys
    )
    return known and all(isinstance(cursor, str) for cursor in cursors.values())


def extend_curves(_pulse: Any, cursors: Any, search: str | None) -> tuple[Any, Any]:
    """Only what was written since the cursors: points to append, or the wish for a new drawing."""
    selection = Selection.parse(search)
    if not selection.runs:
        return no_update, no_update
    if not _is_state(cursors):
        return no_update, secrets.token_hex(4)
    try:
        runs = {run.id: run for run in services.open_runs(selection.runs)}
        if _shape(list(runs.values())) != cursors.get("shape") or cursors["appended"] > REDRAW_AFTER:
            return no_update, secrets.token_hex(4)
        fresh = {
            name: runs[name.partition("\t")[0]].scalars(name.partition("\t")[2], cursor)
            for name, cursor in cursors["cursors"].items()
        }
    except (CutawayError, KeyError):
        return no_update, secrets.token_hex(4)
    if not any(len(item.steps) for item in fresh.values()):
        return no_update, no_update
    if selection.range is not None or selection.axis == "epoch":
        # A zoomed or derived axis is answered whole: what is new may not belong to it.
        return no_update, secrets.token_hex(4)
    if any(not _plain(item) for item in fresh.values()) or sum(len(i.steps) for i in fresh.values()) > REDRAW_AFTER:
        return no_update, secrets.token_hex(4)
    traces = []
    for index, key in enumerate(cursors["keys"]):
        if key is None:
            continue
        found = _tail(selection, runs[key[0]], TraceKey(*key), fresh[f"{key[0]}\t{key[1]}"])
        if found:
            traces.append({"index": index, "x": found[0], "y": found[1]})
    delta = {
        "rev": cursors["rev"],
        "traces": traces,
        "cursors": {name: item.cursor for name, item in fresh.items()},
        "added": max(len(item.steps) for item in fresh.values()),
        "counts": (counts := _recount(cursors["counts"], list(fresh.values()))),
        "subtitle": _subtitle(counts),
    }
    return delta, no_update


def _plain(scalars: Scalars) -> bool:
    """Whether these records only lengthen a line: finite, and in the order of their steps."""
    return bool(np.isfinite(scalars.values).all() and (np.diff(scalars.steps) >= 0).all())


def _tail(selection: Selection, run: Run, key: TraceKey, fresh: Scalars) -> tuple[list[Any], list[Any]] | None:
    """The new points of one trace, in the figure's units."""
    if not len(fresh.steps):
        return None
    origin, unit = scale_of(run, selection.axis)
    item = Series(key.run_id, "", 0, "", "other", key.tag, None, origin, unit)  # type: ignore[arg-type]
    x = fresh.walls if selection.axis == "wall" else fresh.steps
    if not key.smooth:
        return rounded(display_x(item, x)), rounded(fresh.values)
    answer = curve(
        run,
        key.tag,
        axis=selection.axis,
        lo=float(x.min()),
        hi=float(x.max()),
        smoothing=selection.smooth,
        cache=services.current().curves,
    )
    own = answer.smooth_segments == fresh.segments[-1]  # an earlier segment may have reached these steps too
    return rounded(display_x(item, answer.smooth_x[own])), rounded(answer.smooth_y[own])


def offer_metrics(_runs: Any, _pulse: Any, before: Any, search: str | None) -> tuple[Any, Any]:
    """The metric groups of the selected runs, and which x-axes they allow."""
    selection = Selection.parse(search)
    try:
        runs = services.open_runs(selection.runs)
    except CutawayError:
        return [], no_update
    names = [group.name for group in metric_groups(runs)]
    epochs = bool(runs) and all("epoch" in run.tags() for run in runs)
    axes = [
        {"value": "step", "label": "step"},
        {"value": "epoch", "label": "epoch", "disabled": not epochs},
        {"value": "wall", "label": "time"},
    ]
    return no_update if before == names else names, axes
