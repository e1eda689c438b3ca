"""Figures of the watched layers: perplexity histograms, stability over time, and one cell per filter.

Formulas: Pezzotti et al., DeepEyes, IEEE VIS 2017 (perplexity histograms, filter activation).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from analysis.records import LayerMeta, LayerRecord
from analysis.training.heatmap import grid, heatmap_values, order
from analysis.training.stability import Stability, signed_change
from dashboard import theme

PER_PAGE = 8
MODE_TITLES = {
    "maximum": "largest activation",
    "frequency": "share of patches",
    "staleness": "steps since last strong response",
}


@dataclass(frozen=True)
class LayerFrame:
    """A layer at the step shown: record and baseline of run A, and the record of run B where there is one."""

    meta: LayerMeta
    record: LayerRecord
    baseline: LayerRecord | None = None
    other: LayerRecord | None = None


def share(record: LayerRecord) -> np.ndarray:
    """The histogram as per cent of all sampled patches, shape (bins,). Silent patches are the missing part."""
    return 100.0 * np.asarray(record.histogram, float) / max(1, record.patches)


def columns_for(count: int) -> int:
    """How many small multiples stand side by side."""
    return max(1, min(count, 4 if count > 2 else 2))


def perplexity_figure(frames: Sequence[LayerFrame], selected: str | None, columns: int | None = None) -> dict[str, Any]:
    """One small multiple per layer: above, per cent of patches by perplexity; below, its change since the baseline."""
    columns = columns or columns_for(len(frames))
    rows = math.ceil(len(frames) / columns)
    top = max([1.0, *(float(share(record).max()) for f in frames for record in (f.record, f.other) if record)])
    swing = max([0.5, *(float(np.abs(_change(f)).max()) for f in frames)])
    data: list[dict[str, Any]] = []
    extra: dict[str, Any] = {"annotations": [], "bargap": 0.05, "barmode": "overlay", "hovermode": "closest"}
    for index, frame in enumerate(frames):
        cell = _cell(index, rows, columns)
        data += _histogram_traces(frame, index)
        extra |= _histogram_axes(frame, index, cell, top, swing, first=index % columns == 0)
        extra["annotations"].append(_title(frame, cell, frame.meta.name == selected))
    extra["margin"] = {"l": 56, "r": 10, "t": 26, "b": 44}
    return {"data": data, "layout": theme.layout(**extra)}


def _cell(index: int, rows: int, columns: int) -> tuple[float, float, float, float]:
    """Left, right, bottom, top of a small multiple in paper coordinates."""
    gap_x, gap_y = 0.045, 0.24 / max(1, rows) if rows > 1 else 0.0
    width = (1 - gap_x * (columns - 1)) / columns
    height = (1 - gap_y * (rows - 1)) / rows
    row, column = divmod(index, columns)
    left = column * (width + gap_x)
    top = 1 - row * (height + gap_y)
    return left, left + width, max(0.0, top - height), top


def _change(frame: LayerFrame) -> np.ndarray:
    if frame.baseline is None:
        return np.zeros(len(frame.record.histogram))
    return 100.0 * np.nan_to_num(signed_change(frame.record.histogram, frame.baseline.histogram))


def _histogram_traces(frame: LayerFrame, index: int) -> list[dict[str, Any]]:
    edges = frame.meta.edges()
    centres = (edges[:-1] + edges[1:]) / 2
    width = float(edges[1] - edges[0])
    x, upper, lower = _axis_ids(index)
    change = _change(frame)
    name = _clip(frame.meta.name)
    span = [f"{low:.1f} to {high:.1f}" for low, high in pairwise(edges)]
    common = {"type": "bar", "x": [round(float(c), 4) for c in centres], "width": width, "xaxis": x, "text": span}
    common |= {"textposition": "none", "showlegend": False, "name": frame.meta.name}
    traces = [
        common
        | {
            "y": [round(float(v), 4) for v in share(frame.record)],
            "yaxis": upper,
            "marker": {"color": theme.RUN_COLOURS[0], "opacity": 0.85},
            "hovertemplate": f"{name}<br>perplexity %{{text}}: %{{y:.2f}} % of patches<extra></extra>",
        },
        common
        | {
            "y": [round(float(v), 4) for v in change],
            "yaxis": lower,
            "marker": {"color": [theme.RAISES if v >= 0 else theme.LOWERS for v in change]},
            "hovertemplate": f"{_clip(frame.meta.name)}<br>perplexity %{{text}}: %{{y:+.2f}} points<extra></extra>",
        },
    ]
    if frame.other is not None:
        traces.append(_outline(frame, x, upper))
    return traces


def _outline(frame: LayerFrame, x: str, upper: str) -> dict[str, Any]:
    """Run B as a stepped outline over run A's bars. Its layer may have another number of filters, and so other bins."""
    assert frame.other is not None
    filters = max(2.0, float(len(frame.other.maximum)))
    edges = np.linspace(1.0, filters, len(frame.other.histogram) + 1)
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [round(float(v), 4) for v in np.repeat(edges, 2)[1:-1]],
        "y": [round(float(v), 4) for v in np.repeat(share(frame.other), 2)],
        "xaxis": x,
        "yaxis": upper,
        "name": frame.meta.name,
        "line": {"color": theme.RUN_COLOURS[1], "width": 1.5},
        "hovertemplate": f"run B, {_clip(frame.meta.name)}<br>perplexity %{{x:.1f}}: %{{y:.2f}} %<extra></extra>",
        "showlegend": False,
    }


def _axis_ids(index: int) -> tuple[str, str, str]:
    def name(letter: str, number: int) -> str:
        return letter if number == 1 else f"{letter}{number}"

    return name("x", index + 1), name("y", 2 * index + 1), name("y", 2 * index + 2)


def _histogram_axes(
    frame: LayerFrame, index: int, cell: tuple[float, float, float, float], top: float, swing: float, *, first: bool
) -> dict[str, Any]:
    left, right, bottom, ceiling = cell
    middle = bottom + 0.36 * (ceiling - bottom)
    x, upper, lower = _axis_ids(index)
    filters = frame.meta.filters
    if frame.other is not None:
        filters = max(filters, len(frame.other.maximum))

    def key(axis: str) -> str:
        return f"{axis[0]}axis{axis[1:]}"

    fixed = {"fixedrange": True}
    return {
        key(x): theme.axis(
            "perplexity (filters)",
            domain=[left, right],
            anchor=lower,
            range=[1, max(2, filters)],
            nticks=5,
            **fixed,
        ),
        key(upper): theme.axis(
            "% of patches" if first else "",
            domain=[middle + 0.05 * (ceiling - bottom), ceiling],
            anchor=x,
            range=[0, top * 1.05],
            nticks=4,
            showticklabels=first,
            **fixed,
        ),
        key(lower): theme.axis(
            "change" if first else "",
            domain=[bottom, middle],
            anchor=x,
            range=[-swing * 1.1, swing * 1.1],
            nticks=3,
            showticklabels=first,
            **fixed,
        )
        | {"zeroline": True, "zerolinecolor": theme.NEUTRAL},
    }


def _title(frame: LayerFrame, cell: tuple[float, float, float, float], chosen: bool) -> dict[str, Any]:
    left, _, _, top = cell
    text = f"{_clip(frame.meta.name)} · {frame.meta.filters:,}"
    return {
        "text": f"<b>▸ {text}</b>" if chosen else text,
        "x": left,
        "y": top,
        "xref": "paper",
        "yref": "paper",
        "xanchor": "left",
        "yanchor": "bottom",
        "showarrow": False,
        "font": {"size": 13},
        "captureevents": True,
        "name": frame.meta.name,
    }


def _clip(name: str, most: int = 26) -> str:
    """A long dotted name keeps its end, which is what tells layers apart."""
    return theme.plain(name if len(name) <= most else "…" + name[-(most - 1) :])


def stability_figure(
    layers: Sequence[tuple[str, Stability, Stability | None]],
    *,
    selected: str | None,
    step: int | None = None,
) -> dict[str, Any]:
    """Total-variation distance between successive histograms over steps, one row per layer, shared axes."""
    rows = max(1, len(layers))
    gap = min(0.05, 0.3 / rows)
    height = (1 - gap * (rows - 1)) / rows
    data: list[dict[str, Any]] = []
    shapes: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    extra: dict[str, Any] = {}
    distances = [s.distance for _, *pair in layers for s in pair if s is not None]
    finite = [float(np.nanmax(d)) for d in distances if np.isfinite(d).any()]
    highest = min(1.0, max([0.2, *finite]) * 1.08)
    for row, (name, ours, theirs) in enumerate(layers):
        top = 1 - row * (height + gap)
        y = "y" if row == 0 else f"y{row + 1}"
        extra[f"yaxis{y[1:]}"] = theme.axis(
            "", domain=[max(0.0, top - height), top], anchor="x", range=[0, highest], nticks=3, fixedrange=True
        )
        for index, item in enumerate((ours, theirs)):
            if item is not None and len(item.steps):
                data.append(_distance_line(name, item, index, y))
        shapes.append(_level(ours.threshold, y))
        annotations.append(_row_title(name, top, name == selected))
    if step is not None:
        shapes.append(_cursor(step))
    extra |= {
        "xaxis": theme.axis("step", anchor="y" if rows == 1 else f"y{rows}"),
        "shapes": shapes,
        "annotations": annotations,
        "hovermode": "x",
        "hoversubplots": "axis",
        "margin": {"l": 44, "r": 12, "t": 18, "b": 40},
        "uirevision": "stability",
    }
    return {"data": data, "layout": theme.layout(**extra)}


def _distance_line(name: str, item: Stability, index: int, y: str) -> dict[str, Any]:
    run = "" if index == 0 else "run B, "
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": [int(s) for s in item.steps],
        "y": [round(float(d), 5) if np.isfinite(d) else None for d in item.distance],
        "xaxis": "x",
        "yaxis": y,
        "marker": {"size": 4},
        "line": {"color": theme.RUN_COLOURS[index], "width": 1.5, "dash": theme.RUN_DASHES[index]},
        "hovertemplate": f"{run}%{{y:.3f}}<extra></extra>",
        "showlegend": False,
    }


def _level(value: float, y: str) -> dict[str, Any]:
    line = {"color": theme.WARNING, "width": 1, "dash": "dot"}
    return {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "yref": y, "y0": value, "y1": value, "line": line}


def _cursor(step: int) -> dict[str, Any]:
    line = {"color": theme.NEUTRAL, "width": 1}
    return {"type": "line", "xref": "x", "x0": step, "x1": step, "yref": "paper", "y0": 0, "y1": 1, "line": line}


def _row_title(name: str, top: float, chosen: bool) -> dict[str, Any]:
    text = _clip(name)
    return {
        "text": f"<b>▸ {text}</b>" if chosen else text,
        "x": 1,
        "y": top,
        "xref": "paper",
        "yref": "paper",
        "xanchor": "right",
        "yanchor": "top",
        "showarrow": False,
        "font": {"size": 12},
        "captureevents": True,
        "name": name,
    }


def heatmap_figure(
    record: LayerRecord,
    *,
    word: str = "filter",
    mode: str,
    sort: str,
    chosen: int | None,
    scheme: str,
    top: float | None,
) -> dict[str, Any]:
    """One cell per filter, filled row by row in the chosen order.

    word: what a cell is called. top: upper end of the scale, the same at every step.
    """
    values = np.asarray(heatmap_values(record, mode), float)
    places = np.asarray(order(values, sort), int)
    rows, columns = grid(len(values), 1.6)
    cells = np.full(rows * columns, np.nan)
    cells[: len(values)] = values[places]
    filters = np.full(rows * columns, -1)
    filters[: len(values)] = places
    z = cells.reshape(rows, columns)
    names = filters.reshape(rows, columns)
    unit = {"maximum": "", "frequency": "", "staleness": " steps"}[mode]
    trace = {
        "type": "heatmap",
        "z": [rounded_row(row) for row in z],
        "customdata": names.tolist(),
        "xgap": 1 if columns <= 40 else 0,
        "ygap": 1 if columns <= 40 else 0,
        "zmin": 0,
        "zmax": top if top and top > 0 else 1,
        "colorscale": theme.sequential(scheme),
        "colorbar": {
            "title": {"text": MODE_TITLES[mode], "side": "right", "font": {"size": 12}},
            "thickness": 10,
            "outlinewidth": 0,
            "tickfont": {"size": 11},
        },
        "hoverongaps": False,
        "hovertemplate": f"{word} %{{customdata}}: %{{z:.4g}}{unit}<extra></extra>",
    }
    extra: dict[str, Any] = {
        "xaxis": {"visible": False, "fixedrange": True, "constrain": "domain"},
        "yaxis": {"visible": False, "fixedrange": True, "autorange": "reversed", "scaleanchor": "x"},
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "shapes": [],
    }
    if chosen is not None and chosen < len(values):
        at = int(np.flatnonzero(places == chosen)[0])
        extra["shapes"].append(_cell_outline(at % columns, at // columns))
    return {"data": [trace], "layout": theme.layout(**extra)}


def rounded_row(row: np.ndarray) -> list[float | None]:
    """Four significant digits; what is not finite is an empty cell."""
    return [float(f"{value:.4g}") if np.isfinite(value) else None for value in row]


def _cell_outline(column: int, row: int) -> dict[str, Any]:
    return {
        "type": "rect",
        "x0": column - 0.5,
        "x1": column + 0.5,
        "y0": row - 0.5,
        "y1": row + 0.5,
        "line": {"color": theme.RAISES, "width": 2},
    }
