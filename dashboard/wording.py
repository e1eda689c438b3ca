"""Numbers and lines as the page writes them."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from analysis.attribution.targets import Unit
from analysis.errors import ParameterError
from analysis.questions.registry import Question

# What views call the values of parameters. A test replaces filters by something, or takes their layer out.
VALUES = {
    "pca": "PCA",
    "umap": "UMAP",
    "tsne": "t-SNE",
    "zero": "filters set to 0",
    "mean": "filters held at their mean",
    "merge": "filters merged",
    "all": "all instances",
    "wrong": "wrongly predicted instances",
}
KINDS = {"class": "labelled", "predicted": "predicted"}
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


def job_name(question: Question, params: Mapping[str, Any], told: Mapping[str, Any]) -> str:
    """What the list of jobs calls a question: methods, classes and layers by the names that the views give them.

    told: {'titles': of methods by name, 'classes': names by label}; what is missing is written as it is asked for.
    """
    words = {name: _word(name, value, told) for name, value in params.items()}
    if isinstance(params.get("instances"), list):
        words["count"] = f"{len(params['instances']):,}"
    if isinstance(params.get("methods"), list):
        words["methods"] = f"{len(params['methods']):,}"
    text = question.named(words)
    text = text[:1].upper() + text[1:]
    text += f", {_unit(str(params['unit']))}" if params.get("unit") else ""
    return text + (", changed" if params.get("edit") else "")


def _word(name: str, value: Any, told: Mapping[str, Any]) -> str:
    text = str(value)
    if name == "layer" and text.isdecimal():
        return f"layer {text}"
    if name == "subset" and text not in VALUES:
        kind, _, label = text.partition(":")
        if kind == "saved":
            return f"'{label}'"
        if kind not in KINDS:
            return f"instances where {text}"
        classes = told.get("classes") or ()
        known = label.isdecimal() and int(label) < len(classes)
        return f"instances {KINDS[kind]} {classes[int(label)] if known else label}"
    if name == "method":
        return str((told.get("titles") or {}).get(text) or VALUES.get(text) or text.replace("_", " "))
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return VALUES.get(text, text) if name in ("mode", "subset") else text


def _unit(text: str) -> str:
    try:
        unit = Unit.parse(text)
    except ParameterError:
        unit = None
    if unit is None:
        return text
    what = f"{len(unit.indices):,} units" if unit.others else f"unit {unit.index}"
    return f"{what} of {_word('layer', unit.layer, {})}"
