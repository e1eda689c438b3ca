"""A box plot in each row: how a word's occurrences change a unit. And what else can be done with the unit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from dash import html
from numpy.typing import NDArray

from dashboard.views.sequences import unit_data
from dashboard.views.sequences.data import Frame
from dashboard.views.sequences.unit_data import Moved
from dashboard.views.sequences.word_data import number as written
from dashboard.widgets.attributes import attributes
from dashboard.wording import column


def rows(moved: Moved, percentiles: NDArray[Any] | None, chosen: Sequence[int]) -> list[Any]:
    """The words, from the one that lowers the unit most to the one that raises it most, on one scale.

    percentiles: (words, 5) of the unit at 9, 25, 50, 75 and 91 %, in the order of ``Moved.rows``; None while they are
    computed. chosen: numbers of the words looked at elsewhere.
    """
    means = [moved.mean(row) for row in moved.rows]
    low, high = ends(means, percentiles)
    texts = [text.replace("-", "−") for text in column(means, 3)]
    made = [
        _row(moved, place, texts[place], None if percentiles is None else percentiles[place], (low, high), chosen)
        for place in range(len(means))
    ]
    axis = html.Div(
        [
            html.Span("word (count)"),
            html.Span(
                [html.Span(written(low, 2)), html.Span("change of the unit"), html.Span(written(high, 2))],
                className="squ-ends",
            ),
            html.Span("mean", className="squ-number"),
        ],
        className="squ-axis",
    )
    return [html.Div(made, className="squ-rows"), axis]


def ends(means: Sequence[float], percentiles: NDArray[Any] | None) -> tuple[float, float]:
    """The scale that all boxes share; 0 is always on it."""
    values = [0.0, *means, *([] if percentiles is None else np.ravel(percentiles).tolist())]
    good = [value for value in values if np.isfinite(value)]
    low, high = min(good), max(good)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _row(
    moved: Moved, place: int, text: str, box: NDArray[Any] | None, scale: tuple[float, float], chosen: Sequence[int]
) -> html.Button:
    row, number = moved.rows[place], moved.numbers[place]
    mean = moved.mean(row)
    count = int(moved.answer.array("count")[row])
    said = f"{moved.name(row)}, {count:,} occurrences: mean {written(mean, 3)}"
    spans = [html.Span(className="squ-zero", style={"left": _at(0.0, scale)})]
    if box is not None and np.isfinite(box).all():
        said += (
            f", median {written(box[2], 3)}, 25 to 75 % {written(box[1], 3)} to {written(box[3], 3)}, "
            f"9 to 91 % {written(box[0], 3)} to {written(box[4], 3)}"
        )
        spans += [
            html.Span(className="squ-whisker", style=_between(box[0], box[4], scale)),
            html.Span(className="squ-box", style=_between(box[1], box[3], scale)),
            html.Span(className="squ-median", style={"left": _at(box[2], scale)}),
        ]
    spans.append(html.Span(className="squ-mean", style={"left": _at(mean, scale)}))
    more = {
        "data-nav": json.dumps({"word": str(number)}),
        "aria-label": said,
        "title": said,
        "aria-pressed": "true" if number in chosen else "false",
    }
    return html.Button(
        [
            html.Span(f"{moved.name(row)} ({count:,})", className="squ-name"),
            html.Span(spans, className="squ-plot"),
            html.Span(text, className="squ-number"),
        ],
        type="button",
        className=f"squ-row {'lowers' if mean < 0 else 'raises'}",
        **attributes(more),
    )


def _at(value: float, scale: tuple[float, float]) -> str:
    return f"{100 * (float(value) - scale[0]) / (scale[1] - scale[0]):.2f}%"


def _between(low: float, high: float, scale: tuple[float, float]) -> dict[str, str]:
    wide = 100 * (float(high) - float(low)) / (scale[1] - scale[0])
    return {"left": _at(low, scale), "width": f"{wide:.2f}%"}


def links(shown: Frame, unit: int) -> list[Any]:
    """Where else the unit can be looked at, and tested."""
    wanted = {"layer": shown.layer, "filter": str(unit)}
    reason = unit_data.explained(shown)
    explain = {"view": "attribution", **wanted, "explain": "unit", "instances": str(shown.instance)}
    listed = [
        _link("Explain this unit", explain, reason),
        html.Button(
            "Test without it",
            type="button",
            className="link",
            **attributes(
                {"data-nav": json.dumps({"filter": str(unit), "cluster": None}), "data-sqg-goto": "sq-causes-panel"}
            ),
        ),
        _link("In the Layers view", {"view": "layers", **wanted}, reason),
    ]
    found: list[Any] = [html.Div(listed, className="squ-links")]
    if reason:
        found.append(html.P(reason, className="quiet"))
    return found


def _link(text: str, place: dict[str, Any], reason: str) -> html.Button:
    more = attributes({"data-nav": json.dumps(place)})
    if reason:
        more |= attributes({"aria-disabled": "true", "title": reason})
    return html.Button(text, type="button", className="link", **more)
