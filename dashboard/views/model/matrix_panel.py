"""Neuron activation matrix: rows are subsets and instances, columns neurons, cells mean activations."""

from __future__ import annotations

import json
from typing import Any

import dash
from dash import ClientsideFunction, Input, Output, State, dcc, html, no_update

from analysis.errors import CutawayError
from dashboard import asking, members
from dashboard.views.model import data, matrix_data, matrix_list, matrix_payload, matrix_words
from dashboard.views.model import matrix_controls as controls
from dashboard.views.model.about_matrix import MATRIX
from dashboard.views.model.matrix_rows import EACH
from dashboard.widgets import panel as parts

NAME = "md-matrix"
GROUPS = ("view", "layer", "matrix", "rows", "stack", "subset", "instance", "sample", "checkpoint", "runs")
OUTPUTS = 13


def panel() -> html.Section:
    """The panel; ``draw_matrix`` brings its numbers, assets/matrix.js draws them."""
    return parts.panel(
        NAME,
        "Neuron activation matrix",
        [
            dcc.Store(id="md-matrix-mark"),
            html.Div(id="md-matrix-data", hidden=True),  # read by assets/matrix.js as it changes
            dcc.Store(id="md-matrix-typed"),
            html.Div(controls.rows_bar(), className="mx-bar"),
            html.Div(id="md-matrix-problem", className="mx-problem", role="alert"),
            html.Div(html.P("Reading …", className="quiet"), id="md-matrix-state"),
            html.Div(
                [
                    html.Div(id="md-matrix-notes", className="mx-notes"),
                    html.Div(id="md-matrix-picture", className="mx-picture"),
                    html.Div(id="md-matrix-told", className="mx-told", role="status"),
                    html.Div(id="md-matrix-legend", className="mx-legend"),
                    html.Div(id="md-matrix-said", className="mx-said"),
                    html.Div(id="md-matrix-list"),
                ],
                id="md-matrix-box",
                hidden=True,
            ),
        ],
        about=MATRIX,
        controls=controls.controls(),
        exports=[("Matrix (CSV)", "md-matrix-csv"), ("Matrix (npz)", "md-matrix-npz")],
        picture=False,
        span=12,
        class_name="mx-panel",
    )


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel."""
    app.callback(
        Output("md-matrix-mark", "data"),
        Output("md-matrix-subtitle", "children"),
        Output("md-matrix-state", "children"),
        Output("md-matrix-box", "hidden"),
        Output("md-matrix-data", "children"),
        Output("md-matrix-notes", "children"),
        Output("md-matrix-said", "children"),
        Output("md-matrix-list", "children"),
        Output("ctl-xsort", "data"),
        Output("md-matrix-add", "data"),
        Output("md-matrix-layers", "data"),
        Output("md-matrix-csv", "href"),
        Output("md-matrix-npz", "href"),
        *[Input(f"sel-{name}", "data") for name in GROUPS],
        Input("md-projection-saved", "children"),  # a lasso was kept as a subset
        Input("pulse-answers", "data"),
        State("md-matrix-mark", "data"),
        State("url", "data"),
    )(draw_matrix)
    app.clientside_callback(
        ClientsideFunction("selection", "intent"),
        *[Input(name, "value") for name in controls.CONTROLS],
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("selection", "follow"),
        [Output(name, "value") for name in controls.CONTROLS],
        Input("sel-matrix", "data"),
    )
    _register_moves(app)


def _register_moves(app: dash.Dash) -> None:
    """What the page does by itself."""
    app.clientside_callback(
        ClientsideFunction("matrix", "paint"),
        Output("md-matrix-picture", "data-painted"),
        *[Input(f"sel-{name}", "data") for name in ("filter", "layer", "instance", "subset", "matrix")],
    )
    app.callback(
        Output("md-matrix-problem", "children"),
        Output("md-matrix-typed", "data"),
        Input("md-matrix-type", "value"),
        State("url", "data"),
        prevent_initial_call=True,
    )(read_typed)
    chosen = (("md-matrix-add", Input("md-matrix-add", "value")), ("md-matrix-type", Input("md-matrix-typed", "data")))
    for field, row in chosen:
        app.clientside_callback(
            ClientsideFunction("matrix", "add"), Output(field, "value"), row, prevent_initial_call=True
        )
    app.clientside_callback(
        ClientsideFunction("matrix", "stack"), Input("md-matrix-layers", "value"), prevent_initial_call=True
    )
    app.clientside_callback(
        ClientsideFunction("matrix", "stacked"), Output("md-matrix-layers", "value"), Input("sel-stack", "data")
    )


def read_typed(text: Any, search: str | None) -> tuple[Any, Any]:
    """What is wrong with an expression that was typed, which then stays where it is; or the row that it becomes."""
    entry = text.strip() if isinstance(text, str) else ""
    if not entry or not data.is_shown(search):
        return "", no_update
    try:
        members.mask(data.frame(search), entry.removeprefix(EACH))
    except CutawayError as error:
        return html.P(f"{error.message} {error.remedy}".strip()), no_update
    except asking.NotReady:  # columns that are still being computed
        pass
    return "", entry


def draw_matrix(*given: Any) -> tuple[Any, ...]:
    """All of the panel. given: as ``register`` lists them."""
    before, search = given[-2], given[-1]
    if not data.is_shown(search):
        return (no_update,) * OUTPUTS
    try:
        shown = data.frame(search)
        found = matrix_data.matrix(shown)
    except (asking.NotReady, CutawayError) as error:
        mark = asking.mark_of(error)
        if mark == before:
            return (no_update,) * OUTPUTS
        box = asking.boxed(error, "Neuron activation matrix")
        return mark, "", box, True, "", None, None, None, no_update, no_update, no_update, "#", "#"
    mark = mark_of(found)
    if mark == before:
        return (no_update,) * OUTPUTS
    return (
        mark,
        matrix_words.subtitle(found),
        None,
        False,
        as_text(matrix_payload.payload(found)),
        matrix_list.notes(found),
        matrix_list.said(found),
        matrix_list.listing(found),
        controls.sorts(found),
        controls.offered(found),
        controls.layers(found),
        matrix_payload.export(found, "matrix.csv"),
        matrix_payload.export(found, "matrix.npz"),
    )


def mark_of(found: matrix_data.Matrix) -> str:
    """Of all that the panel shows."""
    selection = found.shown.selection
    return asking.mark(
        [one.key for one in found.blocks],
        [one.order.tobytes().hex()[:64] for one in found.blocks],
        # Another row or neuron chosen changes nothing of this: the page marks it by itself.
        [selection.xsort, selection.xtop, selection.xby, found.shown.layer.key, selection.xrows],
        matrix_words.problem_lines(found),
        found.score and found.score.key,
        controls.offered(found),
    )


def as_text(value: dict[str, Any]) -> str:
    """The payload as text of the page."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False)
