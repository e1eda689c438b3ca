"""Sequences: a glyph for every step, beside each other or one above the other, with what the model says so far."""

from __future__ import annotations

import json
from typing import Any

import dash
import numpy as np
from dash import ClientsideFunction, Input, Output, State, html, no_update

from analysis.errors import CutawayError
from analysis.results import Answer
from dashboard import asking, subjects
from dashboard.views.sequences import data, glyphs_data, glyphs_parts
from dashboard.views.sequences.data import Frame
from dashboard.views.sequences.glyphs_about import GLYPHS
from dashboard.widgets import panel as parts
from dashboard.widgets.states import empty

NAME = "sq-glyphs"
OUTPUTS = 10


def panel() -> html.Section:
    """The panel; its rows are drawn by assets/sequences_glyphs.js."""
    body = [
        *glyphs_parts.stores(),
        html.Div(id="sq-glyphs-legend"),
        html.Div(id="sq-glyphs-rows", className="sqg-rows"),
        html.Div(html.P("Reading …", className="empty-line"), id="sq-glyphs-state"),
    ]
    return parts.panel(NAME, "Sequences", body, about=GLYPHS, controls=glyphs_parts.controls(), picture=False, span=12)


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel."""
    shown = ("view", "layer", "states", "cocluster", "instance", "text", "sample", "checkpoint", "runs")
    app.callback(
        Output("sq-glyphs-mark", "data"),
        Output("sq-glyphs-subtitle", "children"),
        Output("sq-glyphs-data", "children"),
        Output("sq-glyphs-state", "children"),
        Output("sq-glyphs-legend", "children"),
        Output("sq-glyphs-pick", "data"),
        Output("sq-glyphs-pick", "value"),
        Output("sq-glyphs-number", "value"),
        Output("sq-glyphs-steps", "children"),
        Output("sq-glyphs-typing", "hidden"),
        *[Input(f"sel-{name}", "data") for name in shown],
        Input("pulse-answers", "data"),
        State("sq-glyphs-mark", "data"),
        State("url", "data"),
    )(draw_glyphs)
    for name, inputs in {
        "paint": [Input(f"sel-{group}", "data") for group in ("word", "cluster", "span")],
        "pick": [Input("sq-glyphs-pick", "value"), Input("sq-glyphs-number", "value")],
        "type": [Input("sq-glyphs-text", "value")],
    }.items():
        state = [State("sq-glyphs-beside", "checked")] if name == "pick" else []
        app.clientside_callback(ClientsideFunction("sequenceGlyphs", name), *inputs, *state, prevent_initial_call=True)
    app.clientside_callback(
        ClientsideFunction("sequenceGlyphs", "followText"),
        Output("sq-glyphs-text", "value"),
        Input("sel-text", "data"),
        State("sq-glyphs-text", "value"),
    )


def draw_glyphs(*given: Any) -> tuple[Any, ...]:
    """The rows of the chosen instances and of the typed text. given: as ``register`` lists them."""
    before, search = given[10], given[11]
    if not data.is_shown(search):
        return (no_update,) * OUTPUTS
    try:
        shown = data.frame(search)
        first = shown.instance
        rows = _asked(shown)
    except (asking.NotReady, CutawayError) as error:
        now = asking.mark_of(error)
        if before == now:
            return (no_update,) * OUTPUTS
        if isinstance(error, asking.NotReady) and error.told_in == data.SEQUENCES:  # here
            box = empty(error.title, error.reason, error.remedy)
        else:
            box = glyphs_parts.brief(error, "Sequences", "see above")
        return now, "", "", box, [], [], None, None, [], True
    grouping = data.known_clusters(shown)
    named = known_words(shown)
    marks = [found.key if isinstance(found, Answer) else asking.mark_of(found) for _, found in rows]
    order = glyphs_parts.ranked(shown)
    now = asking.mark(marks, grouping and grouping.key, named and named.key, len(order), shown.instances, shown.words)
    if before == now:
        return (no_update,) * OUTPUTS
    ready = [found for _, found in rows if isinstance(found, Answer)]
    obstacles = [glyphs_parts.obstacle(what, found) for what, found in rows if isinstance(found, Exception)]
    payload, clusters = payload_of(shown, ready, grouping, named)
    return (
        now,
        subtitle(shown, ready),
        json.dumps(payload, separators=(",", ":")),
        obstacles,
        glyphs_parts.legend(shown, clusters, known=grouping is not None) if ready else [],
        glyphs_parts.options(shown, order),
        str(first),
        first,
        glyphs_parts.steps(order, first),
        shown.kind != "text",
    )


def _asked(shown: Frame) -> list[tuple[str, Answer | Exception]]:
    """Each row with its answer, or with what keeps it from being drawn."""
    wanted: list[tuple[str, int | None, str]] = [
        (f"Instance {index:,}", index, "") for index in shown.instances[: glyphs_data.MOST_ROWS]
    ]
    if shown.kind == "text" and shown.selection.stext.strip():
        wanted.append(("Your text", None, shown.selection.stext))
    rows: list[tuple[str, Answer | Exception]] = []
    for what, index, text in wanted:
        try:
            rows.append((what, data.states(shown, index, text)))
        except (asking.NotReady, CutawayError) as error:
            rows.append((what, error))
    return rows


def known_words(shown: Frame) -> Answer | None:
    """``sequence_responses``, if they are there: they name the words of series."""
    if shown.kind == "text":
        return None
    return subjects.known(shown.selection, "sequence_responses", **shown.source, words=shown.words).answer


def payload_of(
    shown: Frame, ready: list[Answer], grouping: Answer | None, named: Answer | None
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What the browser draws, and the clusters in it. grouping: of the units; None: all are one group."""
    if grouping is None:
        cluster, count = np.zeros(shown.units, np.int64), 1
    else:
        cluster, count = np.asarray(grouping.array("unit_cluster")), int(grouping.json["k"])
    sizes = np.bincount(cluster, minlength=count)
    there = np.flatnonzero(sizes)  # a cluster may hold words alone
    cluster, count = np.searchsorted(there, cluster), len(there)
    clusters = [
        {
            "id": int(number),
            "size": int(sizes[number]),
            "name": data.cluster_name("u", int(number)) if grouping is not None else "all units",
        }
        for number in there
    ]
    rows = [glyphs_data.row(shown, answer, cluster, count) for answer in ready]
    used = np.unique(np.concatenate([np.ravel(answer.array("word")) for answer in ready])) if ready else np.zeros(0)
    value = {
        "rows": rows,
        "clusters": clusters,
        "grouped": grouping is not None,
        "names": glyphs_data.word_names(rows, named, used),
        "kind": shown.kind,
        "recurrent": bool(shown.about["recurrent"]),
    }
    return value, clusters


def subtitle(shown: Frame, ready: list[Answer]) -> str:
    """'lstm, hidden state · 2 sequences · 31 steps in all'."""
    if not ready:
        return shown.name
    total = sum(len(answer.array("kept")) for answer in ready)
    count = f"{len(ready)} sequences · {total:,} steps in all" if len(ready) != 1 else f"{total:,} steps"
    over = len(shown.selection.instances) - glyphs_data.MOST_ROWS
    more = f" · {over} more chosen, not drawn" if over > 0 else ""
    memory = "" if shown.about["recurrent"] else " · no memory: changes are between neighbouring steps"
    return f"{shown.name} · {count}{more}{memory}"
