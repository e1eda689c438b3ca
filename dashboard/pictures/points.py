"""Projections as bytes for a canvas: places in two bytes an axis, colours in one byte a point.

What a link shows follows from its keys alone: of an answer, or of an extraction and a layer. The page reads
``points`` and ``colours`` at once, whatever their number, and ``point.json`` for the one that is pointed at. Of an
extraction that still grows a link shows what there is by then; the number of rows in it is the page's alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import flask
import numpy as np
from numpy.typing import NDArray

from analysis.errors import NotFound, ParameterError
from analysis.extraction.reader import Extraction
from analysis.neurons import projection_space as spaces
from analysis.results import Answer
from analysis.subsets import table as tables
from dashboard import services, theme
from dashboard.pictures import addresses, routes
from dashboard.widgets.class_groups import groups
from dashboard.widgets.class_marks import NO_LABEL, class_colour, class_symbol

NOWHERE = 65535  # of a point without a place
STEPS = 65534  # along the longer axis
LEVELS = 254  # colours of numbers; 0 is no number
MOST_WORDS = 40  # of a text that is pointed at
MOST_CELLS = 6
RIGHT, WRONG = theme.CATEGORIES[0], theme.CATEGORIES[5]
OWN = ("label", "prediction", "correct", "confidence", "neuron")


@dataclass(frozen=True)
class Group:
    """Points of one sign. label: class or value, None for the rest, -1 for none. name: '' for a class, which the page
    names. symbol: as Plotly calls it. count: of points."""

    label: int | None
    name: str
    colour: str
    symbol: str
    count: int


@dataclass(frozen=True)
class Colouring:
    """What points are coloured by. codes: uint8 (n,): places in ``groups``, or of numbers 0 for none and 1 to 255 from
    ``low`` to ``high``. missing: points without a number. title, unit: of the legend."""

    codes: NDArray[np.uint8]
    title: str
    groups: tuple[Group, ...] = ()
    low: float = 0.0
    high: float = 0.0
    unit: str = ""
    missing: int = 0

    @property
    def number(self) -> bool:
        """Whether a ramp shows it."""
        return not self.groups


def install(server: flask.Flask, prefix: str) -> None:
    """Add the routes under the app's prefix; the gate guards them like all others."""
    for name, answer in (("points", points), ("colours", colours), ("point.json", point)):
        endpoint = f"picture_{name.replace('.', '_')}"
        server.add_url_rule(f"{prefix}picture/{name}", endpoint, answer, methods=["GET"])


def encoded(xy: NDArray[Any]) -> bytes:
    """Places (n, 2), NaN for none, as bytes: n as uint32, then x, y of the corner and the step as float32, then x and y
    of each point as uint16 in steps, 65535 for none; all little-endian. One step for both axes: the aspect is kept."""
    places = np.asarray(xy, np.float32)
    finite = np.isfinite(places[:, 0]) & np.isfinite(places[:, 1])
    there = places if finite.all() else places[finite]
    low, step = np.zeros(2, np.float32), np.float32(1)
    if len(there):
        low = there.min(axis=0)
        wide, tall = (there.max(axis=0).astype(np.float64) - low).tolist()
        span = max(wide, tall)
        step = np.float32(max(span / STEPS, np.finfo(np.float32).tiny)) if span else step
    whole = np.full(places.shape, NOWHERE, "<u2")
    # Rounding may end a step beyond the last one, which would say 'nowhere'.
    whole[finite if there is not places else slice(None)] = np.minimum((there - low) / step + np.float32(0.5), STEPS)
    head = np.array([len(xy)], "<u4").tobytes() + np.array([*low, step], "<f4").tobytes()
    return head + whole.tobytes()


def decoded(content: bytes) -> NDArray[np.float32]:
    """Places (n, 2) from ``encoded``; what the page does."""
    count = int(np.frombuffer(content, "<u4", 1)[0])
    x, y, step = np.frombuffer(content, "<f4", 3, 4)
    whole = np.frombuffer(content, "<u2", 2 * count, 16).reshape(count, 2)
    found = whole * step + np.array([x, y], np.float32)
    found[whole[:, 0] == NOWHERE] = np.nan
    return found.astype(np.float32)


def first(
    extraction: Extraction, layer: str, reference: str = "", facing: Answer | None = None
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """PCA of an extraction's layer, (n, 2), and the shares of the variance: what there is without asking the worker.

    reference: layer whose PCA the axes face, '' for none. facing: answer of a projection that they face instead.
    """

    def make() -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        found = spaces.space(extraction.mean(layer))
        flat, shares = spaces.plane(found)
        whole = found.whole(flat)
        if facing is not None:
            from analysis.neurons.projection_align import matched

            whole = spaces.facing(whole, matched(extraction.indices, facing.array("xy"), facing.array("index")))
        elif reference:
            whole = spaces.facing(whole, first(extraction, reference)[0])
        return whole, shares

    key = ("projection-first", str(extraction.directory), extraction.done, layer, reference, facing and facing.key)
    made: tuple[NDArray[np.float32], NDArray[np.float64]] = services.current().memo.get(key, make)
    return made


def colouring(
    extraction: Extraction, by: str, *, layer: str = "", neuron: int = 0, columns: Answer | None = None
) -> Colouring:
    """How points are coloured.

    by: one of ``OWN``, or 'column:NAME', of the model's columns or of an answer of ``instance_columns``.

    Raises:
        NotFound: no such neuron or column.
    """
    if by in ("label", "prediction"):
        return _classes(extraction.labels if by == "label" else extraction.predictions, by.capitalize())
    if by == "correct":
        right = np.where(extraction.labels < 0, tables.UNKNOWN, extraction.correct)
        return _truth(right, "Prediction", ("right", "wrong", "no label"))
    if by == "confidence":
        return _numbers(extraction.confidence, "Confidence", "", 1.0)
    if by == "neuron":
        info = extraction.layer(layer)
        if neuron >= info.filters:
            raise NotFound(f"The layer has no neuron {neuron:,}.", f"It has {info.filters:,}, from 0.")
        word = "filter" if info.kind == "conv" else "unit"
        return _numbers(extraction.mean(layer)[:, neuron], f"Mean activation of {word} {neuron}", "", low=0.0)
    name = by.partition(":")[2]
    table = tables.of_extraction(extraction)
    if name not in table.columns and columns is not None:
        table = tables.joined(table, columns)
    column = table.columns.get(name)
    if column is None or column.kind == tables.TEXT:
        raise NotFound(f"There is no column '{name[:60]}' to colour by.", "Choose another one.")
    return of_column(column)


def of_column(column: tables.Column) -> Colouring:
    """The colouring by a column of the instances' table."""
    title = column.title or column.name
    if column.kind == tables.NUMBER:
        return _numbers(np.asarray(column.values), title, column.unit)
    if column.kind == tables.TRUTH:
        return _truth(np.asarray(column.values), title, ("true", "false", "unknown"))
    found = _classes(np.asarray(column.values), title)
    named = tuple(Group(g.label, _named(column.names, g.label), g.colour, g.symbol, g.count) for g in found.groups)
    return Colouring(found.codes, title, named)


def _named(names: tuple[str, ...], code: int | None) -> str:
    if code is None:
        return "other values"
    if code < 0:
        return "missing"
    return names[code] if code < len(names) else f"value {code}"


def _classes(labels: NDArray[Any], title: str) -> Colouring:
    codes = np.zeros(len(labels), np.uint8)
    made = []
    for place, group in enumerate(groups(labels)):
        codes[group.rows] = place
        rest = group.label is None
        colour = NO_LABEL if group.label is None else class_colour(group.label)
        symbol = "circle" if group.label is None else class_symbol(group.label)
        made.append(Group(group.label, "other classes" if rest else "", colour, symbol, len(group.rows)))
    return Colouring(codes, title, tuple(made))


def _truth(values: NDArray[Any], title: str, names: tuple[str, str, str]) -> Colouring:
    """Of 1, 0 and anything else."""
    codes = np.where(values == 1, 0, np.where(values == 0, 1, 2)).astype(np.uint8)
    counts = np.bincount(codes, minlength=3)
    looks = ((RIGHT, "circle"), (WRONG, "x"), (NO_LABEL, "circle-open"))
    rows = zip((1, 0, -1), names, looks, counts.tolist(), strict=True)
    return Colouring(codes, title, tuple(Group(label, name, *look, count) for label, name, look, count in rows))


def _numbers(
    values: NDArray[Any], title: str, unit: str, high: float | None = None, low: float | None = None
) -> Colouring:
    """high, low: ends of the scale; by default the largest and the smallest value."""
    shown = np.asarray(values, np.float64)
    finite = np.isfinite(shown)
    ends = [0.0, 0.0]
    if finite.any():
        ends = [float(shown[finite].min()), float(shown[finite].max())]
    ends = [end if given is None else given for end, given in zip(ends, (low, high), strict=True)]
    span = (ends[1] - ends[0]) or 1.0
    share = np.clip((np.where(finite, shown, 0.0) - ends[0]) / span, 0, 1)
    codes = np.where(finite, 1 + np.rint(share * LEVELS), 0).astype(np.uint8)
    return Colouring(codes, title, (), ends[0], ends[1], unit, int((~finite).sum()))


def points() -> flask.Response:
    """Places: of an answer (a=KEY), or the PCA of an extraction (x=KEY, layer, n: rows of it, r or f as ``first``)."""
    if "a" in flask.request.args:
        answer, whole = _answer("a")
        return _bytes(encoded(routes._array(answer, "xy")), lasting=whole)
    found = routes.extraction_of(routes._text("x"))
    facing, whole = _answer("f") if "f" in flask.request.args else (None, True)
    xy, _ = first(found, routes._text("layer"), flask.request.args.get("r", ""), facing)
    return _bytes(encoded(xy), lasting=found.complete and whole)


def colours() -> flask.Response:
    """A byte for each point: x=KEY, n: rows, by, and as it needs them layer, neuron, c: key of the columns' answer."""
    found = routes.extraction_of(routes._text("x"))
    by = routes._text("by")
    if by not in OWN and not by.startswith("column:"):
        raise ParameterError("Points cannot be coloured by that.", "Pictures are linked to from the page.")
    columns, whole = _answer("c") if flask.request.args.get("c") else (None, True)
    made = colouring(
        found,
        by,
        layer=flask.request.args.get("layer", ""),
        neuron=routes._number("neuron", 10_000_000, 0),
        columns=columns,
    )
    return _bytes(made.codes.tobytes(), lasting=found.complete and whole)


def point() -> flask.Response:
    """What is said of a point: x=KEY, row. Its instance, label, prediction, confidence, and how it is shown."""
    found = routes.extraction_of(routes._text("x"))
    row = routes._number("row", 2**31)
    if row >= found.done:
        raise NotFound("There is no such point.", f"There are {found.done:,}.")
    index = int(found.indices[row])
    confidence = float(found.confidence[row])
    said: dict[str, Any] = {
        "index": index,
        "label": int(found.labels[row]),
        "prediction": int(found.predictions[row]),
        "confidence": confidence if np.isfinite(confidence) else None,
        **_shown(found, index),
    }
    answer = flask.jsonify(said)
    return routes._lasting(answer) if found.complete else answer


def _shown(found: Extraction, index: int) -> dict[str, str]:
    """'picture': an address, or 'text'; neither where nothing is kept of it."""
    key = found.directory.name
    try:
        if found.kind == "image":
            return {"picture": addresses.instance(extraction=key, index=index)}
        if found.kind == "series":
            return {"picture": addresses.instances(key, [index])}
        if found.kind == "text":
            words = found.tokens(index)
            return {"text": " ".join(words[:MOST_WORDS]) + (" …" if len(words) > MOST_WORDS else "")}
        values = np.asarray(found.display(index), np.float64).reshape(-1)
    except NotFound:
        return {}
    text = ", ".join(f"{value:.3g}" for value in values[:MOST_CELLS])
    return {"text": text + (", …" if len(values) > MOST_CELLS else "")}


def _answer(name: str) -> tuple[Answer, bool]:
    """The answer that a parameter names, and whether it is whole: a draft, kept under a key of its own, is replaced."""
    key = routes._text(name)
    found = routes.answer_of(key)
    return found, found.key == key and not found.json.get("partial")


def _bytes(content: bytes, *, lasting: bool = True) -> flask.Response:
    answer = flask.Response(content, mimetype="application/octet-stream")
    return routes._lasting(answer) if lasting else answer
