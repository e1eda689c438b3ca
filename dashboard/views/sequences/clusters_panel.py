"""Words and units: co-clusters of words and units with their links, and what they are worth."""

from __future__ import annotations

import json
from typing import Any

import dash
import dash_mantine_components as dmc
import numpy as np
from dash import ClientsideFunction, Input, Output, State, dcc, html, no_update

from analysis.errors import CutawayError
from analysis.results import Answer
from dashboard import asking
from dashboard.selection import Selection
from dashboard.views.sequences import about, clusters_payload, clusters_worth, data, exporting
from dashboard.views.sequences.clusters_list import listing
from dashboard.widgets import panel as parts

NAME = "sq-clusters"
OUTPUTS = 11
MOST_TOLD = 6  # words that the sample does not hold and that are named
COLOURS = (("class", "class association"), ("label", "label"), ("pos", "part of speech"), ("cluster", "cluster"))
LOOK = ("ctl-scolor", "ctl-slinks", "ctl-sclip")


def panel() -> html.Section:
    """The panel; ``draw_clusters`` brings its numbers, assets/sequences.js draws them."""
    return parts.panel(
        NAME,
        "Words and units",
        [
            dcc.Store(id="sq-clusters-mark"),
            # Read by assets/sequences.js as they change.
            html.Div(id="sq-clusters-data", hidden=True),
            html.Div(id="sq-clusters-chosen", hidden=True),
            html.Div(html.P("Reading …", className="quiet"), id="sq-clusters-state", className="sq-state"),
            html.Div(
                [
                    html.Div(id="sq-clusters-picture", className="sq-picture"),
                    html.P(id="sq-clusters-told", className="sq-told"),
                    html.Div(id="sq-clusters-legend", className="sq-legend"),
                    html.Div(id="sq-clusters-worth"),
                    html.Div(id="sq-clusters-list"),
                ],
                id="sq-clusters-box",
                className="sq-clusters",
                hidden=True,
            ),
        ],
        about=about.CLUSTERS,
        controls=_controls(),
        exports=[
            ("Clusters (CSV)", "sq-clusters-clusters-csv"),
            ("Responses (CSV)", "sq-clusters-responses-csv"),
            ("Both (npz)", "sq-clusters-clusters-npz"),
        ],
        picture=False,
        span=12,
    )


def _controls() -> list[Any]:
    colour = dmc.Select(
        id="ctl-scolor",
        data=[{"value": key, "label": text} for key, text in COLOURS],
        value="class",
        allowDeselect=False,
        size="xs",
        w=150,
    )
    return [
        html.Label([html.Span("Colour of words", className="control-label"), colour], className="control"),
        _slider("Weakest link drawn", "ctl-slinks", 0, 1, 0.05, 0.3, "Share of the strongest link", "drag"),
        _slider("Full colour of units at", "ctl-sclip", 50, 100, 1, 99, "Percentile of all responses", "mouseup"),
    ]


def _slider(
    text: str, name: str, low: float, high: float, step: float, value: float, label: str, mode: str
) -> html.Div:
    slider = dmc.Slider(
        id=name,
        min=low,
        max=high,
        step=step,
        value=value,
        size="xs",
        updatemode=mode,
        restrictToMarks=False,
        thumbLabel=label,
    )
    said = html.Span(id=f"{name}-text", className="quiet")
    return html.Div([html.Span(text, className="control-label"), slider, said], className="sq-slider")


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel."""
    app.callback(
        Output("sq-clusters-mark", "data"),
        Output("sq-clusters-subtitle", "children"),
        Output("sq-clusters-state", "children"),
        Output("sq-clusters-box", "hidden"),
        Output("sq-clusters-data", "children"),
        Output("sq-clusters-worth", "children"),
        Output("sq-clusters-list", "children"),
        Output("ctl-scolor", "data"),
        Output("sq-clusters-clusters-csv", "href"),
        Output("sq-clusters-responses-csv", "href"),
        Output("sq-clusters-clusters-npz", "href"),
        Input("sel-view", "data"),
        Input("sel-layer", "data"),
        Input("sel-states", "data"),
        Input("sel-cocluster", "data"),
        Input("sel-sample", "data"),
        Input("sel-checkpoint", "data"),
        Input("sel-runs", "data"),
        Input("pulse-answers", "data"),
        State("sq-clusters-mark", "data"),
        State("url", "data"),
    )(draw_clusters)
    app.callback(
        Output("sq-clusters-chosen", "children"),
        Input("sel-word", "data"),
        Input("sq-clusters-mark", "data"),
        State("url", "data"),
    )(draw_chosen)
    _register_moves(app)


def _register_moves(app: dash.Dash) -> None:
    """How it looks is decided in the page: no slider waits for the server."""
    app.clientside_callback(
        ClientsideFunction("sequences", "paint"),
        Output("sq-clusters-picture", "data-painted"),
        *[Input(f"sel-{name}", "data") for name in ("wordlook", "word", "cluster", "filter", "layer")],
    )
    app.clientside_callback(
        ClientsideFunction("selection", "intent"), *[Input(name, "value") for name in LOOK], prevent_initial_call=True
    )
    app.clientside_callback(
        ClientsideFunction("selection", "follow"),
        [Output(name, "value") for name in LOOK],
        Input("sel-wordlook", "data"),
    )
    app.clientside_callback(
        ClientsideFunction("sequences", "texts"),
        Output("ctl-slinks-text", "children"),
        Output("ctl-sclip-text", "children"),
        Input("ctl-slinks", "value"),
        Input("ctl-sclip", "value"),
    )


def draw_clusters(*given: Any) -> tuple[Any, ...]:
    """The picture, its list and its worth. given: as ``register`` lists them."""
    before, search = given[8], given[9]
    if not data.is_shown(search):
        return (no_update,) * OUTPUTS
    try:
        shown = data.frame(search)
        responses, found = _answers(shown)
        mark = asking.mark(responses.key, found.key, shown.pos, shown.selection.layer == shown.layer)
        if mark == before:
            return (no_update,) * OUTPUTS
        drawn = as_text(clusters_payload.payload(shown, responses, found))
    except (data.NotReady, CutawayError) as error:
        mark = asking.mark_of(error)
        if mark == before:
            return (no_update,) * OUTPUTS
        box = asking.boxed(error, "Words and units")
        return mark, "", box, True, None, None, None, no_update, "#", "#", "#"
    return (
        mark,
        subtitle(shown, responses, found),
        None,
        False,
        drawn,
        clusters_worth.worth(found.json),
        listing(shown, responses, found),
        colours(shown),
        exporting.address("clusters.csv", responses, found),
        exporting.address("responses.csv", responses),
        exporting.address("clusters.npz", responses, found),
    )


def _answers(shown: data.Frame) -> tuple[Answer, Answer]:
    """Responses and clusters of them. Raises Pending and errors, of the clusters while both are on their way: what they
    are made of is found on the way to them."""
    found = data.clusters(shown)
    return data.responses(shown), found


def subtitle(shown: data.Frame, responses: Answer, found: Answer) -> str:
    """'96 units · 5 clusters (suggested) · 812 of 3,214 words · 24,100 steps of 1,000 sequences · step-400'."""
    said, all_words = found.json, len(responses.json["names"])
    k = f"{said['k']} clusters" + (
        " (suggested)" if said["k"] == said["suggested"] else f" ({said['suggested']} suggested)"
    )
    out = said["left_out"]
    left = [(out["rare"], "too rare"), (out["weak"], "too weak"), (out["beyond"], "beyond the most frequent")]
    told = ", ".join(f"{count:,} {why}" for count, why in left if count)
    pieces = [
        f"{shown.units:,} units",
        k,
        f"{said['words']:,} of {all_words:,} words" + (f" ({told})" if told else ""),
        f"{responses.json['steps']:,} steps of {responses.json['sequences']:,} sequences",
    ]
    if shown.selection.checkpoint:
        pieces.append(shown.selection.checkpoint)
    return " · ".join(pieces)


def colours(shown: data.Frame) -> list[dict[str, Any]]:
    """What words can be coloured by; the part of speech greyed where it is not known."""
    return [
        {
            "value": key,
            "label": text + (" (not known)" if key == "pos" and shown.pos else ""),
            "disabled": key == "pos" and bool(shown.pos),
        }
        for key, text in COLOURS
    ]


def draw_chosen(_word: Any, _mark: Any, search: str | None) -> Any:
    """Responses to the words chosen, as JSON: {'ids', 'names', 'rows': [[U]], 'missing': those the sample lacks}."""
    if not data.is_shown(search):
        return no_update
    chosen = Selection.parse(search).word
    if not chosen:
        return None
    try:
        responses = data.responses(data.frame(search))
    except (data.NotReady, CutawayError):
        return None  # the panel says why
    means, names, ids = responses.array("mean"), responses.json["names"], np.asarray(responses.array("id"))
    place = {int(number): row for row, number in enumerate(ids)}
    rows = [place[number] for number in chosen if number in place]
    value = {
        "ids": list(chosen),
        "names": [data.written(str(names[row]), clusters_payload.MOST_NAME) for row in rows],
        "rows": [clusters_payload.short(means[row]) for row in rows],
        "missing": [number for number in chosen if number not in place][:MOST_TOLD],
    }
    return as_text(value)


def as_text(value: dict[str, Any]) -> str:
    """A payload as text of the page."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False)
