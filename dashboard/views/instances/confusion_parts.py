"""The confusion matrix as a table whose cells are buttons, and the most confused pairs as a list."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from dash import html
from numpy.typing import NDArray

from dashboard.views.instances.confusion_data import Cell, subset_of
from dashboard.views.instances.data import Picked
from dashboard.widgets.attributes import attributes
from dashboard.widgets.class_marks import class_mark

TALL = 4  # letters; longer names of columns stand upright
DEEPEST = 46  # per cent of the colour: text on it stays readable in both themes


def matrix(found: Picked, counts: NDArray[np.int64], cell: Cell, show: str) -> list[Any]:
    """The table. found: of the subset without the cell. show: 'counts' or 'shares' of rows."""
    totals, columns = counts.sum(1), counts.sum(0)
    shares = counts / np.maximum(totals, 1)[:, None]
    errors = np.where(np.eye(len(counts), dtype=bool), 0.0, shares)
    worst = float(errors.max(initial=0.0))
    names = [found.shown.class_name(label) for label in range(len(counts))]
    rows = [
        _row(label, names, counts[label], shares[label], (int(totals[label]), worst), cell, show)
        for label in range(len(counts))
    ]
    table = html.Table(
        [_head(names, cell), html.Tbody(rows), _foot(counts, columns)],
        className="in-confusion" + (" tall" if max(map(len, names)) > TALL else ""),
        **attributes({"aria-label": "Confusion matrix: rows are labels, columns are predictions"}),
    )
    return [html.Div(table, className="in-scroll", tabIndex=0, role="group", **_LABEL), legend(worst)]


_LABEL: dict[str, Any] = attributes({"aria-label": "Confusion matrix"})


def _head(names: Sequence[str], cell: Cell) -> html.Thead:
    heads = [
        html.Th(
            _button(
                html.Span([class_mark(label), name[:30]], className="in-col-name"),
                _to(cell, cell.label is None and cell.prediction == label, None, label),
                f"Predicted as {name}",
            ),
            scope="col",
            className="chosen" if cell.prediction == label else "",
        )
        for label, name in enumerate(names)
    ]
    corner = html.Th(["label ↓", html.Br(), "predicted →"], className="in-corner", scope="col")
    ends = [html.Th(text, scope="col", className="in-end") for text in ("n", "recall, %")]
    return html.Thead(html.Tr([corner, *heads, *ends]))


def _row(
    label: int,
    names: Sequence[str],
    counts: NDArray[np.int64],
    shares: NDArray[Any],
    ends: tuple[int, float],
    cell: Cell,
    show: str,
) -> html.Tr:
    total, worst = ends
    chosen_row = cell.prediction is None and cell.label == label
    name = _button([class_mark(label), names[label][:30]], _to(cell, chosen_row, label, None), f"Label {names[label]}")
    made: list[Any] = [html.Th(name, scope="row", className="chosen" if cell.label == label else "")]
    for prediction, count in enumerate(counts.tolist()):
        share = float(shares[prediction])
        here = (cell.label, cell.prediction) == (label, prediction)
        right = label == prediction
        if not count:
            made.append(html.Td("·", className="in-none" + (" diagonal" if right else "")))
            continue
        text = f"{count:,}" if show == "counts" else percent(share)
        said = f"Label {names[label]}, predicted {names[prediction]}: {count:,} of {total:,}, {percent(share)}"
        depth = DEEPEST * (share if right else share / worst)
        style = {"--depth": f"{depth:.1f}%"}
        class_name = ("diagonal" if right else "error") + (" chosen" if here else "")
        made.append(
            html.Td(_button(text, _to(cell, here, label, prediction), said, here), className=class_name, style=style)
        )
    recall = _whole(float(shares[label])) if total else "–"
    ends_of_row = [html.Td(text, className="in-end") for text in (f"{total:,}", recall)]
    return html.Tr([*made, *ends_of_row])


def _foot(counts: NDArray[np.int64], columns: NDArray[np.int64]) -> html.Tfoot:
    right = np.diag(counts)
    total = int(counts.sum())
    cells = [html.Td(f"{n:,}", className="in-end") for n in columns.tolist()]
    shares = [
        html.Td(_whole(hit / n) if n else "–", className="in-end")
        for hit, n in zip(right.tolist(), columns.tolist(), strict=True)
    ]
    accuracy = _whole(int(right.sum()) / total) if total else "–"
    last = html.Td(accuracy, className="in-end", title="accuracy")
    return html.Tfoot(
        [
            html.Tr([html.Th("n", scope="row"), *cells, html.Td(f"{total:,}", className="in-end"), html.Td("")]),
            html.Tr([html.Th("precision, %", scope="row"), *shares, html.Td(""), last]),
        ]
    )


def _to(cell: Cell, here: bool, label: int | None, prediction: int | None) -> dict[str, Any]:
    """Where a click leads: to the instances of the cell, or back from them."""
    text = subset_of(cell.base) if here else subset_of(cell.base, label, prediction)
    return {"subset": text or None}


def _button(text: Any, nav: dict[str, Any], said: str, pressed: bool | None = None) -> html.Button:
    more = {"data-nav": json.dumps(nav), "aria-label": said, "title": said}
    if pressed is not None:
        more["aria-pressed"] = "true" if pressed else "false"
    return html.Button(text, type="button", className="in-cell", **attributes(more))


def legend(worst: float) -> html.Div:
    """What the colours mean, with their ends."""
    return html.Div(
        [
            html.Span([html.Span(className="in-ramp diagonal"), "right: 0 to 100 % of the row"]),
            html.Span([html.Span(className="in-ramp error"), f"wrong: 0 to {percent(worst)} of the row"]),
            html.Span("A cell opens its instances; the same cell again goes back.", className="quiet"),
        ],
        className="in-legend",
    )


def listed(found: Picked, pairs: Sequence[tuple[int, int, int, int]], cell: Cell) -> list[Any]:
    """The most confused pairs, most first."""
    if not pairs:
        return [
            html.P("No instance of the subset is predicted as another class than its label.", className="empty-line")
        ]
    names = found.shown.class_name
    rows = []
    for label, prediction, count, total in pairs:
        here = (cell.label, cell.prediction) == (label, prediction)
        said = f"Label {names(label)}, predicted {names(prediction)}: {count:,} of {total:,}"
        count_cell = _button(f"{count:,}", _to(cell, here, label, prediction), said, here)
        rows.append(
            html.Tr(
                [
                    html.Td([class_mark(label), names(label)[:60]]),
                    html.Td([class_mark(prediction), names(prediction)[:60]]),
                    html.Td(count_cell, className="num"),
                    html.Td(f"{total:,}", className="num"),
                    html.Td(percent(count / total), className="num"),
                ],
                className="chosen" if here else "",
            )
        )
    heads = [html.Th(text, scope="col") for text in ("Label", "Predicted", "Instances", "Of", "Share of the label")]
    table = html.Table([html.Thead(html.Tr(heads)), html.Tbody(rows)], className="in-pairs by-class")
    more = {"aria-label": "Most confused pairs"}
    return [html.Div(table, className="in-scroll tall", tabIndex=0, role="group", **attributes(more))]


def percent(share: float) -> str:
    """'12 %'; small shares keep a digit, so that none of them reads as 0."""
    value = 100 * share
    return f"{value:.0f} %" if value >= 9.95 or value == 0 else f"{value:.1f} %"


def _whole(share: float) -> str:
    """A share under a heading that says per cent: '96', '99.6', '100'."""
    value = 100 * share
    return f"{value:.1f}" if 99.5 <= value < 100 else f"{value:.0f}"
