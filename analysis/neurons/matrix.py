"""The neuron activation matrix: rows are instances and subsets alike, columns the neurons of a layer. No torch.

After ActiVis (Kahng et al., IEEE VIS 2017), whose matrix is S^T A, normalised. Its cells are ``means.subset_means``;
here are the order of its neurons and the codes of its cells.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.errors import ParameterError
from analysis.neurons.means import rows_of
from analysis.neurons.selectivity import best, selectivity

SCALES = ("neuron", "layer")
SORTS = ("index", "selectivity", "similarity")  # or the number of a row
EMPTY = 255  # code of a cell without a value
TOP = 254  # code of the largest value; 127 stands for 0 where values have signs
COMPARED = 1_000  # instances by which neurons are compared
_SEED = 0

Order = NDArray[np.int64]


@dataclass(frozen=True)
class Row:
    """A row of the matrix. kind: 'instance' or 'subset'. rows: of the extraction, one of an instance, any number of a
    subset."""

    kind: str
    rows: NDArray[np.int64]


@dataclass(frozen=True)
class Table:
    """The activations of a layer. values: (N, F), an array or a memory map. identity: names this table and changes with
    it (the answer's or the frame's key), '' if nothing is to be kept of it in memory."""

    values: NDArray[Any]
    identity: str = ""


@dataclass(frozen=True)
class Ranking:
    """How selective the neurons of a layer are. order: (F,), the most selective first. best: (F,), the row each is most
    selective for, -1 for none; auc, low, high: (F,), the area under the ROC curve for it and its 95 % interval, NaN
    where there is none."""

    order: Order
    best: NDArray[np.int64]
    auc: NDArray[Any]
    low: NDArray[Any]
    high: NDArray[Any]


def ranking(table: Table, rows: Sequence[Row], means: NDArray[Any]) -> Ranking:
    """First the neurons that tell one of the subsets from all other instances (``selectivity.best``). Without a subset
    that has an outside: those in which an instance is farthest from the mean, in standard deviations.

    Args:
        rows: instances and subsets in any order; a subset may be empty. means: (R, F), of these rows.

    Raises:
        ParameterError: a row names instances that the table does not have.
    """
    count, filters = table.values.shape
    members = [rows_of(each.rows, count) for each in rows]
    subsets = [n for n, each in enumerate(members) if rows[n].kind == "subset" and 0 < len(each) < count]
    if not subsets:
        nothing = np.full(filters, np.nan)
        single = [n for n, each in enumerate(members) if rows[n].kind == "instance" and len(each)]
        return Ranking(_unusual(table, means[single]), np.full(filters, -1), nothing, nothing, nothing)
    told = best(selectivity(table.values, [members[n] for n in subsets], table.identity))
    which = np.where(told.subset < 0, -1, np.array(subsets)[told.subset])
    return Ranking(told.order, which, told.auc, told.low, told.high)


def ordered(
    means: NDArray[Any],
    sort: str | int = "index",
    *,
    ranked: Ranking | None = None,
    top: int = 0,
    similar: Callable[[], Order] | None = None,
) -> Order:
    """The neurons that are shown, (k,), from left to right.

    Args:
        means: (R, F). sort: 'index'; 'selectivity', which needs ``ranked``; 'similarity', which needs ``similar``; or
            the number of a row, from 0: by its values, descending, NaN last. ranked: what 'selectivity' and ``top`` go
            by. top: as many of the most selective neurons, in the order asked for; 0 for all. similar: makes an order
            of all neurons in which similar ones are neighbours, as ``seriation.order`` does of a ``sample``.

    Raises:
        ParameterError: unknown sort, no such row, or what it needs is not given.
    """
    count, filters = means.shape
    if isinstance(sort, int):
        if not 0 <= sort < count:
            raise ParameterError(f"There is no row {sort} to sort by: there are {count}.", "Choose another order.")
        order = np.argsort(-means[sort], kind="stable")
    elif sort == "index":
        order = np.arange(filters)
    elif sort == "selectivity" and ranked is not None:
        order = ranked.order
    elif sort == "similarity" and similar is not None:
        order = similar()
    else:
        raise ParameterError(
            f"Neurons cannot be sorted by {sort[:40]!r}.", f"Choose one of: {', '.join(SORTS)}, or a row."
        )
    if 0 < top < filters:
        if ranked is None:
            raise ParameterError("The most selective neurons are not known.", "Show all neurons.")
        order = order[np.isin(order, ranked.order[:top])]
    return order


def sample(values: NDArray[Any]) -> NDArray[Any]:
    """At most 1,000 instances of (N, F), drawn with a fixed seed: by what they do on them, neurons are alike or not."""
    if len(values) <= COMPARED:
        return np.asarray(values)
    drawn = np.random.default_rng(_SEED).choice(len(values), COMPARED, replace=False)
    return np.asarray(values[np.sort(drawn)])


def limits(values: NDArray[Any], scale: str, signed: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What the lightest and the darkest colour stand for, (k,) each, of the cells (R, k) shown: from 0 to the largest,
    from the smallest where it is below 0; of signed values symmetric about 0. An empty or zero column has 0 to 1.

    scale: 'neuron', each column has its own, or 'layer'. signed: values may be negative, as gradients x activations
    are. Raises ParameterError for another scale.
    """
    if scale not in SCALES:
        raise ParameterError(f"Cells cannot be scaled by {scale[:40]!r}.", f"Choose one of: {', '.join(SCALES)}.")
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


def _unusual(table: Table, means: NDArray[Any]) -> Order:
    """means: (I, F), the values of single instances."""
    if not len(means):
        return np.arange(table.values.shape[1])
    data = np.asarray(sample(table.values), np.float64)
    known = np.isfinite(data)
    number = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, data, 0).sum(axis=0) / number
    spread = np.sqrt(np.where(known, (np.where(known, data, 0) - mean) ** 2, 0).sum(axis=0) / number)
    apart = np.abs(np.nan_to_num(means - mean)) / np.where(spread > 0, spread, np.inf)
    return np.argsort(-apart.max(axis=0), kind="stable")
