"""Similar moments as a list with their context, and their labels against those of the sample."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import numpy as np
from dash import html
from numpy.typing import NDArray

from analysis.results import Answer
from dashboard.views.sequences import data
from dashboard.views.sequences.data import Frame
from dashboard.widgets.attributes import attributes
from dashboard.widgets.class_marks import class_mark

UNITS = 12  # that are named
TOKEN = 24  # characters of one
LANES = 3  # channels that are drawn
SIZE = (240, 16)  # of a channel's curve
POINTS = 200
INK = {"light": "#515c6b", "dark": "#a9b2bf"}
SPAN = {"light": "#e4eefb", "dark": "#22324a"}


def moments(shown: Frame, answer: Answer, scheme: str) -> html.Ol:
    """One row each, best first; a click opens the sequence with the moment's steps chosen."""
    rows = []
    pictures = _pictures(answer, scheme)
    for number, one in enumerate(answer.json["moments"]):
        place = {"instances": str(one["instance"]), "sspan": f"{one['start']}-{one['stop']}"}
        steps = (
            f"step {one['start'] + 1:,}"
            if one["start"] == one["stop"]
            else f"{one['start'] + 1:,} to {one['stop'] + 1:,}"
        )
        said = f"Instance {one['instance']:,}, {steps}, {100 * one['score']:.0f} %"
        more = attributes({"data-nav": json.dumps(place), "aria-label": f"Open {said}", "title": f"Open {said}"})
        body: Any = html.Span(_context(one), className="sqm-context")
        if pictures:
            body = html.Img(src=pictures[number], alt="", className="sqm-curve")
        rows.append(
            html.Li(
                html.Button(
                    [
                        html.Span(f"{100 * one['score']:.0f} %", className="sqm-score"),
                        body,
                        html.Span(_answers(shown, one), className="sqm-labels"),
                    ],
                    type="button",
                    className="sqm-moment",
                    **more,
                )
            )
        )
    return html.Ol(rows, className="sqm-moments")


def _context(one: dict[str, Any]) -> list[Any]:
    def joined(names: list[str]) -> str:
        return " ".join(data.written(str(name), TOKEN) for name in names)

    before, after = joined(one["before"]), joined(one["after"])
    return [f"{before} " if before else "", html.Mark(joined(one["tokens"])), f" {after}" if after else ""]


def _answers(shown: Frame, one: dict[str, Any]) -> list[Any]:
    """Label, and the prediction where it is another."""
    label, guess = int(one["label"]), int(one["prediction"])
    found: list[Any] = [class_mark(label), shown.class_name(label)[:24]]
    if label >= 0 and guess != label:
        found.append(html.Span([" ✗ ", class_mark(guess), shown.class_name(guess)[:24]], className="verdict wrong"))
    elif label < 0:
        found = [class_mark(guess), f"{shown.class_name(guess)[:24]} (predicted)"]
    return found


def _pictures(answer: Answer, scheme: str) -> list[str]:
    """Of series: the moment with as much on either side, as addresses of pictures."""
    if "picture" not in answer.names():
        return []
    values = np.asarray(answer.array("picture"), np.float64)[:, :LANES]
    first = np.asarray(answer.array("first"))
    with np.errstate(all="ignore"):
        flat = values.transpose(1, 0, 2).reshape(values.shape[1], -1)
        known = np.isfinite(flat)
        low = np.array([lane[good].min() if good.any() else 0.0 for lane, good in zip(flat, known, strict=True)])
        high = np.array([lane[good].max() if good.any() else 1.0 for lane, good in zip(flat, known, strict=True)])
    high = np.where(high > low, high, low + 1)
    ends = [
        (one["start"] - start, one["stop"] + 1 - start)
        for one, start in zip(answer.json["moments"], first.tolist(), strict=True)
    ]
    return [_picture(lanes, low, high, end, scheme) for lanes, end in zip(values, ends, strict=True)]


def _picture(lanes: NDArray[Any], low: NDArray[Any], high: NDArray[Any], ends: tuple[int, int], scheme: str) -> str:
    wide, tall = SIZE
    steps = lanes.shape[1]
    places = np.unique(np.linspace(0, steps - 1, min(POINTS, steps)).round().astype(int))
    start, stop = (wide * end / steps for end in ends)
    parts = [f'<rect x="{start:.1f}" width="{stop - start:.1f}" height="{tall * len(lanes)}" fill="{SPAN[scheme]}"/>']
    for number, lane in enumerate(lanes):
        share = (lane[places] - low[number]) / (high[number] - low[number])
        spots = [
            f"{wide * (at + 0.5) / steps:.1f},{tall * number + 1 + (tall - 2) * (1 - value):.1f}"
            for at, value in zip(places.tolist(), share.tolist(), strict=True)
            if np.isfinite(value)
        ]
        line = f'<polyline points="{" ".join(spots)}" fill="none" stroke="{INK[scheme]}" stroke-width="1.2"/>'
        parts.append(line)
    height = tall * len(lanes)
    text = f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{height}">{"".join(parts)}</svg>'
    return "data:image/svg+xml;base64," + b64encode(text.encode()).decode()


def labels(said: dict[str, Any]) -> list[Any]:
    """Share of each label among the moments, with a line where it is in the sample."""
    rows = [one for one in said["by_label"] if one["share"] is not None]
    if not rows:
        return []
    total = sum(one["moments"] for one in rows)
    listed = []
    for one in sorted(rows, key=lambda row: -(row["share"] - row["base"]))[:8]:
        share, base = 100 * one["share"], 100 * one["base"]
        text = f"{one['name']}: {share:.0f} % of the moments, {base:.0f} % of the sample"
        plot = [
            html.Span(className="sqm-fill", style={"left": "0", "width": f"{share:.1f}%"}),
            html.Span(className="sqm-base", style={"left": f"{base:.1f}%"}),
        ]
        listed.append(
            html.Div(
                [
                    html.Span([class_mark(int(one["class"])), str(one["name"])[:40]], className="sqm-label"),
                    html.Span(
                        plot, className="sqm-plot", role="img", **attributes({"aria-label": text, "title": text})
                    ),
                    html.Span(f"{share:.0f} % ({base:.0f} %)", className="sqm-number wide"),
                ],
                className="sqm-bar",
            )
        )
    note = f"Share of {total:,} moments; the line, and in brackets: share of the sample."
    return [
        html.H3("Labels of these sequences"),
        html.Div(listed, className="sqm-bars"),
        html.P(note, className="quiet"),
    ]


def lead(said: dict[str, Any]) -> list[Any]:
    """What was searched for, in sentences."""
    units = said["units"]
    listed = ", ".join(f"{unit} {'+' if sign > 0 else '−'}" for unit, sign in units[:UNITS])
    rest = f" and {len(units) - UNITS:,} more" if len(units) > UNITS else ""
    what = "1 unit is" if len(units) == 1 else f"{len(units):,} units are"
    first = f"{what} on through these {said['length']:,} steps: {listed}{rest}."
    searched = f"{said['steps']:,} steps of {said['sequences']:,} sequences were searched."
    rule = html.Details([html.Summary("How moments are ranked"), html.P(said["rule"])], className="sq-list quiet")
    return [html.P(f"{first} {searched}"), rule]
