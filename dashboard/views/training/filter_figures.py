"""One cell per filter of a layer (Pezzotti et al., DeepEyes, IEEE VIS 2017: activation heatmap)."""

from __future__ import annotations

from typing import Any

import numpy as np

from analysis.records import LayerRecord
from analysis.training.heatmap import grid, heatmap_values, order
from dashboard import theme

MODE_TITLES = {
    "maximum": "largest activation",
    "frequency": "share of patches",
    "staleness": "steps since last strong response",
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
