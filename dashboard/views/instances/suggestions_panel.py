"""Suggested subsets: where the model fails more than chance explains, in words."""

from __future__ import annotations

from typing import Any

import dash
from dash import Input, Output, State, dcc, html, no_update

from analysis.errors import CutawayError
from dashboard import asking
from dashboard.framing import Frame
from dashboard.views.instances import data, suggestions_parts
from dashboard.views.instances.about_suggestions import SUGGESTIONS
from dashboard.widgets import panel as parts
from dashboard.widgets.states import empty

NAME = "in-suggestions"
OUTPUTS = 3
CAVEAT = (
    "A subset says where the model fails, not why: what its instances have in common may go with the cause only. "
    "Instances that are near copies of each other can stand in both halves, and make a subset look surer than it is."
)


def panel() -> html.Section:
    """The panel; its list comes from ``draw_suggestions``."""
    return parts.panel(
        NAME,
        "Suggested subsets",
        [
            dcc.Store(id="in-suggestions-mark"),
            html.Div(html.P("Reading …", className="empty-line"), id="in-suggestions-body"),
        ],
        about=SUGGESTIONS,
        picture=False,
        span=6,
    )


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel."""
    app.callback(
        Output("in-suggestions-mark", "data"),
        Output("in-suggestions-subtitle", "children"),
        Output("in-suggestions-body", "children"),
        *[Input(f"sel-{name}", "data") for name in (*data.LISTENED, "instance", "rows")],
        Input("pulse-answers", "data"),
        State("in-suggestions-mark", "data"),
        State("url", "data"),
    )(draw_suggestions)


def draw_suggestions(*given: Any) -> tuple[Any, ...]:
    """The list. given: as ``register`` lists them."""
    before, search = given[-2], given[-1]
    if not data.is_shown(search):
        return (no_update,) * OUTPUTS
    try:
        shown = data.frame(search)
        answer = asking.ask(shown.selection, "suggested_subsets", "Subsets the model fails on", of="error")
    except (asking.NotReady, CutawayError) as error:
        now = asking.mark_of(error)
        drawn = (now, "", asking.boxed(error, "Suggested subsets"))
        return (no_update,) * OUTPUTS if now == before else drawn
    chosen = shown.selection
    now = asking.mark(answer.key, shown.key, chosen.subset, chosen.instances, chosen.xrows)
    if now == before:
        return (no_update,) * OUTPUTS
    return now, subtitle(answer.json), body(shown, answer.json)


def subtitle(said: dict[str, Any]) -> str:
    """'13.4 % of 1,000 labelled instances are wrong · 3 suggestions, 56 subsets tested'."""
    if said["base"] is None:
        return ""
    text = f"{100 * said['base']:.1f} % of {said['n']:,} labelled instances are wrong"
    number = len(said["suggestions"])
    if said["tests"]:
        text += f" · {number} suggestion{'' if number == 1 else 's'}, {said['tests']:,} subsets tested"
    return text


def body(shown: Frame, said: dict[str, Any]) -> list[Any]:
    """The suggestions, or why there are none."""
    rule = html.Details([html.Summary("Rule"), html.P(said["rule"])], className="in-details")
    found: list[Any] = []
    if said["suggestions"]:
        listed = [suggestions_parts.suggestion(shown, one, at + 1) for at, one in enumerate(said["suggestions"])]
        found += [suggestions_parts.legend(), html.Ol(listed, className="ins-list"), html.P(CAVEAT, className="quiet")]
    else:
        remedy = "A larger sample can tell smaller differences." if said["tests"] else None
        found.append(empty("No subset is suggested", said["reason"], remedy))
    return [*found, rule, *suggestions_parts.left_out(said["left_out"])]
