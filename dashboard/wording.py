"""Numbers and lines as the page writes them."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np

MOST_LINES = 14  # of a figure's text


def wrapped(text: str, width: int = 46) -> str:
    """A figure's text in lines that fit a narrow panel: Plotly breaks none, and cuts what is wider than the figure."""
    lines = [line for part in text.split("<br>") for line in textwrap.wrap(part, width) or [""]]
    return "<br>".join([*lines[:MOST_LINES], *(["…"] if len(lines) > MOST_LINES else [])])


def class_options(names: Sequence[str]) -> list[dict[str, str]]:
    """What a picker of classes offers."""
    return [{"value": str(index), "label": str(name)[:60]} for index, name in enumerate(names)]


def finite(value: Any, digits: int = 4) -> str:
    """A number as the page writes it; 'undefined' where it is not finite."""
    number = float(value) if value is not None else float("nan")
    return f"{number:,.{digits}g}" if np.isfinite(number) else "undefined"


def column(values: Sequence[Any], digits: int = 4) -> list[str]:
    """Numbers that stand below or beside each other, with the same decimals: '0.414' and '0.400', not '0.4'.

    The largest has so many significant digits; one that would lose nearly all of its own keeps them.
    """
    numbers = [float(value) if value is not None else float("nan") for value in values]
    largest = max((abs(value) for value in numbers if np.isfinite(value)), default=0.0)
    if not 1e-4 <= largest < 1e7:
        return [finite(value, digits) for value in numbers]
    decimals = max(0, digits - 1 - int(np.floor(np.log10(largest))))
    least = 10.0 ** (1 - decimals)
    return [
        f"{value:,.{decimals}f}" if value == 0 or abs(value) >= least else finite(value, digits) for value in numbers
    ]
