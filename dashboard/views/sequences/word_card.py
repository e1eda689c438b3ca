"""The inspector's cards of a word, of an instance, and of steps in it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from dash import html

from analysis.errors import CutawayError
from dashboard import asking
from dashboard.views.sequences import data, glyphs_data, word_data
from dashboard.views.sequences.data import Frame
from dashboard.widgets.attributes import attributes
from dashboard.wording import finite

MOST = 3  # units that are named
TOKENS = 24


def facts(rows: Sequence[tuple[str, Any]]) -> html.Table:
    """Figures with their names."""
    listed = [html.Tr([html.Th(label, scope="row"), html.Td(value)]) for label, value in rows]
    return html.Table(html.Tbody(listed), className="facts")


def link(text: str, **place: Any) -> html.Button:
    """A click changes the selection."""
    return html.Button(text, type="button", className="link", **attributes({"data-nav": json.dumps(place)}))


def word(shown: Frame) -> html.Div | None:
    """The first of the chosen words: how often, its class, its cluster, the units that it moves most."""
    if not shown.selection.word:
        return None
    title = html.H2("Word")
    try:
        found = word_data.known(shown)
    except asking.Pending:
        return html.Div([title, html.P("Its response is being computed.", className="quiet")])
    except CutawayError as error:
        return html.Div([title, html.P(f"{error.message} {error.remedy}", className="quiet")])
    row, number = found.rows[0], found.numbers[0]
    mean = np.nan_to_num(np.asarray(found.answer.array("mean")[row], np.float64))
    order = np.argsort(mean)
    lowers = [int(unit) for unit in order[:MOST] if mean[unit] < 0]
    raises = [int(unit) for unit in order[::-1][:MOST] if mean[unit] > 0]
    rows: list[tuple[str, Any]] = [
        ("occurrences", f"{int(found.answer.array('count')[row]):,}"),
        ("in instances", f"{int(found.answer.array('sequences')[row]):,} of {int(found.answer.json['sequences']):,}"),
        ("response ||s||", finite(float(found.answer.array("norm")[row]), 3)),
        ("raises most", _units(raises, mean)),
        ("lowers most", _units(lowers, mean)),
    ]
    cluster = _cluster_of(shown, row)
    if cluster is not None:
        rows.append(("cluster", link(data.cluster_name("w", cluster), cluster=f"w{cluster}")))
    parts: list[Any] = [html.H2(["Word ", html.Span(found.name(row))]), facts(rows)]
    said = word_data.classes(shown, found, row)
    if said:
        parts.append(html.P(said))
    parts.append(
        html.P("A response is an association: a test of the units it moves says what they cause.", className="quiet")
    )
    if len(shown.selection.word) > 1:
        parts.append(html.P(link("Show this word alone", word=str(number))))
    return html.Div(parts)


def _units(units: Sequence[int], mean: np.ndarray[Any, Any]) -> Any:
    if not units:
        return "none"
    listed: list[Any] = []
    for unit in units:
        text = f"unit {unit} ({word_data.number(mean[unit], 2)})"
        listed += [link(text, filter=str(unit)), " "]
    return listed


def _cluster_of(shown: Frame, row: int) -> int | None:
    answer = data.known_clusters(shown)
    if answer is None:
        return None
    at = np.flatnonzero(np.asarray(answer.array("word")) == row)
    return int(np.asarray(answer.array("word_cluster"))[at[0]]) if len(at) else None


def instance(shown: Frame) -> html.Div | None:
    """*The* instance: label, prediction, and where else it can be looked at."""
    if not shown.selection.instances:
        return None
    index, found = shown.instance, shown.extraction
    row = found.row_of(index) if found is not None else None
    rows: list[tuple[str, Any]] = []
    if found is not None and row is not None:
        label, guess = int(found.labels[row]), int(found.predictions[row])
        sign = "no label" if label < 0 else "✓ correct" if label == guess else "✗ wrong"
        rows = [
            ("label", f"{glyphs_data.class_sign(label)} {shown.class_name(label)}"),
            ("prediction", f"{glyphs_data.class_sign(guess)} {shown.class_name(guess)}"),
            ("outcome", sign),
            ("confidence", f"{100 * float(found.confidence[row]):.1f} %"),
        ]
    links = [
        html.P(link("Explain its prediction, in Attribution", view="attribution", instances=str(index))),
        html.P(link("Its activations, in Layers", view="layers", instances=str(index))),
    ]
    return html.Div([html.H2(["Instance ", html.Span(f"{index:,}")]), facts(rows), *links])


def span(shown: Frame) -> html.Div | None:
    """The chosen steps of *the* instance: what they are, how much of the state they keep and change."""
    if shown.selection.steps is None:
        return None
    start, stop = shown.selection.steps
    title = f"Step {start + 1:,}" if start == stop else f"Steps {start + 1:,} to {stop + 1:,}"
    try:
        answer = data.states(shown, shown.instance)
    except (asking.NotReady, CutawayError):
        return html.Div([html.H2(title), html.P("The states of the instance are not there yet.", className="quiet")])
    kept, changes = np.asarray(answer.array("kept")), np.asarray(answer.array("changes"))
    if start >= len(kept) or stop < start:
        said = f"Instance {shown.instance:,} has {len(kept):,} steps."
        return html.Div([html.H2(title), html.P(said, className="quiet")])
    part = slice(start, stop + 1)
    own = kept[part][np.isfinite(kept[part])]
    rows: list[tuple[str, Any]] = [("kept per step", f"{100 * float(own.mean()):.0f} %" if len(own) else "not defined")]
    rows.append(("mean |change|", finite(float(np.abs(changes[part]).mean()), 3)))
    rate = answer.json["sampling_rate"]
    if rate:
        rows.append(("time", f"{finite(start / rate, 4)} to {finite((stop + 1) / rate, 4)} s"))
    most = np.abs(changes[part].sum(0)).argmax()
    by = word_data.number(changes[part].sum(0)[most], 2)
    rows.append(("changes most", link(f"unit {int(most)} ({by})", filter=str(int(most)))))
    parts: list[Any] = [html.H2(title), facts(rows)]
    if shown.kind == "text":
        tokens = [str(token) or "␣" for token in answer.json["tokens"][part]]
        text = " ".join(tokens[:TOKENS]) + (" …" if len(tokens) > TOKENS else "")
        parts.insert(1, html.P(f"“{text}”"))
    goto = attributes({"data-sqg-goto": "sq-similar-panel"})
    parts.append(html.P(html.Button("Moments like this one", type="button", className="link", **goto)))
    parts.append(html.P(link("Choose no steps", sspan=None)))
    return html.Div(parts)
