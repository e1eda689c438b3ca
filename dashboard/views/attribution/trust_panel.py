"""Trust: how far each method can be believed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dash
from dash import Input, Output, State, dcc, html, no_update

from analysis.attribution.agreement import RULE
from analysis.errors import CutawayError
from dashboard import asking
from dashboard.views.attribution import data, obstacles, trust_data, trust_parts, wanted
from dashboard.views.attribution.about_more import TRUST
from dashboard.views.attribution.agreement_table import agreement_table
from dashboard.views.attribution.trust_data import Agreement, Row
from dashboard.widgets import panel as parts

OUTPUTS = 5
COST = (
    "Measuring costs more than the maps: the input is changed a few hundred times, and the map is computed again with "
    "noise and with random weights. From seconds to a few minutes a method; it is kept, and you may go on working."
)


def panel() -> html.Section:
    """The panel; its figures are measured when somebody asks."""
    return parts.panel(
        "at-trust",
        "Trust",
        [
            dcc.Store(id="at-trust-mark"),
            dcc.Store(id=wanted.STORE),
            dcc.Store(id="at-inspector-mark"),
            html.Div(id="at-trust-offer", className="at-offer"),
            html.Div(id="at-trust-body"),
            html.Div(id="at-trust-agreement", className="at-agreement"),
        ],
        about=TRUST,
        picture=False,
        span=12,
    )


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel."""
    app.callback(
        Output("at-trust-mark", "data"),
        Output("at-trust-subtitle", "children"),
        Output("at-trust-offer", "children"),
        Output("at-trust-body", "children"),
        Output("at-trust-agreement", "children"),
        Input("sel-view", "data"),
        Input("sel-instance", "data"),
        Input("sel-explain", "data"),
        Input("sel-layer", "data"),
        Input("sel-filter", "data"),
        Input("sel-order", "data"),
        Input("sel-sample", "data"),
        Input("sel-checkpoint", "data"),
        Input("sel-runs", "data"),
        Input("scheme", "data"),
        Input("pulse-answers", "data"),
        Input(wanted.STORE, "data"),
        State("at-trust-mark", "data"),
        State("url", "data"),
    )(draw_trust)


def draw_trust(*given: Any) -> tuple[Any, ...]:
    """The rows of the methods shown, and how far their maps agree. given: as ``register`` lists them."""
    scheme, stored, before, search = given[9], given[11], given[12], given[13]
    if not data.is_shown(search):
        return (no_update,) * OUTPUTS
    scheme = "dark" if scheme == "dark" else "light"
    try:
        shown = data.frame(search)
        common = trust_data.agreed(shown)
        listed = trust_data.rows(shown, wanted.tokens(stored), common)
    except (asking.NotReady, CutawayError) as error:
        now = asking.mark_of(error)
        nothing = (now, "", None, obstacles.box(error, "Trust"), None)
        return (no_update,) * OUTPUTS if now == before else nothing
    now = asking.mark(scheme, shown.instance, common.names, [trust_data.mark(row) for row in listed])
    if now == before:
        return (no_update,) * OUTPUTS
    return now, subtitle(shown, listed), offer(listed), trust_parts.table(listed, scheme), agreement(common, scheme)


def subtitle(shown: data.Frame, listed: Sequence[Row]) -> str:
    """'instance 12 · 2 of 4 methods measured'."""
    done = sum(row.found.state == "ready" for row in listed)
    return f"instance {shown.instance:,} · {done} of {len(listed)} methods measured"


def offer(listed: Sequence[Row]) -> list[Any]:
    """What measuring costs, and a button for all that is not measured yet."""
    missing = [row.token for row in listed if row.found.state == "none"]
    if not missing:
        return []
    known = [int(row.trust["passes"]) for row in listed if row.trust.get("passes")]
    took = " to ".join(f"{count:,}" for count in sorted({min(known), max(known)})) if known else ""
    cost = COST + (f" The others took {took} passes of the model." if known else "")
    text = "Measure trust of all" if len(missing) > 1 else "Measure trust"
    return [wanted.button(text, missing), html.Span(cost, className="quiet")]


def agreement(common: Agreement, scheme: str) -> list[Any]:
    """The matrix, and what it says."""
    if len(common.names) < 2:
        text = "Agreement needs two maps: it appears when they are computed."
        return [html.H3("Agreement of the maps"), html.P(text, className="quiet")]
    return [
        html.H3("Agreement of the maps"),
        html.P(agreement_line(common)),
        *agreement_table(common.titles, common.values, scheme),
        html.P(f"Spearman's rank correlation of the sizes. {RULE}", className="quiet"),
    ]


def agreement_line(common: Agreement) -> str:
    """Which two are most and least alike."""
    pairs = [
        (float(common.values[a, b]), common.titles[a], common.titles[b])
        for a in range(len(common.names))
        for b in range(a)
        if common.values[a, b] == common.values[a, b]
    ]
    if not pairs:
        return "No two of these maps can be compared."
    low, high = min(pairs), max(pairs)
    text = f"Most alike: {high[1]} and {high[2]} ({trust_parts.signed(high[0])})."
    if len(pairs) > 1:
        text += f" Least alike: {low[1]} and {low[2]} ({trust_parts.signed(low[0])})."
    return text
