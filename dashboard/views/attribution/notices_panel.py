"""Notices: what the reader should know of the model before believing any explanation, such as that it is untrained."""

from __future__ import annotations

from typing import Any

import dash
from dash import Input, Output, State, html, no_update

from analysis.errors import CutawayError
from dashboard import asking
from dashboard.selection import Selection
from dashboard.views.attribution import data

MOST = 3


def panel() -> html.Div:
    """Lines above the panels; nothing where there is nothing to say."""
    return html.Div(id="at-notices", className="at-notices", role="status")


def register(app: dash.Dash) -> None:
    """Attach the callback of the lines."""
    app.callback(
        Output("at-notices", "children"),
        Input("sel-view", "data"),
        Input("sel-checkpoint", "data"),
        Input("pulse-answers", "data"),
        State("at-notices", "children"),
        State("url", "data"),
    )(draw_notices)


def draw_notices(_view: Any, _checkpoint: Any, _pulse: Any, before: Any, search: str | None) -> Any:
    """The subject's notices. With a checkpoint chosen, those about its own weights do not matter."""
    if not data.is_shown(search):
        return no_update
    try:
        lines = [str(line) for line in asking.described().get("notices") or ()]
    except (asking.NotReady, CutawayError):
        return no_update
    if Selection.parse(search).checkpoint is not None:
        lines = [line for line in lines if "untrained" not in line]
    shown = lines[:MOST]
    now = [html.P(line) for line in shown]
    same = [part.get("props", {}).get("children") for part in before or () if isinstance(part, dict)] == shown
    return no_update if same and before is not None else now
