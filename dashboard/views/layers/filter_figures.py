"""Figures of one filter: how its activation spreads over the classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from analysis.layers.profiles import ClassDistribution
from dashboard import theme
from dashboard.widgets.class_marks import class_colour

MOST_CLASSES = 12


def strongest(found: Sequence[ClassDistribution], most: int = MOST_CLASSES) -> list[ClassDistribution]:
    """The classes with the largest means, at most so many, in the order of their labels."""
    kept = sorted(found, key=lambda item: -item.mean)[:most]
    return sorted(kept, key=lambda item: item.label)


def distribution_figure(found: Sequence[ClassDistribution], names: Sequence[str]) -> dict[str, Any]:
    """A lying box per class: median, middle half, whiskers from 5 to 95 %, a diamond at the mean.

    names: by label, so that a class keeps the name that the page gives it.
    """
    data = []
    for item in found:
        low, first, median, third, high = (_digits(value) for value in item.quantiles)
        name = names[item.label] if 0 <= item.label < len(names) else item.name
        shown = theme.clip(str(name), 20)
        colour = class_colour(item.label)
        data.append(
            {
                "type": "box",
                "orientation": "h",
                "y": [shown],
                "q1": [first],
                "median": [median],
                "q3": [third],
                "lowerfence": [low],
                "upperfence": [high],
                "mean": [_digits(item.mean)],
                "name": shown,
                "line": {"color": colour, "width": 1.4},
                "fillcolor": _faint(colour),
                "hoverinfo": "skip",
                "width": 0.62,
                "showlegend": False,
            }
        )
    data.append(_means(found, [str(trace["name"]) for trace in data]))
    extra: dict[str, Any] = {
        "xaxis": theme.axis("largest activation<br>in an instance", fixedrange=True, rangemode="tozero"),
        "yaxis": theme.axis("", fixedrange=True, autorange="reversed", showgrid=False, type="category"),
        "margin": {"l": 8, "r": 12, "t": 6, "b": 54},
        "hovermode": "closest",
    }
    return {"data": data, "layout": theme.layout(**extra)}


def _means(found: Sequence[ClassDistribution], names: Sequence[str]) -> dict[str, Any]:
    """A mark at each mean that carries the exact figures, also for the classes whose box has no height."""
    lines = [
        f"{name}, n = {item.count:,}<br>median {item.quantiles[2]:.4g}, mean {item.mean:.4g}"
        f"<br>5 to 95 %: {item.quantiles[0]:.4g} to {item.quantiles[4]:.4g}"
        for item, name in zip(found, names, strict=True)
    ]
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [_digits(item.mean) for item in found],
        "y": list(names),
        "text": lines,
        "marker": {"symbol": "diamond-open", "size": 9, "color": [class_colour(item.label) for item in found]},
        "hovertemplate": "%{text}<extra></extra>",
        "showlegend": False,
    }


def _digits(value: float) -> float:
    return float(f"{value:.4g}")


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.25)"
