"""The activation heatmap of the chosen layer: by filter, by class, by training step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import dash
import dash_mantine_components as dmc
import numpy as np
from dash import ClientsideFunction, Input, Output, State, dcc, html, no_update

from analysis.errors import CutawayError
from analysis.layers import heatmap
from analysis.layers.profiles import ClassProfile, class_profile
from analysis.records import FloatArray, IntArray
from dashboard import services
from dashboard.views.layers import data, evidence, heat_figures
from dashboard.views.layers.about import HEAT
from dashboard.widgets import panel as parts
from dashboard.widgets.attributes import attributes
from dashboard.widgets.choosing import segmented
from dashboard.widgets.states import empty_figure

NAME = "lheat"
CONTROLS = ("lmode", "lsort", "by")
MODES = (("value", "value"), ("class", "by class"), ("step", "by step"))
SORTS = (
    ("index", "index"),
    ("value", "largest first"),
    ("class", "by a class"),
    ("similarity", "similarity"),
    ("health", "health"),
)


def panel() -> html.Section:
    """The figure and its controls."""
    return parts.panel(
        NAME,
        "Activation heatmap",
        [
            dcc.Store(id="lheat-mark"),
            dcc.Store(id="lheat-layer"),
            parts.graph("lheat", 360, "Heatmap of the filters' activations of the chosen layer"),
            html.Div(id="lheat-note", className="quiet"),
        ],
        about=HEAT,
        controls=[
            segmented("ctl-lmode", "Show", MODES, "value"),
            _select("ctl-lsort", "Order", "Order of the filters", 116, SORTS, "index"),
            html.Div(_select("ctl-by", "of", "Class that orders the filters", 120, (), None), id="by-box", hidden=True),
        ],
        exports=[("What is shown (CSV)", "lheat-csv")],
        span=5,
    )


def _select(
    name: str, label: str, spoken: str, width: int, options: tuple[tuple[str, str], ...], value: str | None
) -> html.Div:
    return html.Div(
        [
            html.Span(label, className="control-label"),
            dmc.Select(
                id=name,
                data=[{"value": key, "label": text} for key, text in options],
                value=value,
                allowDeselect=False,
                searchable=value is None,
                size="xs",
                w=width,
                **attributes({"aria-label": spoken}),
            ),
        ],
        className="control",
    )


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel."""
    app.callback(
        Output("lheat-mark", "data"),
        Output("lheat", "figure"),
        Output("lheat-subtitle", "children"),
        Output("lheat-note", "children"),
        Output("lheat-layer", "data"),
        Output("lheat-csv", "href"),
        Output("ctl-by", "data"),
        Output("by-box", "hidden"),
        Input("sel-view", "data"),
        Input("sel-layer", "data"),
        Input("sel-filter", "data"),
        Input("sel-filters", "data"),
        Input("sel-lheat", "data"),
        Input("sel-sample", "data"),
        Input("sel-checkpoint", "data"),
        Input("sel-runs", "data"),
        Input("pulse-answers", "data"),
        Input("scheme", "data"),
        State("lheat-mark", "data"),
        State("url", "data"),
    )(draw_heat)
    app.clientside_callback(
        ClientsideFunction("selection", "intent"),
        *[Input(f"ctl-{name}", "value") for name in CONTROLS],
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("selection", "follow"),
        [Output(f"ctl-{name}", "value") for name in CONTROLS],
        Input("sel-lheat", "data"),
    )
    app.clientside_callback(
        ClientsideFunction("layerPanels", "pickFilter"),
        Input("lheat", "clickData"),
        State("lheat", "figure"),
        State("lheat-layer", "data"),
        prevent_initial_call=True,
    )


@dataclass(frozen=True)
class Drawn:
    """What ``picture`` made: the figure, and what the line above and the one below it say beyond the usual."""

    figure: dict[str, Any]
    words: str
    note: str = ""


def draw_heat(
    _view: Any,
    _layer: Any,
    _filter: Any,
    _filters: Any,
    _lheat: Any,
    _sample: Any,
    _checkpoint: Any,
    _runs: Any,
    _pulse: Any,
    scheme: Any,
    before: Any,
    search: str | None,
) -> tuple[Any, ...]:
    """The figure in the chosen mode and order."""
    if not data.is_shown(search):
        return (no_update,) * 8
    scheme = "dark" if scheme == "dark" else "light"
    try:
        shown = data.frame(search)
        chosen = shown.selection
        now = data.mark(
            shown.key,
            shown.layer.key,
            [chosen.lmode, chosen.lsort, chosen.by, chosen.filter, chosen.filters, chosen.runs],
            evidence.filter_map(shown) is not None,
            scheme,
        )
        if now == before:
            return (no_update,) * 8
        drawn = picture(shown, scheme)
    except (data.NotReady, CutawayError) as error:
        text = data.line_of(error)
        now = data.mark(text)
        if now == before:
            return (no_update,) * 8
        return now, empty_figure(data.wrapped(text)), "", "", None, "#", no_update, no_update
    count = shown.layer.filters
    text = f"{data.called(shown.layer)} · {count:,} {data.noun(shown.layer, count)} · {drawn.words}"
    if not shown.chosen:
        text += " · first layer, choose another"
    options = data.class_options(shown.class_names)
    sorts = chosen.lsort != "class"
    href = data.export("heatmap.csv", shown, "lmode", "lsort", "by", "runs")
    return now, drawn.figure, text, drawn.note, shown.layer.key, href, options, sorts


def picture(shown: data.Frame, scheme: str) -> Drawn:
    """The figure for the selection. Raises NotReady or CutawayError where it cannot be had."""
    selection, word = shown.selection, data.noun(shown.layer, 1)
    chosen = selection.filter
    statistics = evidence.statistics(shown)
    order = order_of(shown, statistics.maximum)
    if selection.lmode == "class":
        limit = heat_figures.columns_for(shown.layer.filters)
        found = heatmap.by_class(shown.extraction, shown.layer.key, shown.grouping, limit=limit)
        if not len(found.ids) or not found.counts.sum():
            raise data.NotReady("Classes", "No instance of this sample has a class.", "Show the values instead.")
        by = _label(selection.by) if selection.lsort == "class" else None
        figure = heat_figures.class_figure(found, order, word=word, chosen=chosen, sorted_by=by, scheme=scheme)
        return Drawn(figure, f"mean over {_classes(len(found.ids), shown)} · {shown.count}")
    if selection.lmode == "step":
        found = steps_of(shown)
        figure = heat_figures.step_figure(
            found, order, word=word, chosen=chosen, scheme=scheme, title="largest activation"
        )
        run = services.open_runs(selection.runs[:1])[0].info.name
        return Drawn(figure, f"{len(found.ids):,} records of {run}, over the probe of that run")
    notes = evidence.health(shown)
    figure = heat_figures.value_figure(
        statistics.maximum, order, word=word, chosen=chosen, marked=selection.filters, scheme=scheme, notes=notes
    )
    silent = int((statistics.maximum == 0).sum())
    words = f"{shown.count} · {silent:,} never active" if silent else shown.count
    return Drawn(figure, words, _not_finite(statistics.nonfinite))


def _not_finite(counts: IntArray) -> str:
    touched = int((counts > 0).sum())
    return f"{touched:,} have activations that are not finite; those instances are left out." if touched else ""


def _classes(count: int, shown: data.Frame) -> str:
    total = len(shown.class_names)
    word = "classes" if shown.grouping == "label" else "predicted classes"
    return f"{count:,} {word}" if count >= total else f"the {count:,} most frequent of {total:,} {word}"


def _label(by: int | None) -> int:
    return 0 if by is None else by


def order_of(shown: data.Frame, values: FloatArray) -> IntArray:
    """The filters in the order of the selection. Raises ParameterError for a class that the sample does not have."""
    sort = shown.selection.lsort
    profile: ClassProfile | None = None
    seriation = None
    if sort in ("class", "similarity"):
        profile = class_profile(shown.extraction, shown.layer.key, shown.grouping)
    if sort == "similarity":
        answer = evidence.filter_map(shown)
        seriation = np.asarray(answer.array("order"), np.int64) if answer is not None else None
    return heatmap.row_order(
        sort,
        values=values,
        profile=profile,
        label=_label(shown.selection.by),
        seriation=seriation,
        health=evidence.health(shown) if sort == "health" else None,
    )


def steps_of(shown: data.Frame) -> heatmap.Heatmap:
    """The layer's filters at the recorded steps of run A. Raises NotReady if the run did not record this layer."""
    selection, layer = shown.selection, shown.layer
    if not selection.runs:
        raise data.NotReady("Steps", "No run is selected.", "Choose run A in the top bar to see its filters over time.")
    run = services.open_runs(selection.runs[:1])[0]
    meta = next((meta for meta in run.layers() if meta.name in (layer.key, layer.name)), None)
    if meta is None or meta.filters != layer.filters:
        why = "did not watch" if meta is None else f"has {meta.filters:,} filters in, not {layer.filters:,},"
        names = ", ".join(item.name for item in run.layers()[:6]) or "none"
        raise data.NotReady("Steps", f"{run.info.name} {why} {data.called(layer)}.", f"Layers it watched: {names}.")
    records = services.current().histories.records(run, meta)
    if not records:
        raise data.NotReady(
            "Steps", f"{run.info.name} has no record of {data.called(layer)} yet.", "Wait for the next one."
        )
    limit = heat_figures.columns_for(layer.filters)
    return heatmap.by_step(records, limit=max(limit, min(200, heat_figures.CELLS // max(1, layer.filters))))
