"""The control with random weights: a map that stays the same without what was learned shows the instance alone.

Adebayo et al., 'Sanity Checks for Saliency Maps', NeurIPS 2018, section 3: cascading from the output down, each
layer's weights drawn anew with those above it, the map computed anew each time. They are drawn from a normal
distribution with the mean and the standard deviation of each tensor.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from analysis.attribution.measures import curves, redrawn
from analysis.attribution.measures.regions import Regions
from analysis.attribution.measures.work import Work, moved
from analysis.attribution.ranks import pooled, spearman

LAYERS = 8  # groups of layers, at most
STATES = 16  # randomly altered inputs on which it is seen how far the answer moves
PATH = 8  # more of them along the map's own order, from either end
REACTIONS = 5  # draws of all weights for that
SIDE = 64  # values along each axis that are compared, at most


def randomised(work: Work, layers: list[redrawn.Group], draws: int, seed: int) -> dict[str, Any]:
    """{'layers': from the output down, 'similarity': Spearman's correlation of sizes with the original map after this
    layer and all above it were drawn anew, mean over draws, None where undefined, 'signed': of values with their sign,
    'last', 'last_signed': of the last layer, 'draws', 'values': how many are compared, 'why'}.

    Values that are 0 in both maps, such as those of pixels at the baseline, are left out: they are 0 whatever the model
    is. Equal pairs, such as those of all pixels of a superpixel, count once.
    """
    value: dict[str, Any] = {
        "layers": [group.name for group in layers],
        "similarity": [None] * len(layers),
        "signed": [None] * len(layers),
        "last": None,
        "last_signed": None,
        "draws": draws,
        "values": 0,
        "why": "",
    }
    if not layers:
        return {**value, "why": "The model has no weights that the score depends on."}
    if not bool((work.original != 0).any()):
        return {**value, "why": "The map is 0 everywhere."}
    own = work.flat(work.original)
    found: list[list[tuple[float | None, float | None]]] = [[] for _ in layers]
    counts = []
    for draw in range(draws):
        generator = torch.Generator().manual_seed(seed * 1000 + draw)
        with redrawn.weights_kept(work.case.session):
            for group, similarities in zip(layers, found, strict=True):
                redrawn.redraw(group, generator)
                fresh = work.flat(work.map())
                similarity, count = similar(thinned(np.abs(own)), thinned(np.abs(fresh)))
                similarities.append((similarity, similar(thinned(own), thinned(fresh))[0]))
                counts.append(count)
    value["similarity"] = [_mean([pair[0] for pair in one]) for one in found]
    value["signed"] = [_mean([pair[1] for pair in one]) for one in found]
    value["last"], value["last_signed"] = value["similarity"][-1], value["signed"][-1]
    value["values"] = int(np.median(counts))
    if value["last"] is None:
        value["why"] = "Without what was learned the map is the same everywhere, or has too few values to be ranked."
    return value


def reaction(work: Work, regions: Regions, layers: list[redrawn.Group], seed: int) -> dict[str, float | None]:
    """{'moves': how far the model's answer moves (``work.moved``) as regions are taken away, 'moves_redrawn': the same,
    over the same altered inputs, of the model with the weights of all layers drawn anew, mean over REACTIONS draws};
    None where a unit is explained. A model that has learned nothing moves no farther than one with random weights."""
    states = _states(work, regions, seed)
    own = _moves(work, states)
    apart: list[float | None] = []
    for draw in range(REACTIONS):
        generator = torch.Generator().manual_seed(seed * 1000 + 500 + draw)
        with redrawn.weights_kept(work.case.session):
            for group in layers:
                redrawn.redraw(group, generator)
            apart.append(_moves(work, states))
    return {"moves": own, "moves_redrawn": _mean(apart)}


def passes_of_reaction() -> int:
    """Rows that ``reaction`` puts through the model, at most."""
    return (STATES + 2 * PATH) * (1 + REACTIONS)


def thinned(values: NDArray[Any]) -> NDArray[np.float64]:
    """Values, means of blocks where there are very many."""
    array = np.asarray(values, np.float64)
    return pooled(array, SIDE, tuple(range(max(0, array.ndim - 2), array.ndim))) if array.ndim > 1 else array


def similar(own: NDArray[Any], other: NDArray[Any]) -> tuple[float | None, int]:
    """Spearman's correlation of two maps where either is not 0, over pairs that differ, and over how many."""
    kept = (own != 0) | (other != 0)
    pairs = np.unique(np.stack([own[kept], other[kept]]), axis=1)
    return spearman(pairs[0], pairs[1]), pairs.shape[1]


def _mean(values: list[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return float(np.mean(defined)) if defined else None


def _states(work: Work, regions: Regions, seed: int) -> Tensor:
    """The instance; altered inputs between it and its baseline: random regions, from none to all of them, at the
    baseline, and of a map on the input those that it puts first, and last: a confident answer withstands random ones.
    """
    generator = np.random.default_rng([seed, 3])
    chosen = generator.random((STATES, regions.count)) < np.linspace(0, 1, STATES)[:, None]
    chosen[0], chosen[-1] = False, True
    if work.form == "input":
        place = np.argsort(curves.ranking(work, regions, generator))
        counts = np.rint(np.linspace(0, regions.count, PATH + 2)[1:-1]).astype(np.int64)[:, None]
        chosen = np.concatenate([chosen, place < counts, place >= counts])
    return work.without(regions.mask(torch.from_numpy(chosen)))


def _moves(work: Work, states: Tensor) -> float | None:
    """How far the model's answer moves from the instance, the first of ``states``, to the others."""
    found = work.scored(states)
    return moved(found, found)
