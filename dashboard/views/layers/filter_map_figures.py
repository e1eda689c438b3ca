"""The filter map: a point per filter, near those that answer to the same patches (DeepEyes, IEEE VIS 2017)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard import theme
from dashboard.views.layers import scatter
from dashboard.views.layers.maps_figures import typed

MOST_NUMBERED = 64
SMALLEST, LARGEST = 7.0, 22.0
CROWDED = 400  # filters, from which points shrink


@dataclass(frozen=True)
class FilterMap:
    """Filters as points.

    xy: (F, 2), finite. top: (F,) the label answered to most, -1 for none. share: (F,) its part of the tally.
    perplexity: (F,) of the tally, NaN for none. silent: (F,) bool. maximum: (F,).
    """

    xy: NDArray[Any]
    top: NDArray[np.int64]
    share: NDArray[Any]
    perplexity: NDArray[Any]
    silent: NDArray[np.bool_]
    maximum: NDArray[Any]
    classes: int


def placed(xy: NDArray[Any]) -> tuple[NDArray[np.float64], int]:
    """Points that have no place stand in a row below the others; returns how many those are."""
    found = np.asarray(xy, np.float64).copy()
    lost = np.flatnonzero(~np.isfinite(found).all(1))
    if not len(lost):
        return found, 0
    known = found[np.isfinite(found).all(1)]
    low, high = (known.min(0), known.max(0)) if len(known) else (np.zeros(2), np.ones(2))
    span = np.where(high > low, high - low, 1.0)
    found[lost, 0] = low[0] + span[0] * (np.arange(len(lost)) + 0.5) / len(lost)
    found[lost, 1] = low[1] - 0.12 * span[1]
    return found, len(lost)


def sizes(perplexity: NDArray[Any], classes: int) -> NDArray[np.float64]:
    """Diameter in pixels: large for a filter of one label, small for one that answers to all alike."""
    most = math.log(max(2, classes))
    spread = np.clip(np.log(np.clip(np.nan_to_num(perplexity, nan=float(max(2, classes))), 1, None)) / most, 0, 1)
    # The root tells apart what most layers have: filters of many labels, some of them of a few less.
    crowd = min(1.0, math.sqrt(CROWDED / max(1, len(perplexity))))
    return max(0.5, crowd) * (SMALLEST + (LARGEST - SMALLEST) * np.sqrt(1 - spread))


def filter_map_figure(
    found: FilterMap,
    *,
    word: str,
    name: Callable[[int], str],
    chosen: int | None,
    several: Sequence[int],
) -> dict[str, Any]:
    """A point per filter; the chosen one is ringed, the lassoed ones stay bright.

    word: 'filter' or 'unit'. name: of a class. several: the lassoed filters.
    """
    inside = np.isin(np.arange(len(found.xy)), np.asarray(several, int)) if len(several) else None
    active = np.flatnonzero(~found.silent)
    diameter = sizes(found.perplexity, found.classes)
    traces = []
    for group in scatter.groups(found.top[active]):
        rows = active[group.rows]
        marker = {**scatter.group_style(group), "size": typed(diameter[rows]), "opacity": 0.85}
        marker["line"] = {"width": 0.8, "color": "rgba(138,148,163,0.8)"}
        traces.append(_trace(found, rows, marker, word, name, inside))
    silent = np.flatnonzero(found.silent)
    if len(silent):
        marker = {"symbol": "x-open", "size": 8, "color": scatter.NO_LABEL, "line": {"width": 1.3}}
        traces.append(_trace(found, silent, marker, word, name, inside))
    if chosen is not None and chosen < len(found.xy):
        traces.append(_ring(found, chosen, float(diameter[chosen])))
    revision = f"{len(found.xy)}-{float(found.xy.sum()):.6g}"
    layout = scatter.base_layout(("", ""), (), revision, [], "lasso")
    return {"data": traces, "layout": layout}


def _trace(
    found: FilterMap,
    rows: NDArray[Any],
    marker: dict[str, Any],
    word: str,
    name: Callable[[int], str],
    inside: NDArray[np.bool_] | None,
) -> dict[str, Any]:
    trace: dict[str, Any] = {
        "type": "scatter",
        "mode": "markers",
        "x": typed(found.xy[rows, 0]),
        "y": typed(found.xy[rows, 1]),
        "marker": marker,
        "customdata": rows.tolist(),
        "hovertext": [_hover(found, int(i), name) for i in rows],
        "hovertemplate": f"{word} %{{customdata}}: %{{hovertext}}<extra></extra>",
        **scatter.selected(rows, inside),
    }
    if len(found.xy) <= MOST_NUMBERED:
        trace |= {"mode": "markers+text", "text": [str(i) for i in rows]}
        trace |= {"textposition": "top center", "textfont": {"size": 10}}
    return trace


def _hover(found: FilterMap, index: int, name: Callable[[int], str]) -> str:
    if found.silent[index]:
        return "silent"
    text = f"max {found.maximum[index]:.3g}" if np.isfinite(found.maximum[index]) else ""
    if found.top[index] < 0:
        return f"{text}, no labels"
    label = theme.plain(name(int(found.top[index])), 20)
    return f"{text}<br>{label} {100 * found.share[index]:.0f} %, perplexity {found.perplexity[index]:.1f}"


def _ring(found: FilterMap, chosen: int, diameter: float) -> dict[str, Any]:
    line = {"width": 2, "color": theme.RAISES}
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [float(found.xy[chosen, 0])],
        "y": [float(found.xy[chosen, 1])],
        "marker": {"symbol": "circle-open", "size": diameter + 8, "color": theme.RAISES, "line": line},
        "hoverinfo": "skip",
        "meta": {"selected": None},
        "unselected": {"marker": {"opacity": 1}},
    }
