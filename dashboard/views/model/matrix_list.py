"""The matrix in words: what was left out, what stands out, and every row as a line with what can be done with it."""

from __future__ import annotations

from typing import Any

from dash import html

from dashboard.views.model import matrix_words
from dashboard.views.model.matrix_controls import nav
from dashboard.views.model.matrix_data import Matrix
from dashboard.views.model.matrix_rows import EACH, Row, further
from dashboard.widgets.attributes import attributes
from dashboard.widgets.class_marks import class_mark

MOST = 60  # rows that have a line


def notes(found: Matrix) -> list[Any]:
    """What is not shown, and why; a further row that cannot be read can be taken out."""
    lines = []
    for text, entry in matrix_words.problem_lines(found):
        out: list[Any] = [" ", _button("Take it out", **_without(found, entry))] if entry else []
        lines.append(html.P([text, *out], className="mx-problem"))
    return lines


def _without(found: Matrix, entry: str) -> dict[str, Any]:
    left = [text for text in further(found.shown.selection.xrows)[0] if text != entry]
    return {"xrows": left or None}


def said(found: Matrix) -> list[Any]:
    """What stands out, in sentences."""
    lines = [matrix_words.depth(found)]
    selective = [line for line in (matrix_words.selective(found, one) for one in found.blocks) if line]
    if selective:
        rule = "Most selective neurons, with the area under the ROC curve and its 95 % interval. "
        lines.append(rule + " ".join(selective))
    empty = [row.title for row in found.rows if not row.n]
    if empty:
        named = ", ".join(empty[:6]) + (f" and {len(empty) - 6:,} more" if len(empty) > 6 else "")
        lines.append(f"Without instances, so without a mean: {named}.")
    return [html.P(line) for line in lines if line]


def listing(found: Matrix) -> html.Details:
    """A line per row: how many instances, its strongest neurons, and buttons."""
    word = "size" if found.gradient else "value"
    one = next((one for one in found.blocks if one.layer.key == found.shown.layer.key), found.blocks[0])
    head = ["Row", "Instances", f"Neurons of {one.layer.key} with the largest {word}", "Do"]
    lines = [_line(found, one, int(place)) for place in found.row_order[:MOST]]
    more = len(found.rows) - MOST
    table = html.Table(
        [
            html.Thead(html.Tr([html.Th(text, scope="col") for text in head])),
            html.Tbody(lines),
        ],
        className="mx-table",
    )
    rest = html.P(f"{more:,} more rows are in the picture and in the download." if more > 0 else "", className="quiet")
    return html.Details(
        [html.Summary(f"The {len(found.rows):,} rows as a list"), html.Div([table, rest], className="mx-scroll")],
        className="mx-list",
    )


def _line(found: Matrix, one: Any, place: int) -> html.Tr:
    row = found.rows[place]
    mark = [] if row.label is None else [class_mark(row.label)]
    strong = [
        [_button(f"{matrix_words.noun(one.layer, 1)} {neuron}", layer=one.layer.key, filter=neuron), f" {text}"]
        for neuron, text in matrix_words.strongest(one, place)
    ]
    parts: list[Any] = []
    for at, pair in enumerate(strong):
        parts += [", "] if at else []
        parts += pair
    return html.Tr(
        [
            html.Th([*mark, row.title], scope="row"),
            html.Td(f"{row.n:,}", className="num"),
            html.Td(parts or "none: it is empty"),
            html.Td(_actions(found, row, place), className="mx-actions"),
        ]
    )


def _actions(found: Matrix, row: Row, place: int) -> list[Any]:
    selection = found.shown.selection
    actions: list[Any] = [_button("Sort neurons by it", xsort=f"row:{place}")]
    if row.index is not None:
        others = [index for index in selection.instances if index != row.index]
        actions.append(_button("Choose it", instances=",".join(map(str, [row.index, *others]))))
    else:
        actions.append(_button("Choose it", subset=row.text))
    now = further(selection.xrows)[0]
    each = EACH + row.text
    if row.index is None and row.n and each not in now:
        actions.append(_button("Its instances as rows", xrows=[*now, each]))
    if row.entry:
        of = "Take all of these out" if row.source == "each" else "Take it out"
        actions.append(_button(of, **_without(found, row.entry)))
    elif row.source == "instance":
        left = ",".join(str(index) for index in selection.instances if index != row.index)
        actions.append(_button("Take it out", instances=left or None))
    elif row.source == "subset":
        actions.append(_button("Take it out", subset=None))
    return actions


def _button(text: str, **changes: Any) -> html.Button:
    return html.Button(text, type="button", className="link", **attributes(nav(**changes)))
