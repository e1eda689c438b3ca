"""The neuron activation matrix: rows are instances and subsets alike, columns neurons, a block a layer. No torch.

After ActiVis (Kahng et al., IEEE VIS 2017), whose matrix is S^T A, normalised; see ``analysis.neurons.means``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.errors import ParameterError
from analysis.neurons import seriation
from analysis.neurons.means import rows_of, subset_means
from analysis.neurons.selectivity import Best, best, selectivity

SCALES = ("neuron", "layer")
SORTS = ("index", "selectivity", "similarity")  # or 'row:K'
EMPTY = 255  # code of a cell without a value
TOP = 254  # code of the largest value; 127 stands for 0 where values have signs
_ROW = re.compile(r"row:(\d{1,6})")


@dataclass(frozen=True)
class Row:
    """A row of the matrix. kind: 'instance' or 'subset'. title: in words. rows: of the extraction, one of an instance,
    any number of a subset. text: what names it in an address: the subset's text, or the instance's index."""

    kind: str
    title: str
    rows: NDArray[np.int64]
    text: str = ""


@dataclass(frozen=True)
class Table:
    """The activations of a layer. layer: its key. values: (N, F), an array or a memory map. identity: names this table
    and changes with it (the answer's or the frame's key), '' if nothing is to be kept of it in memory. signed: values
    may be negative, as gradients x activations are."""

    layer: str
    values: NDArray[Any]
    identity: str = ""
    signed: bool = False


@dataclass(frozen=True)
class Block:
    """The cells of one layer: R rows as they were given, k of its F neurons from left to right.

    neurons: (k,), their numbers. values: (R, k) float32 in units of the activation, NaN where a row has none. codes:
    (R, k) uint8: 0 to 254 evenly from ``low`` to ``high``, 255 for an empty cell. low, high: (k,), what code 0 and 254
    stand for. scale: 'neuron' or 'layer'; stated: the same in words. counts: (R,), instances of each row; missing: (R,)
    those of them that lack an activation (left out of means). best: (k,) number of the row that each neuron is most
    selective for, -1 for none; auc, auc_low, auc_high: (k,), the area under the ROC curve for it, NaN where there is
    none. sampled: instances that this was measured on, 0 for all.
    """

    layer: str
    filters: int
    neurons: NDArray[np.int64]
    values: NDArray[np.float32]
    codes: NDArray[np.uint8]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    scale: str
    stated: str
    signed: bool
    counts: NDArray[np.int64]
    missing: NDArray[np.int64]
    best: NDArray[np.int64]
    auc: NDArray[np.float64]
    auc_low: NDArray[np.float64]
    auc_high: NDArray[np.float64]
    sampled: int


@dataclass(frozen=True)
class Matrix:
    """Blocks side by side or one below the other, all with the same rows."""

    rows: tuple[Row, ...]
    blocks: tuple[Block, ...]

    @cached_property
    def order(self) -> NDArray[np.int64]:
        """The rows by similarity over all blocks, (R,), empty ones last."""
        values = [each.values for each in self.blocks]
        return seriation.order_rows(np.concatenate(values, axis=1) if values else np.zeros((len(self.rows), 0)))


def assemble(
    tables: Sequence[Table], rows: Sequence[Row], *, sort: str = "index", top: int = 0, scale: str = "neuron"
) -> Matrix:
    """The matrix that a view draws.

    Args:
        tables: a layer each. rows: instances and subsets in any order; a subset may be empty. sort: of the columns of
            each layer: 'index'; 'selectivity', first the neurons that tell one of the subsets from all other instances
            (without a subset: the instances that differ most from the mean, in standard deviations); 'similarity' of
            what they do on the instances; 'row:K', by the values of row K (from 0), descending. top: as many of the
            most selective neurons of each layer, 0 for all. scale: 'neuron', each column has its own, or 'layer'.

    Raises:
        ParameterError: unknown sort or scale, no such row, or rows that the tables do not have.
    """
    check(sort, scale, len(rows))
    return Matrix(tuple(rows), tuple(block(table, rows, sort=sort, top=top, scale=scale) for table in tables))


def check(sort: str, scale: str, rows: int) -> int | None:
    """The row that columns are sorted by, None for another rule. Raises ParameterError."""
    if scale not in SCALES:
        raise ParameterError(f"Cells cannot be scaled by {scale[:40]!r}.", f"Choose one of: {', '.join(SCALES)}.")
    match = _ROW.fullmatch(sort)
    if match is None:
        if sort not in SORTS:
            raise ParameterError(
                f"Columns cannot be sorted by {sort[:40]!r}.", f"Choose one of: {', '.join(SORTS)}, row:0."
            )
        return None
    if int(match[1]) >= rows:
        raise ParameterError(f"There is no row {int(match[1])} to sort by: there are {rows}.", "Choose another order.")
    return int(match[1])


def block(table: Table, rows: Sequence[Row], *, sort: str = "index", top: int = 0, scale: str = "neuron") -> Block:
    """One layer's part of ``assemble``."""
    row = check(sort, scale, len(rows))
    count, filters = table.values.shape
    members = [rows_of(each.rows, count) for each in rows]
    values, missing = _cells(table, members)
    ranked = _ranked(table, rows, members, values) if sort == "selectivity" or 0 < top < filters else None
    chosen = np.arange(filters)
    if ranked is not None and 0 < top < filters:
        chosen = np.sort(ranked.order[:top])
    if sort == "selectivity" and ranked is not None:
        chosen = ranked.order[np.isin(ranked.order, chosen)]
    elif sort == "similarity":
        chosen = chosen[seriation.order(_compared(table, chosen))]
    elif row is not None:
        chosen = chosen[np.argsort(-values[row, chosen], kind="stable")]  # NaN stay last
    shown = values[:, chosen].astype(np.float32)
    low, high = limits(shown, scale, table.signed)
    told, auc, auc_low, auc_high, sampled = _told(ranked, chosen)
    return Block(
        table.layer,
        filters,
        chosen,
        shown,
        encode(shown, low, high),
        low,
        high,
        scale,
        _stated(scale, table.signed),
        table.signed,
        np.array([len(each) for each in members], np.int64),
        missing,
        told,
        auc,
        auc_low,
        auc_high,
        sampled,
    )


def limits(values: NDArray[Any], scale: str, signed: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What the lightest and the darkest colour stand for, (k,) each, of the cells (R, k) shown: from 0 to the largest,
    from the smallest where it is below 0; of signed values symmetric about 0. An empty or zero column has 0 to 1."""
    known = np.where(np.isfinite(values), values, 0).astype(np.float64)
    high, low = known.max(axis=0, initial=0.0), known.min(axis=0, initial=0.0)
    if scale == "layer":
        high, low = np.full_like(high, high.max(initial=0.0)), np.full_like(low, low.min(initial=0.0))
    if signed:
        high = np.maximum(high, -low)
        low = -high
    flat = high - low <= 0
    return np.where(flat & signed, -1.0, low), np.where(flat, 1.0, high)


def encode(values: NDArray[Any], low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Values (R, k) as bytes: 0 to 254 evenly from ``low`` to ``high`` (k,), what lies beyond at the ends, 255 where
    there is none. Also for a row that is shown for a moment, on the scale of those that stay."""
    known = np.isfinite(values)
    part = (np.where(known, values, 0) - low) / (high - low)
    codes = np.rint(np.clip(part, 0, 1) * TOP).astype(np.uint8)
    codes[~known] = EMPTY
    return codes


def _stated(scale: str, signed: bool) -> str:
    whose = "each neuron" if scale == "neuron" else "the layer"
    if signed:
        return f"colours run from minus to plus the largest size of {whose} among the rows shown; the middle is 0"
    return f"colours run from 0 to the largest value of {whose} among the rows shown"


def _cells(table: Table, members: Sequence[NDArray[np.int64]]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Means of all rows (R, F); an instance is a subset of one."""
    found = subset_means(table.values, members)
    return found.values, found.missing


@dataclass(frozen=True)
class _Ranking:
    """order: (F,) neurons, the most selective first. best: what is said of each, its subsets being numbers of rows;
    None where only instances could be compared."""

    order: NDArray[np.int64]
    best: Best | None
    sampled: int = 0


def _ranked(
    table: Table, rows: Sequence[Row], members: Sequence[NDArray[np.int64]], values: NDArray[np.float64]
) -> _Ranking:
    subsets = [n for n, each in enumerate(members) if rows[n].kind == "subset" and 0 < len(each) < len(table.values)]
    if not subsets:
        return _Ranking(_unusual(table, rows, members, values), None)
    found = selectivity(table.values, [members[n] for n in subsets], table.identity)
    told = best(found)
    told = replace(told, subset=np.where(told.subset < 0, -1, np.array(subsets)[told.subset]))
    return _Ranking(told.order, told, found.sampled)


def _unusual(
    table: Table, rows: Sequence[Row], members: Sequence[NDArray[np.int64]], values: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Without a subset that has an outside: first the neurons in which an instance is farthest from the mean, in
    standard deviations."""
    single = [n for n, each in enumerate(members) if rows[n].kind == "instance" and len(each)]
    if not single:
        return np.arange(values.shape[1])
    data = np.asarray(_sample(table), np.float64)
    known = np.isfinite(data)
    number = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, data, 0).sum(axis=0) / number
    spread = np.sqrt(np.where(known, (np.where(known, data, 0) - mean) ** 2, 0).sum(axis=0) / number)
    apart = np.abs(np.nan_to_num(values[single] - mean)) / np.where(spread > 0, spread, np.inf)
    return np.argsort(-apart.max(axis=0), kind="stable")


COMPARED = 1_000  # instances by which columns are compared
_SEED = 0


def _sample(table: Table) -> NDArray[Any]:
    """At most 1,000 instances, drawn with a fixed seed."""
    count = len(table.values)
    if count <= COMPARED:
        return np.asarray(table.values)
    return np.asarray(table.values[np.sort(np.random.default_rng(_SEED).choice(count, COMPARED, replace=False))])


def _compared(table: Table, chosen: NDArray[np.int64]) -> NDArray[Any]:
    return _sample(table)[:, chosen]


def _told(ranked: _Ranking | None, chosen: NDArray[np.int64]) -> tuple[Any, Any, Any, Any, int]:
    """For the neurons shown: the row each is most selective for, its area, and the interval."""
    if ranked is None or ranked.best is None:
        nothing = np.full(len(chosen), np.nan)
        return np.full(len(chosen), -1), nothing, nothing, nothing, 0
    told = ranked.best
    return told.subset[chosen], told.auc[chosen], told.low[chosen], told.high[chosen], ranked.sampled
