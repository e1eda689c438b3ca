"""Figures of the activation heatmap: a cell per filter, filter x class, filter x step (DeepEyes, IEEE VIS 2017)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from analysis.layers.heatmap import Heatmap
from analysis.records import FloatArray, IntArray
from analysis.training.heatmap import grid
from dashboard import theme

CELLS = 36_000  # of one figure, so that a response stays small
OUTLINED = 64  # filters of a lasso that are outlined one by one


def columns_for(filters: int) -> int:
    """How many classes or steps fit beside so many filters."""
    return int(np.clip(CELLS // max(1, filters), 8, 60))


def value_figure(
    values: FloatArray,
    order: IntArray,
    *,
    word: str,
    chosen: int | None,
    marked: Sequence[int],
    scheme: str,
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    """One cell per filter, row by row in the given order. notes: what is wrong with each filter, '' for nothing."""
    rows, columns = grid(len(values), 1.5)
    z = np.full(rows * columns, np.nan)
    z[: len(values)] = np.asarray(values, float)[order]
    names = np.full(rows * columns, -1)
    names[: len(values)] = order
    text = [notes[i] if i >= 0 and notes and notes[i] else "" for i in names.tolist()]
    trace = _trace(z.reshape(rows, columns), scheme, "largest activation") | {
        "customdata": names.reshape(rows, columns).tolist(),
        "text": [[f"<br>{part}" if part else "" for part in row] for row in np.array(text).reshape(rows, columns)],
        "meta": {"along": "cells"},
        "xgap": 1 if columns <= 40 else 0,
        "ygap": 1 if columns <= 40 else 0,
        "hovertemplate": f"{word} %{{customdata}}: %{{z:.4g}}%{{text}}<extra></extra>",
    }
    place = {int(index): at for at, index in enumerate(order)}
    boxes = [(place[i] % columns, place[i] // columns) for i in _outlines(chosen, marked, len(values))]
    shapes = [_box(x - 0.5, x + 0.5, y - 0.5, y + 0.5, bold=at == 0) for at, (x, y) in enumerate(boxes)]
    if chosen is None:
        shapes = [shape | {"line": {"color": theme.RAISES, "width": 1}} for shape in shapes]
    extra = {
        "xaxis": {"visible": False, "fixedrange": True, "constrain": "domain"},
        "yaxis": {"visible": False, "fixedrange": True, "autorange": "reversed", "scaleanchor": "x"},
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "shapes": shapes,
    }
    return {"data": [trace], "layout": theme.layout(**extra)}


def _outlines(chosen: int | None, marked: Sequence[int], filters: int) -> list[int]:
    wanted: Iterable[int] = [*([chosen] if chosen is not None else []), *marked[:OUTLINED]]
    return [index for index in dict.fromkeys(wanted) if index < filters]


def class_figure(
    found: Heatmap, order: IntArray, *, word: str, chosen: int | None, sorted_by: int | None, scheme: str
) -> dict[str, Any]:
    """Filters along x in the given order, classes along y; the class that sorts them is marked."""
    values = found.values[order].T  # (classes, filters)
    names = [theme.clip(str(name), 18) for name in found.names]
    ids = found.ids.tolist()
    ticks = [f"<b>▸ {name}</b>" if ids[at] == sorted_by else name for at, name in enumerate(names)]
    trace = _trace(values, scheme, "mean activation") | {
        "x": list(range(len(order))),
        "customdata": [[int(i) for i in order]] * len(names),
        "text": [[f"{name} (n = {count:,})"] * len(order) for name, count in zip(names, found.counts, strict=True)],
        "meta": {"along": "x", "filters": [int(i) for i in order]},
        "hovertemplate": f"{word} %{{customdata}}, %{{text}}: %{{z:.4g}}<extra></extra>",
    }
    # Only what hover needs: a long list of equal texts would double the response.
    if values.size > 4_000:
        trace |= {"customdata": None, "text": None}
        trace["hovertemplate"] = "%{y}, place %{x}: %{z:.4g}<extra></extra>"
    step = max(1, len(names) // 30 + (len(names) % 30 > 0))
    extra: dict[str, Any] = {
        "xaxis": theme.axis(f"{word}s in the chosen order", fixedrange=True, showgrid=False, **_filter_ticks(order)),
        "yaxis": theme.axis(
            "",
            fixedrange=True,
            showgrid=False,
            autorange="reversed",
            tickvals=list(range(0, len(names), step)),
            ticktext=ticks[::step],
        ),
        "margin": {"l": 8, "r": 8, "t": 8, "b": 40},
        "shapes": _column(order, chosen),
    }
    return {"data": [trace], "layout": theme.layout(**extra)}


def step_figure(
    found: Heatmap, order: IntArray, *, word: str, chosen: int | None, scheme: str, title: str
) -> dict[str, Any]:
    """Steps along x, filters along y in the given order."""
    trace = _trace(found.values[order], scheme, title) | {
        "x": [int(step) for step in found.ids],
        "y": list(range(len(order))),
        "meta": {"along": "y", "filters": [int(i) for i in order]},
        "hovertemplate": f"step %{{x}}, place %{{y}} ({word}s in the chosen order): %{{z:.4g}}<extra></extra>",
    }
    if len(order) * len(found.ids) <= 6_000:
        trace["customdata"] = [[int(i)] * len(found.ids) for i in order]
        trace["hovertemplate"] = f"step %{{x}}, {word} %{{customdata}}: %{{z:.4g}}<extra></extra>"
    at = np.flatnonzero(order == chosen)
    shapes = []
    if len(at) and len(found.ids):
        half = _half_steps(found.ids)
        shapes = [_box(half[0], half[1], int(at[0]) - 0.5, int(at[0]) + 0.5, bold=True)]
    extra: dict[str, Any] = {
        "xaxis": theme.axis("training step", fixedrange=True, showgrid=False),
        "yaxis": theme.axis(f"{word}s", fixedrange=True, showgrid=False, autorange="reversed", **_filter_ticks(order)),
        "margin": {"l": 44, "r": 8, "t": 8, "b": 40},
        "shapes": shapes,
    }
    return {"data": [trace], "layout": theme.layout(**extra)}


def _half_steps(steps: IntArray) -> tuple[float, float]:
    """Outer edges of the first and the last cell, as Plotly draws them."""
    if len(steps) < 2:
        return float(steps[0]) - 0.5, float(steps[0]) + 0.5
    return steps[0] - (steps[1] - steps[0]) / 2, steps[-1] + (steps[-1] - steps[-2]) / 2


def _filter_ticks(order: IntArray) -> dict[str, Any]:
    """The filters' numbers where there is room for them."""
    step = max(1, -(-len(order) // 12))
    places = list(range(0, len(order), step))
    return {"tickvals": places, "ticktext": [str(int(order[at])) for at in places]}


def _column(order: IntArray, chosen: int | None) -> list[dict[str, Any]]:
    at = np.flatnonzero(order == chosen)
    if not len(at):
        return []
    box = _box(int(at[0]) - 0.5, int(at[0]) + 0.5, 0, 1, bold=True)
    return [box | {"yref": "paper"}]


def _trace(z: FloatArray, scheme: str, title: str) -> dict[str, Any]:
    finite = z[np.isfinite(z)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    return {
        "type": "heatmap",
        "z": [_rounded(row) for row in z],
        # Activations are made non-negative: 0 is the end of the scale.
        "zmin": min(0.0, low),
        "zmax": high if high > min(0.0, low) else 1.0,
        "colorscale": theme.sequential(scheme),
        "colorbar": {
            "title": {"text": title, "side": "right", "font": {"size": 12}},
            "thickness": 10,
            "outlinewidth": 0,
            "tickfont": {"size": 11},
            "nticks": 6,
        },
        "hoverongaps": False,
    }


def _rounded(row: FloatArray) -> list[float | None]:
    """Four significant digits; what is not finite is an empty cell."""
    return [float(f"{value:.4g}") if np.isfinite(value) else None for value in row.tolist()]


def _box(x0: float, x1: float, y0: float, y1: float, *, bold: bool) -> dict[str, Any]:
    line = {"color": theme.RAISES, "width": 2 if bold else 1}
    return {"type": "rect", "x0": x0, "x1": x1, "y0": y0, "y1": y1, "line": line}
