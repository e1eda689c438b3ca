"""The inspector's cards of a unit and of a cluster."""

from __future__ import annotations

from typing import Any

import numpy as np
from dash import html

from analysis.errors import CutawayError
from dashboard import asking
from dashboard.views.sequences import data, unit_data, unit_parts, word_data, word_parts
from dashboard.views.sequences.data import Frame
from dashboard.views.sequences.word_card import facts, link
from dashboard.widgets.attributes import attributes
from dashboard.wording import finite

MOST_UNITS = 24


def unit(shown: Frame) -> html.Div | None:
    """The chosen unit: its cluster, how long it remembers, what moves it, what can be done with it."""
    chosen = word_parts.unit_of(shown)
    if chosen is None:
        return None
    title = html.H2(["Unit ", html.Span(str(chosen))])
    rows: list[tuple[str, Any]] = [("layer", shown.name)]
    grouping = data.unit_clusters(shown)
    if grouping is not None:
        number = int(grouping[0][chosen])
        rows.append(("cluster", link(data.cluster_name("u", number), cluster=f"u{number}")))
    life = unit_data.half_life(shown, chosen)
    rows += [("half-life", life)] if life else []
    try:
        found = unit_data.moved(shown)
        rows += [
            (text, _word(found, listed[0]))
            for text, listed in (("raised most by", found.raises), ("lowered most by", found.lowers))
            if listed
        ]
    except (asking.NotReady, CutawayError):
        pass  # the panel on this unit says why
    return html.Div([title, facts(rows), *unit_parts.links(shown, chosen)])


def _word(found: unit_data.Moved, row: int) -> list[Any]:
    number = int(found.answer.array("id")[row])
    change = word_data.number(found.mean(row), 2)
    return [link(found.name(row), word=str(number)), f" ({change})"]


def cluster(shown: Frame) -> html.Div | None:
    """The pinned cluster: how large, what it holds, what it goes with most."""
    pinned = shown.selection.cluster
    answer = data.known_clusters(shown) if pinned else None
    if answer is None:
        return None
    kind, number = pinned[0], int(pinned[1:])
    listed = answer.json["word_clusters" if kind == "w" else "unit_clusters"]
    if number >= len(listed):
        said = f"There are {len(listed)} clusters, counted from 0."
        return html.Div([html.H2(f"Cluster {data.cluster_name(kind, number)}"), html.P(said, className="quiet")])
    one = listed[number]
    links = np.asarray(answer.array("links"))
    own = np.nan_to_num(links[number] if kind == "w" else links[:, number])
    other = "u" if kind == "w" else "w"
    rows: list[tuple[str, Any]] = [("words" if kind == "w" else "units", f"{one['size']:,}")]
    if kind == "w" and one.get("class") is not None:
        rows.append(("goes with", f"{shown.class_name(int(one['class']))} (mean z {finite(one['lean'], 2)})"))
    verbs = ("raises most", "lowers most") if kind == "w" else ("raised most by", "lowered most by")
    for verb, at in ((verbs[0], int(own.argmax())), (verbs[1], int(own.argmin()))):
        if own[at] != 0 and (own[at] > 0) == (verb == verbs[0]):
            text = f"{data.cluster_name(other, at)} ({word_data.number(own[at], 2)})"
            rows.append((verb, link(text, cluster=f"{other}{at}")))
    parts: list[Any] = [html.H2(["Cluster ", html.Span(data.cluster_name(kind, number))]), facts(rows)]
    parts.append(html.P(_members(one, kind)))
    if kind == "u":
        goto = attributes({"data-sqg-goto": "sq-causes-panel"})
        parts.append(html.P(html.Button("Test without it", type="button", className="link", **goto)))
    parts.append(html.P(link("Unpin it", cluster=None)))
    return html.Div(parts)


def _members(one: dict[str, Any], kind: str) -> str:
    if kind == "w":
        return "Strongest: " + ", ".join(data.spelt(str(name)) for name in one["names"]) + "."
    units = [str(unit) for unit in one["units"][:MOST_UNITS]]
    more = "" if one["size"] <= MOST_UNITS else f" and {one['size'] - MOST_UNITS:,} more"
    return f"Units {', '.join(units)}{more}."
