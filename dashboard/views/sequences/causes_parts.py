"""What a test of units says: in sentences, by class, by word, and beside the tests of other clusters."""

from __future__ import annotations

import json
from typing import Any

from dash import html

from dashboard.views.sequences import data, unit_data
from dashboard.views.sequences.causes_data import Units, count
from dashboard.views.sequences.data import Frame
from dashboard.widgets.attributes import attributes
from dashboard.widgets.class_marks import class_mark

MINUS = "−"
TOKENS = 12  # words that are listed
CLASSES = 12


def points(value: float | None, digits: int = 1) -> str:
    """'+0.4', '−12.3'; 'undefined' without labels."""
    if value is None:
        return "undefined"
    text = f"{abs(value):.{digits}f}"
    return text if float(text) == 0 else (MINUS if value < 0 else "+") + text


def how(mode: str, value: float, units: Units) -> str:
    """'Without cluster U2 (5 units)', 'With unit 7 held at 0.5'."""
    return f"With {units.said} held at {value:g}" if mode == "clamp" else f"Without {units.said}"


def verdict(units: Units, said: dict[str, Any], name: str) -> list[Any]:
    """Sentences, the conclusion first. said: the answer. name: what was done, as ``how`` says it."""
    if said["change"] is None:
        share = said["flips"] / max(1, said["instances"])
        text = f"{name}, {said['flips']:,} of {said['instances']:,} predictions change ({100 * share:.1f} %)."
        return [html.P(html.B(text)), html.P(_random(said), className="quiet")]
    lead = (
        f"{name}, accuracy goes from {100 * said['accuracy_before']:.1f} % to {100 * said['accuracy_after']:.1f} %: "
        f"{points(said['change'])} points ({points(said['low'])} to {points(said['high'])}, 95 %, n = {said['n']:,})."
    )
    flips = f"{said['flips']:,} of {said['instances']:,} predictions change."
    return [html.P(html.B(lead)), html.P(f"{conclusion(said, len(units.units))} {flips}"), html.P(_random(said))]


def conclusion(said: dict[str, Any], number: int) -> str:
    """What follows, in a sentence."""
    they = "This unit" if number == 1 else "These units"
    random = said["random"]
    if said["low"] <= 0 <= said["high"]:
        return f"{they} cannot be told from units that the model does not need, as far as accuracy goes."
    if said["change"] > 0:
        return f"The model is better off: {they.lower()} did harm on this sample."
    if random["low"] is not None and random["low"] <= said["high"]:
        return "The model needs them, but other units of the same number matter as much."
    only = " more than others of the same number" if random["low"] is not None else ""
    return f"The model needs {they.lower()}{only}."


def _random(said: dict[str, Any]) -> str:
    random = said["random"]
    if random["reason"]:
        return f"There is no control: {random['reason'][0].lower()}{random['reason'][1:]}"
    pool = "the others" if random.get("from") != "all" else "all units, as there are too few others,"
    what = f"{count(random['count'])} drawn at random from {pool}"
    draws = "1 draw" if random["draws"] == 1 else f"{random['draws']} draws"
    if random["change"] is None:
        return f"With {what} instead: {random['flips']:.0f} predictions change in the mean of {draws}."
    between = f" (from {points(random['low'])} to {points(random['high'])})" if random["draws"] > 1 else ""
    return f"Without {what} instead: {points(random['change'])} points{between}, {draws}."


def classes(said: dict[str, Any]) -> list[Any]:
    """Change by class, the largest first, as bars on a common scale with intervals."""
    rows = sorted(said["classes"], key=lambda one: -abs(one["change"] or 0))[:CLASSES]
    if not rows:
        return []
    every = [abs(one[end]) for one in rows for end in ("low", "high", "change")]
    random = said["random"]
    if random["low"] is not None:
        every += [abs(random["low"]), abs(random["high"])]
    every += [abs(said[end]) for end in ("low", "high", "change")]
    scale = max(1.0, *every)
    found = [_bar("all", said, scale, [html.B("all")], said["n"])]
    found += [
        _bar(str(one["name"]), one, scale, [class_mark(int(one["class"])), str(one["name"])[:40]], one["n"])
        for one in rows
    ]
    if random["low"] is not None:
        found.append(_bar("random units", random, scale, [html.Span("random units", className="quiet")], None))
    left = len(said["classes"]) - len(rows)
    more = [html.P(f"{left} more classes, which change less.", className="quiet")] if left > 0 else []
    ends = html.Div(
        [html.Span(), html.Span([html.Span(f"{MINUS}{scale:.0f}"), html.Span("0"), html.Span(f"+{scale:.0f} points")])],
        className="sqm-ends four",
    )
    return [html.H3("Change of accuracy"), html.Div([*found, ends], className="sqm-bars"), *more]


def _bar(name: str, one: dict[str, Any], scale: float, label: list[Any], number: int | None) -> html.Div:
    def at(value: float) -> float:
        return 50 + 50 * max(-1.0, min(1.0, value / scale))

    change, low, high = float(one["change"]), float(one["low"]), float(one["high"])
    start, stop = sorted((at(0), at(change)))
    said = f"{name}: {points(change)} points, {points(low)} to {points(high)}"
    sign = "lowers" if change < 0 else "raises"
    plot = [
        html.Span(className=f"sqm-fill {sign}", style={"left": f"{start:.2f}%", "width": f"{stop - start:.2f}%"}),
        html.Span(className="sqm-zero"),
        html.Span(className="sqm-whisker", style={"left": f"{at(low):.2f}%", "width": f"{at(high) - at(low):.2f}%"}),
    ]
    return html.Div(
        [
            html.Span(label, className="sqm-label", title=name),
            html.Span(plot, className="sqm-plot", role="img", **attributes({"aria-label": said, "title": said})),
            html.Span(points(change), className="sqm-number"),
            html.Span("" if number is None else f"n = {number:,}", className="sqm-number quiet"),
        ],
        className="sqm-bar four",
    )


def words(shown: Frame, said: dict[str, Any]) -> list[Any]:
    """The words whose predictions move beyond those of the others."""
    if shown.kind != "text":
        return []
    listed = [one for one in said["tokens"] if one["clear"]][:TOKENS]
    if not listed:
        text = "Of no word it is clear that predictions for instances that hold it move more than others."
        return [html.P(text, className="quiet")]
    head = ("word", "instances", "margin", "95 %", "others")
    rows = []
    for one in listed:
        nav = attributes({"data-nav": json.dumps({"word": str(one["id"])})})
        name = html.Button(data.written(str(one["name"]), 28), type="button", className="link", **nav)
        cells = [
            f"{one['instances']:,}",
            points(one["shift"], 2),
            f"{points(one['low'], 2)} to {points(one['high'], 2)}",
            "–" if one["without"] is None else points(one["without"], 2),
        ]
        rows.append(html.Tr([html.Th(name, scope="row"), *(html.Td(text, className="num") for text in cells)]))
    columns = [html.Th(text, scope="col", className="num" if place else "") for place, text in enumerate(head)]
    table = html.Table([html.Thead(html.Tr(columns)), html.Tbody(rows)], className="sq-table")
    note = (
        "Mean change of the margin of the unchanged prediction, in logits, over instances that hold the word; "
        "'others' are the instances that do not. Listed where the two clearly differ, the clearest first."
    )
    return [
        html.H3("Words whose predictions move"),
        html.Div(table, className="sq-scroll"),
        html.P(note, className="quiet"),
    ]


def others(rows: list[tuple[Units, dict[str, Any] | None, Any]], pinned: int | None) -> list[Any]:
    """All clusters of units with what is known of them. rows: units, answer or None, and a button or a state."""
    if not rows:
        return []
    listed = []
    for units, said, action in rows:
        assert units.cluster is not None  # only clusters are listed
        nav = attributes({"data-nav": json.dumps({"cluster": f"u{units.cluster}"})})
        mark = html.Span(className="sqm-key", style={"background": data.cluster_colour(units.cluster)})
        name = html.Button(data.cluster_name("u", units.cluster), type="button", className="link", **nav)
        if said is None:
            cells = [html.Td(action, colSpan=2)]
        else:
            change = f"{points(said['change'])} points" if said["change"] is not None else f"{said['flips']:,} flips"
            control = points(said["random"]["change"]) if said["random"]["change"] is not None else "–"
            cells = [html.Td(change, className="num"), html.Td(control, className="num")]
        row = [html.Th([mark, name], scope="row"), html.Td(f"{len(units.units):,}", className="num"), *cells]
        listed.append(html.Tr(row, className="sqm-now" if units.cluster == pinned else ""))
    heads = [("cluster", ""), ("units", "num"), ("without it", "num"), ("random units", "num")]
    columns = [html.Th(text, scope="col", className=name) for text, name in heads]
    table = html.Table([html.Thead(html.Tr(columns)), html.Tbody(listed)], className="sq-table")
    return [html.H3("All clusters of units"), html.Div(table, className="sq-scroll")]


def links(shown: Frame, units: Units) -> list[Any]:
    """To the attribution of the units, with the reason where there is none."""
    reason = unit_data.explained(shown)
    place: dict[str, Any] = {"view": "attribution", "explain": "unit", "layer": shown.layer}
    place["instances"] = str(shown.instance)
    if units.cluster is None:
        place |= {"filter": str(units.units[0]), "filters": None}
    else:
        place |= {"filter": None, "filters": ",".join(map(str, units.units))}
    more = attributes({"data-nav": json.dumps(place)})
    if reason:
        more |= attributes({"aria-disabled": "true", "title": reason})
    text = "Explain this unit" if units.cluster is None else "Explain this cluster"
    found: list[Any] = [html.Button(text, type="button", className="link", **more)]
    if reason:
        found.append(html.Span(f" {reason}", className="quiet"))
    return [html.P(found)]
