"""The input map panel: what a layer is given, patch by patch, and which of it no filter detects."""

from __future__ import annotations

from typing import Any

import dash
import dash_mantine_components as dmc
from dash import ClientsideFunction, Input, Output, State, dcc, html, no_update

from analysis.errors import CutawayError
from dashboard.views.layers import data, input_data, input_side, scatter
from dashboard.views.layers.asking import ask_if_ready, mark_of
from dashboard.views.layers.input_figures import RIGHT, WRONG, input_figure
from dashboard.widgets import panel as parts
from dashboard.widgets.attributes import attributes
from dashboard.widgets.choosing import segmented
from dashboard.widgets.states import empty_figure

OUTPUTS = 10
COLOURS = (
    ("label", "label"),
    ("prediction", "prediction"),
    ("correct", "right or wrong"),
    ("filter", "chosen filter"),
    ("filters", "lassoed filters"),
    ("max", "strongest of all filters"),
)
ABOUT = parts.About(
    what="A point per patch: one position of the layer in one instance, placed by what the layer is given there (its "
    "input under the filter), not by what it answers. Rings mark the patches that the layer detects least. Pull a "
    "lasso for the patches themselves; embed a selection anew for its finer structure.",
    how="2,048 patches of the sample at random positions. PCA at once; UMAP of the first 50 components when it is "
    "ready, with a fixed seed. Trustworthiness: 1 when the neighbours in the map are neighbours in the data. Detected "
    "least: the lowest share of patches by their strongest answer, each filter measured on its own spread.",
    formula="score(p) = max_i (f_i(p) - mean f_i) / sd f_i; its share: of a class among the marked patches, over that "
    "among all",
    source="Pezzotti et al., DeepEyes, IEEE VIS 2017 (which uses HSNE); McInnes et al., UMAP, 2018; Venna and Kaski, "
    "Neural Networks 2006 (trustworthiness).",
)


def panel() -> html.Section:
    """The map and, beside it, the lassoed or undetected patches."""
    return parts.panel(
        "input-map",
        "Input map",
        [
            dcc.Store(id="input-mark"),
            dcc.Store(id="input-ready"),
            html.Div(id="input-state"),
            html.Div(
                [
                    html.Div(
                        [
                            parts.graph("input-map", 470, "A point per patch of the layer's input"),
                            html.Div(id="input-legend", className="map-legend"),
                        ]
                    ),
                    html.Div(id="input-side", className="map-side"),
                ],
                id="input-body",
                className="map-columns",
            ),
        ],
        about=ABOUT,
        controls=_controls(),
        exports=[("Patches (CSV)", "input-map-csv")],
        span=12,
    )


def _controls() -> list[Any]:
    colour = dmc.Select(
        id="ctl-color",
        data=[{"value": value, "label": text} for value, text in COLOURS],
        value="label",
        allowDeselect=False,
        size="xs",
        w=170,
        **attributes({"aria-label": "Colour of the points"}),
    )
    slider = dmc.Slider(
        id="ctl-undetected",
        min=0,
        max=0.5,
        step=0.01,
        value=0.1,
        size="xs",
        updatemode="mouseup",
        thumbLabel="Share of patches marked as undetected",
        restrictToMarks=False,
    )
    return [
        segmented("ctl-embed", "Place by", [("pca", "PCA"), ("umap", "UMAP")], "pca"),
        html.Div([html.Span("Colour", className="control-label"), colour], className="control"),
        html.Div(
            [
                html.Span("Detected least", className="control-label"),
                html.Div(slider, className="map-slider"),
                html.Span("10 %", id="input-share", className="control-label"),
            ],
            className="control",
        ),
        segmented("input-drag", "Drag", [("lasso", "lasso"), ("zoom", "zoom")], "lasso"),
    ]


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel."""
    app.callback(
        Output("input-mark", "data"),
        Output("input-map", "figure"),
        Output("input-map-subtitle", "children"),
        Output("input-state", "children"),
        Output("input-body", "hidden"),
        Output("input-legend", "children"),
        Output("input-side", "children"),
        Output("input-share", "children"),
        Output("input-ready", "data"),
        Output("input-map-csv", "href"),
        Input("sel-view", "data"),
        Input("sel-layer", "data"),
        Input("sel-filter", "data"),
        Input("sel-filters", "data"),
        Input("sel-instance", "data"),
        Input("sel-map", "data"),
        Input("sel-lasso", "data"),
        Input("sel-drill", "data"),
        Input("sel-sample", "data"),
        Input("sel-checkpoint", "data"),
        Input("sel-runs", "data"),
        Input("scheme", "data"),
        Input("pulse-answers", "data"),
        State("input-drag", "value"),
        State("input-mark", "data"),
        State("url", "data"),
    )(draw_input)
    _register_moves(app)


def _register_moves(app: dash.Dash) -> None:
    app.clientside_callback(
        ClientsideFunction("layers", "lasso"),
        Input("input-map", "selectedData"),
        State("input-ready", "data"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("layers", "pickPatch"), Input("input-map", "clickData"), prevent_initial_call=True
    )
    app.clientside_callback(
        ClientsideFunction("layers", "drag"),
        Input("input-drag", "value"),
        State("input-ready", "data"),
        State("input-map", "id"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("layers", "keepLasso"), Input("input-map", "figure"), State("input-map", "id")
    )
    app.clientside_callback(
        ClientsideFunction("selection", "intent"),
        *[Input(f"ctl-{name}", "value") for name in ("embed", "color", "undetected")],
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("selection", "follow"),
        *[Output(f"ctl-{name}", "value") for name in ("embed", "color", "undetected")],
        Input("sel-map", "data"),
    )


def draw_input(
    _view: Any,
    _layer: Any,
    _filter: Any,
    _filters: Any,
    _instance: Any,
    _map: Any,
    _lasso: Any,
    _drill: Any,
    _sample: Any,
    _checkpoint: Any,
    _runs: Any,
    scheme: Any,
    _pulse: Any,
    drag: Any,
    before: Any,
    search: str | None,
) -> tuple[Any, ...]:
    """The map, the line above it, and the patches beside it."""
    if not data.is_shown(search):
        return (no_update,) * OUTPUTS
    scheme = "dark" if scheme == "dark" else "light"
    try:
        shown = data.frame(search)
        found = input_data.load(shown)
        fields = ask_if_ready(shown, "receptive_fields", "Receptive fields")
    except (data.NotReady, CutawayError) as error:
        now = mark_of(error)
        if now == before:
            return (no_update,) * OUTPUTS
        obstacle = [data.boxed(error, "The input map"), _back(error)]
        return now, empty_figure(""), "", obstacle, True, None, None, no_update, False, "#"
    chosen = shown.selection
    used = (chosen.filter if chosen.color == "filter" else None, chosen.filters if chosen.color == "filters" else ())
    now = data.mark(
        found.embedding,
        chosen.color,
        used,
        chosen.undetected,
        chosen.lasso,
        chosen.drill,
        chosen.instances[:1],
        scheme,
        fields.key if fields else "",
        shown.key,
    )
    if now == before:
        return (no_update,) * OUTPUTS
    values, values_name = (
        (None, "") if chosen.color in ("label", "prediction", "correct") else input_data.activation(shown, found)
    )
    figure = input_figure(
        found,
        color=chosen.color,
        name=shown.class_name,
        values=values,
        values_name=values_name,
        outline=chosen.lasso if found.waiting is None else (),
        chosen=chosen.instances[0] if chosen.instances else None,
        scheme=scheme,
        drag="zoom" if drag == "zoom" else "lasso",
    )
    box = found.waiting.box if found.waiting is not None else None
    legend = legend_of(shown, found, values is None, values_name)
    side = input_side.side(shown, found, fields)
    href = data.export("patches.csv", shown, "embed", "drill", "undetected", "lasso")
    share = f"{100 * chosen.undetected:.0f} %"
    return now, figure, subtitle(shown, found), box, False, legend, side, share, found.waiting is None, href


def _back(error: Exception) -> Any:
    if not isinstance(error, input_data.TooFew):
        return None
    nav = attributes({"data-nav": '{"drill": null}'})
    return html.Button("Back to the whole map", type="button", className="bar-button", **nav)


def subtitle(shown: data.Frame, found: input_data.InputMap) -> str:
    """'conv2 · 2,048 patches of 997 instances · PCA, 34 % of the variance'."""
    count = len(found.rows)
    text = f"{data.called(shown.layer)} · {count:,} patches of {len(set(found.instances.tolist())):,} instances"
    broken = int(found.answer.json.get("nonfinite") or 0)
    text += f" · {broken:,} not finite" if broken else ""
    if shown.selection.drill and found.waiting is None:
        text += f" · selection of {len(found.answer.array('instance')):,}"
    if found.method == "umap":
        said = found.quality
        text += f" · UMAP, trustworthiness {data.finite(said.get('trustworthiness'), 3)}"
        if said.get("pca_trustworthiness") is not None:
            text += f" (PCA {data.finite(said['pca_trustworthiness'], 3)})"
        text += f" · {said.get('n_neighbors', '?')} neighbours"
    else:
        shares = [float(value) for value in list(found.quality.get("variance") or [])[:2]]
        text += f" · PCA, {100 * sum(shares):.0f} % of the variance" if shares else " · PCA"
        text += " until UMAP is ready" if found.waiting is not None and found.waiting.waiting else ""
    return text


def legend_of(shown: data.Frame, found: input_data.InputMap, empty: bool, values_name: str) -> list[Any]:
    """What colours, shapes and rings mean."""
    color = shown.selection.color
    if color in ("label", "prediction"):
        groups = scatter.groups(found.labels if color == "label" else found.predictions)
        items = scatter.legend(groups, shown.class_name, color.capitalize())
    elif color == "correct":
        known = found.labels >= 0
        right = int((known & (found.labels == found.predictions)).sum())
        items = [
            html.Span([html.Span("● ", style={"color": RIGHT}), f"right ({right:,})"]),
            html.Span([html.Span("✕ ", style={"color": WRONG}), f"wrong ({int(known.sum()) - right:,})"]),
        ]
        if not known.all():
            items.append(html.Span(f"○ no label ({int((~known).sum()):,})"))
    else:
        items = [html.Span(f"{values_name}: nothing to colour by yet." if empty else f"Activation of {values_name}")]
    if found.marked.any():
        items.append(html.Span(f"◯ detected least ({int(found.marked.sum()):,})"))
    if shown.selection.instances:
        items.append(
            html.Span([html.Span("□ ", style={"color": "#d9822b"}), f"instance {shown.selection.instances[0]}"])
        )
    return items
