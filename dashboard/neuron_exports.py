"""Downloads of the Model view, and what its matrix fetches: bytes of a block, and the cell that is pointed at.

Every address carries the selection, so that a download says the same as the panel it was started from, also when that
has moved on.
"""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import flask
import numpy as np
from numpy.typing import NDArray

from analysis.errors import CutawayError, NotFound, ParameterError
from dashboard.asking import NotReady
from dashboard.exports import download, lines
from dashboard.framing import Frame, frame
from dashboard.views.model import matrix_cell, matrix_codes, matrix_data, matrix_rows, projection_data

YEAR = 365 * 24 * 3600


def install(server: flask.Flask, prefix: str) -> None:
    """Add the routes under the app's prefix; the gate guards them like all others."""
    routes: tuple[tuple[str, Callable[[], flask.Response]], ...] = (
        ("export/model/matrix.csv", matrix_csv),
        ("export/model/matrix.npz", matrix_npz),
        ("export/model/projection.csv", projection_csv),
        ("data/model/matrix.u1", matrix_bytes),
        ("data/model/cell.json", cell_json),
        ("data/model/row.u1", row_bits),
        ("data/model/instance.json", instance_json),
    )
    for path, answer in routes:
        endpoint = re.sub(r"\W", "_", path)
        server.add_url_rule(f"{prefix}{path}", endpoint, answer, methods=["GET"])


def _ready(ask: Callable[[], Any]) -> Any:
    """What is asked for. Raises NotFound while it is not there."""
    try:
        return ask()
    except NotReady as error:
        raise NotFound(error.reason, error.remedy or "Wait until the page shows it, then try again.") from error


def _frame() -> Frame:
    found: Frame = _ready(lambda: frame(flask.request.query_string.decode("utf-8", "replace")))
    return found


def _matrix() -> matrix_data.Matrix:
    shown = _frame()
    found: matrix_data.Matrix = _ready(lambda: matrix_data.matrix(shown))
    return found


def matrix_csv() -> flask.Response:
    """A line per row and layer, in the order shown: what it is, how many instances, the value of every neuron shown.

    An empty subset has empty cells. Neurons are named by number, so that layers of other widths have lines of their
    own length; the head names those of the widest.
    """
    found = _matrix()
    widest = max((len(one.order) for one in found.blocks), default=0)
    if len(found.blocks) == 1:
        neurons = [f"neuron_{neuron}" for neuron in found.blocks[0].order.tolist()]
    else:
        neurons = [f"column_{at}" for at in range(widest)]
    head = ["layer", "row", "subset", "instance", "instances", "value", *neurons]
    return download(lines(head, _csv_rows(found)), "neuron-matrix.csv")


def _csv_rows(found: matrix_data.Matrix) -> Iterator[list[Any]]:
    kind = found.shown.selection.xvalue
    several = len(found.blocks) > 1
    for one in found.blocks:
        if several:
            yield [one.layer.key, "neuron", "", "", "", "", *one.order.tolist()]
        for place in found.row_order.tolist():
            row = found.rows[place]
            index = "" if row.index is None else row.index
            values = [_number(value) for value in one.means[place, one.order].tolist()]
            yield [one.layer.key, row.title, row.text, index, row.n, kind, *values]


def matrix_npz() -> flask.Response:
    """The rows ('rows', 'subsets' as text, 'instances': places in the data set or -1, 'sizes') and of each layer
    'means_N' (R, C), NaN for an empty subset, 'neurons_N' (C,), and where neurons are ranked 'auc_N', 'auc_row_N' (C,):
    the area under the ROC curve of each for the row it is most selective for; 'about' says which layer N is.

    ``numpy.load`` opens it as it is: nothing is pickled.
    """
    found = _matrix()
    rows = [found.rows[place] for place in found.row_order.tolist()]
    arrays: dict[str, NDArray[Any]] = {
        "rows": np.array([row.title for row in rows], dtype=np.str_),
        "subsets": np.array([row.text for row in rows], dtype=np.str_),
        "instances": np.array([-1 if row.index is None else row.index for row in rows], np.int64),
        "sizes": np.array([row.n for row in rows], np.int64),
    }
    for number, one in enumerate(found.blocks):
        arrays[f"means_{number}"] = one.means[np.ix_(found.row_order, one.order)]
        arrays[f"neurons_{number}"] = one.order
        if one.ranking is not None:
            arrays[f"auc_{number}"] = one.ranking.auc[one.order]
            arrays[f"auc_row_{number}"] = one.ranking.best[one.order]
    about = {
        "layers": [one.layer.key for one in found.blocks],
        "value": found.shown.selection.xvalue,
        "order": found.sorted_by,
        "sample": found.shown.count,
        "checkpoint": found.shown.selection.checkpoint,
    }
    arrays["about"] = np.array(json.dumps(about, ensure_ascii=False))
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    response = flask.Response(buffer.getvalue(), mimetype="application/octet-stream")
    response.headers["Content-Disposition"] = 'attachment; filename="neuron-matrix.npz"'
    return response


def matrix_bytes() -> flask.Response:
    """A layer's means as ``matrix_codes`` packs them. The address holds their key, so a browser may keep them for good.

    Without content where the rows are others by now, as while activations are read: the page is about to ask anew.
    """
    shown = _frame()
    found = matrix_rows.rows_of(shown)
    one: matrix_data.Block = _ready(lambda: matrix_data.block(shown, found, shown.layer))
    if one.key != flask.request.args.get("key"):
        return flask.Response(status=204)
    packed = matrix_codes.packed(one.means, shown.selection.xvalue == "gradient")
    response = flask.Response(packed, mimetype="application/octet-stream")
    response.headers["Cache-Control"] = f"private, max-age={YEAR}, immutable"
    return response


def cell_json() -> flask.Response:
    """One cell: its value, the distribution behind it, both in words."""
    shown = _frame()
    place, neuron = _whole("row"), _whole("neuron")
    layer = flask.request.args.get("of", "")
    try:
        one = _ready(lambda: matrix_cell.cell(shown, place, layer, neuron))
    except CutawayError as error:
        return flask.jsonify({"title": "", "words": f"{error.message} {error.remedy}".strip()})
    return flask.jsonify(matrix_cell.value(one))


def row_bits() -> flask.Response:
    """Who belongs to a row: a bit for each of the extraction's rows, the highest of a byte first."""
    shown = _frame()
    rows, place = matrix_rows.rows_of(shown).rows, _whole("row")
    if place >= len(rows):
        return flask.Response(status=204)
    mask = np.zeros(shown.extraction.done, bool)
    mask[rows[place].members] = True
    return flask.Response(np.packbits(mask).tobytes(), mimetype="application/octet-stream")


def instance_json() -> flask.Response:
    """What the neurons of the layer do for one row of the extraction: 'title', and 'values' as base64 of float32."""
    shown, place = _frame(), _whole("row")
    if place >= shown.extraction.done:
        raise NotFound(f"There is no row {place}.", "Reload the page.")
    values, _ = _ready(lambda: matrix_data.values_of(shown, shown.layer))
    told = base64.b64encode(np.asarray(values[place], "<f4").tobytes()).decode()
    title = f"instance {int(shown.extraction.indices[place])}, {shown.class_name(int(shown.extraction.labels[place]))}"
    return flask.jsonify({"title": title, "values": told})


def _whole(name: str) -> int:
    text = flask.request.args.get(name, "")
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise ParameterError(f"'{name}' is not a number.", "Cells are asked for by the page.")
    return int(text)


def _number(value: float) -> Any:
    return float(f"{value:.7g}") if np.isfinite(value) else ""


def projection_csv() -> flask.Response:
    """A line per instance of the sample: its place on the map shown, label, prediction, confidence, and whether the
    lasso holds it. What has no place has empty cells."""
    shown = _frame()
    found: projection_data.Projection = _ready(lambda: projection_data.load(shown))
    if found.stands_in:
        raise NotFound(f"{found.wanted.title} is not ready.", "Wait until the page shows it, then try again.")
    head = ["instance", "x", "y", "label", "prediction", "confidence", "lassoed"]
    return download(lines(head, _projected(found)), f"projection-{found.method.name}.csv")


def _projected(found: projection_data.Projection) -> Iterator[list[Any]]:
    extraction = found.shown.extraction
    columns = (extraction.indices, extraction.labels, extraction.predictions, extraction.confidence)
    for row, (index, label, prediction, confidence) in enumerate(zip(*(c.tolist() for c in columns), strict=True)):
        place = [_number(value) for value in found.xy[row].tolist()]
        inside = "" if found.lassoed is None else int(found.lassoed[row])
        yield [index, *place, "" if label < 0 else label, prediction, _number(confidence), inside]
