"""Instances to explain: a strip around the chosen one, or a grid; the ones that go wrong first."""

from __future__ import annotations

from typing import Any

import dash
import dash_mantine_components as dmc
from dash import ClientsideFunction, Input, Output, State, dcc, html, no_update

from analysis.errors import CutawayError
from dashboard.asking import NotReady, boxed, mark, mark_of
from dashboard.selection import Selection
from dashboard.views.attribution import about, data, instance_tiles, instances_data, instances_disagreement, wanted
from dashboard.views.attribution.instances_data import Offer
from dashboard.widgets import panel as parts
from dashboard.widgets.attributes import attributes
from dashboard.widgets.choosing import segmented, stepper
from dashboard.wording import class_options

NAME = "at-instances"
STRIP, PAGE = 24, 60  # instances on the wire
MOST_CLASSES = 2000  # in the picker
OUTPUTS = 10
ORDERS = (
    ("wrong", "wrong ones first"),
    ("confidence", "least confident first"),
    ("loss", "largest loss first"),
    ("disagreement", "methods disagree most"),
    ("index", "place in the data"),
)


def panel() -> html.Section:
    """The panel; its tiles come from ``draw_instances``."""
    return parts.panel(
        NAME,
        "Instances",
        [
            dcc.Store(id="at-instances-mark"),
            dcc.Store(id="at-page", data=None),
            html.Div(_row(), className="maps-row", role="group", **attributes({"aria-label": "Instance shown"})),
            html.Div(html.P("Reading …", className="empty"), id="at-instances-state"),
            html.Ul(id="at-tiles", className="at-strip"),
            html.Div(id="at-pager", className="at-pager"),
        ],
        about=about.INSTANCES,
        controls=_controls(),
        picture=False,
        span=12,
    )


def _row() -> list[Any]:
    number = dmc.NumberInput(
        id="at-instance",
        min=0,
        step=1,
        allowDecimal=False,
        allowNegative=False,
        hideControls=True,
        debounce=400,
        size="xs",
        w=90,
        placeholder="first",
        **attributes({"aria-label": "Instance to explain, by its place in the data set"}),
    )
    return [
        html.Span("Instance", className="control-label"),
        number,
        html.Div(id="at-steps", className="maps-steps"),
        html.Span(id="at-listed", className="quiet"),
    ]


def _controls() -> list[Any]:
    order = dmc.Select(
        id="ctl-aorder",
        data=[{"value": key, "label": text} for key, text in ORDERS],
        value="wrong",
        allowDeselect=False,
        size="xs",
        w=200,
        **attributes({"aria-label": "Order of the instances"}),
    )
    label = dmc.Select(
        id="at-class",
        data=[],
        clearable=True,
        searchable=True,
        placeholder="all classes",
        size="xs",
        w=150,
        **attributes({"aria-label": "Only instances labelled as this class"}),
    )
    return [
        html.Div([html.Span("Order", className="control-label"), order], className="control"),
        dmc.Checkbox(id="at-wrong", label="wrong ones only", size="xs", checked=False),
        html.Div([html.Span("Label", className="control-label"), label], className="control"),
        segmented("ctl-alist", "As", (("strip", "strip"), ("grid", "grid")), "strip"),
    ]


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel."""
    app.callback(
        Output("at-instances-mark", "data"),
        Output("at-instances-subtitle", "children"),
        Output("at-instances-state", "children"),
        Output("at-tiles", "children"),
        Output("at-tiles", "className"),
        Output("at-steps", "children"),
        Output("at-listed", "children"),
        Output("at-pager", "children"),
        Output("at-class", "data"),
        Output("at-instance", "max"),
        Input("sel-view", "data"),
        Input("sel-order", "data"),
        Input("sel-instance", "data"),
        Input("sel-explain", "data"),
        Input("sel-sample", "data"),
        Input("sel-checkpoint", "data"),
        Input("sel-runs", "data"),
        Input("at-wrong", "checked"),
        Input("at-class", "value"),
        Input("sel-list", "data"),
        Input("at-page", "data"),
        Input("pulse-answers", "data"),
        Input(wanted.STORE, "data"),
        State("at-instances-mark", "data"),
        State("url", "data"),
    )(draw_instances)
    both = ("ctl-aorder", "ctl-alist")
    app.clientside_callback(
        ClientsideFunction("selection", "intent"), *[Input(name, "value") for name in both], prevent_initial_call=True
    )
    app.clientside_callback(
        ClientsideFunction("selection", "follow"),
        [Output(name, "value") for name in both],
        Input("sel-order", "data"),
        Input("sel-list", "data"),
    )
    app.clientside_callback(
        ClientsideFunction("attribution", "instance"), Input("at-instance", "value"), prevent_initial_call=True
    )
    app.clientside_callback(
        ClientsideFunction("layers", "followInstance"), Output("at-instance", "value"), Input("sel-instance", "data")
    )
    # The chosen instance is in view, in the strip as in the grid; another order begins at its first page.
    app.clientside_callback(ClientsideFunction("attribution", "inView"), Input("at-tiles", "children"))
    app.clientside_callback(
        ClientsideFunction("attribution", "firstPage"),
        Output("at-page", "data"),
        Input("sel-order", "data"),
        Input("at-wrong", "checked"),
        Input("at-class", "value"),
        Input("sel-list", "data"),
        Input("sel-sample", "data"),
        prevent_initial_call=True,
    )


def draw_instances(*given: Any) -> tuple[Any, ...]:
    """The tiles that are in view, and the way to those before and after them. given: as ``register`` lists them."""
    wrong, label, page, stored, before, search = given[7] is True, given[8], given[10], given[12], given[13], given[14]
    if not data.is_shown(search):
        return (no_update,) * OUTPUTS
    grid = Selection.parse(search).alist == "grid"
    only = int(label) if isinstance(label, str) and label.isascii() and label.isdigit() and len(label) < 8 else None
    try:
        found = instances_data.offer(search, wrong=wrong, label=only, stored=wanted.tokens(stored))
    except (NotReady, CutawayError) as error:
        now = mark_of(error)
        if now == before:
            return (no_update,) * OUTPUTS
        return now, "", boxed(error, "The instances"), None, "at-strip", None, None, None, no_update, no_update
    shown, number, pages = window(found, grid, page)
    now = mark(
        found.key,
        found.extraction.done,
        found.chosen,
        shown,
        len(found.order),
        number,
        [wrong, only, grid, found.selection.aorder],
        [round(found.disagreement.get(index, -1.0), 4) for index in shown],
        found.known.mark() if found.known is not None else None,
    )
    if now == before:
        return (no_update,) * OUTPUTS
    return (
        now,
        subtitle(found),
        state_of(found, wrong),
        instance_tiles.tiles(found, shown),
        f"{'at-grid' if grid else 'at-strip'} at-{found.kind}",
        steps(found),
        listed(found, shown, grid),
        pager(number, pages) if grid else None,
        class_options([str(name) for name in found.description["classes"][:MOST_CLASSES]]),
        int(found.description["n"]) - 1,
    )


def window(found: Offer, grid: bool, page: Any) -> tuple[list[int], int, int]:
    """Instances in view, the number of their page from 0, and how many pages there are.

    In the strip they lie around the chosen one; so does the page of the grid, until another page is asked for.
    """
    count = len(found.order)
    place = found.place if found.place is not None else 0
    if not grid:
        start = max(0, min(place - STRIP // 3, count - STRIP))
        return found.order[start : start + STRIP], 0, 1
    pages = max(1, -(-count // PAGE))
    asked = page if isinstance(page, int) and not isinstance(page, bool) else place // PAGE
    number = max(0, min(asked, pages - 1))
    return found.order[number * PAGE : (number + 1) * PAGE], number, pages


def state_of(found: Offer, wrong: bool) -> list[Any] | None:
    """What stands above the tiles: an instance that is not there, an empty list, an order that lacks maps."""
    boxes = [_beyond(found)] if found.beyond else []
    if not found.order:
        boxes.append(_none(wrong))
    elif found.known is not None:
        boxes.append(instances_disagreement.box(found.known, dict(ORDERS)["wrong"]))
    return [one for one in boxes if one is not None] or None


def _beyond(found: Offer) -> html.Div:
    last = int(found.description["n"]) - 1
    reason = f"The data set has {last + 1:,} instances, 0 to {last:,}: there is no instance {found.chosen:,}."
    more = attributes({"data-nav": '{"instances": null}'})
    button = html.Button("Show the first of this list", type="button", className="outline-button", **more)
    return html.Div([button, html.Span(reason)], className="at-offer", role="alert")


def _none(wrong: bool) -> html.Div:
    reason = "No instance of the sample passes these filters."
    remedy = "Every one of them is predicted as it is labelled." if wrong else "Choose another class."
    return html.Div([html.P("No instances", className="empty-title"), html.P(f"{reason} {remedy}")], className="empty")


def subtitle(found: Offer) -> str:
    """'1,000 instances read · 34 wrong · the methods' disagreement is known for 12 of them'."""
    reader = found.extraction
    text = (
        f"{reader.done:,} instances read" if reader.complete else f"{reader.done:,} of {reader.planned:,} read so far"
    )
    labelled = reader.labels >= 0
    wrong = int((labelled & (reader.predictions != reader.labels)).sum())
    text += f" · {wrong:,} wrong" if labelled.any() else " · no labels"
    if found.known is not None and found.order:
        count, known = len(found.order), sum(index in found.disagreement for index in found.order)
        text += f" · ordered by disagreement over {'all' if known == count else f'{known:,} of'} {count:,}"
    return text


def listed(found: Offer, shown: list[int], grid: bool) -> str:
    """What of the list is in view."""
    count = len(found.order)
    filtered = "" if count == found.total else f" (of {found.total:,})"
    if not shown:
        return ""
    first = found.order.index(shown[0]) + 1
    what = "" if grid or len(shown) == count else f", {first:,} to {first + len(shown) - 1:,} in view"
    outside = "" if found.place is not None else "; the chosen one is not among them"
    return f"{count:,} listed{filtered}{what}{outside}"


def steps(found: Offer) -> list[Any]:
    """Buttons to the instance before and after in the order, and where in it this one is."""
    place, count = found.place, len(found.order)
    before = found.order[place - 1] if place else None
    after = found.order[place + 1] if place is not None and place + 1 < count else None
    if place is None and count:
        after = found.order[0]
    said = f"{place + 1:,} of {count:,}" if place is not None else ""
    return stepper(("Previous instance (←)", "Next instance (→)"), (before, after), said)


def pager(number: int, pages: int) -> list[Any]:
    """Buttons to the page before and after."""
    if pages <= 1:
        return []

    def button(text: str, to: int) -> html.Button:
        there = 0 <= to < pages
        mark_ = attributes({"data-at-page": str(to)}) if there else {}
        return html.Button(text, type="button", className="outline-button", disabled=not there, **mark_)

    return [
        button("‹ Before", number - 1),
        html.Span(f"page {number + 1:,} of {pages:,}"),
        button("After ›", number + 1),
    ]
