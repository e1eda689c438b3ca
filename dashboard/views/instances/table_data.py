"""What the instance table holds: the columns of the sample, and one of its own, where the neighbours disagree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.errors import NotFound
from analysis.subsets.table import NUMBER, Column
from dashboard import services
from dashboard.histories import Memo
from dashboard.pictures import addresses
from dashboard.views.instances import table_columns
from dashboard.views.instances.data import Picked, Rows
from dashboard.views.instances.table_rows import Asked, cells, ordered

NEIGHBOURS = 10
DISAGREEMENT = "disagreement"
MOST_NEIGHBOURS = 3_000  # instances whose neighbours are looked for while a page waits
MOST_WORDS = 40
_ORDERS = Memo(most=8)  # of a million instances each has 8 MB


def columns(found: Picked) -> Mapping[str, Column]:
    """The columns by name: the index, a text itself, those of the model, then all others."""
    made = dict(found.table.columns)
    own = {name: column for name, column in made.items() if column.source == "model" or name == "text"}
    first = {name: own[name] for name in ("index", "text") if name in own}
    extra = disagreement(found)
    if extra is not None and DISAGREEMENT not in made:
        own[DISAGREEMENT] = extra
    return first | own | made


def disagreement(found: Picked) -> Column | None:
    """Share of the nearest instances, by the activations of the layer shown, that have another label; NaN without a
    label. None without labels, for fewer than 11 instances, or for too many to compare them while a page waits."""
    reader, layer = found.shown.extraction, found.shown.layer
    count = int((reader.labels >= 0).sum())
    if count <= NEIGHBOURS or reader.done > MOST_NEIGHBOURS:
        return None
    key = ("instances", "disagreement", found.shown.key, layer.key)
    values = services.current().memo.get(key, lambda: shares(reader.mean(layer.key), np.asarray(reader.labels)))
    title = f"Neighbours' disagreement in {layer.key}"
    return Column(DISAGREEMENT, title, NUMBER, values)


def shares(activations: NDArray[Any], labels: NDArray[Any]) -> NDArray[np.float32]:
    """Share of the 10 nearest labelled rows whose label is another, (n,), NaN without a label.

    activations: (n, F); each filter is standardised over the rows, then rows are compared by cosine; ties by place.
    """
    known = np.flatnonzero(labels >= 0)
    values = np.nan_to_num(np.asarray(activations, np.float32)[known])
    values -= values.mean(0)
    spread = values.std(0)
    values /= np.where(spread > 1e-6 * max(1e-30, float(np.abs(spread).max(initial=0))), spread, np.inf)
    values /= np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)
    made = np.full(len(labels), np.nan, np.float32)
    take = min(NEIGHBOURS, len(known) - 1)
    for start in range(0, len(known), 512):
        near = values[start : start + 512] @ values.T
        own = np.arange(start, start + len(near))
        near[np.arange(len(near)), own] = -np.inf
        chosen = np.argsort(-near, axis=1, kind="stable")[:, :take]
        other = labels[known][chosen] != labels[known][own][:, None]
        made[known[own]] = other.mean(1)
    return made


def block(found: Picked, asked: Asked) -> dict[str, Any]:
    """The rows of one request: {'rows': [...], 'count': rows that pass the filters}."""
    held = columns(found)
    order = order_of(found, held, asked)
    rows = order[asked.start : asked.stop]
    made = cells(held, rows)
    indices = np.asarray(found.shown.extraction.indices)[rows].tolist()
    for index, row in zip(indices, made, strict=True):
        row[table_columns.ROW] = str(index)
        seen = _seen(found, int(index), held)
        if seen is not None:
            row[table_columns.SEEN] = seen
    return {"rows": made, "count": len(order)}


def order_of(found: Picked, held: Mapping[str, Column], asked: Asked) -> Rows:
    """Filtered and sorted rows; kept, since the blocks of one table share them."""
    if not asked.filters and not asked.sorts:
        return found.rows
    key = ("instances", "order", found.key, found.shown.layer.key, repr(asked.filters), asked.sorts)
    order: Rows = _ORDERS.get(key, lambda: ordered(held, found.rows, asked))
    return order


def _seen(found: Picked, index: int, held: Mapping[str, Column]) -> str | None:
    reader = found.shown.extraction
    if reader.kind in ("image", "series"):
        return addresses.instances(reader.directory.name, [index])
    if reader.kind == "text" and "text" not in held:
        try:
            return " ".join(reader.tokens(index)[:MOST_WORDS])
        except NotFound:
            return ""
    return None
