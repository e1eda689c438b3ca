"""The perplexity histograms: one small multiple per layer (Pezzotti et al., DeepEyes, IEEE VIS 2017)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from analysis.records import LayerMeta, LayerRecord
from analysis.training.stability import signed_change
from dashboard import theme

PER_PAGE = 8


@dataclass(frozen=True)
class LayerFrame:
    """A layer at the step shown: record and baseline of run A, and the record of run B where there is one.

    top, swing: least upper ends of the two vertical axes, in per cent of patches.
    """

    meta: LayerMeta
    record: LayerRecord
    baseline: LayerRecord | None = None
    other: LayerRecord | None = None
    top: float = 0.0
    swing: float = 0.0


def with_scale(frame: LayerFrame, records: Sequence[LayerRecord]) -> LayerFrame:
    """The frame with the scale of its axes: the highest bar and the largest change at any step, in per cent.

    The axes then stay while the step slider moves.
    """
    shares = np.array([share(record) for record in records])
    then = share(frame.baseline) if frame.baseline is not None else np.zeros_like(shares[-1:])
    swing = float(np.abs(shares - then).max()) if frame.baseline is not None else 0.0
    return replace(frame, top=float(shares.max()), swing=swing)


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
    data: list[dict[str, Any]] = []
    extra: dict[str, Any] = {"annotations": [], "bargap": 0.05, "barmode": "overlay", "hovermode": "closest"}
    for index, frame in enumerate(frames):
        cell = _cell(index, rows, columns)
        data += _histogram_traces(frame, index)
        extra |= _histogram_axes(frame, index, cell, first=index % columns == 0)
        extra["annotations"].append(_title(frame, cell, frame.meta.name == selected))
        if not np.any(frame.record.histogram):
            extra["annotations"].append(_why_empty(frame.record, cell))
    extra["margin"] = {"l": 56, "r": 10, "t": 26, "b": 44}
    return {"data": data, "layout": theme.layout(**extra)}


def _cell(index: int, rows: int, columns: int) -> tuple[float, float, float, float]:
    """Left, right, bottom, top of a small multiple in paper coordinates."""
    gap_x, gap_y = 0.06, 0.3 / max(1, rows) if rows > 1 else 0.0
    width = (1 - gap_x * (columns - 1)) / columns
    height = (1 - gap_y * (rows - 1)) / rows
    row, column = divmod(index, columns)
    left = column * (width + gap_x)
    top = 1 - row * (height + gap_y)
    return left, left + width, max(0.0, top - height), top


def _why_empty(record: LayerRecord, cell: tuple[float, float, float, float]) -> dict[str, Any]:
    """A histogram without a bar says what became of its patches."""
    reasons = ["not finite"] if record.nonfinite else []
    reasons += ["silent"] if record.silent else []
    left, right, bottom, top = cell
    return {
        "text": f"all {record.patches:,} patches<br>{' or '.join(reasons) or 'missing'}",
        "x": (left + right) / 2,
        "y": bottom + 0.7 * (top - bottom),
        "xanchor": "center",
        "yanchor": "middle",
        "xref": "paper",
        "yref": "paper",
        "showarrow": False,
        "font": {"size": 12},
    }


def _change(frame: LayerFrame) -> np.ndarray:
    """How much each bar grew since the baseline, in points: of all sampled patches, as the bars themselves."""
    if frame.baseline is None:
        return np.zeros(len(frame.record.histogram))
    now, then = (np.append(r.histogram, r.patches - np.sum(r.histogram)) for r in (frame.record, frame.baseline))
    return 100.0 * np.nan_to_num(signed_change(now, then)[:-1])


def _histogram_traces(frame: LayerFrame, index: int) -> list[dict[str, Any]]:
    edges = frame.meta.edges()
    centres = (edges[:-1] + edges[1:]) / 2
    width = float(edges[1] - edges[0])
    x, upper, lower = _axis_ids(index)
    change = _change(frame)
    name = theme.clip(frame.meta.name)
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
            "hovertemplate": f"{name}<br>perplexity %{{text}}: %{{y:+.2f}} points<extra></extra>",
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
        "hovertemplate": f"run B, {theme.clip(frame.meta.name)}<br>perplexity %{{x:.1f}}: %{{y:.2f}} %<extra></extra>",
        "showlegend": False,
    }


def _axis_ids(index: int) -> tuple[str, str, str]:
    def name(letter: str, number: int) -> str:
        return letter if number == 1 else f"{letter}{number}"

    return name("x", index + 1), name("y", 2 * index + 1), name("y", 2 * index + 2)


def _histogram_axes(
    frame: LayerFrame, index: int, cell: tuple[float, float, float, float], *, first: bool
) -> dict[str, Any]:
    top = max([1.0, frame.top, *(float(share(record).max()) for record in (frame.record, frame.other) if record)])
    swing = max(0.5, frame.swing, float(np.abs(_change(frame)).max()))
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
            **fixed,
        ),
        key(lower): theme.axis(
            "change" if first else "",
            domain=[bottom, middle],
            anchor=x,
            range=[-swing * 1.1, swing * 1.1],
            nticks=3,
            **fixed,
        )
        | {"zeroline": True, "zerolinecolor": theme.NEUTRAL},
    }


def _title(frame: LayerFrame, cell: tuple[float, float, float, float], chosen: bool) -> dict[str, Any]:
    left, _, _, top = cell
    text = f"{theme.clip(frame.meta.name)} · {frame.meta.filters:,}"
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
