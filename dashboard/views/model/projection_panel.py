"""Projection: where a layer puts the instances, as a map with a lasso, and what that map is worth."""

from __future__ import annotations

from typing import Any

import dash
import dash_mantine_components as dmc
import numpy as np
from dash import ClientsideFunction, Input, Output, State, dcc, html, no_update

from analysis.errors import CutawayError
from analysis.neurons.projection_methods import METHODS
from dashboard import asking, members
from dashboard.views.model import data, projection_data, projection_payload, projection_side, projection_words
from dashboard.views.model.about_projection import PROJECTION
from dashboard.widgets import panel as parts
from dashboard.widgets.attributes import attributes
from dashboard.widgets.choosing import segmented

NAME = "md-projection"
OUTPUTS = 9
COLOURS = (
    ("label", "label"),
    ("prediction", "prediction"),
    ("correct", "right or wrong"),
    ("confidence", "confidence"),
    ("neuron", "chosen neuron"),
)
BESIDE = ("index", "label", "prediction", "correct", "confidence")  # columns that are offered already, or say nothing
BESIDE_LISTENED = ("view", "layer", "instance", "projection", "plasso", "sample", "checkpoint", "runs")
LISTENED = ("view", "layer", "filter", "instance", "projection", "plasso", "subset", "sample", "checkpoint", "runs")


def panel() -> html.Section:
    """The map and, beside it, the lasso and the chosen instance."""
    canvas = attributes({"aria-label": "Projection", "aria-describedby": "md-projection-tip"})
    box = html.Div(
        [
            html.Canvas(id="md-projection-canvas", tabIndex=0, role="img", **canvas),
            html.Canvas(id="md-projection-over", **attributes({"aria-hidden": "true"})),
            html.Div(id="md-projection-card", className="pj-card", hidden=True),
            html.Div([_zoom(*each) for each in ZOOMS], className="pj-zoom"),
        ],
        id="md-projection-box",
        className="pj-box",
    )
    left = [
        box,
        html.P(id="md-projection-tip", className="pj-tip", role="status"),
        html.Div(id="md-projection-legend", className="pj-legend"),
    ]
    right = [
        _keep(),
        html.Div(id="md-projection-side", className="pj-side"),
        html.Div(id="md-projection-worth", className="pj-worth"),
    ]
    body = [
        dcc.Store(id="md-projection-mark"),
        dcc.Store(id="md-projection-side-mark"),
        # Read by assets/projection_moves.js as it changes.
        html.Div(id="md-projection-data", hidden=True),
        html.Div(html.P("Reading …", className="quiet"), id="md-projection-state"),
        html.Div(
            [html.Div(left), html.Div(right)],
            id="md-projection-body",
            className="pj-body",
            hidden=True,
        ),
    ]
    return parts.panel(
        NAME,
        "Projection",
        body,
        about=PROJECTION,
        controls=_controls(),
        exports=[("Points (CSV)", "md-projection-csv")],
        picture=True,  # by assets/projection_picture.js
        span=12,
    )


ZOOMS = (("in", "+", "Zoom in"), ("out", "−", "Zoom out"), ("fit", "⤢", "Show all points"))


def _zoom(name: str, sign: str, label: str) -> html.Button:
    return html.Button(
        sign,
        id=f"md-projection-{name}",
        type="button",
        className="bar-button",
        title=label,
        **attributes({"aria-label": label}),
    )


def _controls() -> list[Any]:
    colour = dmc.Select(
        id="ctl-pcolor",
        data=[{"value": key, "label": text} for key, text in COLOURS],
        value="label",
        allowDeselect=False,
        searchable=True,
        size="xs",
        w=180,
        **attributes({"aria-label": "Colour of the points"}),
    )
    return [
        segmented("ctl-pmethod", "Place by", [(method.name, method.title) for method in METHODS], "pca"),
        html.Div([html.Span("Colour", className="control-label"), colour], className="control"),
        segmented("md-projection-drag", "Drag", [("lasso", "lasso"), ("move", "move")], "lasso"),
    ]


def _keep() -> html.Div:
    """The form that keeps a lasso under a name; shown while there is one."""
    name = dmc.TextInput(
        id="md-projection-name",
        placeholder="Name of a subset",
        size="xs",
        w=170,
        **attributes({"aria-label": "Name under which the instances in the lasso are kept"}),
    )
    button = html.Button("Save as subset", id="md-projection-save", type="button", className="bar-button")
    said = html.Div(id="md-projection-saved", role="status")
    return html.Div([name, button, said], id="md-projection-keep", className="pj-keep", hidden=True)


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel."""
    app.callback(
        Output("md-projection-mark", "data"),
        Output("md-projection-data", "children"),
        Output("md-projection-subtitle", "children"),
        Output("md-projection-state", "children"),
        Output("md-projection-body", "hidden"),
        Output("md-projection-legend", "children"),
        Output("md-projection-worth", "children"),
        Output("ctl-pcolor", "data"),
        Output("md-projection-csv", "href"),
        *[Input(f"sel-{name}", "data") for name in LISTENED],
        Input("pulse-answers", "data"),
        State("md-projection-mark", "data"),
        State("url", "data"),
    )(draw_projection)
    # Beside the map on its own: pictures of instances are read from many files, and the map does not wait for them.
    app.callback(
        Output("md-projection-side-mark", "data"),
        Output("md-projection-side", "children"),
        Output("md-projection-keep", "hidden"),
        *[Input(f"sel-{name}", "data") for name in BESIDE_LISTENED],
        Input("pulse-answers", "data"),
        State("md-projection-side-mark", "data"),
        State("url", "data"),
    )(draw_side)
    app.callback(
        Output("md-projection-saved", "children"),
        Output("md-projection-name", "value"),
        Input("md-projection-save", "n_clicks"),
        Input("sel-plasso", "data"),
        State("md-projection-name", "value"),
        State("url", "data"),
        prevent_initial_call=True,
    )(keep)
    app.clientside_callback(
        ClientsideFunction("projection", "drag"),
        Output("md-projection-canvas", "data-drag"),
        Input("md-projection-drag", "value"),
    )
    app.clientside_callback(
        ClientsideFunction("selection", "intent"),
        *[Input(f"ctl-{name}", "value") for name in ("pmethod", "pcolor")],
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("selection", "follow"),
        *[Output(f"ctl-{name}", "value") for name in ("pmethod", "pcolor")],
        Input("sel-projection", "data"),
    )


def draw_projection(*given: Any) -> tuple[Any, ...]:
    """The map, what is said of it, and what is beside it. given: as ``register`` lists them."""
    before, search = given[-2], given[-1]
    before = before if isinstance(before, dict) else {}
    if not data.is_shown(search):
        return (no_update,) * OUTPUTS
    try:
        shown = data.frame(search)
        found = projection_data.load(shown)
    except (asking.NotReady, CutawayError) as error:
        now = {"all": asking.mark_of(error), "data": ""}
        if now == before:
            return (no_update,) * OUTPUTS
        return now, "", "", asking.boxed(error, "The projection"), True, None, None, no_update, "#"
    colours, faded = projection_data.coloured(shown), projection_data.highlighted(shown)
    row = projection_data.chosen_row(shown)
    near = projection_side.neighbours(found, row)
    drawn = projection_payload.as_text(projection_payload.payload(found, colours, faded, row, near))
    options = offered(shown)
    now = {
        "all": asking.mark(found.key, drawn, colours.reason, faded.reason, shown.selection.plasso, options),
        "data": asking.mark(drawn),
    }
    if now["all"] == before.get("all"):
        return (no_update,) * OUTPUTS
    return (
        now,
        no_update if now["data"] == before.get("data") else drawn,
        projection_words.subtitle(found),
        found.pending.box if found.pending is not None and (found.stands_in or not found.pending.waiting) else None,
        False,
        projection_words.legend(found, colours, faded),
        projection_words.worth(found),
        options,
        projection_data.export(shown),
    )


def draw_side(*given: Any) -> tuple[Any, Any, Any]:
    """The chosen instance, the lasso, and whether the form that keeps it is hidden. given: as ``register`` lists."""
    before, search = given[-2], given[-1]
    if not data.is_shown(search):
        return no_update, no_update, no_update
    try:
        shown = data.frame(search)
        found = projection_data.load(shown)
    except (asking.NotReady, CutawayError):
        return ("", None, True) if before else (no_update, no_update, True)  # the panel says why
    chosen = shown.selection
    row = projection_data.chosen_row(shown)
    near = projection_side.neighbours(found, row)
    now = asking.mark(shown.key, found.address, chosen.plasso, chosen.instances, found.stands_in, near is None)
    if now == before:
        return no_update, no_update, no_update
    return now, projection_side.side(found, row, near), found.lassoed is None or not found.lassoed.any()


def offered(shown: data.Frame) -> list[dict[str, Any]]:
    """What points can be coloured by: what the model says, then the columns of the instances."""
    fixed = [{"value": key, "label": text} for key, text in COLOURS]
    try:
        table = members.table(shown)
    except (asking.NotReady, CutawayError):
        return fixed
    return fixed + [
        {"value": f"column:{column.name}", "label": column.title or column.name}
        for column in table.columns.values()
        if column.kind != "text" and column.name not in BESIDE
    ]


def keep(clicks: int | None, _plasso: Any, name: Any, search: str | None) -> tuple[Any, Any]:
    """Keep the instances inside the lasso under a name; a new lasso clears what was said of the last one."""
    if dash.ctx.triggered_id != "md-projection-save":
        return "", no_update
    if not clicks or not data.is_shown(search):
        return no_update, no_update
    try:
        shown = data.frame(search)
        found = projection_data.load(shown)
        if found.lassoed is None or not found.lassoed.any():
            return html.P("There is no lasso with points in it.", className="pj-notice"), no_update
        indices = shown.extraction.indices[np.flatnonzero(found.lassoed)]
        note = f"Lasso in the {found.method.title} of {shown.layer.name}"
        saved = members.save(shown, str(name or ""), indices=indices, note=note)
    except asking.NotReady as error:
        return html.P(error.reason, className="pj-notice"), no_update
    except CutawayError as error:
        return html.P(f"{error.message} {error.remedy}", className="pj-notice"), no_update
    return [
        f"Saved {len(indices):,} instances as '{saved.name}'. ",
        *[projection_side.button(text, {"subset": saved.subset, **more}) for text, more in NEXT],
    ], ""


NEXT: tuple[tuple[str, dict[str, Any]], ...] = (
    ("Show it", {"plasso": None}),
    ("Open in Instances", {"view": "instances"}),
)
