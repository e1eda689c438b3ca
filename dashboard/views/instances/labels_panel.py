"""Likely label errors: labels that the model's probabilities speak against, with a relabelling to export."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import dash
import dash_mantine_components as dmc
import numpy as np
from dash import Input, Output, State, dcc, html, no_update

from analysis.errors import CutawayError
from analysis.subsets.subset import of_indices
from analysis.suggestions.listing import fitting
from dashboard import asking, members, services, subjects
from dashboard.framing import Frame
from dashboard.views.instances import data, suggestions_tiles
from dashboard.views.instances.about_labels import LABELS
from dashboard.views.instances.suggestions_parts import link
from dashboard.widgets import panel as parts
from dashboard.widgets.class_marks import class_mark
from dashboard.widgets.states import empty

NAME = "in-labels"
QUESTION = "label_errors"
OUTPUTS = 5
SHOWN = 48  # suspects that are drawn; the export has all
KEY = "in-labels-key"


def panel() -> html.Section:
    """The panel; its suspects come from ``draw_labels``, and are ticked in the browser."""
    body = [
        dcc.Store(id="in-labels-mark"),
        dcc.Store(id=KEY),
        html.Div(html.P("Reading …", className="empty-line"), id="in-labels-body"),
        dmc.CheckboxGroup([], id="in-labels-ticked", value=[], label="Tick those whose suggestion is right", size="xs"),
        html.P(id="in-labels-said", className="quiet", role="status"),
    ]
    exports = [("Relabelling (CSV)", "in-labels-csv"), ("Relabelling (JSON)", "in-labels-json")]
    return parts.panel(NAME, "Likely label errors", body, about=LABELS, exports=exports, picture=False, span=6)


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel."""
    app.callback(
        Output("in-labels-mark", "data"),
        Output("in-labels-subtitle", "children"),
        Output("in-labels-body", "children"),
        Output("in-labels-ticked", "children"),
        Output(KEY, "data"),
        *[Input(f"sel-{name}", "data") for name in (*data.LISTENED, "instance")],
        Input("pulse-answers", "data"),
        State("in-labels-mark", "data"),
        State("url", "data"),
    )(draw_labels)
    app.callback(
        Output("in-labels-csv", "href"),
        Output("in-labels-json", "href"),
        Output("in-labels-said", "children"),
        Input("in-labels-ticked", "value"),
        Input(KEY, "data"),
    )(address)


def draw_labels(*given: Any) -> tuple[Any, ...]:
    """The suspects. given: as ``register`` lists them."""
    before, search = given[-2], given[-1]
    if not data.is_shown(search):
        return (no_update,) * OUTPUTS
    try:
        shown = data.frame(search)
        answer = asking.ask(shown.selection, QUESTION, "Likely label errors")
    except (asking.NotReady, CutawayError) as error:
        now = asking.mark_of(error)
        nothing: tuple[Any, ...] = (now, "", asking.boxed(error, "Likely label errors"), [], None)
        return (no_update,) * OUTPUTS if now == before else nothing
    suggestions = subjects.known(shown.selection, "suggested_subsets", of="error").answer
    now = asking.mark(
        answer.key, shown.key, shown.selection.subset, shown.selection.instances, suggestions and suggestions.key
    )
    if now == before:
        return (no_update,) * OUTPUTS
    said = answer.json
    listed = [one for one in said["suspects"] if shown.extraction.row_of(one["index"]) is not None]
    # Without a suspect there is nothing to export.
    key = answer.key if listed else ""
    return now, subtitle(said), body(shown, said, listed), suspects(shown, listed[:SHOWN]), key


def subtitle(said: dict[str, Any]) -> str:
    """'12 suspects among 1,000 labelled instances · the estimate expects 9 errors'."""
    if said["reason"]:
        return ""
    plural = "" if said["found"] == 1 else "s"
    text = f"{said['found']:,} suspect{plural} among {said['n']:,} labelled instances"
    return f"{text} · the estimate expects {said['errors']:,.0f} errors"


def body(shown: Frame, said: dict[str, Any], listed: list[dict[str, Any]]) -> list[Any]:
    """The caveat first, then what opens all of them; or why there is none."""
    rule = html.Details([html.Summary("Rule"), html.P(said["rule"])], className="in-details")
    if said["reason"]:
        return [empty("Label errors cannot be looked for", said["reason"])]
    caveat = html.P(said["caveat"], className="quiet")
    if not listed:
        return [empty("No label is suspected", "The model is sure of none against its label."), caveat, rule]
    indices = [one["index"] for one in listed]
    most = fitting(indices)
    text = of_indices(indices[:most], 10_000)
    which = f"all {len(indices):,} suspects" if most == len(indices) else f"the {most:,} surest"
    chosen = shown.selection.subset == text
    links: list[Any] = [link("Show all instances again", subset=None) if chosen else link(f"Show {which}", subset=text)]
    if len(listed) > SHOWN or said["found"] > len(said["suspects"]):
        drawn = f"The {min(SHOWN, len(listed)):,} surest are drawn; an export holds {len(said['suspects']):,}."
        links.append(html.Span(drawn, className="quiet"))
    within = overlapping(shown, indices)
    warning = [html.P(within, className="ins-within")] if within else []
    return [caveat, *warning, html.P(links, className="ins-links"), rule]


def overlapping(shown: Frame, indices: list[int]) -> str:
    """How many suspects lie in the suggestion that holds most of them; '' of few, or while none are known."""
    known = subjects.known(shown.selection, "suggested_subsets", of="error").answer
    best, place = 0, 0
    for at, one in enumerate(known.json["suggestions"] if known else ()):
        try:
            rows = members.rows(shown, one["text"])
        except (asking.NotReady, CutawayError):
            continue
        count = int(np.isin(shown.extraction.indices[rows], indices).sum())
        if count > best:
            best, place = count, at + 1
    if best < max(3, len(indices) // 5):
        return ""
    return (
        f"{best:,} of the {len(indices):,} suspects lie in suggestion {place} of Suggested subsets: there the model "
        "may be wrong rather than the labels."
    )


def suspects(shown: Frame, listed: list[dict[str, Any]]) -> Any:
    """What each looks like, which chooses it, and a box to tick; [] of none."""
    if not listed:
        return []
    pictures = suggestions_tiles.styles(shown, [one["index"] for one in listed])
    found = []
    for one in listed:
        given, suggested = int(one["given"]), int(one["suggested"])
        share = f"probability {100 * one['score']:.0f} % against {100 * (one['score'] + one['margin']):.0f} %"
        words = html.Span(
            [
                html.Span([class_mark(given), data.cut(shown.class_name(given), 30)], className="ins-given"),
                " → ",
                html.Span([class_mark(suggested), html.B(data.cut(shown.class_name(suggested), 30))]),
                html.Span(f"#{one['index']:,} · {share}", className="quiet ins-under"),
            ]
        )
        box = dmc.Checkbox(value=str(one["index"]), label=words, size="xs")
        found.append(html.Li([suggestions_tiles.tile(shown, one["index"], pictures), box], className="ins-suspect"))
    return html.Ul(found, className="ins-suspects")


def address(ticked: Any, key: Any) -> tuple[str, str, str]:
    """Where the relabelling is downloaded, and what it holds. ticked: indices as text; none of them means all."""
    if not isinstance(key, str) or not key:
        return "#", "#", ""
    given = ticked if isinstance(ticked, list) else []
    chosen = [int(one) for one in given if isinstance(one, str) and one.isascii() and one.isdigit() and len(one) < 16]
    query = {"labels": key} | ({"index": ",".join(map(str, sorted(chosen)))} if chosen else {})
    prefix = services.current().settings.path_prefix
    csv, told = (f"{prefix}export/instances/relabel.{kind}?{urlencode(query)}" for kind in ("csv", "json"))
    if not chosen:
        return csv, told, "None is ticked: the export (menu) holds all that are listed."
    count = f"{len(chosen):,} suspect{' is' if len(chosen) == 1 else 's are'} ticked"
    return csv, told, f"{count}: the export (menu) holds these."
