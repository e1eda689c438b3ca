"""Small controls that several panels have: one of a few values, the one before and the one after."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import html

from dashboard.widgets.attributes import attributes


def segmented(name: str, label: str, options: Sequence[tuple[str, str]], value: str) -> html.Div:
    """A few values beside each other, their label before them.

    name: id of the control; one called ``ctl-NAME`` follows the address. options: (value, text).
    """
    control = dmc.SegmentedControl(
        id=name,
        data=[{"value": key, "label": text} for key, text in options],
        value=value,
        size="xs",
        **attributes({"aria-labelledby": f"{name}-label"}),
    )
    return html.Div([html.Span(label, className="control-label", id=f"{name}-label"), control], className="control")


def stepper(labels: tuple[str, str], targets: tuple[int | None, int | None], place: str) -> list[Any]:
    """Buttons to the instance before and after, and where in their order this one is.

    labels: what a screen reader says of each. targets: their indices in the data set, None at an end.
    """
    buttons = [_step(*each) for each in zip("‹›", labels, targets, strict=True)]
    return [*buttons, html.Span(place, className="quiet")]


def _step(sign: str, label: str, target: int | None) -> html.Button:
    nav = {"aria-label": label, "title": label}
    if target is not None:
        nav["data-nav"] = json.dumps({"instances": target})
    return html.Button(sign, type="button", className="bar-button step", disabled=target is None, **attributes(nav))
