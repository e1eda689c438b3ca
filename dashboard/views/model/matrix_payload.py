"""What the page is told of the matrix: rows, order, where the bytes are; text of at most 300 kB."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard import services, theme
from dashboard.selection import Selection
from dashboard.views.model import matrix_codes, matrix_words
from dashboard.views.model.matrix_data import Block, Matrix
from dashboard.widgets.class_marks import SHAPES, class_colour, class_mark

INLINE = 120_000  # bytes of all blocks up to which they travel with the page's text
# What a download or a file of bytes depends on.
PARTS = ("checkpoint", "runs", "n", "include", "subset", "instances", "xrows", "xvalue")
ORDER = ("xsort", "xtop", "xby", "xlayers")


def payload(found: Matrix) -> dict[str, Any]:
    """Plain values, short names.

    Returns:
        'gradient': whether it is that, 'of': what it says of a value, 'rows': [[place, subset's text, title, instances,
        instance or None, mark, colour, entry to remove or '', source]] from top to bottom, 'own': the layer chosen,
        'sorted': place of the row that sorts, 'sort': in words, 'ramp': colours from low to high for 'light' and
        'dark', 'blocks': [{'layer', 'noun', 'filters', 'order': base64 of uint32 or None for all in order, 'ends':
        of the layer's scale, 'head': what it says, 'score': kNN purity, 'chance', 'key', 'address' or 'data'}].
    """
    rows = found.rows
    total = sum((8 + len(rows)) * one.layer.filters for one in found.blocks)
    return {
        "gradient": found.gradient,
        "of": matrix_words.quantity(found),
        "rows": [_row(found, int(place)) for place in found.row_order],
        "sorted": matrix_words.sorted_place(found),
        "sort": found.sorted_by,
        "own": found.shown.layer.key,
        "ramp": {scheme: [stop[1] for stop in theme.sequential(scheme)] for scheme in ("light", "dark")},
        "signs": [theme.LOWERS, theme.RAISES],
        "blocks": [_block(found, one, inline=total <= INLINE) for one in found.blocks],
        "cell": f"{services.current().settings.path_prefix}data/model/cell.json{query(found, '')}",
    }


def _row(found: Matrix, place: int) -> list[Any]:
    row = found.rows[place]
    mark, colour = "", ""
    if row.label is not None:
        mark, colour = str(class_mark(row.label).children), class_colour(row.label)
        if found.gradient:  # blue and orange are signs there: a class has a shape alone
            mark, colour = (SHAPES[row.label % len(SHAPES)] if row.label >= 0 else mark), ""
    removes = row.entry if row.source == "further" else ""
    return [place, row.text, row.title, row.n, row.index, mark, colour, removes, row.source]


def _block(found: Matrix, one: Block, *, inline: bool) -> dict[str, Any]:
    everything = len(one.order) == one.layer.filters and bool((np.diff(one.order) == 1).all())
    score, chance = matrix_words.score(found, one.layer.key)
    value: dict[str, Any] = {
        "layer": one.layer.key,
        "noun": matrix_words.noun(one.layer, 1),
        "filters": one.layer.filters,
        "order": None if everything else _base64(one.order.astype("<u4")),
        "ends": [short(end) for end in matrix_codes.ends(one.means, found.gradient)],
        "head": matrix_words.head(found, one),
        "score": score,
        "chance": chance,
        "key": one.key,
    }
    if inline:
        value["data"] = base64.b64encode(matrix_codes.packed(one.means, found.gradient)).decode()
    else:
        prefix = services.current().settings.path_prefix
        value["address"] = f"{prefix}data/model/matrix.u1{query(found, one.layer.key)}&key={one.key}"
    return value


def _base64(values: NDArray[Any]) -> str:
    return base64.b64encode(values.tobytes()).decode()


def query(found: Matrix, layer: str, parts: tuple[str, ...] = PARTS) -> str:
    """Of an address that asks for what is shown here, with its '?'. layer: '' leaves it out."""
    values = {name: getattr(found.shown.selection, name) for name in parts}
    return Selection(**values, layer=layer or None).query() or "?"


def export(found: Matrix, name: str) -> str:
    """Address of a download of what is shown: all layers that are stacked."""
    prefix = services.current().settings.path_prefix
    return f"{prefix}export/model/{name}{query(found, found.shown.layer.key, PARTS + ORDER)}"


def short(value: float) -> float:
    """Seven significant digits."""
    return float(f"{value:.7g}")
