"""Tables for the tests of subsets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from analysis.subsets.table import CATEGORY, NUMBER, TEXT, TRUTH, Column, Table, of_model

CLASSES = ("cat", "dog", "bird")
COLOURS = ("blue", "red", "it's")
NAN = float("nan")


def table(n: int = 60, classes: tuple[str, ...] = CLASSES, seed: int = 0) -> Table:
    """Logits at random, every seventh label missing; with a column of each kind, some values missing."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, len(classes), n)
    labels[::7] = -1
    logits = rng.normal(size=(n, len(classes))).astype(np.float32)
    made = of_model(3 * np.arange(n), labels, logits.argmax(1) if n else labels, logits, rng.random(n), classes)
    size = rng.normal(size=n).round(1)
    size[1::5] = np.nan
    words = np.array(["the Night was long", "a good film", "", "Nightly 100% good"], object)
    return with_columns(
        made,
        Column("size", "Size", NUMBER, size, unit="cm", source="metadata"),
        Column("colour", "Colour", CATEGORY, rng.integers(-1, 3, n).astype(np.int32), COLOURS, source="metadata"),
        Column("damaged", "Damaged", TRUTH, rng.choice([0, 1, 255], n).astype(np.uint8), source="metadata"),
        Column("starts at (s)", "starts at (s)", NUMBER, np.arange(n) / 2.0, source="metadata"),
        Column("größe", "größe", NUMBER, np.arange(n) * 1.0, source="metadata"),
        Column("text", "Text", TEXT, words[rng.integers(0, 4, n)] if n else words[:0], source="feature"),
    )


def with_columns(made: Table, *columns: Column) -> Table:
    """The table with further columns."""
    return replace(made, columns={**made.columns, **{column.name: column for column in columns}})


def row_of(made: Table, row: int) -> dict[str, Any]:
    """The values of a row as plain Python; None where one is missing."""
    return {name: column.shown(row) for name, column in made.columns.items()}
