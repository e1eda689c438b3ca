"""Instances by class: a row for each true class, left what is predicted so by score, right what is not."""

from __future__ import annotations

import json
from typing import Any

import dash
from dash import ClientsideFunction, Input, Output, State, dcc, html, no_update

from analysis.errors import CutawayError
from dashboard import asking, theme
from dashboard.pictures import sprite_tiles
from dashboard.views.instances import data, members_data
from dashboard.views.instances.about_members import MEMBERS
from dashboard.views.instances.data import Picked
from dashboard.widgets import panel as parts
from dashboard.widgets.class_marks import SIGNS, class_colour, class_mark

NAME = "in-members"
OUTPUTS = 5
MOST_PICTURES = 180  # instances drawn as thumbnails
SIDE = 36  # pixels of a thumbnail


def panel() -> html.Section:
    """The panel; its squares are drawn by assets/instances.js from the text in ``in-members-spec``."""
    return parts.panel(
        NAME,
        "Instances by class",
        [
            dcc.Store(id="in-members-mark"),
            dcc.Store(id="in-members-marked"),
            dcc.Store(id="in-inspector-mark"),
            html.Div(id="in-members-state"),
            html.Div(id="in-members-legend", className="in-legend"),
            html.Div(id="in-members-spec", hidden=True),
            html.Div(id="in-members-drawn"),
        ],
        about=MEMBERS,
        picture=False,
        span=12,
    )


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel."""
    app.callback(
        Output("in-members-mark", "data"),
        Output("in-members-subtitle", "children"),
        Output("in-members-state", "children"),
        Output("in-members-legend", "children"),
        Output("in-members-spec", "children"),
        *[Input(f"sel-{name}", "data") for name in data.LISTENED],
        Input(data.BOOK, "data"),
        Input("pulse-answers", "data"),
        State("in-members-mark", "data"),
        State("url", "data"),
    )(draw_members)
    # With an output of its own: Dash takes callbacks without one that have the same input for one and the same.
    app.clientside_callback(
        ClientsideFunction("instances", "mark"), Output("in-members-marked", "data"), Input("sel-instance", "data")
    )


def draw_members(*given: Any) -> tuple[Any, ...]:
    """What is to be drawn, as JSON. given: as ``register`` lists them."""
    before, search = given[-2], given[-1]
    if not data.is_shown(search):
        return (no_update,) * OUTPUTS
    try:
        found = data.picked(search)
        now = found.key
        if now == before:
            return (no_update,) * OUTPUTS
        listed, classes = members_data.groups(found)
        said = spec(found, listed)
    except (asking.NotReady, CutawayError) as error:
        now = asking.mark_of(error)
        nothing = (now, "", asking.boxed(error, "Instances by class"), None, "")
        return (no_update,) * OUTPUTS if now == before else nothing
    state = html.P("The subset has no instances.", className="empty-line") if not len(found.rows) else None
    return now, subtitle(found, listed, classes), state, legend(found, listed) if listed else None, said


def subtitle(found: Picked, listed: list[members_data.Group], classes: int) -> str:
    """'1,000 of 1,000 instances · 10 classes · 31 misclassified'."""
    text = f"{found.count} · {data.cut(found.title, 80)}"
    wrongs = sum(group.wrongs for group in listed if group.label >= 0)
    if any(group.label >= 0 for group in listed):
        text += f" · {wrongs:,} misclassified"
    if classes > len(listed):
        text += f" · the {len(listed)} classes with most instances of {classes:,}"
    drawn = sum(len(group.right) + len(group.wrong) for group in listed)
    total = sum(group.rights + group.wrongs for group in listed)
    return text + (f" · {drawn:,} of them drawn, by score" if drawn < total else "")


def spec(found: Picked, listed: list[members_data.Group]) -> str:
    """The squares of every class, with colours, names and, if they are few, pictures."""
    shown = found.shown
    drawn = [row for group in listed for row in (*group.right.tolist(), *group.wrong.tolist())]
    reader = shown.extraction
    pictures: dict[int, dict[str, str]] = {}
    if reader.kind == "image" and 0 < len(drawn) <= MOST_PICTURES:
        pictures = sprite_tiles.styles(reader, [int(reader.indices[row]) for row in drawn], SIDE)
    used = {group.label for group in listed} | {int(reader.predictions[row]) for row in drawn}
    return json.dumps(
        {
            "groups": [
                {
                    "label": group.label,
                    "right": members_data.squares(found, group.right),
                    "wrong": members_data.squares(found, group.wrong),
                    "rights": group.rights,
                    "wrongs": group.wrongs,
                }
                for group in listed
            ],
            "classes": {
                str(label): [shown.class_name(label)[:60], class_colour(label), _sign(label)] for label in sorted(used)
            },
            "pictures": {str(index): style for index, style in pictures.items()},
        },
        separators=(",", ":"),
    )


def _sign(label: int) -> str:
    return "×" if label < 0 else SIGNS[label // 8 % len(SIGNS)]


def legend(found: Picked, listed: list[members_data.Group]) -> list[Any]:
    """What fill and border mean, and the colours of the classes."""
    labels = sorted({group.label for group in listed})
    names = [
        html.Span([class_mark(label), found.shown.class_name(label)[:30]], className="in-legend-class")
        for label in labels[:24]
    ]
    many = len(found.shown.class_names) > len(theme.CATEGORIES)
    return [
        html.Span([html.Span(className="in-key right"), "fill, of pictures the band below: label"]),
        html.Span(
            [
                html.Span(className="in-key wrong"),
                "border: predicted class" + (", doubled after the eighth" if many else ""),
            ]
        ),
        html.Span("both sides: highest score first", className="quiet"),
        *names,
    ]
