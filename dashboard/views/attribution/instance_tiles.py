"""Instances as small tiles: what each is, what the model says of it, whether that is right."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from dash import html
from numpy.typing import NDArray

from analysis.errors import NotFound
from dashboard.pictures import addresses, patches
from dashboard.views.attribution import words
from dashboard.views.attribution.instances_data import Offer
from dashboard.widgets.attributes import attributes
from dashboard.widgets.class_marks import class_mark

SIDE = 72  # pixels that the longer side of a picture is enlarged to
MOST_TEXT = 90
COLUMNS = 3  # of a table's row


def tiles(found: Offer, indices: Sequence[int]) -> list[Any]:
    """A button each; a click chooses the instance."""
    backs = _pictures(found, indices) if found.kind in ("image", "series") else [None] * len(indices)
    return [_tile(found, index, back) for index, back in zip(indices, backs, strict=True)]


def _pictures(found: Offer, indices: Sequence[int]) -> list[dict[str, str] | None]:
    """The style of each one's picture: its part of one sprite."""
    try:
        made = patches.tiles(found.extraction, [patches.Patch(index, ()) for index in indices])
    except NotFound:
        return [None] * len(indices)
    sheet = patches.sheet_of(made)
    source = addresses.instances(found.extraction.directory.name, indices)
    factor = max(1, SIDE // max(sheet.width, sheet.height))
    width, height = sheet.width * factor, sheet.height * factor
    shared = {
        "width": f"{width}px",
        "height": f"{height}px",
        "backgroundImage": f"url('{source}')",
        "backgroundSize": f"{sheet.columns * width}px {sheet.rows * height}px",
    }
    return [
        shared | {"backgroundPosition": f"-{i % sheet.columns * width}px -{i // sheet.columns * height}px"}
        for i in range(len(indices))
    ]


def _tile(found: Offer, index: int, back: dict[str, str] | None) -> html.Li:
    row = found.extraction.row_of(index)
    assert row is not None
    label, prediction = int(found.extraction.labels[row]), int(found.extraction.predictions[row])
    confidence = float(found.extraction.confidence[row])
    state = "unlabelled" if label < 0 else "right" if label == prediction else "wrong"
    sign = {"right": "✓", "wrong": "✗", "unlabelled": "○"}[state]
    share = f"{100 * confidence:.0f} %" if np.isfinite(confidence) else "–"
    said: list[Any] = [
        html.Span(sign, className=f"at-sign {state}"),
        class_mark(prediction),
        html.Span(found.class_name(prediction), className="at-class"),
        html.Span(share, className="at-share"),
    ]
    below: list[Any] = [html.Span(said, className="at-line")]
    if state == "wrong":
        label_line = [html.Span("label "), class_mark(label), html.Span(found.class_name(label), className="at-class")]
        below.append(html.Span(label_line, className="at-line quiet"))
    lines = [f"#{index:,}", _extra(found, index, row)]
    below += [html.Span(line, className="at-line quiet") for line in lines if line]
    spoken = f"Instance {index}: predicted {found.class_name(prediction)}, {share}, {state}"
    spoken += f", label {found.class_name(label)}" if label >= 0 else ""
    chosen = index == found.chosen
    nav = {
        "data-nav": json.dumps({"instances": index}),
        "aria-label": spoken,
        "aria-current": "true" if chosen else "false",
    }
    name = f"at-tile {state}{' chosen' if chosen else ''}"
    return html.Li(html.Button([_shown(found, index, back), *below], type="button", className=name, **attributes(nav)))


def _extra(found: Offer, index: int, row: int) -> str:
    if found.selection.aorder == "loss":
        return f"loss {words.number(float(found.extraction.loss[row]))}"
    value = found.disagreement.get(index)
    return f"disagreement {value:.2f}" if value is not None else ""


def _shown(found: Offer, index: int, back: dict[str, str] | None) -> Any:
    """A thumbnail, the signal, the beginning of a text, the first columns of a row."""
    if back is not None:
        return html.Span(className="tile-picture", style=back)
    try:
        if found.kind == "text":
            text = " ".join(found.extraction.tokens(index))
            return html.Span(text if len(text) <= MOST_TEXT else text[:MOST_TEXT] + " …", className="at-excerpt")
        if found.kind == "table":
            return html.Span(_columns(found, np.ravel(found.extraction.display(index))), className="at-excerpt")
    except NotFound:
        pass
    return html.Span("", className="at-excerpt")


def _columns(found: Offer, values: NDArray[Any]) -> str:
    given = found.description.get("feature_names")
    names = [str(name) for name in given] if isinstance(given, list) else []
    shown = [
        f"{names[i][:24] if i < len(names) else f'column {i}'} {words.number(value)}"
        for i, value in enumerate(values[:COLUMNS])
    ]
    return " · ".join(shown) + (" · …" if len(values) > COLUMNS else "")
