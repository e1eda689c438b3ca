"""Draws how long states last: survival over lags, half-lives of units, and what a probe reads."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard import theme

BINS = 24
LOGARITHMIC = 24  # lags from which on their axis is logarithmic
INK = "#7a6fc4"  # no sign: blue lowers in this view


def survival(said: dict[str, Any]) -> dict[str, Any]:
    """Share of the state that is still there, by lag, with the half-life marked."""
    lags, shares = [0, *said["lags"]], [1.0, *said["survival"]]
    trace = {
        "type": "scatter",
        "mode": "lines+markers" if len(lags) <= 40 else "lines",
        "x": lags,
        "y": [round(100 * share, 3) for share in shares],
        "line": {"color": INK, "width": 2},
        "marker": {"size": 4},
        "customdata": ["–", *(f"{number:,}" for number in said["followed"])],
        "hovertemplate": "%{x} steps later: %{y:.1f} %<br>%{customdata} steps followed<extra></extra>",
    }
    shapes = [_line({"xref": "paper", "x0": 0, "x1": 1, "yref": "y", "y0": 50, "y1": 50}, "dot")]
    notes = []
    life = said["half_life"]
    if life is not None:
        shapes.append(_line({"xref": "x", "x0": life, "x1": life, "yref": "paper", "y0": 0, "y1": 1}, "dash"))
        right = life <= 0.6 * max(lags)
        text = f"half-life {steps(life)}"
        notes.append(_note(text, life, 0.97, "left" if right else "right"))
    extra = {
        "shapes": shapes,
        "annotations": notes,
        "hovermode": "closest",
        "xaxis": theme.axis("steps later", rangemode="tozero"),
        "yaxis": theme.axis("state left (%)", range=[0, 104]),
    }
    return {"data": [trace], "layout": theme.layout(**extra)}


def half_lives(values: NDArray[Any], chosen: int | None, longest: int) -> dict[str, Any]:
    """How many units have which half-life; those that outlast the sequences stand apart at the right.

    values: (U,) in steps, inf and NaN as ``sequence_memory`` gives them. chosen: a unit that is marked. longest: lag.
    """
    known = values[np.isfinite(values)]
    beyond = int(np.isinf(values).sum())
    top = float(known.max()) if len(known) else 1.0
    low = max(0.25, float(known.min())) if len(known) else 0.25
    spread = top / low > 20
    edges = np.geomspace(low * 0.999, top * 1.001, BINS + 1) if spread else np.linspace(0, top * 1.001, BINS + 1)
    counts = np.histogram(np.maximum(known, low), edges)[0] if len(known) else np.zeros(BINS, int)
    labels = [f"{digits(a)} to {digits(b)} steps" for a, b in pairwise(edges.tolist())]
    places = list(range(BINS))
    bars = {
        "type": "bar",
        "x": [*places, BINS + 1] if beyond else places,
        "y": [*counts.tolist(), beyond] if beyond else counts.tolist(),
        "marker": {"color": [INK] * BINS + [theme.NEUTRAL]},
        "customdata": [*labels, f"longer than {longest:,} steps"] if beyond else labels,
        "hovertemplate": "%{y} units: %{customdata}<extra></extra>",
    }
    ticks = [0, BINS // 3, 2 * BINS // 3, BINS]
    tick_text = [digits(edges[at]) for at in ticks]
    shapes, notes = [], []
    if chosen is not None and chosen < len(values) and not np.isnan(values[chosen]):
        life = float(values[chosen])
        at = BINS + 1 if np.isinf(life) else float(np.interp(life, edges, np.arange(BINS + 1))) - 0.5
        shapes.append(_line({"xref": "x", "x0": at, "x1": at, "yref": "paper", "y0": 0, "y1": 1}, "dash"))
        notes.append(_note(f"unit {chosen}", at, 1, "left" if at < BINS / 2 else "right") | {"yanchor": "bottom"})
    extra = {
        "margin": {"l": 52, "r": 12, "t": 20, "b": 40},  # the note stands above the bars
        "bargap": 0.06,
        "shapes": shapes,
        "annotations": notes,
        "xaxis": theme.axis(
            "half-life (steps)",
            tickvals=[at - 0.5 for at in ticks] + ([BINS + 1] if beyond else []),
            ticktext=tick_text + (["longer"] if beyond else []),
            range=[-0.8, BINS + (1.8 if beyond else 0)],
        ),
        "yaxis": theme.axis("units", rangemode="tozero"),
    }
    return {"data": [bars], "layout": theme.layout(**extra)}


def probe(said: dict[str, Any]) -> dict[str, Any]:
    """What a probe reads of what came so many steps before, against chance. said: the answer's 'probe'."""
    accuracy = said["metric"] == "accuracy"
    factor = 100 if accuracy else 1
    lags = said["lags"]
    unit = " %" if accuracy else ""
    lines = [
        ("chance" if accuracy else "the mean", said["chance"], theme.NEUTRAL, "dash"),
        ("the step's input alone", said.get("input", []), theme.NEUTRAL, "dot"),
        ("probe", said["score"], INK, "solid"),
    ]
    traces = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "x": lags,
            "y": [round(factor * value, 4) for value in values],
            "name": name,
            "line": {"color": colour, "width": 2, "dash": dash},
            "marker": {"size": 4},
            "customdata": [f"{number:,}" for number in said["n"]],
            "hovertemplate": f"{name}, %{{x}} steps before: %{{y:.3g}}{unit}<br>n = %{{customdata}}<extra></extra>",
        }
        for name, values, colour, dash in lines
        if len(values)
    ]
    axis: dict[str, Any] = {"rangemode": "tozero"}
    if lags and lags[-1] > LOGARITHMIC:
        places = [factor_ for factor_ in (0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512) if factor_ <= lags[-1]]
        for trace in traces:
            trace["x"] = [float(np.log2(1 + lag)) for lag in lags]
            trace["hovertemplate"] = str(trace["hovertemplate"]).replace("%{x}", "%{text}")
            trace["text"] = [str(lag) for lag in lags]
        axis |= {"tickvals": [float(np.log2(1 + at)) for at in places], "ticktext": [str(at) for at in places]}
    values = [factor * value for value in [*said["score"], *said["chance"], *said.get("input", [])]]
    least = min(0.0, *values) if values else 0.0
    extra = {
        "hovermode": "closest",
        "showlegend": True,
        "legend": {
            "orientation": "h",
            "x": 1,
            "xanchor": "right",
            "y": 1.02,
            "yanchor": "bottom",
            "traceorder": "reversed",
        },
        "margin": {"l": 52, "r": 12, "t": 24, "b": 40},
        "xaxis": theme.axis("steps before", **axis),
        "yaxis": theme.axis("accuracy (%)" if accuracy else "R²", range=[least, 1.04 * factor]),
    }
    return {"data": traces, "layout": theme.layout(**extra)}


def steps(life: float) -> str:
    """'1 step', '2.5 steps'."""
    return "1 step" if digits(life) == "1" else f"{digits(life)} steps"


def digits(value: float) -> str:
    """A number of steps."""
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


def _line(place: dict[str, Any], dash: str) -> dict[str, Any]:
    return {"type": "line", "line": {"color": theme.NEUTRAL, "width": 1.2, "dash": dash}, **place}


def _note(text: str, x: float, y: float, anchor: str) -> dict[str, Any]:
    return {
        "text": text,
        "x": x,
        "y": y,
        "xref": "x",
        "yref": "paper",
        "xanchor": anchor,
        "yanchor": "top",
        "showarrow": False,
        "xshift": 4 if anchor == "left" else -4,
        "font": {"size": 12},
    }
