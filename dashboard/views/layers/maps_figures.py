"""Feature maps without a picture: heat strips along time or tokens under their signal, bars for dense layers."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard import theme

MOST_CELLS = 48_000  # of a heatmap on the wire: float32 in base64, 256 kB
MOST_POINTS = 1_500  # of one line of the signal
MOST_LINES = 8
MOST_BARS = 400


@dataclass(frozen=True)
class Strips:
    """Maps along one axis.

    values: (F, T), NaN kept. low, high: ends of each row (F,), or both of one element when common. edges: (T + 1,) of
    the cells, in input steps. signal: (channels, T0) or None. tokens: of a text. rate: samples a second, None if not
    known. filters: numbers of the rows. unit, word: of the values and of a row.
    """

    values: NDArray[Any]
    low: NDArray[Any]
    high: NDArray[Any]
    edges: NDArray[Any]
    signal: NDArray[Any] | None
    tokens: Sequence[str]
    rate: float | None
    filters: NDArray[Any]
    word: str
    common: bool


def typed(values: NDArray[Any], dtype: str = "f4") -> dict[str, Any]:
    """An array as Plotly reads it in binary: float32 ('f4') or uint8 ('u1')."""
    array = np.ascontiguousarray(values, {"f4": np.float32, "u1": np.uint8, "i4": np.int32}[dtype])
    found = {"dtype": dtype, "bdata": base64.b64encode(array.tobytes()).decode()}
    return found | ({"shape": ",".join(map(str, array.shape))} if array.ndim > 1 else {})


def fitted(values: NDArray[Any], chosen: int | None) -> tuple[NDArray[Any], NDArray[np.int64], int]:
    """Values (F, T) made to fit one answer: blocks of steps by their largest value, then the strongest filters only.

    Returns the rows, the numbers of their filters, and how many steps a block holds. The chosen filter stays.
    """
    filters, steps = values.shape
    block = 1
    if filters * steps > MOST_CELLS and steps > 200:
        block = -(-steps // max(200, MOST_CELLS // filters))
        starts = np.arange(0, steps, block)
        values = np.fmax.reduceat(values, starts, axis=1)
    most = max(1, MOST_CELLS // values.shape[1])
    if filters <= most:
        return values, np.arange(filters), block
    top = np.where(np.isfinite(values), values, -np.inf).max(1)
    if chosen is not None and chosen < filters:
        top[chosen] = np.inf
    rows = np.sort(np.argsort(-top, kind="stable")[:most])
    return values[rows], rows, block


def strips_figure(strips: Strips, *, chosen: int | None, scheme: str) -> dict[str, Any]:
    """A row per filter along time; above them the signal it belongs to, on the same axis."""
    scale = 1.0 / strips.rate if strips.rate else 1.0
    unit = "seconds" if strips.rate else "tokens" if len(strips.tokens) else "steps"
    shown = strips.values
    if not strips.common:
        span = np.where(strips.high > strips.low, strips.high - strips.low, 1)[:, None]
        shown = (strips.values - strips.low[:, None]) / span
    low, high = (float(strips.low[0]), float(strips.high[0])) if strips.common else (0.0, 1.0)
    signed = strips.common and low < 0
    heat = {
        "type": "heatmap",
        "z": typed(shown),
        "x": typed(strips.edges * scale),
        "y": strips.filters.tolist(),
        "zmin": low,
        "zmax": high if high > low else low + 1,
        "colorscale": diverging() if signed else theme.sequential(scheme),
        "showscale": False,
        "hoverongaps": False,
        "hovertemplate": f"{strips.word} %{{y}}, %{{x:.4g}} {unit}: %{{z:.3g}}<extra></extra>",
    }
    rows = len(strips.filters)
    tall = strips.signal is not None
    extra: dict[str, Any] = {
        "xaxis": theme.axis(unit, anchor="y", showgrid=False, **_ticks(strips.tokens)),
        "yaxis": theme.axis(
            strips.word, domain=[0, 0.72 if tall else 1], autorange="reversed", showgrid=False, nticks=12
        ),
        "margin": {"l": 48, "r": 12, "t": 8, "b": 40},
        "shapes": [],
    }
    if rows < len(strips.filters) or (rows and strips.filters[-1] != rows - 1):
        extra["yaxis"]["type"] = "category"  # only some filters: equal rows, whatever their numbers
    traces: list[dict[str, Any]] = [heat]
    if strips.signal is not None:
        traces += _signal(strips.signal, scale)
        extra["yaxis2"] = theme.axis("signal", domain=[0.78, 1], anchor="x", nticks=4)
    if chosen is not None and chosen in strips.filters:
        extra["shapes"].append(_row_outline(int(np.flatnonzero(strips.filters == chosen)[0]), chosen, extra["yaxis"]))
    return {"data": traces, "layout": theme.layout(**extra)}


def _ticks(tokens: Sequence[str]) -> dict[str, Any]:
    if not len(tokens):
        return {}
    step = max(1, -(-len(tokens) // 40))
    at = range(0, len(tokens), step)
    return {
        "tickvals": [i + 0.5 for i in at],
        "ticktext": [theme.plain(str(tokens[i]), 14) for i in at],
        "tickangle": -60,
    }


def _signal(signal: NDArray[Any], scale: float) -> list[dict[str, Any]]:
    lines = []
    for channel, values in enumerate(np.asarray(signal, np.float64)[:MOST_LINES]):
        x, y = extremes(values)
        lines.append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": typed((x + 0.5) * scale),
                "y": typed(y),
                "yaxis": "y2",
                "name": f"channel {channel}",
                "line": {"width": 1.2, "color": theme.CATEGORIES[channel % len(theme.CATEGORIES)]},
                "hovertemplate": f"channel {channel}: %{{y:.4g}}<extra></extra>",
            }
        )
    return lines


def extremes(values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """At most ``MOST_POINTS`` points of a line: the lowest and the highest of each stretch, in their order."""
    if len(values) <= MOST_POINTS:
        return np.arange(len(values), dtype=np.float64), values
    parts = np.array_split(np.arange(len(values)), MOST_POINTS // 2)
    kept = sorted(
        {int(p[np.nanargmin(values[p])]) for p in parts if np.isfinite(values[p]).any()}
        | {int(p[np.nanargmax(values[p])]) for p in parts if np.isfinite(values[p]).any()}
    )
    at = np.array(kept, int)
    return at.astype(np.float64), values[at]


def diverging() -> list[list[Any]]:
    """Blue below 0, orange above it; for a scale whose ends lie evenly about 0."""
    return [[0, theme.LOWERS], [0.5, "rgba(138,148,163,0.08)"], [1, theme.RAISES]]


def _row_outline(row: int, chosen: int, axis: dict[str, Any]) -> dict[str, Any]:
    at = row if axis.get("type") == "category" else chosen
    line = {"color": theme.RAISES, "width": 2}
    return {"type": "rect", "xref": "paper", "x0": 0, "x1": 1, "y0": at - 0.5, "y1": at + 0.5, "line": line}


def bars_figure(values: NDArray[Any], *, word: str, chosen: int | None) -> dict[str, Any]:
    """The activation of every unit of a layer without positions, for one instance. values: (F,)."""
    numbers = np.arange(len(values))
    if len(values) <= MOST_BARS:
        trace: dict[str, Any] = {"type": "bar", "marker": {"color": theme.CATEGORIES[0]}, "width": 0.8}
    else:  # thousands of rectangles are slow: their outline says the same
        trace = {"type": "scatter", "mode": "lines", "fill": "tozeroy"}
        trace["line"] = {"color": theme.CATEGORIES[0], "width": 1, "shape": "hvh"}
    trace |= {"x": numbers.tolist(), "y": typed(values), "hovertemplate": f"{word} %{{x}}: %{{y:.4g}}<extra></extra>"}
    shapes = []
    if chosen is not None and chosen < len(values):
        line = {"color": theme.RAISES, "width": 2}
        edges = {"x0": chosen - 0.5, "x1": chosen + 0.5, "y0": 0, "y1": 1}
        shapes = [{"type": "rect", "yref": "paper", **edges, "line": line}]
    extra = {
        "xaxis": theme.axis(word, showgrid=False),
        "yaxis": theme.axis("activation", zeroline=True, zerolinecolor="#8a94a3"),
        "shapes": shapes,
        "bargap": 0.1,
    }
    return {"data": [trace], "layout": theme.layout(**extra)}


def extent(ranges: NDArray[Any] | None, positions: int, size: int) -> tuple[float, float]:
    """Where an axis of a map lies on the input, in input pixels or steps: its first and its last edge.

    ranges: (S, 2), what each position sees; None: the map is stretched over the whole input of ``size``.
    """
    if ranges is None or len(ranges) != positions or positions < 2:
        return 0.0, float(size)
    # Fields are cut off at the borders, so the middle of the axis says where it lies.
    centres = np.asarray(ranges, np.float64).mean(1)
    step = float(np.median(np.diff(centres)))
    middle = positions // 2
    if step <= 0:
        return 0.0, float(size)
    first = float(centres[middle]) - (middle + 0.5) * step
    return first, first + positions * step
