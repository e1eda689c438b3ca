"""One filter: what activates it most, how it treats the classes, what answers like it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import dash
import numpy as np
from dash import Input, Output, State, dcc, html, no_update

from analysis.errors import CutawayError
from analysis.layers.profiles import class_distributions
from analysis.results import Answer
from dashboard.views.layers import data, evidence, filter_parts
from dashboard.views.layers.about import FILTER
from dashboard.views.layers.filter_figures import distribution_figure, strongest
from dashboard.widgets import panel as parts
from dashboard.widgets.attributes import attributes
from dashboard.widgets.states import empty_figure

NAME = "lfilter"


def panel() -> html.Section:
    """Patches above, distribution and figures below."""
    return parts.panel(
        NAME,
        "Filter",
        [
            dcc.Store(id="lfilter-mark"),
            html.Div(id="lfilter-patches"),
            html.Div(
                [
                    html.Div(
                        [
                            html.H3("Activation by class", id="lfilter-classes"),
                            parts.graph("lfilter", 300, "Box per class"),
                        ],
                        className="filter-left",
                    ),
                    html.Div(id="lfilter-facts", className="filter-right"),
                ],
                className="filter-split",
            ),
        ],
        about=FILTER,
        controls=[html.Div(id="lfilter-steps", className="control")],
        exports=[("Activation of every instance (CSV)", "lfilter-csv")],
        span=7,
    )


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel."""
    app.callback(
        Output("lfilter-mark", "data"),
        Output("lfilter-subtitle", "children"),
        Output("lfilter-patches", "children"),
        Output("lfilter", "figure"),
        Output("lfilter-classes", "children"),
        Output("lfilter-facts", "children"),
        Output("lfilter-steps", "children"),
        Output("lfilter-csv", "href"),
        Input("sel-view", "data"),
        Input("sel-layer", "data"),
        Input("sel-filter", "data"),
        Input("sel-filters", "data"),
        Input("sel-sample", "data"),
        Input("sel-checkpoint", "data"),
        Input("sel-runs", "data"),
        Input("pulse-answers", "data"),
        Input("scheme", "data"),
        State("lfilter-mark", "data"),
        State("url", "data"),
    )(draw_filter)


def draw_filter(
    _view: Any,
    _layer: Any,
    _filter: Any,
    _filters: Any,
    _sample: Any,
    _checkpoint: Any,
    _runs: Any,
    _pulse: Any,
    scheme: Any,
    before: Any,
    search: str | None,
) -> tuple[Any, ...]:
    """The chosen filter, or the layer's strongest one while none is chosen."""
    if not data.is_shown(search):
        return (no_update,) * 8
    scheme = "dark" if scheme == "dark" else "light"
    try:
        shown = data.frame(search)
        index = filter_shown(shown)
        # What cannot be had is left out: the panel shows the rest.
        fields = evidence.asked(shown, "receptive_fields").answer
        similar = evidence.asked(shown, "filter_map", layer=shown.layer.key, count=data.PATCHES)
        weights = _weights(shown)
        now = data.mark(
            shown.key,
            subtitle(shown, index),
            scheme,
            [answer and answer.key for answer in (fields, weights)],
        )
        now = data.mark(now, similar.answer.key if similar.answer else evidence.progress_of(similar, "Similarities"))
        if now == before:
            return (no_update,) * 8
        found = class_distributions(shown.extraction, shown.layer.key, index, shown.grouping)
        figure = distribution_figure(strongest(found), shown.class_names) if found else _no_classes()
        pictures = filter_parts.top(shown, index, fields)
    except (data.NotReady, CutawayError) as error:
        now = data.mark(data.line_of(error))
        if now == before:
            return (no_update,) * 8
        box = data.boxed(error, "The filter")
        return now, "", box, empty_figure("Nothing to show yet."), "Activation by class", None, None, "#"
    facts = filter_parts.facts(shown, index, similar, weights, scheme)
    title = "Activation by class" if shown.grouping == "label" else "Activation by predicted class"
    if len(found) > len(strongest(found)):
        title += f": the {len(strongest(found))} of {len(found):,} with the largest mean"
    href = data.export("filter.csv", _with_filter(shown, index), "filter")
    return now, subtitle(shown, index), pictures, figure, title, facts, steps(shown, index), href


def filter_shown(shown: data.Frame) -> int:
    """The chosen filter, else the first of several, else the one with the largest activation.

    Raises NotReady for one that is not there.
    """
    chosen = data.filter_of(shown)
    if chosen is not None:
        return chosen
    several = [index for index in shown.selection.filters if index < shown.layer.filters]
    if several:
        return several[0]
    values = evidence.statistics(shown).maximum
    return int(np.nanargmax(np.where(np.isfinite(values), values, -1.0))) if len(values) else 0


def subtitle(shown: data.Frame, index: int) -> str:
    """'Filter 3 of conv1 · 1,000 instances'."""
    word = data.noun(shown.layer, 1, capital=True)
    text = f"{word} {index} of {data.called(shown.layer)} · {shown.count}"
    if shown.selection.filter is not None:
        return text
    return text + (
        " · the first of several" if shown.selection.filters else " · the strongest; click a cell for another"
    )


def steps(shown: data.Frame, index: int) -> list[Any]:
    """Buttons to the filters beside this one."""
    last = shown.layer.filters - 1
    word = data.noun(shown.layer, 1)
    found = []
    for sign, other, name in (("←", index - 1, "Previous"), ("→", index + 1, "Next")):
        place = json.dumps({"layer": shown.layer.key, "filter": min(max(other, 0), last)})
        more = attributes({"data-nav": place, "aria-label": f"{name} {word}"})
        found.append(
            html.Button(sign, className="outline-button", type="button", disabled=not 0 <= other <= last, **more)
        )
    place = json.dumps({"view": "attribution", "explain": "unit", "layer": shown.layer.key, "filter": index})
    more = attributes({"data-nav": place, "title": f"What in an instance drives this {word}: the Attribution view"})
    return [
        *found,
        html.Button("Explain", type="button", className="outline-button", **more),
        html.Span(f"{index} (0 to {last:,})", className="control-label", **attributes({"data-filters": str(last + 1)})),
    ]


def _no_classes() -> dict[str, Any]:
    return empty_figure("No instance of this sample has a class.")


def _with_filter(shown: data.Frame, index: int) -> data.Frame:
    return replace(shown, selection=shown.selection.with_(filter=index))


def _weights(shown: data.Frame) -> Answer | None:
    """The layer's weights, where they are pictures: of the first convolution on an image."""
    if not weights_are_pictures(shown):
        return None
    return evidence.asked(shown, "weights", layer=shown.layer.key).answer


def weights_are_pictures(shown: data.Frame) -> bool:
    """Whether the layer is the first convolution on an image of one or three channels."""
    first = min((info for info in shown.layers if info.kind == "conv"), key=lambda info: info.order, default=None)
    shape = (shown.description.get("input") or {}).get("shape") or []
    channels = shape[-3] if len(shape) >= 3 else None
    return shown.extraction.kind == "image" and first == shown.layer and channels in (1, 3)
