"""Downloads of the Instances view, and the rows of its table.

An address says what is shown as the page's own does: the sample, the weights and the subset. What it asks for is found
in tables, never run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import flask
import numpy as np
import orjson

from analysis.errors import NotFound, ParameterError
from dashboard import label_exports
from dashboard.asking import NotReady
from dashboard.exports import download, lines
from dashboard.views.instances import confusion_data, data, table_data, table_rows
from dashboard.views.instances.data import Picked

BLOCK = 2_000  # rows of a download that are made at once


def install(server: flask.Flask, prefix: str) -> None:
    """Add the routes under the app's prefix; the gate guards them like all others."""
    routes: tuple[tuple[str, Callable[[], flask.Response]], ...] = (
        ("rows.json", rows_json),
        ("subset.csv", subset_csv),
        ("confusion.csv", confusion_csv),
    )
    label_exports.install(server, prefix)
    for name, answer in routes:
        rule = f"{prefix}export/instances/{name}"
        server.add_url_rule(rule, f"export_instances_{name.replace('.', '_')}", answer, methods=["GET"])


def _picked() -> Picked:
    """What the address asks for. Raises CutawayError while there is nothing."""
    search = flask.request.query_string.decode("utf-8", "replace")
    try:
        return data.picked(search, first=True)
    except NotReady as nothing:
        raise NotFound(nothing.reason, nothing.remedy or "Try again when the page shows it.") from nothing


def rows_json() -> flask.Response:
    """Rows ``start`` to ``stop`` of the table, at most 500, with its filters and sorting as AG Grid writes them."""
    given = flask.request.args
    asked = table_rows.read(given.get("start"), given.get("stop"), given.get("filters"), given.get("sorts"))
    answer = flask.Response(orjson.dumps(table_data.block(_picked(), asked)), mimetype="application/json")
    answer.headers["Cache-Control"] = "no-store"
    return answer


def subset_csv() -> flask.Response:
    """A line for each instance of the subset, with every column."""
    found = _picked()
    held = table_data.columns(found)

    def made() -> Iterator[list[Any]]:
        for start in range(0, len(found.rows), BLOCK):
            part = found.rows[start : start + BLOCK]
            listed = [table_rows.values_of(column, part, whole=True) for column in held.values()]
            for values in zip(*listed, strict=True):
                yield ["" if value is None else value for value in values]

    return download(lines(list(held), made()), "subset.csv")


def confusion_csv() -> flask.Response:
    """A line for each pair of label and prediction that the subset has; empty pairs are left out."""
    found = _picked()
    reader = found.shown.extraction
    labels, predictions = np.asarray(reader.labels)[found.rows], np.asarray(reader.predictions)[found.rows]
    if not (labels >= 0).any():
        raise ParameterError("None of these instances has a label.", "Choose another subset.")
    classes = confusion_data.classes_of(found)
    totals = np.bincount(labels[labels >= 0], minlength=classes)
    codes, number = np.unique((labels * classes + predictions)[labels >= 0], return_counts=True)
    name = found.shown.class_name
    rows = (
        [name(int(code) // classes), name(int(code) % classes), int(count), float(count / totals[int(code) // classes])]
        for code, count in zip(codes.tolist(), number.tolist(), strict=True)
    )
    return download(lines(["label", "prediction", "instances", "share_of_label"], rows), "confusion.csv")
