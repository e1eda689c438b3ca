"""The curves figure: one row per metric, one shared x-axis, train and validation styled as a pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.store.curves import Curve
from dashboard import theme

AXIS_TITLES = {"step": "step", "epoch": "epoch", "wall": "minutes since the run began"}
ROLE_NAMES = {"train": "train", "validation": "validation", "other": ""}
# A response stays under about 300 kB whatever is selected.
POINT_BUDGET = 16_000
MARKERS_BELOW = 80


@dataclass(frozen=True)
class Series:
    """One line: a tag of a run. run_index 0 is run A, 1 is run B. role: 'train', 'validation' or 'other'."""

    run_id: str
    run_name: str
    run_index: int
    group: str
    role: str
    tag: str
    curve: Curve
    origin: float = 0.0  # subtracted from x before scale, so that wall time starts at 0
    unit: float = 1.0  # seconds per minute on the wall axis


@dataclass(frozen=True)
class TraceKey:
    """Which trace of the figure shows what, so that new points can be appended to it."""

    run_id: str
    tag: str
    smooth: bool


def points_per_line(lines: int) -> int:
    """How many points a line may have so that the whole response stays small."""
    return int(min(2000, max(300, POINT_BUDGET // max(1, lines))))


def curves_figure(
    series: Sequence[Series],
    groups: Sequence[str],
    *,
    axis: str = "step",
    scale: str = "linear",
    smooth: float = 0.0,
    x_range: tuple[float, float] | None = None,
    revision: str = "",
) -> tuple[dict[str, Any], list[TraceKey | None]]:
    """Build the figure and say which trace shows which tag (None for markers)."""
    data: list[dict[str, Any]] = []
    keys: list[TraceKey | None] = []
    for item in series:
        row = groups.index(item.group)
        for trace, key in _lines(item, row, smooth):
            data.append(trace)
            keys.append(key)
        if item.curve.nonfinite_count:
            data.append(_nonfinite(item, row))
            keys.append(None)
    return {"data": data, "layout": _layout(groups, axis, scale, x_range, revision)}, keys


def display_x(item: Series, values: Any) -> np.ndarray:
    """x as drawn: steps and epochs as they are, wall time in minutes since the run began."""
    return (np.asarray(values, float) - item.origin) / item.unit


def rounded(values: Any) -> list[float | None]:
    """Seven significant digits, as JSON numbers; not finite becomes a gap."""
    return [float(f"{value:.7g}") if np.isfinite(value) else None for value in np.asarray(values, float)]


def with_gaps(x: np.ndarray, y: np.ndarray, segments: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Break a line between segments: a restart is not a line back in time. Values not finite are gaps already."""
    breaks = np.flatnonzero(np.diff(segments)) + 1 if len(segments) > 1 else np.zeros(0, int)
    return np.insert(x, breaks, x[breaks] if len(breaks) else []), np.insert(y, breaks, np.nan)


def label(item: Series) -> str:
    """What the legend and the hover call this line."""
    role = ROLE_NAMES[item.role] or item.tag
    return theme.plain(f"{item.run_name} · {role}")


def _lines(item: Series, row: int, smooth: float) -> list[tuple[dict[str, Any], TraceKey]]:
    colour = theme.RUN_COLOURS[item.run_index]
    held_out = item.role == "validation"
    curve = item.curve
    x, y = with_gaps(display_x(item, curve.x), np.asarray(curve.y, float), np.asarray(curve.segments))
    few = len(x) <= MARKERS_BELOW and held_out
    # Averaging a handful of validation points would hide them: they are drawn as they are.
    averaged = bool(smooth) and len(curve.smooth_x) > 0 and not few
    style = {"width": 2.2 if held_out else 1.3, "color": colour, "dash": theme.RUN_DASHES[item.run_index]}
    common: dict[str, Any] = {
        "type": "scatter",
        "yaxis": _y(row),
        "xaxis": "x",
        "legendgroup": f"{item.run_id}-{item.role}-{item.tag}",
    }
    raw: dict[str, Any] = common | {
        "x": rounded(x),
        "y": rounded(y),
        "name": label(item),
        "mode": "lines+markers" if few else "lines",
        "marker": {"size": 5, "symbol": "circle" if item.run_index == 0 else "diamond-open", "color": colour},
        "line": style,
        "opacity": 0.22 if averaged else (1 if held_out else 0.8),
        # The values under the cursor stand in a line below the figure (assets/training.js), not on top of the curves.
        "hoverinfo": "none",
        "meta": {"run": item.run_name, "group": item.group, "role": ROLE_NAMES[item.role] or item.tag},
        "showlegend": not averaged and row == 0,
    }
    if averaged:
        raw["line"] = style | {"width": 1, "dash": "solid"}
        raw["hoverinfo"] = "skip"
    lines = [(raw, TraceKey(item.run_id, item.tag, False))]
    if averaged:
        x, y = with_gaps(display_x(item, curve.smooth_x), curve.smooth_y, curve.smooth_segments)
        line: dict[str, Any] = common | {
            "x": rounded(x),
            "y": rounded(y),
            "name": label(item),
            "mode": "lines",
            "line": style,
            "hoverinfo": "none",
            "meta": raw["meta"] | {"smoothed": True},
            "showlegend": row == 0,
        }
        lines.append((line, TraceKey(item.run_id, item.tag, True)))
    return lines


def _nonfinite(item: Series, row: int) -> dict[str, Any]:
    x = display_x(item, item.curve.nonfinite_x)
    return {
        "type": "scatter",
        "mode": "markers",
        "x": rounded(x),
        "y": [0.96] * len(x),
        "text": list(item.curve.nonfinite_kind),
        "xaxis": "x",
        "yaxis": _y(row + 50),
        "marker": {"symbol": "x", "size": 8, "color": theme.PROBLEM},
        "hoverinfo": "none",
        "meta": {"run": item.run_name, "group": item.group, "role": ROLE_NAMES[item.role] or item.tag},
        "name": f"{label(item)} (not finite)",
        "showlegend": False,
    }


def _y(row: int) -> str:
    return "y" if row == 0 else f"y{row + 1}"


def _layout(
    groups: Sequence[str], axis: str, scale: str, x_range: tuple[float, float] | None, revision: str
) -> dict[str, Any]:
    rows = max(1, len(groups))
    gap = 0.06
    height = (1 - gap * (rows - 1)) / rows
    extra: dict[str, Any] = {
        "xaxis": theme.axis(
            AXIS_TITLES[axis],
            anchor=_y(rows - 1),
            showspikes=True,
            spikemode="across",
            spikethickness=1,
            spikedash="solid",
            spikecolor=theme.NEUTRAL,
            spikesnap="cursor",
        ),
        "hovermode": "x",
        "hoversubplots": "axis",
        "dragmode": "zoom",
        "uirevision": revision,
        "showlegend": True,
        "legend": {"orientation": "h", "x": 0, "yref": "container", "y": 0.995, "yanchor": "top", "font": {"size": 12}},
        "margin": {"l": 56, "r": 12, "t": 46, "b": 40},
    }
    if x_range:
        extra["xaxis"] |= {"range": list(x_range), "autorange": False}
    for row, group in enumerate(groups):
        top = 1 - row * (height + gap)
        domain = [max(0.0, top - height), top]
        name = "yaxis" if row == 0 else f"yaxis{row + 1}"
        extra[name] = theme.axis(theme.plain(group, 40), domain=domain, type=scale, anchor="x", fixedrange=True)
        extra[f"yaxis{row + 51}"] = {"overlaying": _y(row), "range": [0, 1], "visible": False, "fixedrange": True}
    return theme.layout(**extra)
