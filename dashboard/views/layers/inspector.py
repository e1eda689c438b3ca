"""The inspector of the Layers view: the instance chosen, then the filter or the layer, with what may be done next."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import dash
import numpy as np
from dash import Input, Output, State, html, no_update

from analysis.errors import CutawayError
from analysis.layers.findings import LayerFinding
from dashboard import services
from dashboard.pictures import addresses
from dashboard.selection import Selection
from dashboard.views.layers import data, evidence
from dashboard.widgets.attributes import attributes
from dashboard.widgets.class_marks import class_mark
from dashboard.widgets.findings import finding_detail

SCORES = 5
STRONGEST = 5


def register(app: dash.Dash) -> None:
    """Attach the callback of the inspector."""
    app.callback(
        Output("layers-inspector-mark", "data"),
        Output("layers-inspector", "children"),
        Input("sel-view", "data"),
        Input("sel-layer", "data"),
        Input("sel-filter", "data"),
        Input("sel-instance", "data"),
        Input("sel-sample", "data"),
        Input("sel-checkpoint", "data"),
        Input("sel-runs", "data"),
        Input("pulse-answers", "data"),
        State("layers-inspector-mark", "data"),
        State("url", "data"),
    )(draw_inspector)


def draw_inspector(
    _view: Any,
    _layer: Any,
    _filter: Any,
    _instance: Any,
    _sample: Any,
    _checkpoint: Any,
    _runs: Any,
    _pulse: Any,
    before: Any,
    search: str | None,
) -> tuple[Any, Any]:
    """Cards for the instance, and for the filter or the layer."""
    selection = Selection.parse(search)
    if selection.view != data.VIEW:
        return no_update, no_update
    try:
        shown = data.frame(search)
        index = data.filter_of(shown)
        similar = evidence.filter_map(shown)
        now = data.mark(shown.key, shown.layer.key, index, selection.instances[:1], selection.include, selection.runs)
        now = data.mark(now, similar and similar.key)
        if now == before:
            return no_update, no_update
        cards = [instance_card(shown, selection.instances[0])] if selection.instances else []
        cards.append(layer_card(shown) if index is None else filter_card(shown, index))
    except (data.NotReady, CutawayError) as error:
        now = data.mark(data.line_of(error))
        return (no_update, no_update) if now == before else (now, data.boxed(error, "The selection"))
    return now, cards


def _facts(rows: Sequence[tuple[str, Any]]) -> html.Table:
    return html.Table(
        html.Tbody([html.Tr([html.Th(label, scope="row"), html.Td(value)]) for label, value in rows]), className="facts"
    )


def _link(text: str, **place: Any) -> html.Button:
    return html.Button(text, type="button", className="link", **attributes({"data-nav": json.dumps(place)}))


def instance_card(shown: data.Frame, index: int) -> html.Div:
    """Its picture, label and prediction, and the filters of the layer that answer to it most."""
    found = shown.extraction
    row = found.row_of(index)
    title = html.H2(["Instance ", html.Span(str(index))])
    if row is None:
        total = int(shown.description.get("n", 0))
        if index >= total:
            return html.Div([title, html.P(f"The data has {total:,} instances.", className="quiet")])
        wanted = [*shown.selection.include, index]
        place = {"include": ",".join(map(str, sorted(set(wanted))))}
        text = "It is not in the sample." if found.complete else "It is not among the instances read so far."
        return html.Div([title, html.P(text, className="quiet"), _link("Always include it", **place)])
    label, guess = int(found.labels[row]), int(found.predictions[row])
    right = label == guess
    words = "no label" if label < 0 else "correct" if right else "wrong"
    sign = "–" if label < 0 else "✓" if right else "✗"
    picture: Any = None
    if found.kind == "image":
        address = addresses.instance(extraction=found.directory.name, index=index)
        picture = html.Img(
            src=address, alt=f"Instance {index}, {shown.class_name(label)}", className="inspector-picture"
        )
    rows = [
        ("label", [class_mark(label), shown.class_name(label)]),
        ("prediction", [class_mark(guess), shown.class_name(guess)]),
        ("outcome", html.Span(f"{sign} {words}", className=f"verdict {'unlabelled' if label < 0 else words}")),
        ("confidence", f"{100 * float(found.confidence[row]):.1f} %"),
        ("loss", data.finite(found.loss[row])),
    ]
    return html.Div(
        [
            title,
            picture,
            _facts(rows),
            html.P(_link("Why? Explain this instance", view="attribution", instances=str(index), explain=None)),
            html.H3("Scores"),
            *_scores(shown, row),
            html.H3(f"Strongest {data.noun(shown.layer, 2)} of {data.called(shown.layer)}"),
            _strongest(shown, row),
        ]
    )


def _scores(shown: data.Frame, row: int) -> list[Any]:
    logits = np.asarray(shown.extraction.logits[row], float)
    if len(logits) < 2 or not np.isfinite(logits).all():
        return [html.P("Not a score per class, or not finite.", className="quiet")]
    shares = np.exp(logits - logits.max())
    shares /= shares.sum()
    return [
        html.Div(
            [
                html.Span([class_mark(label), shown.class_name(label)], className="bar-name"),
                html.Span(
                    html.Span(style={"width": f"{100 * shares[label]:.1f}%"}, className="bar-fill"), className="bar"
                ),
                html.Span(f"{100 * shares[label]:.0f} %", className="bar-value"),
            ],
            className="bar-row",
        )
        for label in np.argsort(-shares)[:SCORES].tolist()
    ]


def _strongest(shown: data.Frame, row: int) -> Any:
    """By share of the filter's own largest activation, so that strong filters do not always lead."""
    values = np.asarray(shown.extraction.maximum(shown.layer.key)[row], float)
    top = evidence.statistics(shown).maximum
    share = np.divide(values, top, out=np.zeros_like(values), where=np.nan_to_num(top) > 0)
    share = np.nan_to_num(share)
    word = data.noun(shown.layer, 1)
    places = [i for i in np.argsort(-share, kind="stable")[:STRONGEST].tolist() if share[i] > 0]
    items = [
        html.Li(
            [
                _link(f"{word} {i}", layer=shown.layer.key, filter=i),
                html.Span(f" {value}, {100 * share[i]:.0f} % of its largest", className="quiet"),
            ]
        )
        for i, value in zip(places, data.column(values[places].tolist(), 3), strict=True)
    ]
    return html.Ul(items, className="plain") if items else html.P("None is active on it.", className="quiet")


def layer_card(shown: data.Frame) -> html.Div:
    """What the layer is, and what was found about it."""
    info = shown.layer
    rows: list[tuple[str, Any]] = [
        ("type", html.Span(info.type, title=info.type)),
        (data.noun(info, 2), f"{info.filters:,}"),
        ("parameters", f"{info.parameters:,}"),
        *([("positions per instance", " × ".join(str(size) for size in info.spatial))] if info.spatial else []),
        ("read after", info.read_after or info.name),
        ("made non-negative by", info.rectifier),
        ("place in the network", f"{info.order + 1} of {len(shown.layers)}"),
    ]
    rows += [("yields the output", "yes")] if info.output else []
    measured, _ = evidence.separation(shown, ask=False)
    for item in (measured or {}).get("layers", []):
        if item["layer"] == info.key:
            rows += [
                ("kNN purity", data.finite(item["knn_purity"], 3)),
                ("silhouette", data.finite(item["silhouette"], 3)),
            ]
    return html.Div(
        [
            html.H2(["Layer ", html.Span(info.key)]),
            html.P(shown.count, className="subtitle"),
            _facts(rows),
            *_elsewhere(shown, None),
            html.H3("Findings"),
            *_details(evidence.findings(shown, info.key)),
        ]
    )


def filter_card(shown: data.Frame, index: int) -> html.Div:
    """A filter's figures, and what was found about it."""
    found = evidence.statistics(shown)
    largest, mean = data.column([found.maximum[index], found.mean[index]])
    rows = [
        ("largest activation", largest),
        ("mean", mean),
        (
            "active on",
            f"{100 * float(np.nan_to_num(found.active_share[index])):.1f} % of {found.instances:,} instances",
        ),
        ("judged", evidence.health(shown)[index] or "nothing unusual"),
    ]
    own = [one for one in evidence.findings(shown, shown.layer.key) if index in one.finding.filters]
    return html.Div(
        [
            html.H2(
                [f"{data.noun(shown.layer, 1, capital=True)} ", html.Span(f"{index} of {data.called(shown.layer)}")]
            ),
            html.P(shown.count, className="subtitle"),
            _facts(rows),
            html.P(explain_link(shown, index)),
            *_elsewhere(shown, index),
            html.H3("Findings"),
            *_details(own),
        ]
    )


def explain_link(shown: data.Frame, index: int) -> html.Button:
    """Leads to what in an instance drives a filter or unit, in the Attribution view."""
    text = f"Explain this {data.noun(shown.layer, 1)}: what drives it"
    return _link(text, view="attribution", explain="unit", layer=shown.layer.key, filter=index)


def _elsewhere(shown: data.Frame, index: int | None) -> list[Any]:
    """A link to the same layer or filter in the Training view, where a run recorded it."""
    selection, names = shown.selection, (shown.layer.key, shown.layer.name)
    try:
        runs = services.open_runs(selection.runs[:1])
    except CutawayError:
        return []
    meta = next((meta for run in runs for meta in run.layers() if meta.name in names), None)
    if meta is None:
        return []
    what = "this layer" if index is None else f"this {data.noun(shown.layer, 1)}"
    link = _link(f"How {what} came about, in Training", view="training", layer=meta.name, filter=index)
    return [html.P(link)]


def _details(found: Sequence[LayerFinding]) -> list[Any]:
    parts: list[Any] = [finding_detail(one.finding) for one in found]
    return parts or [html.P("No rule found anything unusual.", className="quiet")]
