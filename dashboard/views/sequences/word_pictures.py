"""Pictures of the words of series: the shape of a motif, the range of a level."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import numpy as np
from dash import html
from numpy.typing import NDArray

from analysis.results import Answer
from dashboard.views.sequences.word_data import number as written

MOST = 8  # channels
WIDTH, HEIGHT, LEFT, PAD = 240, 72, 44, 6  # pixels
INK = {"light": ("#1d2430", "#515c6b", "#d9dee5"), "dark": ("#e6e9ee", "#a9b2bf", "#343b46")}  # of assets/tokens.css


def picture(answer: Answer, row: int, scheme: str) -> list[Any]:
    """Figures of a word with what they show in words; [] for tokens."""
    names = answer.names()
    if "picture" in names:
        return _motif(answer, np.asarray(answer.array("picture")), row, scheme)
    if "channel" in names:
        return _level(answer, row)
    return []


def _motif(answer: Answer, pictures: NDArray[Any], row: int, scheme: str) -> list[Any]:
    channels, window, rate = answer.json["channels"], int(answer.json["window"]), answer.json["sampling_rate"]
    long = f"{written(window / rate, 3)} s" if rate else f"{window} steps"
    figures = []
    for at, values in enumerate(pictures[row][:MOST]):
        whole = pictures[:, at]
        ends = (float(np.nanmin(whole)), float(np.nanmax(whole))) if np.isfinite(whole).any() else (0.0, 1.0)
        name = str(channels[at]) if at < len(channels) else f"channel {at}"
        said = f"{name}, the last {long}: from {written(values[0], 3)} to {written(values[-1], 3)}"
        image = html.Img(src=curve([float(value) for value in values], ends, scheme), alt=said)
        figures.append(html.Figure([image, html.Figcaption(said, className="quiet")]))
    return [html.Div(figures, className="sqw-pictures")]


def _level(answer: Answer, row: int) -> list[Any]:
    channel = int(answer.array("channel")[row])
    low, high = float(answer.array("low")[row]), float(answer.array("high")[row])
    names = answer.json["channels"]
    name = str(names[channel]) if channel < len(names) else f"channel {channel}"
    parts = [
        f"from {written(low, 3)}" if np.isfinite(low) else "",
        f"to {written(high, 3)}" if np.isfinite(high) else "",
    ]
    return [html.P(f"{name} is in the range {' '.join(part for part in parts if part)}, in the channel's own unit.")]


def curve(values: list[float], ends: tuple[float, float], scheme: str) -> str:
    """A curve between two ends that other curves share, as the address of a picture. SVG: it runs and loads nothing."""
    ink, text, line = INK["dark" if scheme == "dark" else "light"]
    low, high = ends
    span, room = (high - low) or 1.0, WIDTH - LEFT - PAD
    places = [
        (LEFT + room * (at + 0.5) / len(values), PAD + (HEIGHT - 2 * PAD) * (1 - (value - low) / span))
        for at, value in enumerate(values)
        if np.isfinite(value)
    ]
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    font = f'font-family="system-ui,sans-serif" font-size="11" fill="{text}" text-anchor="end"'
    body = (
        f'<path d="M{LEFT} {PAD}V{HEIGHT - PAD}H{WIDTH - PAD}" fill="none" stroke="{line}"/>'
        f'<polyline points="{points}" fill="none" stroke="{ink}" stroke-width="1.5" stroke-linejoin="round"/>'
        f'<text x="{LEFT - 4}" y="{PAD + 9}" {font}>{written(high, 3)}</text>'
        f'<text x="{LEFT - 4}" y="{HEIGHT - PAD}" {font}>{written(low, 3)}</text>'
    )
    size = f'width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
    whole = f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{body}</svg>'
    return "data:image/svg+xml;base64," + b64encode(whole.encode()).decode()
