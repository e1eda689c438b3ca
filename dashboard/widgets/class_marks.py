"""How a class looks: its colour and, beyond eight classes, its shape; the same in every figure and for every sample."""

from __future__ import annotations

from typing import Any

from dash import html

from dashboard import theme
from dashboard.widgets.attributes import attributes

SYMBOLS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "pentagon", "star", "hexagram")
SIGNS = ("●", "■", "◆", "▲", "▼", "⬟", "★", "✶")
SHAPES = (*SIGNS[:5], "○", "□", "◇", "△", "▽")  # where blue and orange are signs, a class has a shape alone
NO_LABEL = "#9aa3af"


def class_colour(label: int) -> str:
    """Colour of a class; grey for -1, which is none."""
    return theme.CATEGORIES[label % len(theme.CATEGORIES)] if label >= 0 else NO_LABEL


def class_symbol(label: int) -> str:
    """Plotly marker of a class: every eight classes another shape."""
    if label < 0:
        return "x-thin-open"  # plain x-thin is drawn with a line of width 0: not at all
    return SYMBOLS[label // len(theme.CATEGORIES) % len(SYMBOLS)]


def class_mark(label: int) -> html.Span:
    """The sign that stands before a class's name in text.

    ``data-shape`` is what assets/attribution.css shows instead in the Attribution view, in the colour of the text:
    there blue lowers and orange raises. Ten shapes; the name says the rest.
    """
    sign = SIGNS[label // len(theme.CATEGORIES) % len(SIGNS)] if label >= 0 else "×"
    style = {"color": class_colour(label)}
    shape = SHAPES[label % len(SHAPES)] if label >= 0 else "×"
    extra: dict[str, Any] = attributes({"aria-hidden": "true", "data-shape": shape})
    return html.Span(sign, className="class-mark", style=style, **extra)
