"""Beside the input map: the lassoed patches as pictures and by class; the undetected ones and where they come from."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
from dash import html
from numpy.typing import NDArray

from analysis.errors import CutawayError
from analysis.layers.undetected import MarkedClass
from analysis.results import Answer
from dashboard.pictures import addresses, patches, routes
from dashboard.views.layers import data, input_data
from dashboard.widgets import lasso
from dashboard.widgets.attributes import attributes
from dashboard.widgets.class_marks import class_mark
from dashboard.widgets.sprites import sprite_tiles

MOST_CLASSES = 10
LEAST_SHOWN = 24  # undetected patches shown while nothing is lassoed
LIFTED = 1.5  # times what is expected: a class stands out from there on,
CERTAIN = 3.0  # if that is more than so many standard deviations


def side(shown: data.Frame, found: input_data.InputMap, fields: Answer | None) -> list[Any]:
    """The selection first, then what is detected least."""
    content: list[Any] = []
    if shown.selection.drill:
        content.append(_actions([("Back to the whole map", {"drill": None, "lasso": None})]))
    if found.lassoed is not None:
        content += lassoed(shown, found, fields)
    elif found.waiting is None:
        content.append(html.P("Pull a lasso around points to see their patches.", className="quiet"))
    return content + undetected(shown, found, fields)


def lassoed(shown: data.Frame, found: input_data.InputMap, fields: Answer | None) -> list[Any]:
    """The patches inside the lasso."""
    chosen = found.lassoed if found.lassoed is not None else np.zeros(len(found.rows), bool)
    rows = np.flatnonzero(chosen)
    clear: tuple[str, dict[str, Any]] = ("Clear the lasso", {"lasso": None})
    if not len(rows):
        return [html.H3("Lasso"), html.P("No patch lies inside it.", className="quiet"), _actions([clear])]
    instances = len(set(found.instances[rows].tolist()))
    actions = [clear]
    if len(rows) >= input_data.LEAST and not shown.selection.drill and len(rows) < len(found.rows):
        again = {"drill": lasso.written(shown.selection.lasso), "lasso": None}
        actions.insert(0, (f"Embed these {len(rows):,} anew", again))
    text = f"{_patches(len(rows))} of {instances:,} instance{'' if instances == 1 else 's'}"
    picked = rows[np.linspace(0, len(rows) - 1, min(len(rows), patches.MOST_PATCHES)).astype(int)]
    if len(picked) < len(rows):
        text += f"; {len(picked)} of them below"
    return [
        html.H3("Lasso"),
        html.P(f"{text}."),
        _actions(actions),
        _pictures(shown, found, fields, picked),
        _table(shown, input_data.by_class(found, chosen), len(rows), "inside"),
    ]


def undetected(shown: data.Frame, found: input_data.InputMap, fields: Answer | None) -> list[Any]:
    """The patches with the weakest answers, and the classes they come from."""
    rows = np.flatnonzero(found.marked)
    share = f"{100 * shown.selection.undetected:.0f} %"
    heading = html.H3("Detected least")
    if not len(rows):
        return [heading, html.P("None are marked: move the slider above the map.", className="quiet")]
    classes = input_data.by_class(found, found.marked)
    unlabelled = int((found.labels[rows] < 0).sum())
    text = f"{_patches(len(rows))}, the lowest {share} by their strongest answer."
    content: list[Any] = [heading, html.P([text, " ", leading(shown, classes, len(rows) - unlabelled)])]
    if unlabelled:
        content.append(html.P(f"{unlabelled:,} of them have no label.", className="quiet"))
    if found.lassoed is None:
        lowest = input_data.score(found.answer)[found.rows[rows]]
        picked = rows[np.argsort(lowest, kind="stable")[:LEAST_SHOWN]]
        content.append(_pictures(shown, found, fields, picked))
    return [*content, _table(shown, classes, len(rows) - unlabelled, "marked")]


def leading(shown: data.Frame, classes: tuple[MarkedClass, ...], total: int) -> str:
    """The class that is over-represented most, in words."""
    if not classes or not stands_out(classes[0]):
        return "No class stands out among them."
    first = classes[0]
    name = shown.class_name(first.label)[:60]
    return (
        f"Class {name} stands out: {first.marked:,} of {total:,} ({100 * first.share:.0f} %), "
        f"{first.lift:.1f} times its share of all patches."
    )


def stands_out(item: MarkedClass) -> bool:
    """Whether a class has clearly more patches here than its share of all of them."""
    expected = item.marked / item.lift if item.lift > 0 else 0.0
    return item.lift >= LIFTED and item.marked - expected > CERTAIN * math.sqrt(max(expected, 1.0))


def _patches(count: int) -> str:
    return f"{count:,} patch{'' if count == 1 else 'es'}"


def _actions(listed: list[tuple[str, dict[str, Any]]]) -> html.Div:
    return html.Div(
        [
            html.Button(text, type="button", className="bar-button", **attributes({"data-nav": json.dumps(place)}))
            for text, place in listed
        ],
        className="map-actions",
    )


def _table(shown: data.Frame, classes: tuple[MarkedClass, ...], total: int, word: str) -> html.Div:
    if not classes:
        return html.Div(html.P("No labels: nothing can be said by class.", className="quiet"))
    rows = []
    for item in classes[:MOST_CLASSES]:
        name: Any = [class_mark(item.label), shown.class_name(item.label)[:40]]
        lift = html.Td(f"{item.lift:.1f}", className="more" if stands_out(item) else "")
        cells = [html.Td(f"{item.marked:,}"), html.Td(f"{item.total:,}"), html.Td(f"{100 * item.share:.0f} %"), lift]
        rows.append(html.Tr([html.Th(name, scope="row"), *cells]))
    heads = ("class", word, "of", f"share of {total:,}", "× expected")
    table = html.Table(
        [html.Thead(html.Tr([html.Th(head, scope="col") for head in heads])), html.Tbody(rows)], className="map-table"
    )
    rest = len(classes) - MOST_CLASSES
    return html.Div([table, html.P(f"and {rest:,} more classes", className="quiet") if rest > 0 else None])


def _pictures(shown: data.Frame, found: input_data.InputMap, fields: Answer | None, rows: NDArray[Any]) -> Any:
    """Patches as pictures where the instances have any, else as a list; a click shows the instance."""
    numbers = [int(found.rows[row]) for row in rows]
    try:
        listed = routes.rows_of(shown.extraction, fields, found.answer, shown.layer.key, numbers)
    except CutawayError as error:
        return html.P(f"{error.message} {error.remedy}", className="quiet")
    labels = []
    kind = shown.extraction.kind
    for row, patch in zip(rows, listed, strict=True):
        place = patches.place_text(kind, patch.box)
        label, prediction = int(found.labels[row]), int(found.predictions[row])
        text = f"instance {patch.instance}{', ' + place if place else ''}: label {shown.class_name(label)}"
        labels.append(text if label == prediction else f"{text}, predicted {shown.class_name(prediction)}")
    places = [{"instances": patch.instance} for patch in listed]
    if kind not in ("image", "series"):
        return _list(shown, listed, labels, places)
    sheet = patches.sheet_of(patches.tiles(shown.extraction, listed))
    address = addresses.patch_grid(
        shown.extraction.directory.name,
        shown.layer.key,
        found.answer.key,
        numbers,
        fields=fields.key if fields else None,
    )
    captions = [shown.class_name(int(found.labels[row]))[:16] for row in rows]
    return sprite_tiles(address, (sheet.columns, sheet.width, sheet.height), labels, places, captions, side=44)


def _list(shown: data.Frame, listed: list[patches.Patch], labels: list[str], places: list[dict[str, Any]]) -> html.Ul:
    items = []
    for patch, label, place in zip(listed[:LEAST_SHOWN], labels, places, strict=False):
        words = ""
        if shown.extraction.kind == "text":
            tokens = shown.extraction.tokens(patch.instance)
            start, stop = patch.box[0] if len(patch.box) == 1 else (0, 12)
            words = " ".join(tokens[start : min(stop, start + 24)])
        nav = attributes({"data-nav": json.dumps(place)})
        items.append(
            html.Li(html.Button([f"{words} " if words else "", label], type="button", className="link", **nav))
        )
    return html.Ul(items, className="plain")
