"""The chips in the top bar: what is selected beyond the pickers, each with a cross that removes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dash import html

from analysis.subsets.subset import title
from dashboard.asking import OfSubject
from dashboard.selection import Selection
from dashboard.widgets.attributes import attributes

LONGEST = 32  # letters of a subset


@dataclass(frozen=True)
class _Named(OfSubject):
    description: dict[str, Any]


def chips(selection: Selection, word: str, description: dict[str, Any]) -> list[Any]:
    """One for each part of the selection that no picker shows. word: what the layer calls a filter. description: of
    the subject, {} while it is not known."""
    found = []
    if selection.subset:
        found.append(_chip(_subset(selection.subset, description), "subset", "Remove the subset"))
    if selection.filter is not None:
        found.append(_chip(f"{word} {selection.filter}", "filter", f"Remove {word.lower()} {selection.filter}"))
    if selection.filters:
        count = len(selection.filters)
        found.append(
            _chip(f"{count:,} {word.lower()}{'s' if count != 1 else ''}", "filters", "Remove the set of filters")
        )
    if selection.instances:
        found.append(_chip(f"Instance {selection.instances[0]}", "instances", "Remove the instance"))
    if selection.lasso:
        found.append(_chip("Lasso", "lasso", "Remove the lasso"))
    if selection.plasso:
        found.append(_chip("Lasso of the projection", "plasso", "Remove the lasso of the projection"))
    if selection.drill:
        found.append(_chip("Part of the map", "drill", "Back to the whole map"))
    if selection.range is not None:
        low, high = selection.range
        found.append(_chip(f"{selection.axis} {low:,.5g} to {high:,.5g}", "range", "Remove the zoom"))
    return found


def _subset(text: str, description: dict[str, Any]) -> str:
    """'Subset: labelled cat', or the beginning of its expression."""
    said = title(text, _Named({"classes": (), **description})).removeprefix("instances ").removeprefix("where ")
    return f"Subset: {said if len(said) <= LONGEST else said[: LONGEST - 1] + '…'}"


def _chip(text: str, parameter: str, label: str) -> html.Button:
    return html.Button(
        [html.Span(text, className="chip-text"), html.Span("×", **attributes({"aria-hidden": "true"}))],
        className="chip-button",
        type="button",
        title=text,
        **attributes({"data-nav": f'{{"{parameter}": null}}', "aria-label": label}),
    )
