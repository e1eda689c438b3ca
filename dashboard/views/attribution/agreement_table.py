"""How far methods agree: their rank correlations as a table whose cells are coloured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from dash import html
from numpy.typing import NDArray

from dashboard.pictures import draw
from dashboard.widgets.attributes import attributes

INKS = ((0, 0, 0), (255, 255, 255))
Colour = tuple[int, int, int]


def agreement_table(titles: Sequence[str], values: NDArray[Any], scheme: str) -> list[Any]:
    """The matrix and its legend. values: (k, k), -1 to 1, NaN where undefined. scheme: 'light' or 'dark'."""
    numbers = [html.Th(str(at + 1), scope="col", title=title) for at, title in enumerate(titles)]
    rows = [
        html.Tr(
            [
                html.Th(f"{at + 1} {title}", scope="row"),
                *(_cell(value, at == other, scheme) for other, value in enumerate(line)),
            ]
        )
        for at, (title, line) in enumerate(zip(titles, values, strict=True))
    ]
    table = html.Table(
        [html.Thead(html.Tr([html.Th("Method", scope="col"), *numbers])), html.Tbody(rows)], className="at-matrix"
    )
    return [
        html.Div(
            table,
            className="at-matrix-scroll",
            tabIndex=0,
            role="region",
            **attributes({"aria-label": "Agreement of the methods"}),
        ),
        legend(),
    ]


def legend() -> html.Div:
    """Ends and unit of the colours."""
    return html.Div(
        [
            html.Div("Rank correlation", className="quiet"),
            html.Div(className="ramp ramp-signed"),
            html.Div([html.Span("−1 opposed"), html.Span("0"), html.Span("+1 alike")], className="ramp-ends"),
        ],
        className="maps-legend",
    )


def _cell(value: float, same: bool, scheme: str) -> html.Td:
    if same or not np.isfinite(value):
        return html.Td("·" if same else "–", className="num quiet")
    red, green, blue = (int(part) for part in draw.diverging(np.array(value), 1.0, scheme))
    style = {"background": _css((red, green, blue)), "color": _css(ink_on((red, green, blue)))}
    return html.Td(f"{value:.2f}".replace("-", "−"), className="num", style=style)


def _css(colour: Colour) -> str:
    return "#" + bytes(colour).hex()


def ink_on(colour: Colour) -> Colour:
    """Black or white, whichever stands out more on a colour (WCAG 2 contrast)."""
    own = _luminance(colour)
    contrast = [(max(own, ink) + 0.05) / (min(own, ink) + 0.05) for ink in map(_luminance, INKS)]
    return INKS[int(np.argmax(contrast))]


def _luminance(colour: Colour) -> float:
    parts = [part / 255 for part in colour]
    linear = [part / 12.92 if part <= 0.04045 else math.pow((part + 0.055) / 1.055, 2.4) for part in parts]
    return float(np.dot((0.2126, 0.7152, 0.0722), linear))
