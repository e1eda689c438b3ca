"""Draws a signal in which a span can be taken by a drag."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard import theme

MOST_LINES = 8
MOST_POINTS = 1_500  # of a line


def signal_figure(
    values: NDArray[Any],
    names: Sequence[str],
    rate: float | None,
    *,
    before: NDArray[Any] | None = None,
    spans: Sequence[tuple[float, float]] = (),
) -> dict[str, Any]:
    """values: (channels, steps). rate: steps a second, None if not known. before: the same without its changes, drawn
    dotted. spans: marked stretches, in the unit of the axis."""
    unit = 1.0 / rate if rate else 1.0
    step = max(1, values.shape[1] // MOST_POINTS)
    times = np.arange(0, values.shape[1], step) * unit
    traces: list[dict[str, Any]] = []
    for at in range(min(len(values), MOST_LINES)):
        ink = theme.CATEGORIES[at % len(theme.CATEGORIES)]
        name = theme.plain(names[at] if at < len(names) else f"channel {at}", 24)
        if before is not None and before.shape == values.shape and not np.array_equal(before[at], values[at]):
            traces.append(_line(times, before[at, ::step], f"{name}, before", ink, "dot") | {"opacity": 0.55})
        traces.append(_line(times, values[at, ::step], name, ink, "solid"))
    shapes = [
        {"type": "rect", "xref": "x", "yref": "paper", "x0": a, "x1": b, "y0": 0, "y1": 1, "fillcolor": theme.NEUTRAL}
        | {"opacity": 0.2, "line": {"width": 0}}
        for a, b in spans
    ]
    layout = theme.layout(
        xaxis=theme.axis("seconds" if rate else "steps"),
        yaxis=theme.axis("signal", nticks=4, fixedrange=True),
        dragmode="select",
        selectdirection="h",
        showlegend=len(traces) > 1,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "font": {"size": 11}},
        margin={"l": 48, "r": 8, "t": 8, "b": 36},
        shapes=shapes,
    )
    return {"data": traces, "layout": layout}


def _line(times: NDArray[Any], values: NDArray[Any], name: str, ink: str, dash: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        # Points too, unseen: a drag selects nothing on bare lines.
        "mode": "lines+markers",
        "marker": {"size": 1, "opacity": 0},
        "x": [float(f"{value:.6g}") for value in times],
        "y": [float(f"{value:.5g}") if np.isfinite(value) else None for value in values],
        "name": name,
        "line": {"color": ink, "width": 1.4, "dash": dash},
        "hovertemplate": f"{name}, %{{x:.4g}}: %{{y:.4g}}<extra></extra>",
    }
