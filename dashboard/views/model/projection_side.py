"""Beside the map: the chosen instance with its nearest neighbours, and what lies in the lasso."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from dash import html
from numpy.typing import NDArray

from analysis.errors import CutawayError, NotFound
from analysis.subsets.subset import of_indices
from dashboard import asking
from dashboard.pictures import sprite_tiles
from dashboard.views.model import data, projection_data
from dashboard.views.model.projection_data import Projection
from dashboard.widgets.attributes import attributes
from dashboard.widgets.class_marks import class_mark

MOST_CLASSES = 10
MOST_TILES = 24  # instances of the lasso that are shown
SIDE = 44
WORDS = 24
CELLS = 4


def side(
    found: Projection, row: int | None, near: tuple[NDArray[np.int64], NDArray[np.float64], str] | None
) -> list[Any]:
    """The chosen instance, then the lasso. near: its neighbours, None while they are not there."""
    return [*chosen(found, row, near), *lassoed(found)]


def lassoed(found: Projection) -> list[Any]:
    """The instances inside the lasso: how many, of which classes, some of them."""
    if found.lassoed is None:
        hint = "Pull a lasso around points to see which instances they are. Shift and drag moves the map."
        return [html.P(hint, className="quiet")] if not found.shown.selection.plasso else []
    shown, rows = found.shown, np.flatnonzero(found.lassoed)
    clear = button("Clear the lasso", {"plasso": None})
    if not len(rows):
        return [html.H3("Lasso"), html.P("No point lies inside it.", className="quiet"), html.Div(clear)]
    wrong = shown.extraction.labels[rows] >= 0
    wrong &= shown.extraction.labels[rows] != shown.extraction.predictions[rows]
    text = f"{_count(len(rows))} of {shown.extraction.done:,}, {int(wrong.sum()):,} of them predicted wrong."
    actions: list[Any] = [clear]
    expression = of_indices(shown.extraction.indices[rows])
    if expression is not None:
        actions.insert(0, button("Show as the subset", {"subset": expression, "plasso": None}))
        actions.insert(1, button("Open in Instances", {"subset": expression, "view": "instances"}))
    else:
        actions.append(html.Span("Too many runs of indices for an address: save it to use it.", className="quiet"))
    picked = rows[np.linspace(0, len(rows) - 1, min(len(rows), MOST_TILES)).astype(int)]
    some = f"{len(picked)} of them:" if len(picked) < len(rows) else ""
    return [
        html.H3("Lasso"),
        html.P(text),
        html.Div(actions, className="map-actions"),
        classes(shown, rows),
        html.P(some, className="quiet") if some else None,
        instances(shown, picked),
    ]


def chosen(found: Projection, row: int | None, near: Any) -> list[Any]:
    """The chosen instance and those nearest to it in the layer, whatever the map makes of them."""
    shown = found.shown
    if not shown.selection.instances:
        return []
    index = shown.selection.instances[0]
    if row is None:
        text = f"Instance {index:,} is not in this sample."
        return [html.H3(f"Instance {index:,}"), html.P(text, className="quiet")]
    extraction = shown.extraction
    label, prediction = int(extraction.labels[row]), int(extraction.predictions[row])
    confidence = float(extraction.confidence[row])
    said: list[Any] = ["label ", class_mark(label), shown.class_name(label), ", predicted ", class_mark(prediction)]
    said += [shown.class_name(prediction), f", {100 * confidence:.0f} %" if np.isfinite(confidence) else ""]
    content = [html.H3(f"Instance {index:,}"), html.P(said), instances(shown, np.array([row]), side=64)]
    if near is None:
        return [*content, html.P("Its neighbours come with the projection.", className="quiet")]
    rows, apart, space = near
    if not len(rows):
        return [*content, html.P("It has no neighbours: its activations are not finite.", className="quiet")]
    share = int((extraction.labels[rows] == label).sum()) if label >= 0 else None
    text = f"The {len(rows)} nearest in {shown.layer.name}, by {space}"
    text += f"; {share} of {len(rows)} have its label." if share is not None else "."
    rank = _farthest(found, row, rows)
    if rank:
        text += f" On the map the farthest of them is neighbour {rank:,}."
    values = [f"distance {value:.3g}" for value in apart]
    return [*content, html.H4("Nearest in the layer"), html.P(text), instances(shown, rows, notes=values)]


def _farthest(found: Projection, row: int, rows: NDArray[np.int64]) -> int:
    """Rank on the map of the neighbour that it puts farthest away; 0 where it has no place."""
    with np.errstate(invalid="ignore"):
        apart = ((found.xy - found.xy[row]) ** 2).sum(axis=1)
    own = apart[rows]
    if not np.isfinite(own).all():
        return 0
    return int((apart < own.max()).sum()) if own.max() > 0 else 0


def instances(
    shown: data.Frame, rows: NDArray[np.int64], *, side: int = SIDE, notes: Sequence[str] = ()
) -> html.Ul | html.Div:
    """Instances as buttons that choose them: a picture, or a line of text."""
    extraction = shown.extraction
    indices = [int(index) for index in extraction.indices[rows]]
    pictures = extraction.kind in ("image", "series")
    styles = sprite_tiles.styles(extraction, indices, side) if pictures else {}
    items = []
    for place, (row, index) in enumerate(zip(rows.tolist(), indices, strict=True)):
        label, prediction = int(extraction.labels[row]), int(extraction.predictions[row])
        text = f"instance {index:,}: label {shown.class_name(label)}"
        text += f", predicted {shown.class_name(prediction)}" if label != prediction else ""
        text += f", {notes[place]}" if notes else ""
        nav = attributes({"data-nav": json.dumps({"instances": index}), "aria-label": text})
        if index in styles:
            picture = html.Span(className="tile-picture", style=styles[index])
            button: Any = html.Button(picture, type="button", className="tile", title=text, **nav)
            below = html.Span([class_mark(label), shown.class_name(label)[:14]], className="tile-caption")
            items.append(html.Li([button, below]))
        else:
            line: list[Any] = [class_mark(label), html.B(shown.class_name(label)[:24]), f" {_words(shown, index)}"]
            items.append(html.Li(html.Button(line, type="button", className="link pj-line", title=text, **nav)))
    return html.Ul(items, className="tiles" if styles else "plain pj-lines")


def _words(shown: data.Frame, index: int) -> str:
    try:
        if shown.extraction.kind == "text":
            words = shown.extraction.tokens(index)
            return " ".join(words[:WORDS]) + (" …" if len(words) > WORDS else "")
        values = np.asarray(shown.extraction.display(index), np.float64).reshape(-1)
    except NotFound:
        return f"instance {index:,}"
    return (
        f"#{index:,}: " + ", ".join(f"{value:.3g}" for value in values[:CELLS]) + (" …" if len(values) > CELLS else "")
    )


def classes(shown: data.Frame, rows: NDArray[np.int64]) -> html.Table | html.P | html.Div:
    """Labels of some rows, the most frequent first, with the share that is expected of so many drawn at random."""
    labels = shown.extraction.labels
    kept = labels[rows][labels[rows] >= 0]
    if not len(kept):
        return html.P("None of them has a label.", className="quiet")
    total = np.bincount(labels[labels >= 0])
    inside = np.bincount(kept, minlength=len(total))
    order = np.argsort(-inside, kind="stable")
    order = order[inside[order] > 0]
    body = []
    for label in order[:MOST_CLASSES].tolist():
        lift = (inside[label] / len(kept)) / (total[label] / total.sum())
        name: list[Any] = [class_mark(label), shown.class_name(label)[:40]]
        numbers = (f"{inside[label]:,}", f"{total[label]:,}", f"{100 * inside[label] / len(kept):.0f} %", f"{lift:.1f}")
        body.append(html.Tr([html.Th(name, scope="row"), *[html.Td(number) for number in numbers]]))
    heads = ("label", "inside", "of", "share", "× expected")
    head = html.Thead(html.Tr([html.Th(text, scope="col") for text in heads]))
    table = html.Table([head, html.Tbody(body)], className="map-table")
    rest = len(order) - MOST_CLASSES
    return html.Div([table, html.P(f"and {rest:,} more labels", className="quiet")]) if rest > 0 else table


def neighbours(found: Projection, row: int | None) -> Any:
    """Those of the chosen instance; None while they are not there."""
    if row is None:
        return None
    try:
        return projection_data.near(found, row)
    except (asking.NotReady, CutawayError):
        return None


def _count(number: int) -> str:
    return f"{number:,} instance{'' if number == 1 else 's'}"


def button(text: str, place: dict[str, Any]) -> html.Button:
    """A button that changes the selection."""
    nav = attributes({"data-nav": json.dumps(place)})
    return html.Button(text, type="button", className="bar-button", **nav)
