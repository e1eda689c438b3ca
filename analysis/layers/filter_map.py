"""Answers ``filter_map``: which filters of a layer respond alike, and to what (DeepEyes, D6)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.cluster import hierarchy
from torch import Tensor

from analysis.layers.passes import readable
from analysis.layers.patches import COUNT
from analysis.layers.scaling import classical
from analysis.layers.statistics import BETA
from analysis.layers.umap_layout import embed_neighbours
from analysis.recording.similarity import distances
from analysis.recording.similarity import phi as similarity
from analysis.recording.tallies import Tallies

NEIGHBOURS = 8
WIDE = 1024  # filters, above which fewer patches tell: all pairs of 4,096 filters on 2,048 patches take a minute
FEWER = 512  # patches, then
LEAVES = 800  # filters, up to which the order of the dendrogram's leaves is optimised
UMAP_FROM = 24  # filters; with fewer, a map of neighbours has nothing to go by
UMAP_NEIGHBOURS = 10


def filter_map(
    session: Any, context: Any, *, layer: str, count: int = COUNT
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """phi = sum min(f_i, f_j) / sum max(f_i, f_j) of all pairs over the patches of the question of that name.

    Patches with a NaN or infinite activation are left out. A layer of more than 1,024 filters is compared on 512
    patches, drawn from the others. The map is classical scaling of 1 - phi, and from 24 filters on UMAP that starts
    there; filters that are 0 throughout have no phi and stand in a row below. The order is that of the leaves of
    average linkage on 1 - phi, optimised (Bar-Joseph et al., 2001) up to 800 filters; silent filters come last.

    Returns:
        {'layer', 'patches': P that phi is of, 'of': patches sampled, 'method': 'umap' or 'mds', 'order': 'optimal' or
        'dendrogram', 'labelled': patches with a label, 'random_state'} and {'xy': float32 (F, 2), 'order': int64 (F,),
        'neighbours': int32 (F, 8), -1 where none, 'phi': float32 (F, 8), NaN where none, 'tally': float32 (F, m) and
        'tally_labels': int32 (F, m), -1 where none, 'tally_total', 'tally_perplexity': float32 (F,), 'silent': bool
        (F,), 'maximum', 'mean', 'frequency': share of patches above half the maximum, 'active_share': float32 (F,)}.
    """
    info = readable(session, layer)
    answer = session.ask("patches", layer=layer, count=count)
    activation, labels = answer.array("activation"), answer.array("label")
    good = np.isfinite(activation).all(axis=1)
    activation, labels = activation[good], labels[good]
    filters, seed = activation.shape[1], int(answer.json["random_state"])
    arrays = _responses(activation) | _tallied(activation, labels)
    used = activation
    if filters > WIDE and len(used) > FEWER:
        used = used[np.sort(np.random.default_rng(seed).permutation(len(used))[:FEWER])]
    context.progress(1, 4, "steps", "Comparing filters")
    silent = ~(used > 0).any(axis=0)
    alive = np.flatnonzero(~silent)
    condensed = _phi(torch.from_numpy(np.ascontiguousarray(used[:, alive])))
    context.progress(2, 4, "steps", "Ordering filters")
    order, optimal = _order(condensed, len(alive))
    context.progress(3, 4, "steps", "Placing filters")
    near, values, xy, method = _placed(condensed, len(alive), seed)
    arrays |= _spread(filters, alive, near, values)
    value = {
        "layer": layer,
        "filters": info.filters,
        "patches": len(used),
        "of": len(activation),
        "method": method,
        "order": "optimal" if optimal else "dendrogram",
        "labelled": int((labels >= 0).sum()),
        "random_state": seed,
    }
    arrays["xy"] = _with_silent(xy, alive, filters)
    arrays["order"] = np.concatenate([alive[order], np.flatnonzero(silent)]).astype(np.int64)
    arrays["silent"] = silent
    return value, arrays


def _responses(activation: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    """Statistics over patches (D4), float32 (F,) each."""
    with np.errstate(invalid="ignore"):
        if not len(activation):
            nothing = np.full(activation.shape[1], np.nan, np.float32)
            return {name: nothing.copy() for name in ("maximum", "mean", "frequency", "active_share")}
        top = activation.max(axis=0)
        return {
            "maximum": top.astype(np.float32),
            "mean": activation.mean(axis=0, dtype=np.float64).astype(np.float32),
            "frequency": ((activation > BETA * top).sum(axis=0) / len(activation)).astype(np.float32),
            "active_share": ((activation > 0).sum(axis=0) / len(activation)).astype(np.float32),
        }


def _tallied(activation: NDArray[np.float32], labels: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    tallies = Tallies(activation.shape[1], 1.0)
    if len(activation):
        tallies.update(torch.from_numpy(activation), torch.from_numpy(labels))
    top = tallies.top()
    return {
        "tally": top.tallies.numpy().astype(np.float32),
        "tally_labels": top.labels.numpy().astype(np.int32),
        "tally_total": top.total.numpy().astype(np.float32),
        "tally_perplexity": top.perplexity.numpy().astype(np.float32),
    }


def _phi(patches: Tensor) -> NDArray[np.float32]:
    """phi of every pair i < j, condensed, of filters of which none is silent."""
    filters = patches.shape[1]
    if filters < 2:
        return np.zeros(0, np.float32)
    mass = patches.sum(dim=0, dtype=torch.float64)
    total = distances(patches)
    start = 0
    for i in range(filters - 1):  # row by row: the indices of all pairs would take more room than the pairs
        part = total[start : start + filters - 1 - i]
        part.copy_(similarity(mass[i] + mass[i + 1 :], part))
        start += filters - 1 - i
    return total.numpy().astype(np.float32)


def _order(condensed: NDArray[np.float32], filters: int) -> tuple[NDArray[np.int64], bool]:
    """Seriation of the filters, and whether the leaves were optimised."""
    if filters < 3:
        return np.arange(filters), True
    apart = np.clip(1.0 - condensed.astype(np.float64), 0.0, 1.0)
    tree = hierarchy.linkage(apart, method="average")
    optimal = filters <= LEAVES
    if optimal:
        tree = hierarchy.optimal_leaf_ordering(tree, apart)
    return np.asarray(hierarchy.leaves_list(tree), dtype=np.int64), optimal


def _placed(
    condensed: NDArray[np.float32], filters: int, seed: int
) -> tuple[NDArray[np.integer], NDArray[np.float32], NDArray[np.float32], str]:
    """The most similar filters of each, their phi, places in the plane, and how those were found."""
    if filters < 2:
        return (
            np.zeros((filters, 0), np.int32),
            np.zeros((filters, 0), np.float32),
            np.zeros((filters, 2), np.float32),
            "mds",
        )
    matrix = _square(condensed, filters)
    start = classical(matrix, seed)
    np.fill_diagonal(matrix, np.inf)  # of distances: no filter is its own neighbour
    kept = min(max(NEIGHBOURS, UMAP_NEIGHBOURS - 1), filters - 1)
    near = np.argpartition(matrix, kept - 1, axis=1)[:, :kept]
    apart = np.take_along_axis(matrix, near, axis=1)
    order = np.lexsort((near, apart), axis=1)
    near, apart = np.take_along_axis(near, order, axis=1), np.take_along_axis(apart, order, axis=1)
    xy, method = start, "mds"
    if filters >= UMAP_FROM:
        some = slice(0, UMAP_NEIGHBOURS - 1)
        xy, method = embed_neighbours(near[:, some], apart[:, some], start, random_state=seed, epochs=200), "umap"
    few = min(NEIGHBOURS, filters - 1)
    return near[:, :few], (1 - apart[:, :few]).astype(np.float32), xy.astype(np.float32), method


def _square(condensed: NDArray[np.float32], filters: int) -> NDArray[np.float32]:
    """Distances 1 - phi of all pairs, (F, F)."""
    matrix = np.zeros((filters, filters), np.float32)
    start = 0
    for i in range(filters - 1):
        part = 1 - condensed[start : start + filters - 1 - i]
        matrix[i, i + 1 :] = matrix[i + 1 :, i] = part
        start += filters - 1 - i
    return np.maximum(matrix, 0, out=matrix)


def _spread(
    filters: int, alive: NDArray[np.int64], near: NDArray[np.integer], values: NDArray[np.float32]
) -> dict[str, NDArray[Any]]:
    """Neighbours among all filters: silent ones have none."""
    neighbours = np.full((filters, NEIGHBOURS), -1, np.int32)
    phi = np.full((filters, NEIGHBOURS), np.nan, np.float32)
    if near.shape[1]:
        neighbours[alive, : near.shape[1]] = alive[near]
        phi[alive, : near.shape[1]] = values
    return {"neighbours": neighbours, "phi": phi}


def _with_silent(xy: NDArray[np.float32], alive: NDArray[np.int64], filters: int) -> NDArray[np.float32]:
    """Places of all filters: silent ones in rows below the others."""
    places = np.zeros((filters, 2), np.float32)
    places[alive] = xy
    silent = np.setdiff1d(np.arange(filters), alive)
    if len(silent):
        low, high = (xy.min(axis=0), xy.max(axis=0)) if len(xy) else (np.zeros(2), np.ones(2))
        width = max(float(high[0] - low[0]), 1.0)
        columns = max(8, int(np.ceil(np.sqrt(4 * len(silent)))))
        step = width / columns
        places[silent, 0] = low[0] + (np.arange(len(silent)) % columns) * step
        places[silent, 1] = low[1] - 2 * step - (np.arange(len(silent)) // columns) * step
    return places
