"""Small curves and bars as pictures in a line of text: SVG in a data address, which runs and loads nothing."""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Sequence

from dashboard import theme

INK = {"light": "#1c64c8", "dark": "#7db3ff"}  # --accent of assets/tokens.css
QUIET = {"light": "#8a94a3", "dark": "#8a94a3"}
LINE = {"light": "#d9dee5", "dark": "#343b46"}
TEXT = {"light": "#515c6b", "dark": "#a9b2bf"}
Points = Sequence[float]


def curve(
    share: Points, score: Points, random: Sequence[Points], scheme: str, *, size: tuple[int, int] = (72, 26)
) -> str:
    """A deletion or insertion curve in colour over those of random orders in grey. Address of a picture.

    share: of the features changed, 0 to 1. score: at each share. A large picture has axes with their ends.
    """
    width, height = size
    large = width > 160
    left, bottom, pad = (46, 30, 6) if large else (2, 2, 2)
    every = [value for line in (score, *random) for value in line if _finite(value)]
    low, high = (min(every), max(every)) if every else (0.0, 1.0)
    span = high - low or 1.0

    def path(line: Points) -> str:
        spots = [
            (left + (width - left - pad) * x, pad + (height - bottom - pad) * (1 - (y - low) / span))
            for x, y in zip(share, line, strict=False)
            if _finite(y) and _finite(x)
        ]
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)

    parts = [_frame(left, pad, width - pad, height - bottom, scheme)]
    parts += [_line(path(line), QUIET[scheme], 1, 0.6) for line in random]
    parts.append(_line(path(score), INK[scheme], 2, 1.0))
    if large:
        parts += [
            _text(left - 4, pad + 10, f"{high:.3g}".replace("-", "−"), scheme, "end"),
            _text(left - 4, height - bottom, f"{low:.3g}".replace("-", "−"), scheme, "end"),
            _text(left, height - bottom + 13, "0 %", scheme, "start"),
            _text(width - pad, height - bottom + 13, "100 %", scheme, "end"),
            _text((left + width) / 2, height - 3, "of the input changed", scheme, "middle"),
        ]
    return _address(width, height, parts)


def bars(values: Points, scheme: str, *, size: tuple[int, int] = (72, 26)) -> str:
    """Values of 0 to 1, a bar each, from left to right. Address of a picture."""
    width, height = size
    step = width / max(1, len(values))
    parts = [_frame(0, 0, width, height, scheme)]
    for at, value in enumerate(values):
        tall = height * min(1.0, max(0.0, value)) if _finite(value) else 0.0
        wide = max(1.0, step - 1)
        parts.append(
            f'<rect x="{at * step:.1f}" y="{height - tall:.1f}" width="{wide:.1f}" height="{tall:.1f}" '
            f'fill="{INK[scheme]}"/>'
        )
    return _address(width, height, parts)


def _finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _frame(left: float, top: float, right: float, bottom: float, scheme: str) -> str:
    return f'<path d="M{left} {top}V{bottom}H{right}" fill="none" stroke="{LINE[scheme]}"/>'


def _line(points: str, colour: str, wide: float, opacity: float) -> str:
    return (
        f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{wide}" stroke-opacity="{opacity}" '
        'stroke-linejoin="round"/>'
    )


def _text(x: float, y: float, text: str, scheme: str, anchor: str) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-family="system-ui,sans-serif" font-size="11" fill="{TEXT[scheme]}" '
        f'text-anchor="{anchor}">{theme.plain(text)}</text>'
    )


def _address(width: int, height: int, parts: Sequence[str]) -> str:
    body = "".join(parts)
    text = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}">{body}</svg>'
    )
    return "data:image/svg+xml;base64," + b64encode(text.encode()).decode()
