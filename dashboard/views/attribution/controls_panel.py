"""Controls: what is explained, by which methods, with which parameters."""

from __future__ import annotations

from typing import Any

import dash
import dash_mantine_components as dmc
from dash import ALL, ClientsideFunction, Input, Output, State, dcc, html, no_update

from analysis.attribution.targets import PREDICTED, TRUE, Unit
from analysis.errors import CutawayError
from dashboard import subjects
from dashboard.asking import boxed, mark, mark_of
from dashboard.readers import MAX_METHODS
from dashboard.selection import Selection
from dashboard.views.attribution import about, controls_parts, data
from dashboard.widgets import panel as parts
from dashboard.widgets.attributes import attributes
from dashboard.wording import class_options

NAME = "at-controls"
OUTPUTS = 12
MOST_CLASSES = 2000  # in a picker; any other can be written into the address


def panel() -> html.Section:
    """What is always there; methods and parameters come from ``draw_controls``."""
    return parts.panel(
        NAME,
        "Explain",
        [
            dcc.Store(id="at-controls-mark"),
            dcc.Store(id="at-spec"),
            dcc.Store(id="at-methods-drawn"),
            html.Div(
                [*_target(), html.Div(html.P("Reading …", className="quiet"), id="at-controls-state")],
                className="at-what",
            ),
            html.Div(
                [
                    html.H3("Methods"),
                    html.P(id="at-methods-note", className="quiet", role="status"),
                    html.Div(id="at-methods", className="at-methods"),
                ],
                className="at-section",
            ),
            html.Div(
                [
                    html.H3("Parameters"),
                    html.Div(_baseline(), className="control at-baseline"),
                    html.Div(id="at-params", className="at-params"),
                    html.Button(
                        "All parameters at their defaults",
                        type="button",
                        className="outline-button",
                        **attributes({"data-nav": '{"params": null, "baseline": null}'}),
                    ),
                ],
                className="at-section",
            ),
        ],
        about=about.CONTROLS,
        picture=False,
        span=3,
    )


def _target() -> list[Any]:
    explain = dmc.SegmentedControl(
        id="ctl-explain",
        data=[{"value": "output", "label": "output"}, {"value": "unit", "label": "chosen filter or unit"}],
        value="output",
        size="xs",
        fullWidth=True,
        **attributes({"aria-label": "What is explained"}),
    )
    target = dmc.Select(
        id="at-target",
        data=[{"value": PREDICTED, "label": "predicted class"}, {"value": TRUE, "label": "true class"}],
        value=PREDICTED,
        allowDeselect=False,
        searchable=True,
        size="xs",
        **attributes({"aria-label": "Class whose score is explained"}),
    )
    minus = dmc.Select(
        id="at-minus",
        data=[],
        clearable=True,
        searchable=True,
        placeholder="no contrast",
        size="xs",
        **attributes({"aria-label": "Class whose score is subtracted: why the one and not the other"}),
    )
    return [
        explain,
        html.P(id="at-unit", className="at-unit"),
        html.Div(
            [
                html.Span("score of", className="control-label"),
                target,
                html.Span("minus", className="control-label"),
                minus,
            ],
            id="at-target-box",
            className="at-target",
        ),
    ]


def _baseline() -> list[Any]:
    control = dmc.Select(
        id="ctl-baseline",
        data=[{"value": "zero", "label": "zero: as the model gets it"}],
        value="zero",
        allowDeselect=False,
        size="xs",
        w="100%",
        **attributes({"aria-label": "Baseline of all methods that take one"}),
    )
    return [html.Span("baseline", className="control-label"), control]


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel."""
    app.callback(
        Output("at-controls-mark", "data"),
        Output("at-spec", "data"),
        Output("at-controls-subtitle", "children"),
        Output("at-controls-state", "children"),
        Output("at-target", "data"),
        Output("at-minus", "data"),
        Output("at-unit", "children"),
        Output("at-target-box", "hidden"),
        Output("at-methods", "children"),
        Output("at-methods-note", "children"),
        Output("at-params", "children"),
        Output("ctl-baseline", "data"),
        Input("sel-view", "data"),
        Input("sel-explain", "data"),
        Input("sel-instance", "data"),
        Input("sel-order", "data"),
        Input("sel-layer", "data"),
        Input("sel-filter", "data"),
        Input("sel-sample", "data"),
        Input("sel-checkpoint", "data"),
        Input("sel-runs", "data"),
        Input("pulse-answers", "data"),
        State("at-controls-mark", "data"),
        State("url", "data"),
    )(draw_controls)
    _register_moves(app)


def _register_moves(app: dash.Dash) -> None:
    """Controls write the address, and follow it."""
    both = ("ctl-explain", "ctl-baseline")
    app.clientside_callback(
        ClientsideFunction("selection", "intent"), *[Input(name, "value") for name in both], prevent_initial_call=True
    )
    app.clientside_callback(
        ClientsideFunction("selection", "follow"),
        [Output(name, "value") for name in both],
        Input("sel-explain", "data"),
    )
    app.clientside_callback(
        ClientsideFunction("attribution", "target"),
        Input("at-target", "value"),
        Input("at-minus", "value"),
        State("at-spec", "data"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("attribution", "followTarget"),
        Output("at-target", "value"),
        Output("at-minus", "value"),
        Input("sel-explain", "data"),
    )
    app.clientside_callback(
        ClientsideFunction("attribution", "followMethods"),
        Output("at-methods-drawn", "data"),
        Input("sel-explain", "data"),
        Input("at-methods", "children"),
        Input("at-methods-note", "children"),
    )
    own = {"type": "at-param", "name": ALL}
    app.clientside_callback(
        ClientsideFunction("attribution", "params"),
        Input(own, "value"),
        State("at-spec", "data"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("attribution", "followParams"),
        Output(own, "value"),
        Input("sel-explain", "data"),
        State(own, "value"),
        State("at-spec", "data"),
        prevent_initial_call=True,
    )


def draw_controls(
    _view: Any,
    _explain: Any,
    _instance: Any,
    _order: Any,
    _layer: Any,
    _filter: Any,
    _sample: Any,
    _checkpoint: Any,
    _runs: Any,
    _pulse: Any,
    before: Any,
    search: str | None,
) -> tuple[Any, ...]:
    """Methods, parameters and targets as they fit the model and the instance."""
    nothing = (no_update,) * OUTPUTS
    if not data.is_shown(search):
        return nothing
    selection = Selection.parse(search)
    unit = unit_line(selection)
    of_unit = selection.explain == "unit"
    try:
        shown = data.frame(search)
    except (data.NotReady, CutawayError) as error:
        now = mark(mark_of(error), selection.explain, str(unit))
        if now == before:
            return nothing
        own = isinstance(error, data.NotReady) and error.told_in == "Explain"  # ``unit`` says it
        box = None if own else boxed(error, "The methods")
        return now, no_update, "", box, no_update, no_update, unit, of_unit, None, "", None, no_update
    spec = spec_of(shown)
    classes = class_options(shown.class_names[:MOST_CLASSES])
    now = mark(shown.methods, shown.chosen, spec, selection.explain, shown.unit, _broken(shown))
    if now == before:
        return nothing
    fitting = sum(not item["reason"] for item in shown.methods)
    return (
        now,
        spec,
        f"{fitting} of {len(shown.methods)} methods fit this model",
        None,
        targets(shown, spec) + classes,
        classes,
        unit,
        of_unit,
        controls_parts.methods(shown),
        controls_parts.note(shown),
        controls_parts.parameters(shown),
        controls_parts.baselines(shown),
    )


def _broken(shown: data.Frame) -> str:
    """The parameters of the address, if they are not accepted: only then the controls must say so."""
    for name in shown.chosen:
        try:
            shown.params(name)
        except CutawayError:
            return shown.selection.params
    return ""


def spec_of(shown: data.Frame) -> dict[str, Any]:
    """What assets/attribution.js must know: the methods shown, what 'predicted' and 'true' are, defaults."""
    row = shown.extraction.row_of(shown.instance) if shown.extraction is not None else None
    found: dict[str, Any] = {"chosen": shown.chosen, "most": MAX_METHODS, "defaults": controls_parts.defaults(shown)}
    found[PREDICTED], found[TRUE] = None, None
    if row is not None and shown.extraction is not None:
        found[PREDICTED] = int(shown.extraction.predictions[row])
        label = int(shown.extraction.labels[row])
        found[TRUE] = label if label >= 0 else None
    return found


def targets(shown: data.Frame, spec: dict[str, Any]) -> list[dict[str, Any]]:
    """'predicted class (cat)' and 'true class (dog)'."""
    found = []
    for name in (PREDICTED, TRUE):
        number = spec[name]
        label = f"{name} class" + (f" ({shown.class_name(number)[:40]})" if number is not None else "")
        found.append({"value": name, "label": label})
    return found


def unit_line(selection: Selection) -> Any:
    """Which filter is explained, or how to choose one."""
    if selection.explain != "unit":
        return None
    go = html.Button(
        "Choose in the Layers view",
        type="button",
        className="link",
        **attributes({"data-nav": '{"view": "layers"}'}),
    )
    if selection.layer is not None and selection.filter is None and selection.filters:
        first, *others = selection.filters
        unit = Unit(selection.layer, first, "mean", tuple(others))
        return ["The mean of ", html.B(unit.name), ", of their mean activations before any ReLU. ", go]
    if selection.layer is None or selection.filter is None:
        return ["No filter or unit is chosen: there is nothing to explain. ", go, ", or explain the output."]
    kind = next((info.kind for info in subjects.layers() if info.key == selection.layer), "conv")
    word = "filter" if kind == "conv" else "unit"
    name = html.B(f"{word} {selection.filter} of {selection.layer}")
    return [name, ": its mean activation before any ReLU. ", go]
