"""Similar instances: the nearest ones in a layer's activations, with what the model makes of them."""

from __future__ import annotations

import json
from typing import Any

import dash
import dash_mantine_components as dmc
from dash import ClientsideFunction, Input, Output, State, dcc, html, no_update

from analysis.attribution.neighbours import neighbours
from analysis.errors import CutawayError, NotFound
from analysis.extraction.reader import Extraction
from dashboard import asking, services
from dashboard.views.attribution import data, obstacles, subset_parts, thumbs
from dashboard.views.attribution.about_more import NEIGHBOURS
from dashboard.widgets import panel as parts
from dashboard.widgets.attributes import attributes
from dashboard.wording import finite

NAME = "at-neighbours"
SHOWN = 12
NARROW = 2  # filters
OUTPUTS = 6


def panel() -> html.Section:
    """The panel; its numbers come from ``draw_neighbours``."""
    picker = dmc.Select(
        id="at-neighbours-layer",
        data=[],
        size="xs",
        w=180,
        searchable=True,
        **attributes({"aria-label": "In the layer"}),
    )
    return parts.panel(
        NAME,
        "Similar instances",
        [dcc.Store(id="at-neighbours-mark"), html.Div(id="at-neighbours-body")],
        about=NEIGHBOURS,
        controls=[html.Label([html.Span("In the layer", className="control-label"), picker], className="control")],
        picture=False,
        span=6,
    )


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel."""
    app.callback(
        Output("at-neighbours-mark", "data"),
        Output("at-neighbours-subtitle", "children"),
        Output("at-neighbours-body", "children"),
        Output("at-neighbours-layer", "data"),
        Output("at-neighbours-layer", "value"),
        Output("at-neighbours-layer", "disabled"),
        Input("sel-view", "data"),
        Input("sel-instance", "data"),
        Input("sel-explain", "data"),
        Input("sel-layer", "data"),
        Input("sel-filter", "data"),
        Input("sel-order", "data"),
        Input("sel-sample", "data"),
        Input("sel-checkpoint", "data"),
        Input("sel-runs", "data"),
        Input("pulse-answers", "data"),
        State("at-neighbours-mark", "data"),
        State("url", "data"),
    )(draw_neighbours)
    app.clientside_callback(
        ClientsideFunction("attributionMore", "layer"),
        Input("at-neighbours-layer", "value"),
        State("at-neighbours-mark", "data"),
        prevent_initial_call=True,
    )


def draw_neighbours(*given: Any) -> tuple[Any, ...]:
    """The nearest neighbours of the instance shown. given: as ``register`` lists them."""
    before, search = given[10], given[11]
    if not data.is_shown(search):
        return (no_update,) * OUTPUTS
    options: list[dict[str, str]] = []
    layer: str | None = None
    try:
        shown = data.frame(search)
        found = _sample(shown)
        options = [{"value": info.key, "label": info.key} for info in found.layers]
        layer = layer_of(shown, found)
        drawn = asking.mark(str(found.directory), found.done, shown.instance, layer)
        now: dict[str, Any] = {"layer": layer, "mark": drawn}
        if before == now:
            return (no_update,) * OUTPUTS
        close = services.current().memo.get(
            ("at-neighbours", drawn), lambda: neighbours(found, shown.instance, str(layer), k=SHOWN)
        )
    except (asking.NotReady, CutawayError) as error:
        now = {"layer": layer, "mark": asking.mark_of(error)}
        if before == now:
            return (no_update,) * OUTPUTS
        return now, "", [obstacles.box(error, "Similar instances"), _include(error, search)], options, layer, False
    fixed = bool(shown.unit)  # the layer is that of the unit explained
    return now, subtitle(close), body(shown, found, close), options, layer, fixed


def _sample(shown: data.Frame) -> Extraction:
    if shown.extraction is None:
        raise asking.NotReady("Similar instances", "The activations of the sample are being read.", waiting=True)
    if not shown.extraction.layers:
        raise asking.NotReady("Similar instances", "None of the model's layers can be read.")
    return shown.extraction


def layer_of(shown: data.Frame, found: Extraction) -> str:
    """The chosen layer if it has activations, else the last one of some width before the output."""
    keys = [info.key for info in found.layers]
    if shown.selection.layer in keys:
        return str(shown.selection.layer)
    # A gate of one or two units, such as a weight of attention, describes next to nothing.
    hidden = [info for info in found.layers if not info.output]
    wide = [info.key for info in hidden if info.filters > NARROW] or [info.key for info in hidden]
    return wide[-1] if wide else keys[-1]


def _include(error: Exception, search: object) -> Any:
    """A button that takes the instance into the sample, where that is what is missing."""
    selection = data.Selection.parse(search)
    if not isinstance(error, NotFound) or not selection.instances:
        return None
    wanted = sorted({*selection.include, selection.instances[0]})
    nav = {"data-nav": json.dumps({"include": ",".join(map(str, wanted))})}
    text = f"Always include instance {selection.instances[0]:,}"
    return html.Button(text, type="button", className="outline-button", **attributes(nav))


def subtitle(close: dict[str, Any]) -> str:
    """'instance 12 · fc1 · 12 nearest of 999 in the sample · cosine distance'."""
    count = len(close["neighbours"])
    measure = f" · {close.get('metric', 'cosine')} distance" if count else ""
    where = f"instance {close['instance']:,} · {close['layer']}"
    return f"{where} · {count} nearest of {close['rows']:,} in the sample{measure}"


def agreement_line(shown: data.Frame, close: dict[str, Any]) -> str:
    """How many of the neighbours share the instance's label, and what that says beside its prediction."""
    count = len(close["neighbours"])
    same, guess = close["agreement"], close["predicted"]
    label, prediction = close["label"], close["prediction"]
    if not count:
        return "There is no other instance to compare with."
    if guess is None:
        return "The neighbours have no labels."
    text = f"{100 * guess:.0f} % of the neighbours are labelled {shown.class_name(prediction)}, as predicted"
    if same is None or label == prediction:
        text += "" if same is None else " and as labelled"
    else:
        text += f"; {100 * same:.0f} % are labelled {shown.class_name(label)}, as this instance is"
    chance = close["by_chance"]
    if chance is not None:
        text += f" (of all instances {100 * chance:.0f} % are {shown.class_name(label)})"
    return text + f"; n = {count}."


def body(shown: data.Frame, found: Extraction, close: dict[str, Any]) -> list[Any]:
    """The sentence, and a card for each neighbour."""
    listed = close["neighbours"]
    distances = [finite(one["distance"], 2) for one in listed]
    pictures = thumbs.thumbs(found, [one["instance"] for one in listed], shown.description.get("feature_names") or ())
    cards = [
        html.Li(_card(shown, one, distance, picture))
        for one, distance, picture in zip(listed, distances, pictures, strict=True)
    ]
    parts_: list[Any] = [html.P(agreement_line(shown, close)), html.Ul(cards, className=f"at-cards {shown.kind}")]
    if close["unreached"]:
        parts_.append(html.P(f"{close['unreached']:,} instances do not reach {close['layer']}.", className="quiet"))
    return parts_


def _card(shown: data.Frame, one: dict[str, Any], distance: str, picture: Any) -> list[Any]:
    index, label, guess = one["instance"], one["label"], one["prediction"]
    said = f"Instance {index}, {shown.class_name(label)}, predicted {shown.class_name(guess)}"
    nav = attributes({"data-nav": json.dumps({"instances": str(index)}), "aria-label": said})
    right = label < 0 or label == guess
    wrong = f"✗ {shown.class_name(guess)}"
    outcome: list[Any] = [] if right else [html.Span(wrong, className="verdict wrong at-card-class", title=wrong)]
    return [
        html.Button(
            [picture, html.Span(f"#{index}", className="at-card-number")], type="button", className="at-card", **nav
        ),
        subset_parts.class_line(shown, label),
        *outcome,
        html.Span(f"distance {distance}", className="quiet"),
    ]
