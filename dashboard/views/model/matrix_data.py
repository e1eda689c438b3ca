"""The numbers of the neuron activation matrix: means of rows by neuron, the order of neurons and of rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.errors import CutawayError
from analysis.kept import Kept
from analysis.layerinfo import LayerInfo
from analysis.neurons import matrix as numbers
from analysis.neurons import seriation
from analysis.neurons.means import subset_means
from analysis.neurons.store import mapped
from analysis.results import Answer
from dashboard import asking
from dashboard.framing import Frame
from dashboard.views.model.matrix_rows import Row, Rows, rows_of

MOST_BLOCKS = 12  # layers over each other
LARGE = 1 << 24  # numbers of a table from which on it is read from one file instead of many shards
QUICK = 1 << 19  # cells of subsets up to which neurons are ranked without being asked to

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Block:
    """One layer's part of the matrix.

    means: (R, F), NaN for a row without instances. missing: (R,), instances of each row that have no finite value.
    order: neurons shown, in their order (C,). ranking: None where it was not asked for and would take long. key:
    changes whenever the means do.
    """

    layer: LayerInfo
    means: Floats
    missing: Integers
    order: Integers
    ranking: numbers.Ranking | None
    key: str


@dataclass(frozen=True)
class Matrix:
    """What is drawn. blocks: of layers whose numbers are there; pending: why the others are not, by key. row_order:
    places of ``rows`` from top to bottom. sort: the order of neurons in words, 'index' if the one asked for is not
    possible. score: answer of the question 'separation', None while it is not there."""

    shown: Frame
    found: Rows
    blocks: list[Block]
    pending: dict[str, Exception]
    row_order: Integers
    sorted_by: str
    score: Answer | None

    @property
    def rows(self) -> list[Row]:
        """In the order in which they are given."""
        return self.found.rows

    @property
    def gradient(self) -> bool:
        """Whether gradient x activation is shown."""
        return self.shown.selection.xvalue == "gradient"


_KEPT = Kept(96 << 20)


def layers_of(shown: Frame) -> list[LayerInfo]:
    """Layers that have a block, in network order: the chosen one and those stacked with it."""
    wanted = {shown.layer.key, *shown.selection.xlayers}
    found = [info for info in shown.layers if info.key in wanted or info.name in wanted]
    if len(found) > MOST_BLOCKS:
        others = [info for info in found if info.key != shown.layer.key][: MOST_BLOCKS - 1]
        found = [info for info in found if info in others or info.key == shown.layer.key]
    return found


def matrix(shown: Frame) -> Matrix:
    """All blocks of an address. Raises asking.NotReady while none of them is there, or a CutawayError."""
    found = rows_of(shown)
    blocks: list[Block] = []
    pending: dict[str, Exception] = {}
    for info in layers_of(shown):
        try:
            blocks.append(block(shown, found, info))
        except (asking.NotReady, CutawayError) as error:
            pending[info.key] = error
    if not blocks and pending:
        raise next(iter(pending.values()))
    selection = shown.selection
    row_order = np.arange(len(found.rows))
    if selection.xby == "similarity" and blocks:
        main = next((one for one in blocks if one.layer.key == shown.layer.key), blocks[0])
        row_order = _KEPT.get((main.key, "rows"), lambda: seriation.order_rows(main.means))
    return Matrix(shown, found, blocks, pending, row_order, _sorted_by(shown, found), _score(shown))


def values_of(shown: Frame, info: LayerInfo) -> tuple[NDArray[Any], str]:
    """Values of a layer by instance (N, F), and what they depend on besides the activations.

    Raises:
        asking.NotReady: they are being computed, or cannot be.
    """
    found = shown.extraction
    if shown.selection.xvalue == "gradient":
        of = "label" if shown.grouping == "label" else "predicted"
        what = f"Gradient x activation of {info.key}"
        answer = asking.ask(shown.selection, "neuron_drivers", what, layer=info.key, of=of)
        values = mapped(answer)
        if len(values) != found.done:
            raise asking.NotReady(info.key, "The activations are still being read.", waiting=True)
        return values, answer.key
    if found.done * info.filters <= LARGE:
        return found.mean(info.key), ""
    # Joining many shards anew with each one that comes would take longer than the next needs.
    if not found.complete:
        what = f"The matrix is shown when all {found.planned:,} activations are there; {found.done:,} have been read."
        raise asking.NotReady("Neuron activation matrix", what, waiting=True)
    answer = asking.ask(shown.selection, "neuron_table", f"Activations of {info.key}", layer=info.key)
    values = mapped(answer)
    if len(values) != found.done:
        raise asking.NotReady(info.key, "The activations are still being read.", waiting=True)
    return values, ""


def table_key(shown: Frame, info: LayerInfo, extra: str) -> str:
    """Of a layer's values by instance, whatever the rows."""
    return asking.mark(shown.key, info.key, shown.selection.xvalue, extra)


def key_of(shown: Frame, found: Rows, info: LayerInfo, extra: str) -> str:
    """Of the means of a layer: its values, and the rows."""
    return asking.mark(table_key(shown, info, extra), found.mark)


def block(shown: Frame, found: Rows, info: LayerInfo) -> Block:
    """One layer's part. Raises as ``values_of``."""
    values, extra = values_of(shown, info)
    key, table = key_of(shown, found, info, extra), table_key(shown, info, extra)
    both = _KEPT.get((key, "means"), lambda: _means(values, found))
    means, missing = both[:, 1:], both[:, 0].astype(np.int64)
    subsets = sum(row.index is None for row in found.rows)
    asked = shown.selection.xsort == "selectivity" or 0 < shown.selection.xtop < info.filters
    ranking = None
    if asked or subsets * info.filters <= QUICK:
        told = _KEPT.get((key, "ranking"), lambda: _ranked(values, found, means, table))
        ranking = numbers.Ranking(told[0].astype(np.int64), told[1].astype(np.int64), told[2], told[3], told[4])
    order = _order(shown, found, values, table, means, ranking)
    return Block(info, means, missing, order, ranking, key)


def _means(values: NDArray[Any], found: Rows) -> Floats:
    """(R, 1 + F): first the instances without a finite value, then the means."""
    told = subset_means(values, [row.members for row in found.rows])
    return np.concatenate([told.missing[:, None], told.values], axis=1).astype(np.float32)


def _ranked(values: NDArray[Any], found: Rows, means: Floats, table: str) -> Floats:
    """(5, F): the parts of a ranking as one array."""
    rows = [numbers.Row("subset" if row.index is None else "instance", row.members) for row in found.rows]
    told = numbers.ranking(numbers.Table(values, table), rows, means)
    return np.stack([told.order, told.best, told.auc, told.low, told.high]).astype(np.float32)


def _order(
    shown: Frame, found: Rows, values: NDArray[Any], table: str, means: Floats, ranking: numbers.Ranking | None
) -> Integers:
    """Neurons in the order asked for, the ``xtop`` most selective ones only if that is set."""
    selection = shown.selection
    sort: str | int | None = selection.xsort
    if sort not in numbers.SORTS:
        sort = sorted_row(shown, found)
    return numbers.ordered(
        means,
        "index" if sort is None else sort,
        ranked=ranking,
        top=selection.xtop,
        similar=lambda: _KEPT.get((table, "columns"), lambda: seriation.order(numbers.sample(values))),
    )


def sorted_row(shown: Frame, found: Rows) -> int | None:
    """Place of the row that sorts the neurons; None if none does, or it is not there."""
    kind, _, number = shown.selection.xsort.partition(":")
    if kind != "row" or int(number) >= len(found.rows):
        return None
    return int(number)


def _sorted_by(shown: Frame, found: Rows) -> str:
    sort = shown.selection.xsort
    if sort in ("selectivity", "similarity"):
        return f"by {sort}"
    row = sorted_row(shown, found)
    return "in their own order" if row is None else f"by {found.rows[row].title}"


def _score(shown: Frame) -> Answer | None:
    """How far apart the classes lie in each layer. It is asked for, and comes when it is there."""
    if not (shown.extraction.complete and shown.grouping == "label"):
        return None
    try:
        return asking.ask(shown.selection, "separation", "Class separation by layer")
    except (asking.NotReady, CutawayError):
        return None
