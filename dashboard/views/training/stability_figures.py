"""Layer stability: how far each layer's histogram moved from record to record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from analysis.training.stability import Stability
from dashboard import theme

POINTS = 8_000  # of all rows together, so that the response stays small


def thinned(item: Stability, most: int) -> Stability:
    """The same stability with at most ``most`` records: of every stretch the one that moved furthest."""
    most = max(50, most)
    if len(item.steps) <= most:
        return item
    values = np.nan_to_num(np.asarray(item.distance, float), nan=-1.0)
    kept = np.array([part[np.argmax(values[part])] for part in np.array_split(np.arange(len(values)), most)])
    return replace(item, steps=np.asarray(item.steps)[kept], distance=np.asarray(item.distance)[kept])


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
                data.append(_distance_line(name, thinned(item, POINTS // rows), index, y))
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
    text = theme.clip(name)
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
