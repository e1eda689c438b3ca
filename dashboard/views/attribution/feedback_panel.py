"""Your verdict: right, wrong or unclear, kept with the subject."""

from __future__ import annotations

from typing import Any

import dash
from dash import Input, Output, State, dcc, html, no_update

from analysis.errors import CutawayError
from analysis.results import Answer
from dashboard import asking, services
from dashboard.views.attribution import data, edit_data, edit_parts, feedback_data, feedback_parts, obstacles, picking
from dashboard.views.attribution.about_more import FEEDBACK
from dashboard.views.attribution.edit_figure import signal_figure
from dashboard.widgets import panel as parts
from dashboard.widgets.states import empty_figure

NAME = "at-feedback"
OUTPUTS = 16
WRITTEN = 6  # outputs of ``save``


def panel() -> html.Section:
    """The panel; its list comes from ``draw_feedback``."""
    return parts.panel(
        NAME,
        "Your verdict",
        [
            dcc.Store(id="at-feedback-mark"),
            dcc.Store(id="at-feedback-marks", data=[]),
            dcc.Store(id="at-feedback-saved"),
            dcc.Store(id="at-feedback-command"),
            *picking.stores(NAME),
            html.Div(id="at-feedback-state"),
            feedback_parts.form(),
            html.Div(id="at-feedback-list"),
        ],
        about=FEEDBACK,
        exports=[("Verdicts (JSON)", "at-feedback-json"), ("Masks of marked regions (npz)", "at-feedback-masks")],
        picture=False,
        span=6,
    )


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel."""
    shown = ("view", "instance", "explain", "method", "order", "layer", "filter", "sample", "checkpoint", "runs")
    app.callback(
        Output("at-feedback-mark", "data"),
        Output("at-feedback-subtitle", "children"),
        Output("at-feedback-state", "children"),
        Output("at-feedback-form", "hidden"),
        *[Output(f"at-feedback-{group}", "hidden") for group in ("image", "list-of-places", "series")],
        Output("at-feedback-picture", "children"),
        Output("at-feedback-places", "children"),
        Output("at-feedback-signal", "figure"),
        Output("at-feedback-channel", "data"),
        Output("at-feedback-regions", "children"),
        Output("at-feedback-list", "children"),
        Output("at-feedback-json", "href"),
        Output("at-feedback-masks", "href"),
        Output("at-feedback-signal-box", "style"),
        *[Input(f"sel-{name}", "data") for name in shown],
        Input("pulse-answers", "data"),
        Input("at-feedback-marks", "data"),
        Input("at-feedback-saved", "data"),
        State("at-feedback-mark", "data"),
        State("url", "data"),
    )(draw_feedback)
    app.callback(
        Output("at-feedback-status", "children"),
        Output("at-feedback-saved", "data"),
        Output("at-feedback-verdict", "value"),
        Output("at-feedback-note", "value"),
        Output("at-feedback-marks", "data"),
        Output("at-feedback-chosen", "data"),
        Input("at-feedback-save", "n_clicks"),
        Input("at-feedback-command", "data"),
        State("at-feedback-verdict", "value"),
        State("at-feedback-note", "value"),
        State("at-feedback-marks", "data"),
        State("at-feedback-chosen", "data"),
        State("url", "data"),
        prevent_initial_call=True,
    )(save)
    feedback_parts.register_moves(app)


def draw_feedback(*given: Any) -> tuple[Any, ...]:
    """The form for the explanation shown, and the verdicts so far. given: as ``register`` lists them."""
    marks, saved, before, search = given[11], given[12], given[13], given[14]
    if not data.is_shown(search):
        return (no_update,) * OUTPUTS
    try:
        shown = data.frame(search)
        method, answer = explanation(shown)
        store = feedback_data.kept(shown.description)
        listed, damage = store.all(), store.damaged_lines()
        drawn = feedback_data.marked(shown, marks)
        when = saved if isinstance(saved, int | float) else None
        now = asking.mark(answer.key, drawn, when, len(listed), damage, method)
        if now == before:
            return (no_update,) * OUTPUTS
        fields, box = fields_of(shown, answer, drawn, now)
        items = [*feedback_parts.damaged(store, damage), *feedback_parts.listing(shown, listed)]
    except (asking.NotReady, CutawayError) as error:
        now = asking.mark_of(error)
        if now == before:
            return (no_update,) * OUTPUTS
        nothing = (True, True, True, None, None, no_update, no_update, None, None)
        return now, "", obstacles.box(error, "Your verdict"), True, *nothing, *exports(None), no_update
    title = f"{shown.method(method)['title']} · instance {shown.instance:,} · {len(listed):,} so far"
    return now, title, None, False, *fields, items, *exports(len(listed)), box


def explanation(shown: data.Frame) -> tuple[str, Answer]:
    """The method looked at closely, and its answer. Raises Pending, NotReady and errors."""
    name = edit_data.closely(shown)
    return name, data.attribution(shown, name)


def exports(count: int | None) -> tuple[str, str]:
    """Addresses of the downloads."""
    prefix = services.current().settings.path_prefix
    return (f"{prefix}export/feedback.json", f"{prefix}export/feedback-masks.npz") if count else ("#", "#")


def fields_of(shown: data.Frame, answer: Answer, drawn: list[list[Any]], key: str) -> tuple[tuple[Any, ...], Any]:
    """What belongs to the kind: hidden of each group, picture, places, figure, channels, marks in words; and the style
    of the figure's box."""
    places: Any = None
    figure: Any = no_update
    box: Any = no_update
    channels: Any = no_update
    picture: Any = None
    display = edit_parts.display_of(answer)
    if shown.kind == "image":
        picture = edit_parts.picture(edit_data.WhatIf("", answer, None, None, []), NAME, drawn)
    elif shown.kind == "series" and display is not None and display.ndim == 2:
        figure, height = _signal(shown, display, drawn)
        channels, box = picking.channels(shown, len(display)), {"height": f"{height}px"}
    elif shown.kind == "series":
        figure, channels = empty_figure("This series cannot be drawn."), []
    elif shown.kind == "text":
        places = picking.chips(NAME, edit_parts.tokens_of(answer), key, many=True, said="Tokens that should not matter")
    elif display is not None:
        names = [edit_data.column_name(shown, at) for at in range(display.size)]
        said = "Columns that should not matter"
        places = picking.chips(NAME, names, key, many=True, said=said, counted=False)
    hidden = (shown.kind != "image", shown.kind not in ("text", "table"), shown.kind != "series")
    return (*hidden, picture, places, figure, channels, feedback_parts.regions(shown, drawn)), box


def _signal(shown: data.Frame, display: Any, drawn: list[list[Any]]) -> tuple[dict[str, Any], int]:
    rate = shown.description.get("sampling_rate")
    names = [edit_data.channel_name(shown, at) for at in range(len(display))]
    unit = edit_data.rate(shown)
    spans = [(one[0] if isinstance(one[0], int) else None, one[1] / unit, one[2] / unit) for one in drawn]
    return signal_figure(display, names, float(rate) if rate else None, spans=spans)


def save(
    clicks: Any, command: Any, verdict: Any, note: Any, marks: Any, chosen: Any, search: str | None
) -> tuple[Any, ...]:
    """Keep a verdict, or delete one. Says what was done, or why not; then what was entered stays."""
    if not data.is_shown(search):
        return (no_update,) * WRITTEN
    try:
        shown = data.frame(search)
        store = feedback_data.kept(shown.description)
        if dash.ctx.triggered_id == "at-feedback-command":
            wanted = command.get("delete") if isinstance(command, dict) else None
            if not isinstance(wanted, str):
                return (no_update,) * WRITTEN
            store.delete(wanted)
            return "The verdict was deleted.", len(store.all()) + _number(command.get("at")), *(no_update,) * 4
        if not clicks:
            return (no_update,) * WRITTEN
        if verdict not in ("right", "wrong", "unclear"):
            return "Choose right, wrong or unclear first.", *(no_update,) * (WRITTEN - 1)
        _, answer = explanation(shown)
        one = store.add(feedback_data.entry(shown, answer, verdict, note, marks, chosen))
    except (asking.NotReady, CutawayError) as error:
        return asking.line_of(error).replace("<br>", " "), *(no_update,) * (WRITTEN - 1)
    return "Saved.", one["time"], None, "", [], []


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
