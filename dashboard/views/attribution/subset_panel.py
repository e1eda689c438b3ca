"""Over many instances: where attribution lies on average, and which explanations are unlike the others."""

from __future__ import annotations

from typing import Any

import dash
import dash_mantine_components as dmc
from dash import ClientsideFunction, Input, Output, State, dcc, html, no_update

from analysis.errors import CutawayError
from dashboard import asking
from dashboard.views.attribution import data, edit_parts, obstacles, subset_data, subset_parts, wanted
from dashboard.views.attribution.about_more import SUBSET
from dashboard.views.attribution.subset_data import Many
from dashboard.widgets import panel as parts
from dashboard.widgets.attributes import attributes
from dashboard.widgets.waiting import failed_box, waiting_box

NAME = "at-subset"
OUTPUTS = 5


def panel() -> html.Section:
    """The panel; it is computed when somebody asks."""
    picker = dmc.Select(
        id="ctl-subset",
        data=[{"value": "all", "label": "all"}],
        value="all",
        size="xs",
        w=180,
        searchable=True,
        allowDeselect=False,
        **attributes({"aria-label": "Instances"}),
    )
    return parts.panel(
        NAME,
        "Over many instances",
        [
            dcc.Store(id="at-subset-mark"),
            html.Div(
                id="at-subset-methods", className="at-choices", role="group", **attributes({"aria-label": "Method"})
            ),
            html.Div(id="at-subset-body"),
        ],
        about=SUBSET,
        controls=[html.Label([html.Span("Instances", className="control-label"), picker], className="control")],
        picture=False,
        span=12,
    )


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel."""
    app.callback(
        Output("at-subset-mark", "data"),
        Output("at-subset-subtitle", "children"),
        Output("at-subset-methods", "children"),
        Output("at-subset-body", "children"),
        Output("ctl-subset", "data"),
        Input("sel-view", "data"),
        Input("sel-instance", "data"),
        Input("sel-explain", "data"),
        Input("sel-method", "data"),
        Input("sel-subset", "data"),
        Input("sel-layer", "data"),
        Input("sel-filter", "data"),
        Input("sel-order", "data"),
        Input("sel-sample", "data"),
        Input("sel-checkpoint", "data"),
        Input("sel-runs", "data"),
        Input("scheme", "data"),
        Input("pulse-answers", "data"),
        Input(wanted.STORE, "data"),
        State("at-subset-mark", "data"),
        State("url", "data"),
    )(draw_subset)
    app.clientside_callback(
        ClientsideFunction("attributionMore", "subset"), Input("ctl-subset", "value"), prevent_initial_call=True
    )
    app.clientside_callback(
        ClientsideFunction("attributionMore", "followSubset"),
        Output("ctl-subset", "value"),
        Input("sel-subset", "data"),
    )


def draw_subset(*given: Any) -> tuple[Any, ...]:
    """The averages, or what they would cost. given: as ``register`` lists them."""
    scheme, stored, before, search = given[11], given[13], given[14], given[15]
    if not data.is_shown(search):
        return (no_update,) * OUTPUTS
    scheme = "dark" if scheme == "dark" else "light"
    try:
        shown = data.frame(search)
        many = subset_data.load(shown, wanted.tokens(stored))
        options = subset_data.options(shown)
        done = shown.extraction and shown.extraction.done
        now = asking.mark(subset_data.mark(many), options, scheme, shown.chosen, done)
        if now == before:
            return (no_update,) * OUTPUTS
        body = body_of(shown, many, scheme)
    except (asking.NotReady, CutawayError) as error:
        now = asking.mark_of(error)
        nothing = (now, "", None, obstacles.box(error, "Over many instances"), no_update)
        return (no_update,) * OUTPUTS if now == before else nothing
    return now, subtitle(shown, many), edit_parts.methods(shown, many.method), body, options


def subtitle(shown: data.Frame, many: Many) -> str:
    """'Saliency · wrongly predicted instances · n = 37'."""
    text = f"{shown.method(many.method)['title']} · {subset_data.words(shown, many.subset)}"
    if many.answer is not None:
        said = many.answer.json
        text += f" · n = {int(said.get('n') or 0):,} of {int(said.get('of') or 0):,}"
    return text


def body_of(shown: data.Frame, many: Many, scheme: str) -> list[Any]:
    """What there is of the answer, what is being computed, or what to press."""
    found, what = many.found, f"{shown.method(many.method)['title']} over {subset_data.words(shown, many.subset)}"
    parts_: list[Any] = []
    if found.state == "none":
        parts_.append(offer(many))
    elif found.state == "waiting":
        parts_.append(waiting_box(found.job, what))
    elif found.state == "failed":
        parts_.append(failed_box(found.job, what))
    if many.answer is not None:
        parts_ += subset_parts.content(shown, many.answer, scheme)
    return parts_


def offer(many: Many) -> html.Div:
    """The button, and what it costs."""
    if many.count == 0:
        return html.Div(html.P("The sample has no such instance. Choose others above.", className="quiet"))
    count = min(many.count or subset_data.MOST, subset_data.MOST)
    cost = f"Costs {count:,} maps of this method"
    if many.count and many.count > count:
        cost += f", one for each of {count:,} of the {many.count:,} instances, drawn at random"
    return html.Div(
        [
            wanted.button(f"Explain {count:,} instance{'' if count == 1 else 's'}", [many.token]),
            html.Span(f"{cost}. It is kept, and you may go on working.", className="quiet"),
        ],
        className="at-offer",
    )
