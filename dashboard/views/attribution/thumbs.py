"""Instances as small pictures or a few words, for lists of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from dash import html

from analysis.errors import NotFound
from analysis.extraction.reader import Extraction
from dashboard.pictures import patches, sprite_tiles

SIDE = 64  # pixels of the page
MOST = patches.MOST_PATCHES
WORDS = 14  # of a text
CELLS = 4  # of a table's row
TITLE = 1_000  # characters of a title


def thumbs(found: Extraction, indices: Sequence[int], names: Sequence[str] = ()) -> list[Any]:
    """One for each instance, in order: a tile of a sprite, the first words of a text, a row's first cells; more of both
    is in the title. names: of the columns of a table.

    An instance that is not in the sample has none (None).
    """
    there = [index for index in indices if found.row_of(index) is not None][:MOST]
    if found.kind in ("image", "series"):
        tiles = _tiles(found, there)
        return [tiles.get(index) for index in indices]
    if found.kind == "text":
        return [_words(found, index) if index in there else None for index in indices]
    return [_cells(found, index, names) if index in there else None for index in indices]


def _tiles(found: Extraction, indices: list[int]) -> dict[int, Any]:
    styles = sprite_tiles.styles(found, indices, SIDE)
    return {index: html.Span(style=style, className="at-thumb") for index, style in styles.items()}


def _words(found: Extraction, index: int) -> Any:
    try:
        tokens = found.tokens(index)
    except NotFound:
        return html.Span("The text is not kept.", className="at-words")
    text = " ".join(tokens[:WORDS]) + (" …" if len(tokens) > WORDS else "")
    return html.Span(text, className="at-words", title=_cut(" ".join(tokens)))


def _cut(text: str) -> str:
    return text if len(text) <= TITLE else text[: TITLE - 1] + "…"


def _cells(found: Extraction, index: int, names: Sequence[str]) -> Any:
    try:
        values = np.asarray(found.display(index)).reshape(-1)
    except NotFound:
        return None
    text = ", ".join(f"{float(value):.3g}" for value in values[:CELLS])
    called = [names[at] if at < len(names) else f"column {at}" for at in range(min(len(values), TITLE))]
    title = _cut("; ".join(f"{name} = {float(value):.4g}" for name, value in zip(called, values, strict=False)))
    return html.Span(text + (", …" if len(values) > CELLS else ""), className="at-words", title=title)
