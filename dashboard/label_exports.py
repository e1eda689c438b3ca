"""Downloads of a relabelling: suspects of ``label_errors``, all of them or those ticked, as CSV and JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flask
import orjson

from analysis.errors import NotFound, ParameterError
from analysis.results import Answer
from dashboard import asking, services
from dashboard.exports import download, lines

MOST = 5_000  # characters of a list of indices
REMEDY = "Relabellings are linked to from the menu of the panel Likely label errors."
HEAD = ["index", "given", "given_name", "suggested", "suggested_name", "probability_given", "margin"]


def install(server: flask.Flask, prefix: str) -> None:
    """Add the routes under the app's prefix; the gate guards them like all others."""
    routes: tuple[tuple[str, Callable[[], flask.Response]], ...] = (("relabel.csv", as_csv), ("relabel.json", as_json))
    for name, answer in routes:
        rule = f"{prefix}export/instances/{name}"
        server.add_url_rule(rule, f"export_instances_{name.replace('.', '_')}", answer, methods=["GET"])


def as_csv() -> flask.Response:
    """A line for each suspect."""
    _, suspects, names = _suspects()
    rows = ([one[name] for name in HEAD] for one in (_named(each, names) for each in suspects))
    return download(lines(HEAD, rows), "relabel.csv")


def as_json() -> flask.Response:
    """{'rule', 'caveat', 'n', 'labels': {index: suggested class}, 'suspects': [each with names]}."""
    answer, suspects, names = _suspects()
    value = {
        "n": answer.json["n"],
        "rule": answer.json["rule"],
        "caveat": answer.json["caveat"],
        "labels": {str(one["index"]): one["suggested"] for one in suspects},
        "suspects": [_named(one, names) for one in suspects],
    }
    response = flask.Response(orjson.dumps(value, option=orjson.OPT_INDENT_2), mimetype="application/json")
    response.headers["Content-Disposition"] = 'attachment; filename="relabel.json"'
    return response


def _suspects() -> tuple[Answer, list[dict[str, Any]], list[str]]:
    """The answer that the address names, its suspects or those of them that are listed, and the names of classes."""
    key = flask.request.args.get("labels", "")[:80]
    if not key:
        raise ParameterError("The address names no label errors.", REMEDY)
    found = services.current().answers.get(key)
    if found is None or "suspects" not in found.json or "caveat" not in found.json:
        raise NotFound("These label errors are not there any more.", "Reload the page: they are computed again.")
    wanted = _wanted(flask.request.args.get("index"))
    suspects = [one for one in found.json["suspects"] if wanted is None or one["index"] in wanted]
    try:
        names = [str(name) for name in asking.described().get("classes") or ()]
    except asking.NotReady:
        names = []
    return found, suspects, names


def _wanted(text: str | None) -> set[int] | None:
    if text is None:
        return None
    parts = text.split(",") if len(text) <= MOST else []
    if not parts or not all(part.isascii() and part.isdigit() and len(part) <= 15 for part in parts):
        raise ParameterError("The list of instances cannot be read.", REMEDY)
    return {int(part) for part in parts}


def _named(one: dict[str, Any], names: list[str]) -> dict[str, Any]:
    def name(label: int) -> str:
        return names[label] if 0 <= label < len(names) else ""

    return {
        "index": one["index"],
        "given": one["given"],
        "given_name": name(one["given"]),
        "suggested": one["suggested"],
        "suggested_name": name(one["suggested"]),
        "probability_given": one["score"],
        "margin": one["margin"],
    }
