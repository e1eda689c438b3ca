"""A suggestion: a sentence, its evidence with an interval, what its instances have in common, where it leads."""

from __future__ import annotations

import json
from typing import Any

from dash import html

from analysis.suggestions.listing import fits
from dashboard.framing import Frame
from dashboard.views.instances import suggestions_tiles
from dashboard.views.instances.data import cut
from dashboard.widgets.attributes import attributes

KINDS = {"rule": "rule", "cluster": "cluster", "neuron": "unit"}
PICTURES = 8  # instances of each
EXPLAIN = "Explain over many instances, in Attribution"


def suggestion(shown: Frame, one: dict[str, Any], number: int) -> html.Li:
    """One of the list."""
    chosen = (shown.selection.subset or "") == one["text"]
    lead = [
        html.Span(KINDS.get(one["kind"], one["kind"]), className=f"ins-kind {one['kind']}"),
        html.Span(f"{number}. ", className="quiet"),
        html.B(cut(one["sentence"], 400)),
    ]
    parts: list[Any] = [html.P(lead), _bar(one), html.P(evidence(one), className="quiet")]
    if one["about"]:
        parts.append(html.P(f"Of its instances {one['about']}.", className="quiet"))
    there = [index for index in one["instances"] if shown.extraction.row_of(index) is not None][:PICTURES]
    if there:
        tiles = suggestions_tiles.tiles(shown, there)
        parts.append(html.Div([html.Span("Wrong, largest loss first", className="control-label"), tiles]))
    parts.append(html.P(_links(shown, one), className="ins-links"))
    more = attributes({"aria-current": "true"}) if chosen else {}
    return html.Li(parts, className="ins-item chosen" if chosen else "ins-item", **more)


def evidence(one: dict[str, Any]) -> str:
    """What the half that was not searched says, in words."""
    held = one["held_out"]
    q = "below 0.0001" if one["q"] < 1e-4 else f"{one['q']:.2g}"
    return (
        f"On the half that was not searched: {held['wrong']:,} of {held['size']:,} wrong, {100 * one['share']:.0f} % "
        f"({100 * one['low']:.0f} to {100 * one['high']:.0f} %, 95 %), against {100 * one['base']:.1f} % of all: lift "
        f"{one['lift']:.1f}; "
        f"{one['excess']:.1f} more than by chance; false discovery rate {q}."
    )


def _bar(one: dict[str, Any]) -> html.Div:
    """The share of the held-out half, with its interval, beside that of all."""
    share, low, high, base = (100 * float(one[name]) for name in ("share", "low", "high", "base"))
    said = f"{share:.0f} % wrong, {low:.0f} to {high:.0f} %; all instances {base:.1f} %"
    plot = [
        html.Span(className="ins-fill", style={"width": f"{share:.2f}%"}),
        html.Span(className="ins-whisker", style={"left": f"{low:.2f}%", "width": f"{high - low:.2f}%"}),
        html.Span(className="ins-base", style={"left": f"{base:.2f}%"}),
    ]
    return html.Div(plot, className="ins-bar", role="img", **attributes({"aria-label": said, "title": said}))


def legend() -> html.Div:
    """What the bars mean."""
    return html.Div(
        [
            html.Span([html.Span(className="ins-key fill"), "share wrong, held out"]),
            html.Span([html.Span(className="ins-key whisker"), "95 % interval"]),
            html.Span([html.Span(className="ins-key base"), "share of all instances"]),
            html.Span("from 0 to 100 %", className="quiet"),
        ],
        className="in-legend",
    )


def _links(shown: Frame, one: dict[str, Any]) -> list[Any]:
    text = one["text"]
    if not fits(text):
        return [html.Span("Its expression is too long for an address: it cannot be opened.", className="quiet")]
    links: list[Any] = []
    if (shown.selection.subset or "") == text:
        links.append(link("Show all instances again", subset=None))
    else:
        links.append(link(f"Show its {one['size']:,} instances", subset=text))
    links.append(link(EXPLAIN, view="attribution", subset=text))
    links.append(link("Its units, in Model", **beside(shown, text)))
    for unit in one["neurons"]:
        said = f"unit {unit['neuron']} of {unit['layer']} (AUC {unit['auc']:.2f})"
        place = beside(shown, text) | {"layer": unit["layer"], "filter": str(unit["neuron"])}
        links.append(link(said, **place))
    if not one["neurons"]:
        links.append(html.Span("No single unit tells it from the rest.", className="quiet"))
    return links


def beside(shown: Frame, text: str) -> dict[str, Any]:
    """The Model view with a subset among the rows of its matrix."""
    try:
        rows = json.loads(shown.selection.xrows or "[]")
    except (ValueError, RecursionError):
        rows = []
    rows = [row for row in rows if isinstance(row, str) and row != text] if isinstance(rows, list) else []
    held = [*rows, text] if fits(json.dumps([*rows, text])) else [text]
    return {"view": "model", "xrows": json.dumps(held, ensure_ascii=False, separators=(",", ":"))}


def link(said: str, **place: Any) -> html.Button:
    """Changes the address."""
    return html.Button(said, type="button", className="link", **attributes({"data-nav": json.dumps(place)}))


def left_out(listed: list[list[str]]) -> list[Any]:
    """Columns that could not be used, with their reasons; [] of none."""
    if not listed:
        return []
    rows = [html.Li(f"{cut(name, 60)}: {cut(reason, 200)}") for name, reason in listed[:30]]
    count = f"{len(listed):,} column{'' if len(listed) == 1 else 's'} left out"
    return [html.Details([html.Summary(count), html.Ul(rows)], className="in-details")]
