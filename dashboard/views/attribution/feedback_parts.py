"""The parts of the panel for verdicts: the form, marked regions, the list of what was said so far."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import dash
import dash_mantine_components as dmc
from dash import ClientsideFunction, Input, Output, State, html

from analysis.attribution.feedback import Feedback
from dashboard.views.attribution import data, feedback_data, picking
from dashboard.widgets import panel as parts
from dashboard.widgets.attributes import attributes

PREFIX = "at-feedback"
SIGNS = {"right": "✓", "wrong": "✗", "unclear": "?"}
NOTE = 2000


def form() -> html.Div:
    """Verdict, note, and for a wrong explanation what should not matter."""
    radios = [dmc.Radio(value=value, label=f"{SIGNS[value]} {value}", size="xs") for value in SIGNS]
    return html.Div(
        [
            dmc.RadioGroup(
                dmc.Group(radios, gap="md"),
                id="at-feedback-verdict",
                value=None,
                label="This explanation is",
                size="xs",
            ),
            dmc.Textarea(
                id="at-feedback-note",
                placeholder="Why, in your words (optional)",
                value="",
                autosize=True,
                minRows=2,
                maxRows=6,
                size="xs",
                **attributes({"aria-label": "Note"}),
            ),
            html.Div(_marks(), id="at-feedback-wrong", className="at-marks", hidden=True),
            html.Div(
                [
                    html.Button("Save", id="at-feedback-save", type="button", className="solid-button", n_clicks=0),
                    html.Span("", id="at-feedback-status", role="status"),
                ],
                className="at-fields",
            ),
        ],
        id="at-feedback-form",
        className="at-marks",
        hidden=True,
    )


def _marks() -> list[Any]:
    image = [
        html.Div(id="at-feedback-picture", className="at-pick-place"),
        html.Div(
            [picking.together(*picking.box_fields(PREFIX)), picking.button("at-feedback-add-box", "Mark this box")],
            className="at-fields",
        ),
    ]
    series = [
        parts.graph("at-feedback-signal", 170, "The signal, with what is marked"),
        html.Div(
            [
                picking.choice("at-feedback-channel", "Channel", [("all", "all channels")], w=140),
                picking.together(picking.number("at-feedback-from", "From"), picking.number("at-feedback-to", "To")),
                picking.button("at-feedback-add-span", "Mark this span"),
            ],
            className="at-fields",
        ),
    ]
    return [
        html.H3("What should not matter"),
        html.Div(image, id="at-feedback-image", hidden=True),
        html.Div(html.Div(id="at-feedback-places"), id="at-feedback-list-of-places", hidden=True),
        html.Div(series, id="at-feedback-series", hidden=True),
        html.Div("", id="at-feedback-problem", className="damage", role="status"),
        html.Div(id="at-feedback-regions"),
    ]


def register_moves(app: dash.Dash) -> None:
    """What the browser does by itself: showing the marks, adding one, taking a span from a drag."""
    corners = [f"{PREFIX}-{key}" for key, _ in picking.CORNERS]
    app.clientside_callback(
        ClientsideFunction("attributionMore", "whenWrong"),
        Output("at-feedback-wrong", "hidden"),
        Input("at-feedback-verdict", "value"),
    )
    app.clientside_callback(
        ClientsideFunction("attributionMore", "follow"),
        Output("at-feedback-problem", "children"),
        *[Input(corner, "value") for corner in corners],
        Input("at-feedback-picture", "children"),
        State("at-feedback-x0", "id"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("attributionMore", "mark"),
        Output("at-feedback-problem", "children", allow_duplicate=True),
        Input("at-feedback-add-box", "n_clicks"),
        Input("at-feedback-add-span", "n_clicks"),
        *[State(corner, "value") for corner in corners],
        State("at-feedback-channel", "value"),
        State("at-feedback-from", "value"),
        State("at-feedback-to", "value"),
        State("at-edit-rate", "data"),
        State("at-feedback-marks", "data"),
        State("at-edit-values", "data"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("attributionMore", "span"),
        Output("at-feedback-from", "value"),
        Output("at-feedback-to", "value"),
        Input("at-feedback-signal", "selectedData"),
        prevent_initial_call=True,
    )
    # A mark is of one instance.
    app.clientside_callback(
        ClientsideFunction("attributionMore", "forget"),
        Output("at-feedback-marks", "data", allow_duplicate=True),
        Output("at-feedback-chosen", "data", allow_duplicate=True),
        Input("sel-instance", "data"),
        prevent_initial_call=True,
    )


def regions(shown: data.Frame, drawn: Sequence[Any]) -> Any:
    """The boxes or spans marked so far, and a button that clears them."""
    if not drawn:
        return None
    said = feedback_data.region_text(shown, {"kind": shown.kind, "region": list(drawn)})
    more = attributes({"data-at-clear": "at-feedback-marks"})
    clear = html.Button("Clear", type="button", className="link", **more)
    return html.P([f"Marked: {said}. ", clear], className="quiet")


def damaged(store: Feedback, lines: Sequence[int]) -> list[Any]:
    """That lines of the file cannot be read, which, and what to do. lines: their numbers, from 1."""
    if not lines:
        return []
    many = len(lines) > 1
    listed = ", ".join(f"{line:,}" for line in lines[:8]) + (f" and {len(lines) - 8:,} more" if len(lines) > 8 else "")
    text = (
        f"{len(lines):,} line{'s' if many else ''} of the file of verdicts cannot be read and "
        f"{'are' if many else 'is'} left out: {listed}. Put back "
    )
    place = html.Code(f"feedback/{store.home.name}/{store.file.name}")
    rest = f" of the workspace from a copy, or delete {'these lines' if many else 'this line'} in it."
    return [html.P([text, place, rest], className="damage", role="status")]


def listing(shown: data.Frame, listed: Sequence[Mapping[str, Any]]) -> list[Any]:
    """The verdicts on this subject, the newest first."""
    if not listed:
        return [html.P("No verdict on this model's explanations yet.", className="quiet")]
    newest = list(listed)[::-1][: feedback_data.SHOWN]
    items = [html.Li(_item(shown, one), className="at-feedback-item") for one in newest]
    parts_: list[Any] = [html.H3("Verdicts so far"), html.Ul(items, className="at-feedback-list")]
    if len(listed) > len(newest):
        parts_.append(html.P(f"{len(listed) - len(newest):,} older ones are in the export.", className="quiet"))
    return parts_


def _item(shown: data.Frame, one: Mapping[str, Any]) -> list[Any]:
    said, instance = str(one["verdict"]), int(one["instance"])
    titles = {item["name"]: item["title"] for item in shown.methods}
    nav = attributes({"data-nav": json.dumps(feedback_data.place(one)), "aria-label": f"Show instance {instance}"})
    other = one.get("subject", {}).get("weights") != shown.description.get("weights")
    head = [
        html.Span(f"{SIGNS.get(said, '?')} {said}", className=f"at-feedback-said {said}"),
        html.Button(f"#{instance}", type="button", className="link", **nav),
        html.Span(titles.get(str(one["method"]), str(one["method"]))),
        html.Span(feedback_data.when(one), className="quiet"),
    ]
    head += [html.Span("other weights", className="quiet")] if other else []
    region = feedback_data.region_text(shown, one)
    command = attributes({"data-at-delete": str(one["id"])})
    delete = html.Button("Yes, delete it", type="button", className="outline-button", **command)
    return [
        html.Div(head, className="at-feedback-head"),
        html.P(str(one["note"]), className="at-note") if one.get("note") else None,
        html.P(f"Should not matter: {region}", className="quiet") if region else None,
        html.Details([html.Summary("Delete …"), delete]),
    ]
