"""Draws the response to words over the units: a line for the mean, two bands for how it varies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard import theme
from dashboard.views.sequences import word_data

FEW = 64  # units up to which each is a step of its own


@dataclass(frozen=True)
class Curve:
    """A word. mean: (U,). percentiles: (5, U) at 9, 25, 50, 75 and 91 %, None while they are computed."""

    name: str
    mean: NDArray[Any]
    percentiles: NDArray[Any] | None = None


def figure(
    curves: Sequence[Curve],
    order: NDArray[np.int64],
    *,
    by: str,
    layer: str,
    single: tuple[str, NDArray[Any]] | None = None,
    unit: int | None = None,
    clusters: NDArray[Any] | None = None,
) -> dict[str, Any]:
    """A Plotly figure.

    order: units from left to right. by: what they are ordered by. single: one occurrence, its name and changes (U,).
    unit: marked by a line. clusters: of each unit (U,), parted by lines if units are ordered by them.
    """
    traces: list[dict[str, Any]] = []
    shape = "hvh" if len(order) <= FEW else "linear"
    for place, curve in reversed(list(enumerate(curves))):  # the first lies on top
        traces += _bands(curve, order, place, shape)
    for place, curve in reversed(list(enumerate(curves))):
        colour, dash = word_data.look(place)
        line = {"color": colour, "width": 2, "dash": dash, "shape": shape}
        traces.append(_line(curve.name, curve.mean[order], order, line))
    if single is not None:
        line = {"color": theme.NEUTRAL, "width": 1.5, "dash": "dot", "shape": shape}
        traces.append(_line(single[0], single[1][order], order, line))
    titles = {"mean": "in the order of the first word's mean", "cluster": "by cluster, then by the mean"}
    title = f"units of {theme.clip(layer)}, {titles.get(by, 'by number')}"
    shapes = _marks(order, unit, clusters if by == "cluster" else None)
    extra = {
        "shapes": shapes,
        "hovermode": "closest",
        "margin": {"l": 60, "r": 12, "t": 8, "b": 42},
        "xaxis": theme.axis(title, range=[-0.6, len(order) - 0.4], **_ticks(order)),
        "yaxis": theme.axis("change of the state", zeroline=True, zerolinecolor=theme.NEUTRAL, zerolinewidth=1),
    }
    return {"data": traces, "layout": theme.layout(**extra)}


def _bands(curve: Curve, order: NDArray[np.int64], place: int, shape: str) -> list[dict[str, Any]]:
    if curve.percentiles is None or not np.isfinite(curve.percentiles).all():
        return []
    colour, _ = word_data.look(place)
    made = []
    for low, high, alpha in ((0, 4, 0.16), (1, 3, 0.28)):
        ends = [_short(curve.percentiles[at][order]) for at in (low, high)]
        base = {
            "type": "scatter",
            "mode": "lines",
            "x": list(range(len(order))),
            "line": {"width": 0, "shape": shape},
            "hoverinfo": "skip",
        }
        made.append(base | {"y": ends[0]})
        made.append(base | {"y": ends[1], "fill": "tonexty", "fillcolor": _transparent(colour, alpha)})
    return made


def _line(name: str, values: NDArray[Any], order: NDArray[np.int64], line: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "marker": {"size": 5 if len(order) <= FEW else 1, "opacity": 1 if len(order) <= FEW else 0},
        "x": list(range(len(order))),
        "y": _short(values),
        "customdata": order.tolist(),
        "name": theme.plain(name),
        "line": line,
        "hovertemplate": f"{theme.plain(name)}<br>unit %{{customdata}}: %{{y:.3g}}<extra></extra>",
    }


def _ticks(order: NDArray[np.int64]) -> dict[str, Any]:
    """Numbers of units below them, where there is room; else none."""
    if len(order) > FEW:
        return {"showticklabels": False, "showgrid": False}
    every = max(1, round(len(order) / 24))
    places = list(range(0, len(order), every))
    return {"tickvals": places, "ticktext": [str(int(order[at])) for at in places], "showgrid": False}


def _marks(order: NDArray[np.int64], unit: int | None, clusters: NDArray[Any] | None) -> list[dict[str, Any]]:
    found = []
    if unit is not None and unit in order:
        found.append(_upright(float(np.flatnonzero(order == unit)[0]), "solid", 1.5))
    if clusters is not None:
        turns = np.flatnonzero(np.diff(clusters[order]))
        found += [_upright(float(at) + 0.5, "dot", 1) for at in turns]
    return found


def _upright(x: float, dash: str, width: float) -> dict[str, Any]:
    line = {"color": theme.NEUTRAL, "width": width, "dash": dash}
    return {"type": "line", "xref": "x", "yref": "paper", "x0": x, "x1": x, "y0": 0, "y1": 1, "line": line}


def _transparent(colour: str, alpha: float) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha})"


def _short(values: NDArray[Any]) -> list[float | None]:
    return [float(f"{value:.4g}") if np.isfinite(value) else None for value in np.asarray(values, np.float64).tolist()]
