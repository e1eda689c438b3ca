"""Attributions as Plotly figures: signals on their colour, heads of attention, the way from baseline to score."""

from __future__ import annotations

import base64
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard import theme
from dashboard.views.attribution import words
from dashboard.views.attribution.forms import SIZE
from dashboard.views.attribution.maps_data import Scale

MOST_CHANNELS = 8  # of a signal, below each other
MOST_POINTS = 2000  # of one line
BYTES = 150_000  # of all figures of one response, as base64
MOST_CELLS = 9_000  # of one map of attention
MOST_STEPS = 10  # of a waterfall
INK = {"light": "#1d2430", "dark": "#e6e9ee"}  # --ink of assets/tokens.css
CHANNEL, TALLEST = 82, 520  # pixels: a row of a signal with its title; maps of attention
TITLE = 17  # pixels above a row


def typed(values: NDArray[Any]) -> dict[str, Any]:
    """An array as Plotly reads it in binary, float32."""
    array = np.ascontiguousarray(values, np.float32)
    found: dict[str, Any] = {"dtype": "f4", "bdata": base64.b64encode(array.tobytes()).decode()}
    return found | ({"shape": ",".join(map(str, array.shape))} if array.ndim > 1 else {})


def colours(sign: str) -> list[list[Any]]:
    """A colour scale from -1 to 1 (signed) or 0 to 1, transparent at 0."""
    if sign == "signed":
        return [[0, theme.LOWERS], [0.5, "rgba(138,148,163,0)"], [1, theme.RAISES]]
    top = SIZE if sign == "absolute" else theme.RAISES
    red, green, blue = bytes.fromhex(top[1:])
    return [[0, f"rgba({red},{green},{blue},0)"], [1, top]]


def series(
    display: NDArray[Any],
    values: NDArray[Any],
    scale: Scale,
    *,
    names: Sequence[str],
    rate: float | None,
    scheme: str,
    multiples: int,
) -> tuple[dict[str, Any], int, str]:
    """A row per channel: its signal on bands in the colour of its attribution.

    display: (channels, T). values: what is drawn, (channels, T), or (1, T) for all channels at once. names: of all
    channels. rate: steps a second. multiples: figures in the same response.

    Returns:
        The figure, its height in pixels, and what it leaves out, in a sentence ('' if nothing).
    """
    display, values = np.atleast_2d(display), np.atleast_2d(values)
    every = np.broadcast_to(values, display.shape) if len(values) == 1 else values
    weight = np.nan_to_num(np.abs(every)).sum(1)
    chosen = np.sort(np.argsort(-weight, kind="stable")[:MOST_CHANNELS])
    room = BYTES / max(1, multiples) / max(1, len(chosen)) / 1.34 / 4
    points, blocks = (int(np.clip(room * part, 60, most)) for part, most in ((0.36, MOST_POINTS), (0.2, 800)))
    step = 1.0 / rate if rate else 1.0
    traces: list[dict[str, Any]] = []
    extra: dict[str, Any] = {"margin": {"l": 44, "r": 8, "t": 4, "b": 34}, "annotations": []}
    height = 60 + CHANNEL * max(2, len(chosen))
    above = TITLE / (height - 38)  # as a part of the plot, as are the domains
    for row, channel in enumerate(chosen.tolist()):
        top = 1 - row / len(chosen)
        axis = "" if row == 0 else str(row + 1)
        low, high = _ends(display[channel])
        bands, edges = _bands(np.asarray(every[channel], np.float64), blocks)
        shared = {"xaxis": "x", "yaxis": f"y{axis}"}
        traces.append(shared | _heat(bands, edges * step, (low, high), scale, names[channel], bool(rate)))
        traces.append(shared | _line(display[channel], step, points, names[channel], scheme))
        extra["annotations"].append(_title(theme.plain(names[channel], 36), 0, top - above))
        extra[f"yaxis{axis}"] = theme.axis(
            domain=[top - 0.96 / len(chosen), top - above],
            range=[low, high],
            nticks=3,
            showgrid=False,
        )
    unit = "time (s)" if rate else "step"
    last = "y" if len(chosen) == 1 else f"y{len(chosen)}"
    extra["xaxis"] = theme.axis(unit, anchor=last, range=[0, display.shape[1] * step], showgrid=False)
    left = len(display) - len(chosen)
    note = f"{len(chosen)} of {len(display):,} channels: those with the largest attributions." if left else ""
    if display.shape[1] > blocks:
        note = f"{note} Colours: the largest value of {-(-display.shape[1] // blocks)} steps.".strip()
    return {"data": traces, "layout": theme.layout(**extra)}, height, note


def _ends(line: NDArray[Any]) -> tuple[float, float]:
    finite = line[np.isfinite(line)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    room = 0.06 * (high - low) or 0.5
    return low - room, high + room


def _bands(values: NDArray[np.float64], most: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Blocks of steps, each by the value of the largest size; edges in steps."""
    if len(values) <= most:
        return values, np.arange(len(values) + 1, dtype=np.float64)
    block = -(-len(values) // most)
    starts = np.arange(0, len(values), block)
    high = np.fmax.reduceat(values, starts)
    low = np.fmin.reduceat(values, starts)
    return np.where(-low > high, low, high), np.append(starts, len(values)).astype(np.float64)


def _heat(
    bands: NDArray[Any], edges: NDArray[Any], ends: tuple[float, float], scale: Scale, name: str, timed: bool
) -> dict[str, Any]:
    place = "%{x:.4g} s" if timed else "step %{x:.0f}"
    return {
        "type": "heatmap",
        "z": typed(bands[None]),
        "x": typed(edges),
        "y": list(ends),
        "zmin": -scale.limit if scale.sign == "signed" else 0,
        "zmax": scale.limit,
        "colorscale": colours(scale.sign),
        "showscale": False,
        "hovertemplate": f"{theme.plain(name, 30)}, {place}: %{{z:+.4g}}<extra></extra>",
    }


def _line(line: NDArray[Any], step: float, points: int, name: str, scheme: str) -> dict[str, Any]:
    x, y = _extremes(np.asarray(line, np.float64), points)
    return {
        "type": "scatter",
        "mode": "lines",
        "x": typed((x + 0.5) * step),
        "y": typed(y),
        "line": {"width": 1.2, "color": INK[scheme]},
        "hovertemplate": f"{theme.plain(name, 30)}: %{{y:.4g}}<extra></extra>",
    }


def _extremes(values: NDArray[np.float64], most: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """At most so many points of a line: the lowest and the highest of each stretch, in their order."""
    if len(values) <= most:
        return np.arange(len(values), dtype=np.float64), values
    kept: set[int] = set()
    for part in np.array_split(np.arange(len(values)), max(1, most // 2)):
        if np.isfinite(values[part]).any():
            kept |= {int(part[np.nanargmin(values[part])]), int(part[np.nanargmax(values[part])])}
    at = np.array(sorted(kept), int)
    return at.astype(np.float64), values[at]


def attention(
    values: NDArray[Any], scale: Scale, tokens: Sequence[str], scheme: str, multiples: int
) -> tuple[dict[str, Any], int, str]:
    """A map per head: how much the position of a row looks at that of a column. values: (heads, T, T).

    Returns:
        The figure, its height in pixels, and what it leaves out.
    """
    heads, steps = values.shape[0], values.shape[-1]
    room = min(MOST_CELLS, int(BYTES / max(1, multiples) / 1.34 / 4))
    note = ""
    if heads * steps * steps > room and heads > 1:
        values, note = values.mean(0, keepdims=True), f"The mean of {heads} heads."
    block = int(np.ceil(np.sqrt(max(1.0, steps * steps / room))))
    if block > 1:
        starts = np.arange(0, steps, block)
        values = np.maximum.reduceat(np.maximum.reduceat(values, starts, axis=1), starts, axis=2)
        note = f"{note} Cells: the largest of {block} × {block}.".strip()
    columns = 1 if len(values) == 1 else 2
    rows = -(-len(values) // columns)
    traces: list[dict[str, Any]] = []
    extra: dict[str, Any] = {"margin": {"l": 76, "r": 8, "t": 18, "b": 74}, "annotations": []}
    ticks, what = _ticks(tokens, block), "token" if len(tokens) else "position"
    for head in range(len(values)):
        axis = "" if head == 0 else str(head + 1)
        row, column = divmod(head, columns)
        across = [
            column / columns + (0.06 if column else 0),
            (column + 1) / columns - (0 if column else 0.06 * (columns > 1)),
        ]
        down = [1 - (row + 1) / rows + 0.1 / rows, 1 - row / rows - 0.08 / rows * (rows > 1)]
        z = {"type": "heatmap", "z": typed(values[head]), "zmin": 0, "zmax": scale.limit, "showscale": False}
        hover = "row %{y}, column %{x}: %{z:.3g}<extra></extra>"
        z |= {"colorscale": theme.sequential(scheme), "hovertemplate": hover, "xaxis": f"x{axis}", "yaxis": f"y{axis}"}
        traces.append(z)
        shown = ticks if column == 0 else {"showticklabels": False}
        extra[f"yaxis{axis}"] = theme.axis(
            what if column == 0 else "", domain=down, anchor=f"x{axis}", autorange="reversed", showgrid=False, **shown
        )
        low = ticks | {"tickangle": -60} if row == rows - 1 else {"showticklabels": False}
        title = f"looks at {what}" if row == rows - 1 else ""
        extra[f"xaxis{axis}"] = theme.axis(title, domain=across, anchor=f"y{axis}", showgrid=False, **low)
        if len(values) > 1:
            extra["annotations"].append(_title(f"head {head}", across[0], down[1]))
    return {"data": traces, "layout": theme.layout(**extra)}, min(TALLEST, 106 + 190 * rows), note


def _title(text: str, x: float, y: float) -> dict[str, Any]:
    place = {"x": x, "y": y, "xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "bottom"}
    return {"text": text, "showarrow": False, "font": {"size": 11}} | place


def _ticks(tokens: Sequence[str], block: int) -> dict[str, Any]:
    if not len(tokens):
        return {"nticks": 5}
    step = max(1, -(-len(tokens) // 24))
    at = list(range(0, len(tokens), step))
    return {"tickvals": [i // block for i in at], "ticktext": [theme.plain(str(tokens[i]), 12) for i in at]}


def waterfall(
    names: Sequence[str], values: NDArray[Any], baseline: float, score: float
) -> tuple[dict[str, Any], int, str]:
    """From the baseline's score to that of the instance, the largest contributions first.

    Returns:
        The figure, its height in pixels, and ''.
    """
    values = np.nan_to_num(np.asarray(values, np.float64))
    order = np.argsort(-np.abs(values), kind="stable")
    steps = [(_folded(names[i]), float(values[i])) for i in order[:MOST_STEPS].tolist()]
    rest = values[order[MOST_STEPS:]]
    if len(rest):
        steps.append((f"{len(rest):,} others", float(rest.sum())))
    gap = score - baseline - float(values.sum())
    if abs(gap) > 0.01 * max(abs(score - baseline), 1e-9):
        steps.append(("not explained", gap))
    labels = ["baseline", *(name for name, _ in steps), "score"]
    bases, widths, inks, said = [0.0], [baseline], [theme.NEUTRAL], [words.number(baseline)]
    at = baseline
    for name, change in steps:
        bases.append(at)
        widths.append(change)
        inks.append(theme.NEUTRAL if name == "not explained" else theme.RAISES if change > 0 else theme.LOWERS)
        said.append(words.signed(change))
        at += change
    bases, widths, inks, said = [*bases, 0.0], [*widths, score], [*inks, theme.NEUTRAL], [*said, words.number(score)]
    trace = {
        "type": "bar",
        "orientation": "h",
        "y": list(range(len(labels))),
        "x": widths,
        "base": bases,
        "marker": {"color": inks},
        "text": said,
        "textposition": "outside",
        "cliponaxis": False,
        "hovertemplate": "%{text}<extra></extra>",
    }
    axis = theme.axis("", autorange="reversed", showgrid=False, tickvals=list(range(len(labels))), ticktext=labels)
    span = _span(bases, widths)
    extra: dict[str, Any] = {
        "yaxis": axis,
        "xaxis": theme.axis("score (logit)", zeroline=True, zerolinecolor="#8a94a3", nticks=5, range=span),
    }
    extra |= {"margin": {"l": 60, "r": 8, "t": 4, "b": 34}, "bargap": 0.25}
    row = 28 if any("<br>" in label for label in labels) else 19
    return {"data": [trace], "layout": theme.layout(**extra)}, 60 + row * len(labels), ""


def _folded(name: str) -> str:
    """A name on at most two lines, so that the bars keep their room."""
    lines = textwrap.wrap(name, 17) or [""]
    if len(lines) > 2:
        lines = [lines[0], lines[1][:16] + "…"]
    return "<br>".join(theme.plain(line) for line in lines)


def _span(bases: Sequence[float], widths: Sequence[float]) -> list[float]:
    """Ends of the axis of a waterfall: every number stands outside its bar, on the side where it ends."""
    ends = [base + width for base, width in zip(bases, widths, strict=True)]
    low, high = min(*bases, *ends), max(*bases, *ends)
    room = 0.5 * ((high - low) or 1.0)  # a number is as wide as a fourth of the plot in the narrowest multiple
    left = min([low, *(end - room for end, width in zip(ends, widths, strict=True) if width < 0)])
    right = max([high, *(end + room for end, width in zip(ends, widths, strict=True) if width >= 0)])
    return [left, right]
