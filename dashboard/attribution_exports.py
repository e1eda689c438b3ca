"""Downloads of attributions: raw values as npz and CSV, the maps as one picture.

An address holds keys of answers, so that a download says what the page shows, also when the selection has moved on.
"""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import flask
import numpy as np
from numpy.typing import NDArray

from analysis.errors import NotFound, ParameterError
from analysis.results import Answer
from dashboard import services, subjects
from dashboard.exports import download, lines
from dashboard.pictures import sheet
from dashboard.pictures.attributions import SIGNS
from dashboard.readers import MAX_METHODS
from dashboard.views.attribution import words

REMEDY = "Downloads are linked to from the menu of the Attributions panel."
ARRAYS = ("attribution", "spread", "display")


def install(server: flask.Flask, prefix: str) -> None:
    """Add the routes under the app's prefix; the gate guards them like all others."""
    routes: tuple[tuple[str, Callable[[], flask.Response]], ...] = (("npz", npz), ("csv", csv), ("png", png))
    for kind, answer in routes:
        server.add_url_rule(f"{prefix}export/attribution.{kind}", f"export_attribution_{kind}", answer, methods=["GET"])


def answers() -> list[Answer]:
    """The attributions that the address names. Raises ParameterError, or NotFound for one that is gone."""
    names = [name for name in flask.request.args.get("a", "")[:2000].split(",") if name]
    if not names or len(names) > MAX_METHODS:
        raise ParameterError(f"The address names {len(names)} answers.", REMEDY)
    found = []
    for name in dict.fromkeys(names):
        answer = services.current().answers.get(name)
        if answer is None or "attribution" not in answer.names():
            raise NotFound(
                "One of these attributions is not there any more.", "Reload the page: it is computed again; then try."
            )
        found.append(answer)
    return found


def labels_of(found: list[Answer]) -> list[str]:
    """A name for each answer: its method, numbered where one is there twice."""
    methods = [str(answer.json.get("method") or "attribution") for answer in found]
    return [
        name if methods.count(name) == 1 else f"{name}_{methods[: at + 1].count(name)}"
        for at, name in enumerate(methods)
    ]


def _named() -> list[str]:
    """Names of the columns or channels, where the subject has any."""
    given = (subjects.described().data or {}).get("feature_names")
    return [str(name) for name in given] if isinstance(given, list) else []


def npz() -> flask.Response:
    """METHOD, METHOD_spread and METHOD_display of every answer; 'about' as JSON, 'tokens' and 'feature_names' as text.

    Nothing in it is pickled: ``numpy.load`` opens it as it is.
    """
    found = answers()
    arrays: dict[str, NDArray[Any]] = {}
    for name, answer in zip(labels_of(found), found, strict=True):
        for part in ARRAYS:
            if part in answer.names():
                arrays[name if part == "attribution" else f"{name}_{part}"] = answer.array(part)
    tokens = next((answer.json["tokens"] for answer in found if answer.json.get("tokens")), None)
    if tokens is not None:
        arrays["tokens"] = np.array([str(token) for token in tokens], dtype=np.str_)
    if _named():
        arrays["feature_names"] = np.array(_named(), dtype=np.str_)
    said = {name: answer.json for name, answer in zip(labels_of(found), found, strict=True)}
    arrays["about"] = np.array(json.dumps(said, ensure_ascii=False))
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return _file(buffer.getvalue(), "application/octet-stream", "attribution.npz")


def csv() -> flask.Response:
    """A line per value: method, what is explained, where it is, the value of the instance there, attribution, error."""
    found = answers()
    head = ["method", "instance", "explained", "feature", "position", "input", "attribution", "standard_error"]
    names = _named()
    return download(lines(head, itertools.chain.from_iterable(_rows(a, names) for a in found)), "attribution.csv")


def _rows(answer: Answer, names: list[str]) -> Iterator[list[Any]]:
    said = answer.json
    values = answer.array("attribution")
    spread = answer.array("spread") if "spread" in answer.names() else None
    display = answer.array("display") if "display" in answer.names() else None
    explained = said.get("target_name") or said.get("unit") or "-".join(map(str, said.get("target") or ()))
    start = [said.get("method"), said.get("instance"), explained]
    if spread is not None and spread.shape != values.shape:
        spread = None
    for place in np.ndindex(values.shape):
        feature, position, given = _where(said, place, values.shape, names, display)
        error = "" if spread is None else _number(spread[place])
        yield [*start, feature, position, given, _number(values[place]), error]


def _where(
    said: dict[str, Any], place: tuple[int, ...], shape: tuple[int, ...], names: list[str], display: NDArray[Any] | None
) -> tuple[Any, Any, Any]:
    """Name of the feature, its position, and the value of the instance there."""
    if said.get("form") == "filters":
        return f"unit {place[0]}", "", ""
    if said.get("form") == "attention":
        return f"head {place[0]}", f"{place[1]} to {place[2]}", ""
    tokens = said.get("tokens")
    if tokens:
        at = place[-1]
        return (str(tokens[at]) if at < len(tokens) else ""), at, ""
    if len(shape) == 1:
        name = names[place[0]] if place[0] < len(names) else f"column {place[0]}"
        return name, place[0], _given(display, place)
    if len(shape) == 2:
        name = names[place[0]] if place[0] < len(names) and shape[0] > 1 else f"channel {place[0]}"
        name = "all channels" if shape[0] == 1 and display is not None and len(display) > 1 else name
        return name, place[1], _given(display, place) if name != "all channels" else ""
    name = f"channel {place[0]}"
    if shape[0] == 1 and display is not None and display.shape[-1] > 1:
        return "all channels", f"row {place[1]} column {place[2]}", ""
    return name, f"row {place[1]} column {place[2]}", _given(display, (place[1], place[2], place[0]))


def _given(display: NDArray[Any] | None, place: tuple[int, ...]) -> Any:
    if display is None or display.ndim != len(place) or any(i >= n for i, n in zip(place, display.shape, strict=True)):
        return ""
    return _number(display[place])


def _number(value: Any) -> Any:
    number = float(value)
    return float(f"{number:.7g}") if np.isfinite(number) else ""


def png() -> flask.Response:
    """All answers beside each other, each with its title and the ends of its scale."""
    found = answers()
    options = flask.request.args
    look = sheet.Look(
        sign=_choice(options.get("sign"), SIGNS),
        clip=_between(options.get("clip"), 50.0, 100.0, 99.5),
        common=_choice(options.get("scale"), ("own", "common")) == "common",
        outline=_choice(options.get("outline"), ("off", "on")) == "on",
        opacity=_between(options.get("opacity"), 0.0, 1.0, 0.7),
        scheme=_choice(options.get("scheme"), ("light", "dark")),
    )
    data = subjects.described().data or {}
    rate = data.get("sampling_rate")
    names = [str(name) for name in data.get("classes", [])]
    made = sheet.comparison(
        found,
        look,
        names=_named(),
        classes=names,
        rate=float(rate) if rate else None,
        quantities=[words.quantity(answer.json) for answer in found],
    )
    return _file(made, "image/png", "attribution.png")


def _choice(value: str | None, allowed: Iterable[str]) -> str:
    listed = tuple(allowed)
    if value is not None and value not in listed:
        raise ParameterError(f"{value[:40]!r} is none of {', '.join(listed)}.", REMEDY)
    return value or listed[0]


def _between(value: str | None, low: float, high: float, default: float) -> float:
    try:
        number = float(value[:20]) if value is not None else default
    except ValueError:
        number = float("nan")
    if not low <= number <= high:
        raise ParameterError(f"{str(value)[:40]!r} is not a number from {low:g} to {high:g}.", REMEDY)
    return number


def _file(content: bytes, kind: str, name: str) -> flask.Response:
    response = flask.Response(content, mimetype=kind)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
