"""The filter map panel: which filters answer to the same patches, and to which label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dash
import numpy as np
from dash import ClientsideFunction, Input, Output, State, dcc, html, no_update

from analysis.errors import CutawayError
from analysis.results import Answer
from dashboard.views.layers import data, scatter
from dashboard.views.layers.asking import ask, mark_of
from dashboard.views.layers.filter_map_figures import FilterMap, filter_map_figure, placed
from dashboard.widgets import panel as parts
from dashboard.widgets.attributes import attributes
from dashboard.widgets.class_marks import class_mark
from dashboard.widgets.states import empty_figure

OUTPUTS = 9
LISTED = 24  # lassoed filters named one by one
PER_LABEL = 10
ABOUT = parts.About(
    what="A point per filter. Filters that answer to the same patches lie close together. Colour and shape: the label "
    "answered to most; the larger a point, the fewer labels it answers to. Crosses are silent filters. A click chooses "
    "a filter, a lasso several.",
    how="Similarity over the patches of the input map; the places keep dissimilar filters apart as well as two "
    "dimensions allow. A filter's tally sums its activation by label.",
    formula="phi_ij = sum_p min(f_i, f_j) / sum_p max(f_i, f_j); t_i[label] += f_i(p); size falls with the perplexity "
    "of t_i",
    source="Pezzotti et al., DeepEyes: Progressive Visual Analytics for Designing Deep Neural Networks, IEEE VIS 2017",
)


def panel() -> html.Section:
    """The map, its legend, and what was lassoed."""
    return parts.panel(
        "filter-map",
        "Filter map",
        [
            dcc.Store(id="fmap-mark"),
            dcc.Store(id="fmap-layer"),
            html.Div(id="fmap-state"),
            html.Div(
                [
                    html.Div(
                        [
                            parts.graph("filter-map", 420, "A point per filter of the layer"),
                            html.Div(id="fmap-legend", className="map-legend"),
                        ]
                    ),
                    html.Div(id="fmap-side", className="map-side"),
                ],
                id="fmap-body",
                className="map-columns",
            ),
        ],
        about=ABOUT,
        exports=[("Filters (CSV)", "filter-map-csv")],
        span=12,
    )


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel."""
    app.callback(
        Output("fmap-mark", "data"),
        Output("filter-map", "figure"),
        Output("filter-map-subtitle", "children"),
        Output("fmap-state", "children"),
        Output("fmap-body", "hidden"),
        Output("fmap-legend", "children"),
        Output("fmap-side", "children"),
        Output("fmap-layer", "data"),
        Output("filter-map-csv", "href"),
        Input("sel-view", "data"),
        Input("sel-layer", "data"),
        Input("sel-filter", "data"),
        Input("sel-filters", "data"),
        Input("sel-map", "data"),
        Input("sel-sample", "data"),
        Input("sel-checkpoint", "data"),
        Input("sel-runs", "data"),
        Input("pulse-answers", "data"),
        State("fmap-mark", "data"),
        State("url", "data"),
    )(draw_filter_map)
    app.clientside_callback(
        ClientsideFunction("layers", "pickFilter"),
        Input("filter-map", "clickData"),
        State("fmap-layer", "data"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("layers", "lassoFilters"),
        Input("filter-map", "selectedData"),
        State("fmap-layer", "data"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("layers", "keepLasso"), Input("filter-map", "figure"), State("filter-map", "id")
    )


def draw_filter_map(
    _view: Any,
    _layer: Any,
    _filter: Any,
    _filters: Any,
    _map: Any,
    _sample: Any,
    _checkpoint: Any,
    _runs: Any,
    _pulse: Any,
    before: Any,
    search: str | None,
) -> tuple[Any, ...]:
    """The map of the layer shown, the line above it, and the filters that were lassoed."""
    if not data.is_shown(search):
        return (no_update,) * OUTPUTS
    try:
        shown = data.frame(search)
        what = f"Filter map of {data.called(shown.layer)}"
        answer = ask(shown, "filter_map", what, layer=shown.layer.key, count=data.PATCHES)
    except (data.NotReady, CutawayError) as error:
        now = mark_of(error)
        if now == before:
            return (no_update,) * OUTPUTS
        return now, empty_figure(""), "", data.boxed(error, "The filter map"), True, None, None, None, "#"
    several = tuple(number for number in shown.selection.filters if number < shown.layer.filters)
    now = data.mark(answer.key, shown.key, shown.selection.filter, several, shown.selection.color)
    if now == before:
        return (no_update,) * OUTPUTS
    found, lost = load(shown, answer)
    figure = filter_map_figure(
        found,
        word=data.noun(shown.layer, 1),
        name=shown.class_name,
        chosen=shown.selection.filter,
        several=several,
    )
    legend, side = legend_of(found, lost), [*chosen_filters(shown, several), *by_label(shown, found)]
    href = data.export("filter-map.csv", shown)
    return now, figure, subtitle(shown, found, several), None, False, legend, side, shown.layer.key, href


def load(shown: data.Frame, answer: Answer) -> tuple[FilterMap, int]:
    """The map as the figure takes it, and how many filters have no place of their own in it."""
    xy, lost = placed(answer.array("xy"))
    tally, total = np.asarray(answer.array("tally"), np.float64), np.asarray(answer.array("tally_total"), np.float64)
    labels = np.asarray(answer.array("tally_labels"), np.int64)
    silent = np.asarray(answer.array("silent"), bool)
    known = bool(labels.shape[1]) if labels.ndim == 2 else False
    top = np.where(silent | (total <= 0), -1, labels[:, 0]) if known else np.full(len(xy), -1)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = tally[:, 0] / total if known else np.full(len(xy), np.nan)
    perplexity = np.asarray(answer.array("tally_perplexity"), np.float64)
    values = np.asarray(shown.extraction.maximum(shown.layer.key))
    maximum = np.where(np.isfinite(values), values, -np.inf).max(0, initial=-np.inf)
    return FilterMap(xy, top, share, perplexity, silent, maximum, len(shown.class_names)), lost


def subtitle(shown: data.Frame, found: FilterMap, several: tuple[int, ...]) -> str:
    """'conv2 · 50 filters · 2 silent · 5 lassoed'."""
    count = len(found.xy)
    text = f"{data.called(shown.layer)} · {count:,} {data.noun(shown.layer, count)}"
    silent = int(found.silent.sum())
    text += f" · {silent:,} silent" if silent else ""
    return text + (f" · {len(several):,} lassoed" if several else "")


def legend_of(found: FilterMap, lost: int) -> list[Any]:
    """What size and crosses mean; colours and shapes are in the table of labels beside the map."""
    labelled = bool((found.top >= 0).any())
    items: list[Any] = [
        html.Span("Colour and shape: the label answered to most; larger: to fewer labels.")
        if labelled
        else html.Span("No labels: colours say nothing.")
    ]
    if found.silent.any():
        items.append(html.Span(f"× silent ({int(found.silent.sum()):,})"))
    if lost:
        items.append(html.Span(f"the row below has no place of its own ({lost:,})"))
    return items


def chosen_filters(shown: data.Frame, several: tuple[int, ...]) -> list[Any]:
    """The lassoed filters, and what can be done with them."""
    word = data.noun(shown.layer, len(several) or 2)
    if not several:
        return [html.P(f"Pull a lasso around {word} to see their activation in the input map.", className="quiet")]
    by_these = shown.selection.color == "filters"
    text = "Colour the input map by label" if by_these else "Colour the input map by these"
    colour = attributes({"data-nav": '{"color": null}' if by_these else '{"color": "filters"}'})
    clear = attributes({"data-nav": '{"filters": null}', "aria-label": "Clear the lassoed filters"})
    return [
        html.H3("Lasso"),
        html.P([f"{len(several):,} {word}: ", *_links(shown, several, LISTED)]),
        html.Div(
            [
                html.Button(text, type="button", className="bar-button", **colour),
                html.Button("Clear", type="button", className="bar-button", **clear),
            ],
            className="map-actions",
        ),
    ]


def by_label(shown: data.Frame, found: FilterMap) -> list[Any]:
    """For every label the filters that answer to it most, the most specific first; then the silent ones."""
    word = data.noun(shown.layer, 2)
    groups = [group for group in scatter.groups(np.where(found.silent, -2, found.top)) if group.label not in (-1, -2)]
    rows = []
    for group in sorted(groups, key=lambda group: group.label is None):
        order = np.argsort(np.nan_to_num(found.perplexity[group.rows], nan=np.inf), kind="stable")
        numbers = group.rows[order].tolist()
        name: Any = "other classes"
        if group.label is not None:
            name = [class_mark(group.label), shown.class_name(group.label)[:32]]
        cells = [html.Td(f"{len(numbers):,}"), html.Td(_links(shown, numbers, PER_LABEL), className="wide")]
        rows.append(html.Tr([html.Th(name, scope="row"), *cells]))
    silent = np.flatnonzero(found.silent).tolist()
    if silent:
        cells = [html.Td(f"{len(silent):,}"), html.Td(_links(shown, silent, PER_LABEL), className="wide")]
        rows.append(html.Tr([html.Th("× silent", scope="row"), *cells]))
    if not rows:
        return []
    heads = ("label", word, "most specific first")
    head = html.Thead(html.Tr([html.Th(text, scope="col") for text in heads]))
    return [html.H3(f"{word.capitalize()} by label"), html.Table([head, html.Tbody(rows)], className="map-table named")]


def _links(shown: data.Frame, numbers: Sequence[int], most: int) -> list[Any]:
    """Filters as links, as many as fit."""
    found: list[Any] = []
    for number in numbers[:most]:
        label = f"{data.noun(shown.layer, 1, capital=True)} {number}"
        nav = attributes({"data-nav": f'{{"filter": {number}}}', "aria-label": label})
        found += [html.Button(str(number), type="button", className="link", **nav), " "]
    rest = len(numbers) - most
    return [*found, f"and {rest:,} more"] if rest > 0 else found
