"""Downloads of the Subject and Layers views: what each panel shows, as CSV; the pruning suggestion, as JSON.

Every address carries the selection, so that a download says the same as the panel it was started from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import flask
import numpy as np

from analysis.errors import CutawayError, NotFound, ParameterError
from analysis.layers import heatmap
from dashboard import services, subjects
from dashboard.exports import download, lines
from dashboard.pictures import draw
from dashboard.views.layers import data, evidence, heat_panel, pruning, testing


def install(server: flask.Flask, prefix: str) -> None:
    """Add the routes under the app's prefix; the gate guards them like all others."""
    routes: tuple[tuple[str, Callable[[], flask.Response]], ...] = (
        ("export/modules.csv", modules),
        ("export/layers.csv", layers),
        ("export/heatmap.csv", heat),
        ("export/filter.csv", filter_),
        ("export/test.csv", test),
        ("export/prune.json", prune),
        ("picture/example", example),
    )
    for path, answer in routes:
        server.add_url_rule(f"{prefix}{path}", path.replace("/", "_").replace(".", "_"), answer, methods=["GET"])


def _frame() -> data.Frame:
    """What the address asks for. Raises CutawayError while there is nothing."""
    try:
        return data.frame(flask.request.query_string.decode("utf-8", "replace"))
    except data.NotReady as nothing:
        raise NotFound(nothing.reason, nothing.remedy or "Try again when the page shows it.") from nothing


def _csv(head: list[str], rows: Iterable[list[Any]], name: str) -> flask.Response:
    return download(lines(head, rows), name)


def _number(value: Any) -> Any:
    """As Python writes it; empty where there is nothing."""
    number = float(value)
    return number if np.isfinite(number) else ""


def modules() -> flask.Response:
    """Every layer found, with the reason where it cannot be shown."""
    found = subjects.described().data
    if found is None:
        raise NotFound("No model is open.", "Start the server with --subject FILE.py.")
    names = ("order", "key", "type", "kind", "filters", "spatial", "read_after", "rectifier", "parameters", "reason")
    rows = [
        [" x ".join(map(str, item[name])) if name == "spatial" else item[name] for name in names]
        for item in found.get("layers", [])
    ]
    return _csv(list(names), rows, "modules.csv")


def layers() -> flask.Response:
    """The layers by depth, with findings and, once measured, the separation of the classes."""
    shown = _frame()
    separation, _ = evidence.separation(shown, ask=False)
    measured = {item["layer"]: item for item in (separation or {}).get("layers", [])}
    found = evidence.by_layer(shown)
    rows = []
    for info in shown.layers:
        item = measured.get(info.key, {})
        count = len(found[info.key]) if info.key in found else ""
        rows.append(
            [
                info.key,
                info.order,
                info.type,
                " x ".join(map(str, info.spatial)),
                info.filters,
                info.parameters,
                count,
                item.get("knn_purity", ""),
                item.get("silhouette", ""),
                item.get("n", ""),
            ]
        )
    head = ["layer", "order", "type", "positions", "filters", "parameters", "findings", "knn_purity", "silhouette", "n"]
    return _csv(head, rows, "layers.csv")


def heat() -> flask.Response:
    """The heatmap in the mode and order shown, every class and every step."""
    shown = _frame()
    found = evidence.statistics(shown)
    try:
        order = heat_panel.order_of(shown, found.maximum).tolist()
        if shown.selection.lmode == "value":
            head = ["layer", "filter", "maximum", "mean", "frequency", "active_share", "instances", "judged"]
            notes = evidence.health(shown)
            columns = (found.maximum, found.mean, found.frequency, found.active_share)
            rows = [
                [shown.layer.key, i, *(_number(column[i]) for column in columns), found.instances, notes[i]]
                for i in order
            ]
            return _csv(head, rows, "heatmap.csv")
        if shown.selection.lmode == "class":
            made = heatmap.by_class(
                shown.extraction, shown.layer.key, shown.grouping, limit=max(1, len(shown.class_names))
            )
        else:
            made = heat_panel.steps_of(shown)
    except data.NotReady as nothing:
        raise NotFound(nothing.reason, nothing.remedy) from nothing
    head = ["layer", "filter", *(str(name) for name in made.names)]
    return _csv(head, ([shown.layer.key, i, *map(_number, made.values[i])] for i in order), "heatmap.csv")


def filter_() -> flask.Response:
    """One filter on every instance of the sample."""
    shown = _frame()
    index = shown.selection.filter
    if index is None or index >= shown.layer.filters:
        raise ParameterError("No filter of this layer is named.", "Add filter=NUMBER to the address.")
    found, info = shown.extraction, shown.layer
    highest, mean = found.maximum(info.key)[:, index], found.mean(info.key)[:, index]
    where = found.where(info.key)[:, index]
    head = ["layer", "filter", "instance", "label", "prediction", "maximum", "mean", "position"]

    def rows() -> Iterable[list[Any]]:
        for row, instance in enumerate(found.indices.tolist()):
            place = np.unravel_index(int(where[row]), info.spatial) if info.spatial else ()
            names = [shown.class_name(int(labels[row])) for labels in (found.labels, found.predictions)]
            position = " ".join(str(int(part)) for part in place)
            yield [info.key, index, instance, *names, _number(highest[row]), _number(mean[row]), position]

    return _csv(head, rows(), "filter.csv")


def test() -> flask.Response:
    """The result of a test: all classes, then each class. Only a test that was made is answered."""
    shown = _frame()
    spec = testing.read(flask.request.args.get("test"), shown)
    if spec is None:
        raise ParameterError("No such test is named.", "Start it from the page.")
    answer = evidence.peek(shown, spec.question, **spec.params)
    if answer is None:
        raise NotFound("This test has no result yet.", "Wait for it on the page.")
    value = answer.json if spec.question == "ablation" else answer.json.get("shortcut") or answer.json.get("identity")
    if not isinstance(value, dict) or "accuracy_before" not in value:
        raise NotFound("This test has no figures by class.", "See its result on the page.")
    head = ["test", "class", "n", "accuracy_before", "accuracy_after", "change_points", "low", "high"]
    what = testing.words(shown, spec)
    names = ("n", "accuracy_before", "accuracy_after", "change", "low", "high")
    rows = [[what, "all", *(value.get(name) for name in names)]]
    for item in value.get("classes", []):
        figures = [item.get(name) for name in ("n", "before", "after", "change", "low", "high")]
        rows.append([what, shown.class_name(int(item["class"])), *figures])
    return _csv(head, rows, "test.csv")


def prune() -> flask.Response:
    """The pruning suggestion of the page, with the result of its test if there is one."""
    shown = _frame()
    if not pruning.cuts_of(shown):
        raise NotFound("There is nothing to prune here.", "Choose filters first.")
    response = flask.Response(pruning.as_json(shown), mimetype="application/json")
    response.headers["Content-Disposition"] = 'attachment; filename="prune.json"'
    return response


def example() -> flask.Response:
    """One of the instances that describe the subject, as a picture."""
    answer = services.current().answers.get(flask.request.args.get("answer", ""))
    text = flask.request.args.get("index", "")
    try:
        shown = answer.array("examples") if answer is not None else None
    except (KeyError, OSError, CutawayError):
        shown = None
    if shown is None or not text.isascii() or not text.isdigit() or len(text) > 4 or int(text) >= len(shown):
        raise NotFound("There is no such picture.", "Reload the page.")
    response = flask.Response(draw.png(_drawn(np.asarray(shown[int(text)]))), mimetype="image/png")
    response.headers["Cache-Control"] = "private, max-age=31536000, immutable"
    return response


def _drawn(found: Any) -> Any:
    """An instance as pixels: an image (H, W, C) as it is, a series (channels, T) as lines."""
    if found.dtype == np.uint8 and found.ndim == 3:
        return draw.enlarged(draw.shrunk(found, 512))
    if found.ndim != 2:
        raise NotFound("This instance has no picture.", "Only images and series have one.")
    finite = found[np.isfinite(found)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    return draw.wave(found, low=low, high=high, width=180, height=120)
