"""Instances as small tiles in lists: a picture, the first words of a text, the first cells of a row."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from dash import html

from analysis.errors import NotFound
from dashboard.framing import Frame
from dashboard.pictures import sprite_tiles
from dashboard.widgets.attributes import attributes
from dashboard.wording import finite

SIDE = 44  # pixels of the page
WORDS = 12  # of a text
CELLS = 3  # of a table's row
TITLE = 600  # characters


def tiles(shown: Frame, indices: Sequence[int]) -> html.Ul:
    """A button for each instance of the sample, which chooses it."""
    pictures = styles(shown, indices)
    return html.Ul([html.Li(tile(shown, index, pictures)) for index in indices], className="ins-tiles")


def styles(shown: Frame, indices: Sequence[int]) -> dict[int, dict[str, str]]:
    """CSS of the pictures of instances; {} of data without any."""
    if shown.extraction.kind not in ("image", "series"):
        return {}
    return sprite_tiles.styles(shown.extraction, [int(index) for index in indices], SIDE)


def tile(shown: Frame, index: int, pictures: dict[int, dict[str, str]]) -> html.Button:
    """A button that chooses an instance. pictures: as ``styles`` gives them."""
    row = shown.extraction.row_of(index)
    said = f"Instance {index:,}"
    if row is not None:
        label, prediction = int(shown.extraction.labels[row]), int(shown.extraction.predictions[row])
        said += f": label {shown.class_name(label)}, predicted {shown.class_name(prediction)}"
    nav = {"data-nav": json.dumps({"instances": str(index)}), "aria-label": said, "title": said}
    if index in shown.selection.instances[:1]:
        nav["aria-current"] = "true"
    return html.Button(face(shown, index, pictures), type="button", className="ins-tile", **attributes(nav))


def face(shown: Frame, index: int, pictures: dict[int, dict[str, str]]) -> Any:
    """What an instance looks like."""
    if index in pictures:
        return html.Span(className="ins-picture", style=pictures[index])
    try:
        if shown.extraction.kind == "text":
            tokens = shown.extraction.tokens(index)
            text = " ".join(tokens[:WORDS]) + (" …" if len(tokens) > WORDS else "")
            return html.Span(text[:TITLE], className="ins-words", title=" ".join(tokens)[:TITLE])
        if shown.extraction.kind == "table":
            values = np.asarray(shown.extraction.display(index)).reshape(-1)
            text = ", ".join(finite(value, 3) for value in values[:CELLS]) + (", …" if len(values) > CELLS else "")
            return html.Span([f"#{index:,} ", text], className="ins-words")
    except NotFound:
        pass
    return html.Span(f"#{index:,}", className="ins-words")
