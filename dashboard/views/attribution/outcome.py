"""The instance itself, what the model says of it, and what is explained."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from dash import html

from dashboard import subjects
from dashboard.pictures import addresses
from dashboard.views.attribution import data, words
from dashboard.views.attribution.maps_data import Multiple, optional
from dashboard.views.attribution.multiples import Sheet
from dashboard.widgets.attributes import attributes
from dashboard.widgets.class_marks import class_mark

CLASSES = 5
MOST_TOKENS = 120


def line(shown: data.Frame, known: dict[str, Any]) -> list[Any]:
    """'predicted ● cat (97.1 %) · label ● dog · ✗ wrong'."""
    if not known:
        return [html.Span("The model has not been asked about this instance yet.", className="quiet")]
    prediction, label = _number(known.get("prediction")), _number(known.get("label"))
    scores = known.get("scores") or []
    parts: list[Any] = ["predicted ", class_mark(prediction), html.B(shown.class_name(prediction))]
    if scores and np.isfinite(scores[0][1]):
        parts.append(f" ({100 * float(scores[0][1]):.1f} %)")
    if label < 0:
        return [*parts, " · no label"]
    right = label == prediction
    verdict = html.Span("✓ right" if right else "✗ wrong", className="verdict" if right else "verdict wrong")
    return [*parts, " · label ", class_mark(label), html.B(shown.class_name(label)), " · ", verdict]


def _number(value: Any) -> int:
    return int(value) if isinstance(value, int | float) and value == value else -1


def outcome(sheet: Sheet, known: dict[str, Any], found: Sequence[Multiple]) -> list[Any]:
    """The instance at the left, its scores beside it."""
    shown = sheet.shown
    said = next((each.said for each in found if each.said), {})
    title: list[Any] = ["Explained: ", html.B(words.explained(shown, said))]
    if said.get("score") is not None:
        title.append(f", {words.number(said['score'], 4)}")
    lines: list[Any] = [html.P(line(shown, known)), html.P(title)]
    return [_instance(sheet, found), html.Div(lines, className="at-said"), _scores(shown, known, said)]


def _instance(sheet: Sheet, found: Sequence[Multiple]) -> Any:
    shown = sheet.shown
    if shown.kind == "image":
        source = _picture(shown, found)
        square = "at-square" if sheet.display is not None and max(sheet.display.shape[:2]) <= 160 else ""
        alt = f"Instance {shown.instance}"
        return html.Img(src=source, alt=alt, className=f"at-instance {square}") if source else None
    if shown.kind == "text" and sheet.tokens:
        text = " ".join(sheet.tokens[:MOST_TOKENS]) + (" …" if len(sheet.tokens) > MOST_TOKENS else "")
        return html.P(text, className="at-sentence")
    return None


def _picture(shown: data.Frame, found: Sequence[Multiple]) -> str:
    for each in found:
        if each.answer is not None and optional(each.answer, "display") is not None:
            return addresses.instance(maps=each.key or each.answer.key)
    if shown.extraction is None or shown.extraction.row_of(shown.instance) is None:
        return ""
    return addresses.instance(extraction=subjects_key(shown), index=shown.instance)


def subjects_key(shown: data.Frame) -> str:
    """The key of the sample's activations."""
    return shown.extraction.directory.name if shown.extraction is not None else subjects.extraction(shown.selection).key


def _scores(shown: data.Frame, known: dict[str, Any], said: dict[str, Any]) -> Any:
    """The likeliest classes; each can be made the target, or what the target is compared with."""
    scores = list(known.get("scores") or [])[:CLASSES]
    if not scores:
        return None
    targets = [int(value) for value in said.get("target") or ()]
    rows: list[Any] = []
    for number, share in scores:
        number = int(number)
        if number < 0:
            continue
        chosen = number in targets
        nav = {"data-nav": json.dumps({"target": str(number), "explain": None})}
        name = html.Button(
            shown.class_name(number), type="button", className="link", title="Explain this class", **attributes(nav)
        )
        fill = html.Div(html.Span(className="bar-fill", style={"width": f"{100 * float(share):.1f}%"}), className="bar")
        other: Any = html.Span()
        if not chosen and targets:
            contrast = f"{targets[0]}-{number}"
            label = f"Explain why {shown.class_name(targets[0])} and not {shown.class_name(number)}"
            nav = {"data-nav": json.dumps({"target": contrast, "explain": None}), "aria-label": label, "title": label}
            other = html.Button("why not", type="button", className="link at-why", **attributes(nav))
        elif chosen:
            other = html.Span("explained" if number == targets[0] else "subtracted", className="quiet")
        mark = html.Span([class_mark(number), name], className="bar-name")
        rows.append(
            html.Div([mark, fill, html.Span(f"{100 * float(share):.1f} %"), other], className="bar-row at-score")
        )
    if len(shown.class_names) > len(rows):
        rows.append(html.P(f"{len(rows)} of {len(shown.class_names):,} classes: the likeliest.", className="quiet"))
    return html.Div(rows, className="at-classes", role="group", **attributes({"aria-label": "Likeliest classes"}))
