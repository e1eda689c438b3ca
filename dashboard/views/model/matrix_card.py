"""The inspector's cards of the matrix: the neuron chosen, with what it does on the rows; the subset chosen."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from dash import html

from dashboard.framing import Frame, frame
from dashboard.selection import Selection
from dashboard.views.model import matrix_cell, matrix_data, matrix_words
from dashboard.views.model.matrix_rows import EACH, Row, Rows, further, rows_of
from dashboard.widgets.attributes import attributes
from dashboard.widgets.class_marks import class_mark
from dashboard.wording import column, finite

LISTED = 5


def chosen_neuron(selection: Selection) -> str:
    """Which neuron is chosen, '' for none."""
    return "" if selection.filter is None else f"{selection.layer or ''}:{selection.filter}:{selection.xvalue}"


def neuron(search: str) -> Any:
    """A neuron: what it is selective for, the rows on which it is strongest, and its distribution on the chosen row."""
    shown = frame(search)
    number = shown.selection.filter
    if number is None:
        return None
    word = matrix_words.noun(shown.layer, 1)
    title = html.H2([f"{word.capitalize()} ", html.Span(f"{number} of {shown.layer.key}")])
    if number >= shown.layer.filters:
        return html.Div([title, html.P(f"{shown.layer.key} has {shown.layer.filters:,}.", className="quiet")])
    found = rows_of(shown)
    one = matrix_data.block(shown, found, shown.layer)
    what = "gradient × activation" if shown.selection.xvalue == "gradient" else "activation"
    return html.Div(
        [
            title,
            html.P(f"{shown.count}, {what}", className="subtitle"),
            html.P(_selective(one, found, number), className="quiet"),
            *_on_chosen(shown, found, number),
            html.H3("Rows with its largest values"),
            _largest(one, found, number),
            html.P(_link(f"Explain this {word}: what drives it", view="attribution", explain="unit", **_at(shown))),
            html.P(_link(f"This {word} in Layers", view="layers", **_at(shown))),
        ]
    )


def _at(shown: Frame) -> dict[str, Any]:
    return {"layer": shown.layer.key, "filter": shown.selection.filter}


def _selective(one: matrix_data.Block, found: Rows, number: int) -> str:
    ranking = one.ranking
    best = -1 if ranking is None else int(ranking.best[number])
    if ranking is None or best < 0 or not np.isfinite(ranking.auc[number]):
        return ""
    place = int(np.flatnonzero(ranking.order == number)[0]) + 1
    area, low, high = (float(part[number]) for part in (ranking.auc, ranking.low, ranking.high))
    told = f"area under the ROC curve {area:.2f}, {low:.2f} to {high:.2f}"
    if low <= 0.5 <= high:
        return f"Selective for none of the rows: chance explains the largest difference ({told})."
    how = "Responds most to" if area > 0.5 else "Responds least to"
    return f"{how} {found.rows[best].title} ({told}); place {place:,} of {len(ranking.order):,} by selectivity."


def _on_chosen(shown: Frame, found: Rows, number: int) -> list[Any]:
    """Its value on the row chosen, with the distribution in words."""
    place = chosen_row(shown.selection, found.rows)
    if place is None:
        return []
    one = matrix_cell.cell(shown, place, shown.layer.key, number, found)
    return [html.H3(f"On {one.row.name}"), html.P(matrix_cell.title(one)), html.P(matrix_cell.words(one))]


def chosen_row(selection: Selection, rows: list[Row]) -> int | None:
    """Place of the row chosen: the instance, else the subset."""
    first = selection.instances[0] if selection.instances else None
    for wanted in (lambda row: first is not None and row.index == first, lambda row: row.text == selection.subset):
        for place, row in enumerate(rows):
            if wanted(row):
                return place
    return None


def _largest(one: matrix_data.Block, found: Rows, number: int) -> html.Ul:
    values = one.means[:, number].astype(float)
    order = np.argsort(-np.where(np.isfinite(values), values, -np.inf), kind="stable")
    places = [int(at) for at in order[:LISTED] if np.isfinite(values[at])]
    return html.Ul(
        [
            html.Li(
                [
                    *([] if found.rows[at].label is None else [class_mark(int(found.rows[at].label or 0))]),
                    _link(found.rows[at].title, **_choice(found.rows[at])),
                    html.Span(f" {text}", className="quiet"),
                ]
            )
            for at, text in zip(places, column([values[at] for at in places], 3), strict=True)
        ],
        className="plain",
    )


def _choice(row: Row) -> dict[str, Any]:
    return {"subset": row.text} if row.index is None else {"instances": row.index}


def chosen_subset(selection: Selection) -> str:
    """Which subset is chosen, '' for none."""
    return selection.subset or ""


def subset(search: str) -> Any:
    """A subset: how many instances, how many wrong, which neurons of the layer are strongest on it."""
    shown = frame(search)
    text = shown.selection.subset
    if not text:
        return None
    found = rows_of(shown)
    row = next((row for row in found.rows if row.text == text), None)
    if row is None:
        problem = next((told for told, _ in found.problems), "It cannot be shown.")
        return html.Div([html.H2(["Subset ", html.Span(text[:80])]), html.P(problem, className="quiet")])
    own = shown.extraction
    rows = [("instances", f"{row.n:,} of {own.done:,}")]
    labelled = row.members[own.labels[row.members] >= 0]
    if len(labelled):
        wrong = int((~own.correct[labelled]).sum())
        rows.append(("wrong", f"{wrong:,} of {len(labelled):,} ({100 * wrong / len(labelled):.1f} %)"))
    if row.n:
        rows.append(("mean confidence", finite(own.confidence[row.members].mean(), 3)))
    now = further(shown.selection.xrows)[0]
    keep = [] if text in now else [html.P(_link("Keep it as a row of the matrix", xrows=json.dumps([*now, text])))]
    each = EACH + text
    apart = [] if each in now or not row.n else [html.P(_link("Its instances as rows", xrows=json.dumps([*now, each])))]
    return html.Div(
        [
            html.H2(["Subset ", html.Span(row.title)]),
            html.Table(
                html.Tbody([html.Tr([html.Th(name, scope="row"), html.Td(value)]) for name, value in rows]),
                className="facts",
            ),
            *_strongest(shown, found, row),
            *(keep if row.source != "class" else []),
            *apart,
            html.P(_link("Its instances, in Instances", view="instances", subset=text)),
        ]
    )


def _strongest(shown: Frame, found: Rows, row: Row) -> list[Any]:
    if not row.n:
        return [html.P("It is empty: there are no means.", className="quiet")]
    one = matrix_data.block(shown, found, shown.layer)
    place = next(at for at, each in enumerate(found.rows) if each is row)  # rows hold arrays: not to be compared
    word = matrix_words.noun(shown.layer, 1)
    listed = matrix_words.strongest(one, place, LISTED)
    items = [
        html.Li([_link(f"{word} {at}", layer=shown.layer.key, filter=at), html.Span(f" {value}", className="quiet")])
        for at, value in listed
    ]
    return [html.H3(f"Strongest {word}s of {shown.layer.key}"), html.Ul(items, className="plain")]


def _link(text: str, **changes: Any) -> html.Button:
    return html.Button(text, type="button", className="link", **attributes({"data-nav": json.dumps(changes)}))
