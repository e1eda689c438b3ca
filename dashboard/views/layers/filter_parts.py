"""The parts of the filter panel: patches, figures, labels it answers to, filters that answer alike."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from dash import html

from analysis.errors import NotFound
from analysis.results import Answer
from dashboard import subjects
from dashboard.pictures import addresses, patches
from dashboard.pictures.draw import Sheet
from dashboard.pictures.patches import Patch
from dashboard.views.layers import data, evidence
from dashboard.views.layers.sprites import tile
from dashboard.widgets.attributes import attributes
from dashboard.widgets.class_marks import class_mark

SHOWN = 12  # patches
LABELS = 6
ALIKE = 8


def top(shown: data.Frame, index: int, fields: Answer | None) -> Any:
    """The patches that activate the filter most, each with its value and a link to its instance."""
    found = shown.extraction
    listed = patches.top_patches(found, fields, shown.layer.key, index, SHOWN)
    if not listed:
        word = data.noun(shown.layer, 1, capital=True)
        return html.P(f"{word} {index} is active on none of the {shown.count}.", className="empty-line")
    sheet = address = None
    if found.kind in ("image", "series"):
        sheet = patches.sheet_of(patches.tiles(found, listed))
        address = addresses.patches(
            found.directory.name, shown.layer.key, index, SHOWN, fields=fields.key if fields else None
        )
    values = data.column([patch.value for patch in listed], 3)
    rows = [_patch(shown, patch, values[place], place, address, sheet) for place, patch in enumerate(listed)]
    what = "Patches" if fields is not None and shown.layer.spatial else "Instances"
    heading = html.H3(f"{what} that activate it most")
    return [heading, html.Ul(rows, className=f"patches {found.kind}")]


def _patch(
    shown: data.Frame, patch: Patch, value: str, place: int, address: str | None, sheet: Sheet | None
) -> html.Li:
    found = shown.extraction
    row = found.row_of(patch.instance)
    # Where there are no labels, what the model takes it for.
    known = found.labels if shown.grouping == "label" else found.predictions
    label = int(known[row]) if row is not None else -1
    where = patches.place_text(found.kind, patch.box)
    name = shown.class_name(label)
    said = name if shown.grouping == "label" else f"predicted {name}"
    picture: Any = None
    if address is not None and sheet is not None:
        picture = tile(address, place, sheet, f"Instance {patch.instance}, {said}, {where or 'the whole'}")
    elif found.kind == "text":
        picture = _words(shown, patch)
    nav = json.dumps({"instances": str(patch.instance)})
    return html.Li(
        [
            picture,
            html.Span(value, className="patch-value"),
            html.Span([class_mark(label), name], className="patch-class", title=said),
            html.Button(
                f"#{patch.instance}",
                type="button",
                className="link",
                title=f"Instance {patch.instance}" + (f", {where}" if where else ""),
                **attributes({"data-nav": nav, "aria-label": f"Instance {patch.instance}"}),
            ),
            html.Span(_short(patch), className="patch-where", title=where),
        ],
        className="patch",
    )


def _short(patch: Patch) -> str:
    """'17–21 × 8–12': rows and columns, or steps, of the input that the filter saw."""
    return " × ".join(f"{start}–{stop - 1}" if stop - start > 1 else str(start) for start, stop in patch.box)


def _words(shown: data.Frame, patch: Patch) -> html.P:
    """Tokens of a text, those that the filter sees marked, with a few around them."""
    try:
        tokens = shown.extraction.tokens(patch.instance)
    except NotFound:
        return html.P("The text is not kept.", className="quiet")
    start, stop = patch.box[0] if len(patch.box) == 1 else (0, 0)
    first = max(0, start - 6)
    parts: list[Any] = ["… "] if first else []
    for at, token in enumerate(tokens[first : max(stop, first) + 12], first):
        parts += [html.Mark(token) if start <= at < stop else token, " "]
    return html.P(parts, className="patch-text")


def facts(shown: data.Frame, index: int, similar: subjects.Asked, weights: Answer | None, scheme: str) -> list[Any]:
    """Weights, figures, labels and neighbours."""
    parts: list[Any] = []
    if weights is not None:
        parts.append(_weights(index, weights, scheme))
    parts.append(_figures(shown, index))
    word = data.noun(shown.layer, 2)
    if similar.answer is None:
        state = evidence.progress_of(similar, f"Similar {word} and labels")
        return [*parts, html.P(state, className="quiet", role="status")]
    return [
        *parts,
        html.H3("Labels it answers to"),
        _tally(shown, index, similar.answer),
        html.H3(f"Most similar {word}"),
        _alike(shown, index, similar.answer),
    ]


def _weights(index: int, answer: Answer, scheme: str) -> html.Div:
    count, channels, height, width = answer.array("weights").shape
    sheet = Sheet.of(count, width, height)
    low, high = answer.json["low"], answer.json["high"]
    limit = max(abs(low), abs(high))
    text = f"{height} × {width} weights" + (", in colour as the input's channels" if channels == 3 else "")
    scale = (
        html.P(["blue is negative, orange positive, to ±", f"{limit:.3g} (the layer's largest)"], className="quiet")
        if channels == 1
        else html.P(f"grey is 0, ends at ±{limit:.3g} (the layer's largest)", className="quiet")
    )
    picture = tile(addresses.weights(answer.key, scheme), index, sheet, f"Weights of filter {index}", side=64)
    return html.Div([picture, html.Div([html.P(text), scale])], className="weights")


def _figures(shown: data.Frame, index: int) -> html.Table:
    found = evidence.statistics(shown)
    over = "instances and positions" if shown.layer.spatial else "instances"
    values = data.column([found.maximum[index], found.mean[index]])
    rows = list(zip(("largest activation", f"mean over {over}"), values, strict=True))
    share = found.frequency[index]
    rows += [
        (f"above {found.beta:g} of its largest", _share(share, found.instances)),
        ("active on", _share(found.active_share[index], found.instances)),
    ]
    if found.nonfinite[index]:
        rows.append(("not finite on", f"{int(found.nonfinite[index]):,} instances, left out"))
    note = evidence.health(shown)[index]
    rows.append(("judged", note or "nothing unusual"))
    return html.Table(
        html.Tbody([html.Tr([html.Th(label, scope="row"), html.Td(value)]) for label, value in rows]), className="facts"
    )


def _share(value: float, count: int) -> str:
    return f"{100 * value:.1f} % of {count:,} instances" if np.isfinite(value) else "undefined"


def _tally(shown: data.Frame, index: int, answer: Answer) -> Any:
    labels, tally = answer.array("tally_labels")[index], answer.array("tally")[index]
    total = float(answer.array("tally_total")[index])
    if not np.isfinite(total) or total <= 0:
        return html.P("The patches have no labels, or none activates it.", className="quiet")
    bars = [
        html.Div(
            [
                html.Span([class_mark(int(label)), shown.class_name(int(label))], className="bar-name"),
                html.Span(
                    html.Span(style={"width": f"{min(100.0, 100 * value / total):.1f}%"}, className="bar-fill"),
                    className="bar",
                ),
                html.Span(f"{100 * value / total:.0f} %", className="bar-value"),
            ],
            className="bar-row",
        )
        for label, value in list(zip(labels.tolist(), tally.tolist(), strict=True))[:LABELS]
        if label >= 0 and value > 0
    ]
    spread = float(answer.array("tally_perplexity")[index])
    text = f"Share of its summed activation; perplexity {data.finite(spread, 3)} (1 = one label only)."
    return html.Div([*bars, html.P(text, className="quiet")])


def _alike(shown: data.Frame, index: int, answer: Answer) -> Any:
    others, values = answer.array("neighbours")[index], answer.array("phi")[index]
    word = data.noun(shown.layer, 1)
    items = []
    for other, phi in list(zip(others.tolist(), values.tolist(), strict=True))[:ALIKE]:
        if other < 0 or not np.isfinite(phi):
            continue
        place = json.dumps({"layer": shown.layer.key, "filter": int(other)})
        items.append(
            html.Li(
                [
                    html.Button(f"{word} {other}", type="button", className="link", **attributes({"data-nav": place})),
                    html.Span(f" phi {phi:.2f}", className="quiet"),
                ]
            )
        )
    if not items:
        return html.P(f"No other {word} was active with it.", className="quiet")
    return html.Ul(items, className="alike")
