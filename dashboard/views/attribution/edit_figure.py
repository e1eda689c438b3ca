"""Draws a signal, a row for each channel, in which a span can be taken by a drag."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard import theme

MOST_ROWS = 8
MOST_POINTS = 1_500  # of a line
ROW, ENDS, TITLE = 64, 46, 16  # pixels: a row, what is below the last one, above each for its name
TOP = 4  # pixels above all
Span = tuple[int | None, float, float]  # channel, None for all; from and to in the unit of the axis


def signal_figure(
    values: NDArray[Any],
    names: Sequence[str],
    rate: float | None,
    *,
    before: NDArray[Any] | None = None,
    spans: Sequence[Span] = (),
) -> tuple[dict[str, Any], int]:
    """The figure, and its height in pixels.

    values: (channels, steps). names: of the channels. rate: steps a second, None if not known. before: the same without
    its changes, drawn dotted. spans: marked stretches, each in the rows that it is of. Every channel has a scale of its
    own; they share time. Of many channels those with spans come first.
    """
    count, steps = values.shape
    unit = 1.0 / rate if rate else 1.0
    rows = _rows(count, spans)
    height = TOP + ENDS + ROW * len(rows)
    old = before if before is not None and before.shape == values.shape else None
    traces: list[dict[str, Any]] = []
    base = {"dragmode": "select", "selectdirection": "h", "showlegend": False, "annotations": [], "shapes": []}
    extra: dict[str, Any] = base | {"margin": {"l": 48, "r": 8, "t": TOP, "b": ENDS}}
    for row, channel in enumerate(rows):
        axis = "y" if row == 0 else f"y{row + 1}"
        name = str(names[channel]) if channel < len(names) else f"channel {channel}"
        drawn = [values[channel]]
        if old is not None and not np.array_equal(old[channel], values[channel], equal_nan=True):
            drawn.append(old[channel])
        for place, line in reversed(list(enumerate(drawn))):  # what was before lies below
            traces.append(_line(line, unit, name, dotted=place > 0) | {"xaxis": "x", "yaxis": axis})
        top = 1 - row / len(rows)
        bottom, above = top - 1 / len(rows), top - TITLE / (ROW * len(rows))
        extra[f"yaxis{axis[1:]}"] = theme.axis(
            domain=[bottom + 0.04 / len(rows), above], range=_ends(drawn), nticks=3, fixedrange=True
        )
        extra["annotations"].append(_title(name, above, changed=len(drawn) > 1))
        extra["shapes"] += [_mark(axis, start, end) for owner, start, end in spans if owner in (None, channel)]
    said = "time (s)" if rate else "step"
    if len(rows) < count:
        said += f" · {len(rows)} of {count:,} channels" + (", those changed first" if spans else "")
    last = "y" if len(rows) == 1 else f"y{len(rows)}"
    extra["xaxis"] = theme.axis(said, anchor=last, range=[0, steps * unit])
    return {"data": traces, "layout": theme.layout(**extra)}, height


def _rows(count: int, spans: Sequence[Span]) -> list[int]:
    """Channels that are drawn, ascending."""
    marked = dict.fromkeys(owner for owner, _, _ in spans if owner is not None and 0 <= owner < count)
    return sorted([*marked, *(at for at in range(count) if at not in marked)][:MOST_ROWS])


def _ends(lines: Sequence[NDArray[Any]]) -> list[float]:
    every = np.concatenate([np.asarray(line, np.float64) for line in lines])
    finite = every[np.isfinite(every)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    room = 0.06 * (high - low) or 0.5
    return [low - room, high + room]


def _title(name: str, above: float, *, changed: bool) -> dict[str, Any]:
    text = theme.plain(name, 36) + (" · dotted: before" if changed else "")
    place = {"x": 0, "y": above, "xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "bottom"}
    return place | {"text": text, "showarrow": False, "font": {"size": 11}, "hovertext": theme.plain(name)}


def _mark(axis: str, start: float, end: float) -> dict[str, Any]:
    place = {"type": "rect", "xref": "x", "yref": f"{axis} domain", "x0": start, "x1": end, "y0": 0, "y1": 1}
    line = {"width": 1, "color": theme.NEUTRAL, "dash": "dot"}
    return place | {"fillcolor": theme.NEUTRAL, "opacity": 0.25, "line": line, "layer": "below"}


def _line(values: NDArray[Any], unit: float, name: str, *, dotted: bool) -> dict[str, Any]:
    at = _kept(np.asarray(values, np.float64))
    said = theme.plain(name) + (", before" if dotted else "")
    return {
        "type": "scatter",
        # Points too, unseen: a drag selects nothing on bare lines.
        "mode": "lines+markers",
        "marker": {"size": 1, "opacity": 0},
        "x": [float(f"{(place + 0.5) * unit:.6g}") for place in at.tolist()],
        "y": [float(f"{value:.5g}") if np.isfinite(value) else None for value in values[at].tolist()],
        "name": said,
        "line": {
            "color": theme.NEUTRAL if dotted else theme.CATEGORIES[0],
            "width": 1.2,
            "dash": "dot" if dotted else "solid",
        },
        "hovertemplate": f"{said}, %{{x:.4g}}: %{{y:.4g}}<extra></extra>",
    }


def _kept(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Steps that are drawn: of a long line the lowest and the highest of each stretch."""
    if len(values) <= MOST_POINTS:
        return np.arange(len(values))
    parts = np.array_split(np.arange(len(values)), MOST_POINTS // 2)
    low, high = np.where(np.isfinite(values), values, np.inf), np.where(np.isfinite(values), values, -np.inf)
    return np.unique([step for part in parts for step in (part[low[part].argmin()], part[high[part].argmax()])])
