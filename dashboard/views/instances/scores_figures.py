"""Figures of scores: histograms of right and wrong ones, and the reliability diagram. Neither torch nor dash."""

from __future__ import annotations

from typing import Any

import numpy as np

from dashboard import theme
from dashboard.views.instances.scores_data import Scores

WRONG = theme.CATEGORIES[5]
RIGHT = theme.CATEGORIES[0]


def histograms(found: Scores) -> dict[str, Any]:
    """Right above wrong, each with an axis of its own: wrong ones are few."""
    middles = (found.edges[:-1] + found.edges[1:]) / 2
    width = float(found.edges[1] - found.edges[0])
    rows = (("right", found.right, RIGHT, "y"), ("wrong", found.wrong, WRONG, "y2"))
    data = [
        {
            "type": "bar",
            "x": middles.tolist(),
            "y": counts.tolist(),
            "width": width * 0.94,
            "marker": {
                "color": colour,
                "line": {"width": 1, "color": colour},
                "pattern": {"shape": "/" if name == "wrong" else "", "fgopacity": 0.6},
            },
            "yaxis": axis,
            "name": name,
            "customdata": [[f"{a:.2f}", f"{b:.2f}"] for a, b in zip(found.edges[:-1], found.edges[1:], strict=True)],
            "hovertemplate": "confidence %{customdata[0]} to %{customdata[1]}<br>%{y} " + name + "<extra></extra>",
        }
        for name, counts, colour, axis in rows
    ]
    notes = [
        _note(f"✓ right, n = {int(found.right.sum()):,}", 1.0),
        _note(f"✗ wrong, n = {int(found.wrong.sum()):,}", 0.44),
    ]
    layout = theme.layout(
        xaxis=theme.axis("confidence", range=[0, 1], anchor="y2", fixedrange=True),
        yaxis=theme.axis("instances", domain=[0.56, 0.94], rangemode="tozero", nticks=4, fixedrange=True),
        yaxis2=theme.axis("instances", domain=[0.0, 0.38], rangemode="tozero", nticks=4, fixedrange=True),
        annotations=notes,
        bargap=0,
        margin={"l": 48, "r": 10, "t": 8, "b": 40},
    )
    return {"data": data, "layout": layout}


def _note(text: str, y: float) -> dict[str, Any]:
    return {
        "text": text,
        "x": 0,
        "y": y,
        "xref": "paper",
        "yref": "paper",
        "xanchor": "left",
        "yanchor": "top",
        "showarrow": False,
        "font": {"size": 12},
    }


def reliability(found: Scores) -> dict[str, Any]:
    """Accuracy against mean confidence by bin, with intervals; the diagonal; below, how many a bin has."""
    bins = found.reliability
    there = np.flatnonzero(bins.counts)
    middles = (bins.edges[:-1] + bins.edges[1:]) / 2
    up, down = bins.high[there] - bins.accuracy[there], bins.accuracy[there] - bins.low[there]
    told = [
        [
            f"{bins.edges[at]:.3g}",
            f"{bins.edges[at + 1]:.3g}",
            int(bins.counts[at]),
            f"{100 * bins.low[at]:.0f}",
            f"{100 * bins.high[at]:.0f}",
        ]
        for at in there.tolist()
    ]
    data = [
        {
            "type": "scatter",
            "mode": "lines",
            "x": [0, 1],
            "y": [0, 1],
            "line": {"color": theme.NEUTRAL, "dash": "dot", "width": 1.5},
            "hoverinfo": "skip",
        },
        {
            "type": "scatter",
            "mode": "lines+markers",
            "x": bins.confidence[there].tolist(),
            "y": bins.accuracy[there].tolist(),
            "error_y": {
                "type": "data",
                "array": up.tolist(),
                "arrayminus": down.tolist(),
                "thickness": 1.2,
                "width": 3,
            },
            "line": {"color": RIGHT, "width": 1.5},
            "marker": {"color": RIGHT, "size": 6},
            "customdata": told,
            "hovertemplate": "confidence %{customdata[0]} to %{customdata[1]}, mean %{x:.3f}<br>accuracy %{y:.1%}, "
            "%{customdata[3]} to %{customdata[4]} %<br>n = %{customdata[2]}<extra></extra>",
        },
        {
            "type": "bar",
            "x": middles.tolist(),
            "y": bins.counts.tolist(),
            "width": (np.diff(bins.edges) * 0.94).tolist(),
            "marker": {"color": theme.NEUTRAL},
            "yaxis": "y2",
            "hovertemplate": "n = %{y}<extra></extra>",
        },
    ]
    layout = theme.layout(
        xaxis=theme.axis("confidence", range=[0, 1.01], anchor="y2", fixedrange=True),
        yaxis=theme.axis("accuracy", domain=[0.32, 1.0], range=[0, 1.02], tickformat=".0%", fixedrange=True),
        yaxis2=theme.axis("n", domain=[0.0, 0.22], rangemode="tozero", nticks=3, fixedrange=True),
        annotations=[_calibrated()],
        margin={"l": 52, "r": 10, "t": 8, "b": 40},
    )
    return {"data": data, "layout": layout}


def _calibrated() -> dict[str, Any]:
    place = {"x": 0.02, "y": 1.0, "xref": "x", "yref": "y", "xanchor": "left", "yanchor": "top", "showarrow": False}
    return place | {"text": "dotted: calibrated", "font": {"size": 11}}
