"""What if: the instance changed, and how the prediction and its explanation change with it."""

from __future__ import annotations

from typing import Any

import dash
import numpy as np
from dash import ALL, ClientsideFunction, Input, Output, State, dcc, html, no_update

from analysis.errors import CutawayError
from analysis.results import Answer
from dashboard import asking
from dashboard.views.attribution import data, edit_data, edit_parts, obstacles, pair, picking
from dashboard.views.attribution.about_more import EDIT
from dashboard.views.attribution.edit_data import WhatIf
from dashboard.views.attribution.edit_figure import signal_figure
from dashboard.widgets import panel as parts
from dashboard.widgets.attributes import attributes
from dashboard.widgets.states import empty_figure

NAME = "at-edit"
OUTPUTS = 23


def panel() -> html.Section:
    """The panel; its numbers come from ``draw_edit``."""
    return parts.panel(
        NAME,
        "What if",
        [
            dcc.Store(id="at-edit-mark"),
            *edit_parts.hidden_store(),
            html.Div(
                id="at-edit-methods", className="at-choices", role="group", **attributes({"aria-label": "Method"})
            ),
            html.Div(
                [
                    html.Div(
                        [
                            *edit_parts.fields(),
                            html.Div("", id="at-edit-problem", className="damage", role="status"),
                            html.Div(id="at-edit-list"),
                            html.Div(
                                [picking.button("at-edit-undo", "Undo"), picking.button("at-edit-reset", "Reset")],
                                id="at-edit-back",
                                className="at-fields",
                                hidden=True,
                            ),
                        ],
                        className="at-edit-fields",
                    ),
                    html.Div(
                        [html.Div(id="at-edit-outcome"), html.Div(id="at-edit-maps")], className="at-edit-outcome"
                    ),
                ],
                id="at-edit-body",
                className="at-split",
                hidden=True,
            ),
            html.Div(id="at-edit-state"),
        ],
        about=EDIT,
        picture=False,
        span=12,
    )


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel."""
    app.callback(
        Output("at-edit-mark", "data"),
        Output("at-edit-subtitle", "children"),
        Output("at-edit-state", "children"),
        Output("at-edit-body", "hidden"),
        Output("at-edit-methods", "children"),
        *[Output(f"at-edit-{kind}", "hidden") for kind in edit_parts.KINDS],
        Output("at-edit-picture", "children"),
        Output("at-edit-tokens", "children"),
        Output("at-edit-signal", "figure"),
        Output("at-edit-channel", "data"),
        Output("at-edit-unit", "children"),
        Output("at-edit-columns", "children"),
        Output("at-edit-values", "data"),
        Output("at-edit-list", "children"),
        Output("at-edit-outcome", "children"),
        Output("at-edit-maps", "children"),
        Output("at-edit-back", "hidden"),
        Output("at-edit-rate", "data"),
        Output("at-edit-chosen", "data"),
        Output("at-edit-signal-box", "style"),
        Input("sel-view", "data"),
        Input("sel-instance", "data"),
        Input("sel-explain", "data"),
        Input("sel-method", "data"),
        Input("sel-look", "data"),
        Input("sel-edit", "data"),
        Input("sel-order", "data"),
        Input("sel-layer", "data"),
        Input("sel-filter", "data"),
        Input("sel-sample", "data"),
        Input("sel-checkpoint", "data"),
        Input("sel-runs", "data"),
        Input("scheme", "data"),
        Input("pulse-answers", "data"),
        State("at-edit-mark", "data"),
        State("url", "data"),
        State("at-edit-chosen", "data"),
    )(draw_edit)
    _register_moves(app)


def _register_moves(app: dash.Dash) -> None:
    corners = [f"at-edit-{key}" for key, _ in picking.CORNERS]
    problem = Output("at-edit-problem", "children")

    def moves(name: str, clicks: list[str], *states: State) -> None:
        app.clientside_callback(
            ClientsideFunction("attributionMore", name),
            Output("at-edit-problem", "children", allow_duplicate=True),
            *[Input(f"at-edit-{click}", "n_clicks") for click in clicks],
            *states,
            prevent_initial_call=True,
        )

    app.clientside_callback(
        ClientsideFunction("attributionMore", "follow"),
        problem,
        *[Input(corner, "value") for corner in corners],
        Input("at-edit-picture", "children"),
        State("at-edit-x0", "id"),
        prevent_initial_call=True,
    )
    moves(
        "picture",
        ["paint", "blur"],
        *[State(corner, "value") for corner in corners],
        State("at-edit-fill", "value"),
        State("at-edit-sigma", "value"),
    )
    moves("text", ["replace", "delete", "insert"], State("at-edit-chosen", "data"), State("at-edit-token", "value"))
    moves(
        "series",
        ["mute"],
        *[State(f"at-edit-{name}", "value") for name in ("channel", "from", "to", "mute-fill")],
        State("at-edit-rate", "data"),
        State("at-edit-values", "data"),
    )
    moves("back", ["undo", "reset"])
    app.clientside_callback(
        ClientsideFunction("attributionMore", "table"),
        Output("at-edit-problem", "children", allow_duplicate=True),
        Input({"type": "at-edit-field", "index": ALL}, "value"),
        Input({"type": "at-edit-slider", "index": ALL}, "value"),
        State("at-edit-values", "data"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("attributionMore", "pressed"),
        Input("at-edit-tokens", "children"),
        State("at-edit-chosen", "data"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("attributionMore", "span"),
        Output("at-edit-from", "value"),
        Output("at-edit-to", "value"),
        Input("at-edit-signal", "selectedData"),
        prevent_initial_call=True,
    )


def draw_edit(*given: Any) -> tuple[Any, ...]:
    """The fields of the instance's kind, the changes, and what they do. given: as ``register`` lists them."""
    scheme, before, search, picked = given[12], given[14], given[15], given[16]
    if not data.is_shown(search):
        return (no_update,) * OUTPUTS
    scheme = "dark" if scheme == "dark" else "light"
    of = before.get("of") if isinstance(before, dict) else None
    try:
        shown = data.frame(search)
        found = edit_data.load(shown)
    except (asking.NotReady, CutawayError) as error:
        now = {"mark": asking.mark_of(error), "of": of}
        if now == before:
            return (no_update,) * OUTPUTS
        nothing = (True,) * 4 + (None, None, no_update, no_update, "") + (None,) * 5
        return now, "", obstacles.box(error, "What if"), True, None, *nothing, True, 1, no_update, no_update
    obstacle = asking.mark_of(found.obstacle) if found.obstacle else None
    keys = [found.before.key, found.after.key if found.after else None, obstacle, found.problem, found.changes]
    chosen = shown.selection
    looks = [chosen.asign, chosen.aclip, chosen.aopacity, chosen.aoutline, chosen.ascale, scheme]
    now = {"mark": asking.mark(keys, looks, found.method, shown.chosen), "of": shown.instance}
    if now == before:
        return (no_update,) * OUTPUTS
    kept = _still_there(picked if of in (None, shown.instance) else [], found)
    drawn, box = _fields(shown, found, kept)
    return (
        now,
        subtitle(shown, found),
        _state(found),
        False,
        edit_parts.methods(shown, found.method),
        *drawn,
        *(
            edit_parts.change_list(shown, found),
            edit_parts.outcome(shown, found),
            pair.side_by_side(shown, maps_of(found), "at-edit-map", scheme),
            not chosen.edit,
            edit_data.rate(shown),
            # Left as it is: a token may have been chosen since this was asked for.
            no_update if kept == picked else kept,
            box,
        ),
    )


def maps_of(found: WhatIf) -> list[tuple[str, Answer]]:
    """The maps before and after, as far as they are there."""
    return [("Before", found.before), *([("After", found.after)] if found.after else [])]


def _state(found: WhatIf) -> Any:
    error = found.obstacle
    if error is None:
        return None
    if isinstance(error, asking.Pending) and error.found.state == "failed" and found.changes:
        job = error.found.job
        if job is None or job.state != "cancelled":
            return edit_parts.failed(error, found)
    return asking.boxed(error, "The changed instance")


def subtitle(shown: data.Frame, found: WhatIf) -> str:
    """'instance 12 · 2 changes · Integrated gradients'."""
    count = len(found.changes)
    said = "no change yet" if not count else f"{count} change{'' if count == 1 else 's'}"
    return f"instance {shown.instance:,} · {said} · {shown.method(found.method)['title']}"


def _still_there(picked: object, found: WhatIf) -> list[int]:
    """The chosen places that the text has, after the changes."""
    count = min(len(edit_parts.tokens_now(found)), picking.MOST_TOKENS)
    listed = picked if isinstance(picked, list) else []
    return [at for at in listed[:1] if isinstance(at, int) and not isinstance(at, bool) and 0 <= at < count]


def _fields(shown: data.Frame, found: WhatIf, picked: list[int]) -> tuple[tuple[Any, ...], Any]:
    """What belongs to the kind: hidden of each, then picture, tokens, figure, channels, unit, columns and values; and
    the style of the figure's box."""
    answer = found.after or found.before
    hidden = [kind != shown.kind for kind in edit_parts.KINDS]
    unit = ""
    tokens: Any = None
    figure: Any = no_update
    box: Any = no_update
    channels: Any = no_update
    columns: list[Any] = []
    values: dict[str, Any] | None = None
    if shown.kind == "text":
        key = asking.mark(answer.key, found.changes, picked)
        listed = edit_parts.tokens_now(found)
        tokens = picking.chips("at-edit", listed, key, many=False, chosen=picked, said="Tokens to change")
    elif shown.kind == "series":
        figure, channels, box = _signal(shown, found)
        unit = "s" if shown.description.get("sampling_rate") else "steps"
        display = edit_parts.display_of(answer)
        values = None if display is None else {"steps": int(display.shape[-1]), "unit": unit}  # spans are checked by it
    elif shown.kind == "table":
        columns, values = edit_parts.columns(shown, found)
    return (*hidden, edit_parts.picture(found), tokens, figure, channels, unit, columns, values), box


def _signal(shown: data.Frame, found: WhatIf) -> tuple[dict[str, Any], list[dict[str, str]], Any]:
    display = edit_parts.display_of(found.after or found.before)
    if display is None or display.ndim != 2:
        return empty_figure("This series cannot be drawn."), [], no_update
    first = edit_parts.display_of(found.before)
    names = [edit_data.channel_name(shown, at) for at in range(len(display))]
    rate = shown.description.get("sampling_rate")
    spans = edit_data.spans(found.changes, len(display), edit_data.rate(shown))
    figure, height = signal_figure(np.asarray(display), names, float(rate) if rate else None, before=first, spans=spans)
    return figure, picking.channels(shown, len(display)), {"height": f"{height}px"}
