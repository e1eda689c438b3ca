"""Deletion and insertion: what happens to the score as regions go, or come, in the order of the map.

Petsiuk et al., 'RISE', BMVC 2018, section 4; by regions as in Samek et al., IEEE TNNLS 2017. A map that ranks well lets
the score fall early (deletion) or rise early (insertion). It is compared with random orders of the same regions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from analysis.attribution.measures.regions import Regions
from analysis.attribution.measures.work import Scored, Work, moved

POINTS = 20  # of a curve; even, so that a deleted part and its inserted rest fall on the same counts
ORDERS = 20  # random ones
SURE = 0.1  # share of the random orders that may do as well as the map; ties count half
CLEAR = 0.05  # share of the score's range by which its area has to be better than their mean
TIE = 1e-6  # of the range of the score
FEWEST = 5  # regions: with fewer, a random order is the right one too often


def passes(regions: Regions) -> int:
    """Rows that ``curves`` puts through the model."""
    return (2 + ORDERS) * len(_counts(regions.count))


def curves(work: Work, regions: Regions, seed: int) -> dict[str, Any]:
    """{'deletion', 'insertion': each {'share': of the regions gone or come, 'score': of what is explained along it,
    'random': the same for random orders, 'area': mean height, 'random_area', 'random_sd': over the orders, 'gain': how
    much better than the mean random area, as a share of the score's range, 'as_good': share of the random orders that
    do as well, 'better': by the rule below (None where undefined), 'probability', 'random_probability': of the class
    where one is explained, 'why', 'regions': how many}, 'moves': how far the model's answer moves at most
    (``work.moved``)}.

    better: at most SURE of the random orders have as good an area, and the area is better than their mean by CLEAR of
    the range of the score. Standard deviations would not do: where a single region decides, the best order of all is
    but 1.7 of them from the mean.
    """
    generator = np.random.default_rng([seed, 2])
    order = ranking(work, regions, generator)
    counts = _counts(regions.count)
    orders = [order, order[::-1]] + [generator.permutation(regions.count) for _ in range(ORDERS)]
    found = [work.scored(work.without(regions.mask(_first(one, counts)))) for one in orders]
    whole = Scored(found[0].score[:1], None if found[0].shares is None else found[0].shares[:1])
    joined = None if whole.shares is None else np.concatenate([one.shares for one in found if one.shares is not None])
    down = [one.score for one in found[2:]]
    # Taking away the reverse order, read backwards, is putting regions in by the order.
    up = [one.score[::-1] for one in found[2:]]
    constant = len(np.unique(regions.sums(work.original))) < 2
    single = whole.shares is not None and len(work.case.classes[0]) == 1
    share = (counts / max(regions.count, 1)).tolist()
    value: dict[str, Any] = {"moves": moved(whole, Scored(whole.score, joined))}
    for name, own, random in (("deletion", found[0], down), ("insertion", found[1], up)):
        step = 1 if name == "deletion" else -1
        one = compared(own.score[::step], random, name, constant)
        if single:
            at = work.case.classes[0][0]
            shares = [each.shares[:, at][::step].tolist() for each in [own, *found[2:]] if each.shares is not None]
            one |= {"probability": shares[0], "random_probability": shares[1:]}
        value[name] = {"share": share, **one, "regions": regions.count}
    return value


def compared(own: NDArray[Any], random: list[NDArray[Any]], name: str, constant: bool = False) -> dict[str, Any]:
    """A curve (p,) against those of random orders; see ``curves``. constant: whether the map ranks nothing."""
    areas = np.array([area(one) for one in random])
    value: dict[str, Any] = {
        "score": own.tolist(),
        "random": [one.tolist() for one in random],
        "area": area(own),
        "random_area": float(areas.mean()),
        "random_sd": float(areas.std(ddof=1)),
        "gain": None,
        "as_good": None,
        "better": None,
        "why": "",
    }
    everything = np.concatenate([own, *random])
    span = float(everything.max() - everything.min())
    if len(own) <= FEWEST:
        return {**value, "why": f"With fewer than {FEWEST} regions an order cannot be told from chance."}
    if span <= 1e-6 * max(1.0, float(np.abs(everything).max())):
        return {**value, "why": "The score does not change, whatever is taken away."}
    if constant:
        return {**value, "why": "The map is the same everywhere: it ranks nothing."}
    side = 1 if name == "deletion" else -1
    gain = side * (value["random_area"] - value["area"]) / span
    apart = side * (areas - value["area"]) / span
    as_good = float(((apart < -TIE) + 0.5 * (np.abs(apart) <= TIE)).mean())
    return {**value, "gain": gain, "as_good": as_good, "better": bool(as_good <= SURE and gain > CLEAR)}


def area(curve: NDArray[Any]) -> float:
    """Mean height of a curve with equal steps, by the trapezoid rule."""
    return float(np.trapezoid(curve, dx=1 / max(1, len(curve) - 1)))


def ranking(work: Work, regions: Regions, generator: np.random.Generator) -> NDArray[np.int64]:
    """Regions, what speaks most for the target first; of slopes, the largest first. Ties in random order."""
    values = work.original[0]
    sums = regions.sums(values.abs() if work.slopes else values)
    shuffled = generator.permutation(regions.count)
    return np.asarray(shuffled[np.argsort(-sums[shuffled], kind="stable")])


def _counts(regions: int) -> NDArray[np.int64]:
    """How many regions are gone at each point: symmetric, from 0 to all."""
    if regions < POINTS:
        return np.arange(regions + 1)
    half = np.rint(np.linspace(0, regions, POINTS))[: POINTS // 2].astype(np.int64)
    return np.concatenate([half, regions - half[::-1]])


def _first(order: NDArray[np.int64], counts: NDArray[np.int64]) -> torch.Tensor:
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    return torch.from_numpy(place[None] < counts[:, None])
