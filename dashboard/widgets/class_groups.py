"""Points by class: which classes have a sign of their own, how each looks, and the legend that says so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from dash import html
from numpy.typing import NDArray

from dashboard.widgets.class_marks import NO_LABEL, class_colour, class_mark, class_symbol

MOST_CLASSES = 24  # with a sign of their own


@dataclass(frozen=True)
class Group:
    """Points drawn alike. label: class, or None for the others. rows: which points."""

    label: int | None
    rows: NDArray[np.int64]


def groups(labels: NDArray[Any]) -> list[Group]:
    """Points by class: what is left over first (it is drawn below), then the most frequent classes by their numbers."""
    numbers, counts = np.unique(labels, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:MOST_CLASSES]
    kept = np.sort(numbers[order])
    found = [Group(int(label), np.flatnonzero(labels == label)) for label in kept]
    rest = np.flatnonzero(~np.isin(labels, kept))
    return ([Group(None, rest)] if len(rest) else []) + found


def group_style(group: Group) -> dict[str, Any]:
    """Colour and shape of a group."""
    if group.label is None:
        return {"color": NO_LABEL, "symbol": "circle"}
    return {"color": class_colour(group.label), "symbol": class_symbol(group.label)}


def legend(found: Sequence[Group], name: Callable[[int], str], unit: str) -> list[Any]:
    """Sign, name and count of every group."""
    items: list[Any] = []
    for group in sorted(found, key=lambda group: group.label is None):
        if group.label is None:
            items.append(html.Span(["● ", f"other classes ({len(group.rows):,})"], style={"color": "var(--ink-2)"}))
        else:
            text = f"{name(group.label)} ({len(group.rows):,})"
            items.append(html.Span([class_mark(group.label), text[:60]]))
    return [html.Span(f"{unit}:"), *items]
