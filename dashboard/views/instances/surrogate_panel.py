"""Surrogate: a readable model that imitates this one, never without how well it does so."""

from __future__ import annotations

from typing import Any

import dash
from dash import ClientsideFunction, Input, Output, State, dcc, html, no_update

from analysis.errors import CutawayError
from dashboard import asking
from dashboard.framing import Frame
from dashboard.selection import Selection
from dashboard.views.instances import data, suggestions_parts, surrogate_parts
from dashboard.views.instances.about_surrogate import SURROGATE
from dashboard.widgets import panel as parts
from dashboard.widgets.choosing import segmented
from dashboard.widgets.states import empty

NAME = "in-surrogate"
OUTPUTS = 3
CONTROLS = ("ctl-rof", "ctl-rkind")
TITLES = {"rules": "Rule list", "tree": "Tree", "linear": "Linear model"}


def panel() -> html.Section:
    """The panel; its rules come from ``draw_surrogate``."""
    return parts.panel(
        NAME,
        "Surrogate",
        [
            dcc.Store(id="in-surrogate-mark"),
            html.Div(html.P("Reading …", className="empty-line"), id="in-surrogate-body"),
        ],
        about=SURROGATE,
        controls=[
            segmented("ctl-rof", "Of", (("prediction", "predictions"), ("error", "errors")), "prediction"),
            segmented("ctl-rkind", "As", (("rules", "rule list"), ("tree", "tree"), ("linear", "linear")), "rules"),
        ],
        picture=False,
        span=12,
    )


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel."""
    app.callback(
        Output("in-surrogate-mark", "data"),
        Output("in-surrogate-subtitle", "children"),
        Output("in-surrogate-body", "children"),
        *[Input(f"sel-{name}", "data") for name in (*data.LISTENED, "surrogate")],
        Input("pulse-answers", "data"),
        State("in-surrogate-mark", "data"),
        State("url", "data"),
    )(draw_surrogate)
    app.clientside_callback(
        ClientsideFunction("selection", "intent"),
        *[Input(name, "value") for name in CONTROLS],
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("selection", "follow"),
        [Output(name, "value") for name in CONTROLS],
        Input("sel-surrogate", "data"),
    )


def draw_surrogate(*given: Any) -> tuple[Any, ...]:
    """What the surrogate says, and what it is worth. given: as ``register`` lists them."""
    before, search = given[-2], given[-1]
    if not data.is_shown(search):
        return (no_update,) * OUTPUTS
    try:
        shown = data.frame(search)
        asked = shown.selection
        what = f"{TITLES[asked.rkind]} of the model's {surrogate_parts.OF[asked.rof]}"
        answer = asking.ask(asked, "surrogate", what, of=asked.rof, kind=asked.rkind)
    except (asking.NotReady, CutawayError) as error:
        now = asking.mark_of(error)
        drawn = (now, "", asking.boxed(error, "The surrogate"))
        return (no_update,) * OUTPUTS if now == before else drawn
    now = asking.mark(answer.key, shown.key, shown.selection.subset)
    if now == before:
        return (no_update,) * OUTPUTS
    return now, subtitle(shown.selection, answer.json), body(shown, answer.json)


def subtitle(selection: Selection, said: dict[str, Any]) -> str:
    """'Rule list of predictions · fidelity 94 % on 333 held-out instances, 48 % by the majority'."""
    text = f"{TITLES[selection.rkind]} of {surrogate_parts.OF[selection.rof]}"
    worth = said["fidelity"]
    if worth is None or worth["held_out"] is None:
        return text
    share, plain = 100 * worth["held_out"], 100 * worth["baseline"]
    return (
        f"{text} · fidelity {share:.1f} % on {worth['n_held_out']:,} held-out instances, {plain:.1f} % by the majority"
    )


def body(shown: Frame, said: dict[str, Any]) -> list[Any]:
    """Fidelity first, then what is imitated; nothing of it where there is no fidelity."""
    left_out = suggestions_parts.left_out(said["left_out"])
    worth = said["fidelity"]
    if said["reason"] or worth is None or worth["held_out"] is None:
        return [empty("There is no surrogate", said["reason"] or "No instance could be held out."), *left_out]
    found: list[Any] = surrogate_parts.fidelity(said)
    if said["note"]:
        found.append(html.P(said["note"], className="quiet"))
    if said["kind"] == "linear":
        found += surrogate_parts.coefficients(said)
    else:
        found += surrogate_parts.rules(shown, said)
    rule = html.Details([html.Summary("Rule"), html.P(said["rule"])], className="in-details")
    return [*found, html.P(f"Fitted with {said['library']}.", className="quiet"), rule, *left_out]
