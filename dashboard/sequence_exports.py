"""Downloads of the Sequences view: responses and clusters as CSV and npz.

An address holds keys of answers, so that a download says what the page shows, also when the selection has moved on.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import flask
import numpy as np
from numpy.typing import NDArray

from analysis.errors import NotFound, ParameterError
from analysis.results import Answer
from dashboard import services
from dashboard.exports import download, lines

REMEDY = "Downloads are linked to from the menu of the panel Words and units."


def install(server: flask.Flask, prefix: str) -> None:
    """Add the routes under the app's prefix; the gate guards them like all others."""
    routes: tuple[tuple[str, Callable[[], flask.Response]], ...] = (
        ("responses.csv", responses_csv),
        ("clusters.csv", clusters_csv),
        ("clusters.npz", clusters_npz),
    )
    for name, answer in routes:
        rule = f"{prefix}export/sequences/{name}"
        server.add_url_rule(rule, f"export_sequences_{name.replace('.', '_')}", answer, methods=["GET"])


def answer_of(name: str, array: str) -> Answer:
    """The answer that the address names. array: one that it must have.

    Raises:
        ParameterError: none is named. NotFound: it is gone, or is another one.
    """
    key = flask.request.args.get(name, "")[:80]
    if not key:
        raise ParameterError(f"The address names no {name}.", REMEDY)
    found = services.current().answers.get(key)
    if found is None or array not in found.names():
        raise NotFound(f"These {name} are not there any more.", "Reload the page: they are computed again; then try.")
    return found


def responses_csv() -> flask.Response:
    """A line per word: its id, how often it is there, the size of its response, then that of every unit."""
    found = answer_of("responses", "mean")
    units = int(found.json["units"])
    classes = [f"sequences_of_{name}" for name in found.json["classes"]]
    head = ["word", "id", "count", "sequences", "norm", *classes, *(f"unit_{unit}" for unit in range(units))]
    return download(lines(head, _response_rows(found)), "responses.csv")


def _response_rows(found: Answer) -> Iterator[list[Any]]:
    names, mean = found.json["names"], found.array("mean")
    columns = [found.array(name) for name in ("id", "count", "sequences")]
    norm, by_class = found.array("norm"), found.array("by_class")
    for row, name in enumerate(names):
        whole = [int(column[row]) for column in columns]
        yield [name, *whole, _number(norm[row]), *by_class[row].tolist(), *map(_number, mean[row])]


def clusters_csv() -> flask.Response:
    """A line per word and per unit: its cluster, and of words their size, count and z of each class."""
    found, responses = answer_of("clusters", "word_cluster"), answer_of("responses", "mean")
    _same(found, responses)
    classes = [f"z_{name}" for name in found.json["classes"]]
    head = ["kind", "name", "id", "cluster", "cluster_raised", "cluster_lowered", "count", "norm", *classes]
    return download(lines(head, _cluster_rows(found, responses)), "clusters.csv")


def _cluster_rows(found: Answer, responses: Answer) -> Iterator[list[Any]]:
    names, ids = responses.json["names"], responses.array("id")
    count, norm = responses.array("count"), responses.array("norm")
    own, z = found.array("word_cluster"), found.array("association")
    for place, row in enumerate(found.array("word").tolist()):
        start = ["word", names[row], int(ids[row]), int(own[place]), "", ""]
        yield [*start, int(count[row]), _number(norm[row]), *map(_number, z[place])]
    sides = [found.array(name) for name in ("unit_cluster", "unit_raise", "unit_lower")]
    blank = [""] * (2 + z.shape[1])
    for unit in range(len(sides[0])):
        yield ["unit", f"unit {unit}", unit, *(int(side[unit]) for side in sides), *blank]


def clusters_npz() -> flask.Response:
    """All arrays of both answers, 'names' and 'about' as text; ``numpy.load`` opens it as it is, nothing is pickled."""
    found, responses = answer_of("clusters", "word_cluster"), answer_of("responses", "mean")
    _same(found, responses)
    arrays: dict[str, NDArray[Any]] = {f"responses_{name}": responses.array(name) for name in responses.names()}
    arrays |= {f"clusters_{name}": found.array(name) for name in found.names()}
    arrays["names"] = np.array([str(name) for name in responses.json["names"]], dtype=np.str_)
    said = {name: value for name, value in responses.json.items() if name != "names"}
    arrays["about"] = np.array(json.dumps({"clusters": found.json, "responses": said}, ensure_ascii=False))
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    response = flask.Response(buffer.getvalue(), mimetype="application/octet-stream")
    response.headers["Content-Disposition"] = 'attachment; filename="clusters.npz"'
    return response


def _same(found: Answer, responses: Answer) -> None:
    """Raises ParameterError unless the clusters can be of these responses."""
    rows = found.array("word")
    if len(rows) and int(rows.max()) >= len(responses.json["names"]):
        raise ParameterError("These clusters are not of these responses.", REMEDY)
    if len(found.array("unit_cluster")) != int(responses.json["units"]):
        raise ParameterError("These clusters are not of these responses.", REMEDY)


def _number(value: Any) -> Any:
    number = float(value)
    return float(f"{number:.7g}") if np.isfinite(number) else ""
