"""Downloads of the maps: patches with their places in the input map, filters with theirs, maxima of feature maps."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import flask
import numpy as np

from analysis.errors import NotFound
from dashboard.exports import download, lines
from dashboard.views.layers import asking, data, filter_map_panel, input_data, maps_data


def install(server: flask.Flask, prefix: str) -> None:
    """Add the routes under the app's prefix; the gate guards them like all others."""
    routes: tuple[tuple[str, Callable[[data.Frame], flask.Response]], ...] = (
        ("patches.csv", patches),
        ("filter-map.csv", filter_map),
        ("feature-maps.csv", feature_maps),
    )
    for name, answer in routes:
        endpoint = "export_" + name.replace("-", "_").replace(".", "_")
        server.add_url_rule(f"{prefix}export/{name}", endpoint, _answering(answer), methods=["GET"])


def _answering(answer: Callable[[data.Frame], flask.Response]) -> Callable[[], flask.Response]:
    def route() -> flask.Response:
        try:
            return answer(data.frame(flask.request.query_string.decode("utf-8", "replace")))
        except data.NotReady as nothing:
            raise NotFound(nothing.reason, nothing.remedy or "Try again when the page shows it.") from nothing

    return route


def _number(value: Any) -> Any:
    """As Python writes it; empty where it is not finite."""
    number = float(value)
    return number if np.isfinite(number) else ""


def patches(shown: data.Frame) -> flask.Response:
    """The patches of the input map: where each is, what it is, its place in the map."""
    found = input_data.load(shown)
    position, activation = found.answer.array("position"), found.answer.array("activation")
    score = input_data.score(found.answer)
    head = [
        "layer",
        "instance",
        "position",
        "label",
        "prediction",
        "method",
        "x",
        "y",
        "strongest_filter",
        "activation",
    ]

    def rows() -> Iterable[list[Any]]:
        for at, row in enumerate(found.rows.tolist()):
            answers = np.where(np.isfinite(activation[row]), activation[row], -np.inf)
            best = int(answers.argmax())
            yield [
                shown.layer.key,
                int(found.instances[at]),
                " ".join(map(str, position[row].tolist())),
                shown.class_name(int(found.labels[at])),
                shown.class_name(int(found.predictions[at])),
                found.method,
                _number(found.xy[at, 0]),
                _number(found.xy[at, 1]),
                best,
                _number(answers[best]),
                _number(score[row]),
                int(found.marked[at]),
                "" if found.lassoed is None else int(found.lassoed[at]),
            ]

    return download(lines([*head, "detection_score", "detected_least", "lassoed"], rows()), "patches.csv")


def filter_map(shown: data.Frame) -> flask.Response:
    """The filters of the filter map: place, the label answered to most, perplexity of the tally."""
    answer = asking.ask(shown, "filter_map", "Filter map", layer=shown.layer.key, count=data.PATCHES)
    found, _ = filter_map_panel.load(shown, answer)
    head = ["layer", "filter", "x", "y", "label", "share_of_label", "perplexity", "maximum", "silent"]
    rows = (
        [
            shown.layer.key,
            index,
            _number(found.xy[index, 0]),
            _number(found.xy[index, 1]),
            shown.class_name(int(found.top[index])) if found.top[index] >= 0 else "",
            _number(found.share[index]) if found.top[index] >= 0 else "",
            _number(found.perplexity[index]),
            _number(found.maximum[index]),
            int(found.silent[index]),
        ]
        for index in range(len(found.xy))
    )
    return download(lines(head, rows), "filter-map.csv")


def feature_maps(shown: data.Frame) -> flask.Response:
    """Every filter on the instance shown: its largest activation, and where."""
    found = maps_data.load(shown, maps_data.instance_of(shown))
    flat = found.maps.reshape(len(found.maps), -1)
    finite = np.where(np.isfinite(flat), flat, -np.inf)
    best = finite.argmax(1)
    shape = found.maps.shape[1:]
    rows = (
        [
            shown.layer.key,
            found.index,
            index,
            _number(finite[index, at]),
            " ".join(str(int(part)) for part in np.unravel_index(int(at), shape)) if shape else "",
        ]
        for index, at in enumerate(best.tolist())
    )
    return download(lines(["layer", "instance", "filter", "maximum", "position"], rows), "feature-maps.csv")
