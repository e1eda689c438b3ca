"""The clusters in words: what the picture shows, as two tables that are read without it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from dash import html

from analysis.results import Answer
from dashboard.views.sequences.data import Frame, cluster_name, spelt
from dashboard.widgets.attributes import attributes
from dashboard.wording import column, finite

UNITS = 24  # of a cluster that are named
LINKS = 3  # of a cluster that are named


def listing(shown: Frame, responses: Answer, clusters: Answer) -> html.Details:
    """Both tables, folded: word clusters with their strongest words, unit clusters with their units, and all links."""
    return html.Details(
        [
            html.Summary("The clusters in words and numbers"),
            html.Div(_words(shown, responses, clusters), className="sq-scroll"),
            html.Div(_units(shown, clusters), className="sq-scroll"),
            html.Div(_links(clusters), className="sq-scroll"),
        ],
        className="sq-list",
    )


def _words(shown: Frame, responses: Answer, clusters: Answer) -> html.Table:
    links = np.asarray(clusters.array("links"), np.float64)
    numbers = _numbers(responses, clusters)
    rows = []
    for one in clusters.json["word_clusters"]:
        leans = (
            "no class clearly"
            if one["class"] is None
            else f"{shown.class_name(one['class'])} (mean z {one['lean']:.1f})"
        )
        rows.append(
            [
                _pin("w", one["id"]),
                f"{one['size']:,}",
                leans,
                [_word(name, numbers.get(name)) for name in one["names"]],
                _strongest(links[one["id"]], "u"),
            ]
        )
    return _table("Clusters of words", ["cluster", "words", "goes with", "strongest words", "moves most"], rows)


def _numbers(responses: Answer, clusters: Answer) -> dict[str, int]:
    """Id of each word that is clustered, by its name; of two of one name the more frequent."""
    ids, names = np.asarray(responses.array("id")), responses.json["names"]
    return {names[row]: int(ids[row]) for row in np.asarray(clusters.array("word"))[::-1]}


def _units(shown: Frame, clusters: Answer) -> html.Table:
    links = np.asarray(clusters.array("links"), np.float64)
    rows = []
    for one in clusters.json["unit_clusters"]:
        named: list[Any] = [_unit(shown, unit) for unit in one["units"][:UNITS]]
        more = len(one["units"]) - UNITS
        if more > 0:
            named.append(html.Span(f"and {more:,} more", className="quiet"))
        rows.append([_pin("u", one["id"]), f"{one['size']:,}", named, _strongest(links[:, one["id"]], "w")])
    return _table("Clusters of units", ["cluster", "units", "which", "moved most by"], rows)


def _links(clusters: Answer) -> html.Table:
    links = np.asarray(clusters.array("links"), np.float64)
    texts = iter(text.replace("-", "−") for text in column(links.ravel().tolist(), 3))
    rows = [[cluster_name("w", i), *(next(texts) for _ in row)] for i, row in enumerate(links)]
    head = ["mean change", *(cluster_name("u", j) for j in range(links.shape[1]))]
    return _table("Links: mean response of units (columns) to words (rows)", head, rows)


def _strongest(values: np.ndarray[Any, Any], other: str) -> str:
    order = [int(at) for at in np.argsort(-np.abs(values), kind="stable")[:LINKS] if values[at]]
    return ", ".join(
        f"{cluster_name(other, at)} {'+' if values[at] > 0 else ''}{finite(values[at], 2)}" for at in order
    )


def _table(caption: str, head: list[str], rows: list[list[Any]]) -> html.Table:
    body = [html.Tr([html.Th(row[0], scope="row"), *(html.Td(cell) for cell in row[1:])]) for row in rows]
    first = html.Thead(html.Tr([html.Th(text, scope="col") for text in head]))
    return html.Table([html.Caption(caption, className="quiet"), first, html.Tbody(body)], className="sq-table")


def _pin(kind: str, number: int) -> html.Button:
    name = cluster_name(kind, number)
    return _button(name, {"cluster": f"{kind}{number}"}, f"Pin cluster {name}")


def _word(name: str, number: int | None) -> Any:
    if number is None:
        return html.Span(spelt(name))
    return _button(spelt(name), {"word": str(number)}, f"Choose the word {spelt(name)}")


def _unit(shown: Frame, unit: int) -> html.Button:
    nav = {"filter": str(unit)}
    if shown.selection.layer != shown.layer:
        kept = {"sdepth": "" if shown.selection.sdepth is None else str(shown.selection.sdepth)}
        nav |= {"layer": shown.layer, "cluster": shown.selection.cluster, **kept}
    return _button(str(unit), nav, f"Choose unit {unit}")


def _button(text: str, nav: dict[str, str], label: str) -> html.Button:
    extra = attributes({"data-nav": json.dumps(nav), "aria-label": label})
    return html.Button(text, type="button", className="link", **extra)
