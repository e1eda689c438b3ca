"""The columns of the instance table: what each is called, how wide it is, how it is filtered. No dash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.subsets.table import CATEGORY, NUMBER, TEXT, TRUTH, Column
from dashboard.widgets.class_marks import SIGNS, class_colour

ROW = "@id"  # of the index in the data set; no column can be called so
SEEN = "@seen"  # the address of a picture, or the beginning of a text
MARKED = 64  # classes with a sign in a cell
TEXT_FILTERS = ("contains", "notContains", "equals", "notEqual", "startsWith", "endsWith", "blank", "notBlank")
_NUMBERS = "equals notEqual greaterThan greaterThanOrEqual lessThan lessThanOrEqual inRange blank notBlank"
NUMBER_FILTERS = tuple(_NUMBERS.split())
_FIXED = {
    "index": ("Index", 84),
    "label": ("Label", 116),
    "prediction": ("Prediction", 124),
    "correct": ("Correct", 92),
    "confidence": ("Confidence", 112),
    "loss": ("Loss, nats", 96),
    "margin": ("Margin", 92),
    "entropy": ("Entropy, nats", 116),
}
_TIPS = {
    "confidence": "Probability of the predicted class",
    "margin": "Probability of the predicted class less that of the next one",
    "entropy": "Entropy of the probabilities",
    "loss": "Cross-entropy of the label",
}
_SOURCES = {"metadata": "Metadata", "feature": "Measured on the input", "function": "Rule of the subject's file"}


def definitions(columns: Mapping[str, Column], kind: str, class_names: Sequence[str]) -> list[dict[str, Any]]:
    """What AG Grid is told. kind: of the instances."""
    first = [_seen(kind)] if kind in ("image", "series") or (kind == "text" and "text" not in columns) else []
    return [*first, *(_definition(column, class_names) for column in columns.values())]


def _seen(kind: str) -> dict[str, Any]:
    shown: dict[str, Any] = {"colId": SEEN, "field": SEEN, "sortable": False, "filter": False, "resizable": True}
    if kind == "text":
        return shown | {"headerName": "Text", "width": 320, "tooltipField": SEEN}
    return shown | {"headerName": "Picture", "width": 84, "cellRenderer": "InstancePicture"}


def _definition(column: Column, class_names: Sequence[str]) -> dict[str, Any]:
    title, width = _FIXED.get(column.name, (_title(column), 130))
    made: dict[str, Any] = {"colId": column.name, "field": column.name, "headerName": title, "width": width}
    tip = _TIPS.get(column.name) or _tip(column)
    if tip:
        made["headerTooltip"] = tip
    if column.kind == NUMBER:
        made |= {
            "type": "rightAligned",
            "filter": "agNumberColumnFilter",
            "filterParams": _filters(NUMBER_FILTERS),
            "valueFormatter": {"function": f"{_format(column.name)}(params.value)"},
        }
        return made
    made |= {"filter": "agTextColumnFilter", "filterParams": _filters(TEXT_FILTERS)}
    if column.name in ("label", "prediction") and len(class_names) <= MARKED:
        made |= {"cellRenderer": "InstanceClass", "cellRendererParams": {"marks": _marks(class_names)}}
    elif column.name == "correct":
        made["cellRenderer"] = "InstanceCorrect"
    elif column.kind == TEXT:
        made |= {"width": 320, "tooltipField": column.name}
    elif column.kind in (CATEGORY, TRUTH):
        made["tooltipField"] = column.name
    return made


def _format(name: str) -> str:
    """A function of assets/instances_table.js."""
    return "instanceShare" if name in ("confidence", "margin") else "instanceNumber"


def _filters(options: Sequence[str]) -> dict[str, Any]:
    return {"filterOptions": list(options), "maxNumConditions": 4, "buttons": ["reset"], "debounceMs": 400}


def _title(column: Column) -> str:
    text = f"{column.title}, {column.unit}" if column.unit else column.title
    return text if len(text) <= 60 else text[:59] + "…"


def _tip(column: Column) -> str:
    source = _SOURCES.get(column.source, "")
    return f"{column.title}: {column.name}. {source}".strip()[:300] if source else ""


def _marks(class_names: Sequence[str]) -> dict[str, list[str]]:
    """Sign and colour of each class by its name."""
    return {
        str(name): [SIGNS[label // 8 % len(SIGNS)], class_colour(label)]
        for label, name in reversed(list(enumerate(class_names)))
    }
