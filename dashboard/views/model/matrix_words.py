"""What is said of the matrix, in words."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from analysis.layerinfo import LayerInfo
from dashboard.views.model.matrix_data import Block, Matrix, sorted_row
from dashboard.wording import column

NAMED = 3


def noun(info: LayerInfo, count: int) -> str:
    """'filter' for convolutions, 'unit' for the others."""
    return ("filter" if info.kind == "conv" else "unit") + ("" if count == 1 else "s")


def quantity(found: Matrix) -> str:
    """What a cell's value is."""
    if found.gradient:
        of = "its label" if found.shown.grouping == "label" else "the predicted class"
        return f"mean of gradient x activation, of the score of {of}"
    return "mean activation"


def sorted_place(found: Matrix) -> int | None:
    """The row that sorts the neurons."""
    return sorted_row(found.shown, found.found)


def subtitle(found: Matrix) -> str:
    """'fc1 - 12 rows x 100 units, by selectivity - 1,000 instances'."""
    blocks, rows = found.blocks, found.rows
    layers = blocks[0].layer.key if len(blocks) == 1 else f"{len(blocks)} layers"
    columns = sum(len(one.order) for one in blocks)
    of = sum(one.layer.filters for one in blocks)
    what = noun(blocks[0].layer, columns) if len(blocks) == 1 else "neurons"
    size = f"{len(rows):,} row{'' if len(rows) == 1 else 's'} × {columns:,} {what}"
    size += f" of {of:,}, the most selective" if columns < of else ""
    parts = [layers, f"{size}, {found.sorted_by}", quantity(found), found.shown.count]
    if found.shown.selection.checkpoint:
        parts.append(found.shown.selection.checkpoint)
    return " · ".join(parts)


def head(found: Matrix, one: Block) -> str:
    """Of a layer's block: '100 units; separation of the classes: kNN purity 0.96 (chance 0.10)'."""
    count = one.layer.filters
    text = f"{count:,} {noun(one.layer, count)}"
    if len(one.order) < count:
        text += f", the {len(one.order):,} most selective shown"
    purity, chance = score(found, one.layer.key)
    if purity is not None:
        text += f" · separation of classes: kNN purity {purity:.2f}"
        text += f" (chance {chance:.2f})" if chance is not None else ""
    return text


def score(found: Matrix, layer: str) -> tuple[float | None, float | None]:
    """kNN purity of the labels in a layer and what chance gives; None where it is not known (yet)."""
    if found.score is None:
        return None, None
    said = found.score.json
    for item in said["layers"]:
        if item["layer"] == layer:
            return item["knn_purity"], said["chance"]
    return None, None


def depth(found: Matrix) -> str:
    """How separation goes with depth, over the layers that are stacked; '' of one."""
    known = [(one.layer.key, score(found, one.layer.key)[0]) for one in found.blocks]
    told = [(key, value) for key, value in known if value is not None]
    if len(told) < 2:
        return ""
    steps = ", ".join(f"{key} {value:.2f}" for key, value in told)
    rising = all(late >= early for (_, early), (_, late) in itertools.pairwise(told))
    return f"Separation of the classes {'rises with depth' if rising else 'by depth'}: {steps} (kNN purity)."


def selective(found: Matrix, one: Block) -> str:
    """A layer's most selective neurons and what they are selective for; '' if there are none."""
    if one.ranking is None:
        return ""
    word = noun(one.layer, 1)
    parts = []
    for at in one.ranking.order[:NAMED].tolist():
        best, low, high = int(one.ranking.best[at]), one.ranking.low[at], one.ranking.high[at]
        if best >= 0 and (low > 0.5 or high < 0.5):  # else chance explains it
            what = "high on" if low > 0.5 else "low on"
            area = f"{one.ranking.auc[at]:.2f}, {low:.2f} to {high:.2f}"
            parts.append(f"{word} {at} {what} {found.rows[best].title} ({area})")
    return f"{one.layer.key}: {', '.join(parts)}." if parts else ""


def strongest(one: Block, place: int, most: int = NAMED) -> list[tuple[int, str]]:
    """The neurons with the largest values in a row, and these values; of gradients by size."""
    values = one.means[place].astype(float)
    sizes = np.where(np.isfinite(values), np.abs(values), -np.inf)
    at = [int(i) for i in np.argsort(-sizes, kind="stable")[:most] if np.isfinite(sizes[i])]
    return list(zip(at, column([values[i] for i in at], 3), strict=True))


def problem_lines(found: Matrix) -> list[tuple[str, str]]:
    """What was left out, and why, with the entry of ``xrows`` that asked for it."""
    late = [(_pending(key, error), "") for key, error in found.pending.items()]
    return [*found.found.problems, *((note, "") for note in found.found.notes), *late]


def _pending(key: str, error: Any) -> str:
    return f"{key}: {getattr(error, 'reason', None) or getattr(error, 'message', '')}"
