"""Units as candidates: instances on which one unit fires most. And the units that tell a subset from the rest.
No torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from analysis.suggestions.candidates import Candidate, distinct
from analysis.suggestions.evidence import z_scores
from analysis.suggestions.items import LEAST
from analysis.suggestions.listing import fitting, listed

SHARES = (0.05, 0.1, 0.2)  # of the instances, on which a unit counts as firing
TRIED = 5  # units of a layer whose AUC is computed, for each unit told
CLEAR = 2.6  # standard errors that an AUC must be above 0.5


def firing(
    values: NDArray[np.float32],
    layer: str,
    wrong: NDArray[np.bool_],
    rows: NDArray[Any],
    indices: NDArray[Any],
    most: int,
) -> list[Candidate]:
    """Units of a layer on whose strongest instances the model is wrong more often.

    For each unit the share of the instances, of ``SHARES``, with the highest z is taken; the activation has to be above
    0 there.

    Args:
        values: pooled activations, (n, F). rows: that are searched. indices: of the instances in the data set, (n,).
    """
    n = len(rows)
    held = np.nan_to_num(np.asarray(values, np.float32), nan=0.0, posinf=0.0)
    bad, errors = wrong[rows].astype(np.float32), int(wrong[rows].sum())
    best = np.zeros(held.shape[1])
    limit = np.zeros(held.shape[1], np.float32)
    for share in SHARES:
        threshold = np.maximum(np.quantile(held, 1 - share, axis=0).astype(np.float32), 0)
        on = held[rows] > threshold
        sizes = on.sum(0)
        z = np.where(sizes >= LEAST, z_scores(bad @ on, sizes, errors, n), 0.0)
        better = z > best
        best[better], limit[better] = z[better], threshold[better]
    found = []
    for unit in np.argsort(-best, kind="stable")[: 3 * most]:
        if best[unit] <= 1:
            break
        over = np.flatnonzero(held[:, unit] > limit[unit])
        over = over[np.argsort(-held[over, unit], kind="stable")]
        kept = over[: fitting(indices[over])]
        mask = np.zeros(len(held), bool)
        mask[kept] = True
        cut = limit[unit] if len(kept) == len(over) else held[over[len(kept)], unit]
        words = f"unit {unit} of {layer} is above {float(cut):.3g}"
        more = {"layer": layer, "neuron": int(unit), "threshold": float(cut)}
        found.append(Candidate(listed(indices[kept]), words, mask, float(best[unit]), "neuron", (), 1, more))
    return distinct(found, most)


def telling(
    layers: Mapping[str, NDArray[np.float32]], mask: NDArray[np.bool_], rows: NDArray[Any], most: int = 3
) -> list[dict[str, Any]]:
    """The units that fire for a subset and not for the others, one list over all layers.

    They are looked for by the difference of means, in standard deviations, on some rows; what is told comes from the
    others, and only if it is clear there.

    Args:
        layers: pooled activations (n, F) by layer. mask: the subset, (n,) bool. rows: that are searched. most: units.

    Returns:
        [{'layer', 'neuron', 'auc': chance that an instance of the subset has more than another one, 'inside',
        'outside': means}], the highest AUC first; [] where none is clear.
    """
    searched = np.zeros(len(mask), bool)
    searched[rows] = True
    parts = [np.flatnonzero(searched & mask), np.flatnonzero(searched & ~mask)]
    tests = [np.flatnonzero(~searched & mask), np.flatnonzero(~searched & ~mask)]
    if min(map(len, (*parts, *tests))) < 2:
        return []
    found = []
    for layer, values in layers.items():
        held = np.nan_to_num(np.asarray(values, np.float32), nan=0.0, posinf=0.0, neginf=0.0)
        spread = held[searched].std(0)
        apart = held[parts[0]].mean(0) - held[parts[1]].mean(0)
        d = np.divide(apart, spread, out=np.zeros_like(apart), where=spread > 0)
        for unit in np.argsort(-d, kind="stable")[: TRIED * most]:
            if d[unit] <= 0:
                break
            ins, outs = held[tests[0], unit], held[tests[1], unit]
            one: dict[str, Any] = {"layer": layer, "neuron": int(unit), "auc": auc(ins, outs)}
            found.append(one | {"inside": float(ins.mean()), "outside": float(outs.mean())})
    found.sort(key=lambda one: (-one["auc"], one["layer"], one["neuron"]))
    spread = CLEAR * float(np.sqrt((len(tests[0]) + len(tests[1]) + 1) / (12 * len(tests[0]) * len(tests[1]))))
    return [one for one in found[:most] if one["auc"] > 0.5 + spread]


def auc(inside: NDArray[Any], outside: NDArray[Any]) -> float:
    """P(a value inside is above one outside), equal ones count half (Mann and Whitney, 1947)."""
    ranks = stats.rankdata(np.concatenate([inside, outside]))[: len(inside)]
    return float((ranks.sum() - len(inside) * (len(inside) + 1) / 2) / (len(inside) * len(outside)))
