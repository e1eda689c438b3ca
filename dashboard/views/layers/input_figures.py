"""The input map: a point per patch, placed by the layer's input there (DeepEyes, IEEE VIS 2017)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard import theme
from dashboard.views.layers import scatter
from dashboard.views.layers.input_data import InputMap
from dashboard.views.layers.maps_figures import typed

RIGHT, WRONG = theme.CATEGORIES[0], theme.CATEGORIES[5]
SIZE = 6
HOVER = "instance %{customdata[0]}<br>label %{customdata[1]}<br>predicted %{customdata[2]}<extra></extra>"


def input_figure(
    found: InputMap,
    *,
    color: str,
    name: Callable[[int], str],
    values: NDArray[Any] | None,
    values_name: str,
    outline: Sequence[float],
    chosen: int | None,
    scheme: str,
    drag: str = "lasso",
) -> dict[str, Any]:
    """A point per patch.

    color: 'label', 'prediction', 'correct', or one of the activations, whose values (K,) are given. name: of a class.
    outline: of the lasso. chosen: the instance whose patches are ringed. scheme: 'light' or 'dark'. drag: what a drag
    does, 'lasso' or 'zoom'.
    """
    annotations: list[dict[str, Any]] = []
    if color in ("label", "prediction"):
        groups = scatter.groups(found.labels if color == "label" else found.predictions)
        traces = [_trace(found, g.rows, name, scatter.group_style(g)) for g in groups]
        annotations = scatter.direct_labels(found.xy, groups, name, scheme)
    elif color == "correct":
        traces = _right_and_wrong(found, name)
    else:
        traces = [_by_value(found, name, values, values_name, scheme)]
    traces += _rings(found, chosen, scheme)
    titles = axis_titles(found)
    # No lasso on a map that is about to be replaced: its outline would mean nothing on the next.
    mode = drag if found.waiting is None else False
    layout = scatter.base_layout(titles, outline, found.embedding, annotations, mode)
    return {"data": traces, "layout": layout}


def axis_titles(found: InputMap) -> tuple[str, str]:
    """'PC 1 (34 % of the variance)', or 'UMAP 1'."""
    if found.method == "umap":
        return "UMAP 1", "UMAP 2"
    shares = list(found.quality.get("variance") or [])[:2]
    texts = [f" ({100 * float(share):.0f} % of the variance)" for share in shares] + ["", ""]
    return f"PC 1{texts[0]}", f"PC 2{texts[1]}"


def _trace(found: InputMap, rows: NDArray[Any], name: Callable[[int], str], style: dict[str, Any]) -> dict[str, Any]:
    size = {"circle": SIZE}.get(str(style.get("symbol")), SIZE + 1)
    return {
        "type": "scatter",
        "mode": "markers",
        "x": typed(found.xy[rows, 0]),
        "y": typed(found.xy[rows, 1]),
        "marker": {"size": size, "opacity": 0.8, **style},
        # Lists: a typed array does not come back with a click.
        "customdata": [
            [
                int(found.instances[i]),
                theme.plain(name(int(found.labels[i])), 24),
                theme.plain(name(int(found.predictions[i])), 24),
            ]
            for i in rows
        ],
        "hovertemplate": HOVER,
        **scatter.selected(rows, found.lassoed),
    }


def _right_and_wrong(found: InputMap, name: Callable[[int], str]) -> list[dict[str, Any]]:
    known = found.labels >= 0
    right = known & (found.labels == found.predictions)
    parts = (
        (~known, {"color": "#9aa3af", "symbol": "circle-open"}),
        (right, {"color": RIGHT, "symbol": "circle"}),
        (known & ~right, {"color": WRONG, "symbol": "x"}),
    )
    return [_trace(found, np.flatnonzero(part), name, style) for part, style in parts if part.any()]


def _by_value(
    found: InputMap, name: Callable[[int], str], values: NDArray[Any] | None, values_name: str, scheme: str
) -> dict[str, Any]:
    if values is None:
        return _trace(found, np.arange(len(found.rows)), name, {"color": "#9aa3af", "symbol": "circle"})
    # Strong ones last, on top.
    rows = np.argsort(np.nan_to_num(values, nan=-np.inf), kind="stable")
    shown = values[rows]
    finite = shown[np.isfinite(shown)]
    trace = _trace(found, rows, name, {"symbol": "circle"})
    trace["marker"] |= {
        "color": typed(np.where(np.isfinite(shown), shown, 0)),
        "cmin": 0,
        "cmax": float(finite.max()) if finite.size and finite.max() > 0 else 1.0,
        "colorscale": theme.sequential(scheme),
        "line": {"width": 0.5, "color": "rgba(138,148,163,0.7)"},
        "opacity": 0.9,
        "colorbar": {
            "title": {"text": f"activation<br>{theme.plain(values_name, 40)}", "font": {"size": 11}},
            "thickness": 10,
            "outlinewidth": 0,
            "tickfont": {"size": 11},
            "len": 0.6,
        },
    }
    trace["hovertemplate"] = trace["hovertemplate"].replace("<extra>", "<br>activation %{marker.color:.4g}<extra>")
    return trace


def _rings(found: InputMap, chosen: int | None, scheme: str) -> list[dict[str, Any]]:
    rings = []
    for rows, symbol, size, colour in (
        (np.flatnonzero(found.marked), "circle-open", SIZE + 5, scatter.INK[scheme]),
        (np.flatnonzero(found.instances == chosen), "square-open", SIZE + 9, theme.RAISES),
    ):
        if not len(rows):
            continue
        rings.append(
            {
                "type": "scatter",
                "mode": "markers",
                "x": typed(found.xy[rows, 0]),
                "y": typed(found.xy[rows, 1]),
                "marker": {"symbol": symbol, "size": size, "color": colour, "opacity": 0.9, "line": {"width": 1.4}},
                "hoverinfo": "skip",
                "meta": {"selected": None},
                "unselected": {"marker": {"opacity": 0.9}},
                "selected": {"marker": {"opacity": 0.9}},
            }
        )
    return rings
