"""Infidelity: whether a map predicts what happens when parts are taken away (Yeh et al., NeurIPS 2019, definition 2.1).

E[(I . map - (f(x) - f(x - I)))^2], where x - I has the baseline in a random part of the instance: squares of a picture
(their section 2.1), spans of a series, tokens or columns. The map is scaled as is best for it (their section 2.3), of
signed maps by no negative number, since methods differ in units but signs mean something; the whole is divided by
E[(f(x) - f(x - I))^2]: 0 is perfect, 1 as good as nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from analysis.attribution.measures.regions import Regions
from analysis.attribution.measures.work import Work

SAMPLES = 64
LARGEST = 0.5  # side of a square, or length of a span, as a share of the whole


def infidelity(work: Work, regions: Regions, seed: int) -> dict[str, Any]:
    """{'value' (None where undefined), 'samples', 'perturbation': in words, 'why'}."""
    generator = np.random.default_rng([seed, 1])
    masks, how = drawn(work, regions, generator)
    value: dict[str, Any] = {"value": None, "samples": len(masks), "perturbation": how, "why": ""}
    if not bool((work.original != 0).any()):
        return {**value, "why": "The map is 0 everywhere."}
    change = work.scored(work.case.inputs).score[0] - work.scored(work.without(masks)).score
    told = foretold(work, masks)
    size = float(change @ change)
    tiny = 1e-6 * max(1.0, float(np.abs(change).max()))
    if size <= len(change) * tiny**2:
        return {**value, "why": "The score does not change, whatever is taken away."}
    return {**value, "value": scaled(told, change, work.signed)}


def scaled(told: NDArray[np.float64], change: NDArray[np.float64], signed: bool = True) -> float:
    """min over b of E[(b told - change)^2] / E[change^2], for (s,) each: 1 - cos^2 of the angle between them. signed:
    only b >= 0, so that a map that foretells the opposite has 1; sizes without signs leave the direction open."""
    size, common = float(told @ told) * float(change @ change), float(told @ change)
    return 1.0 if size == 0 or (signed and common <= 0) else float(np.clip(1 - common**2 / size, 0, 1))


def foretold(work: Work, masks: Tensor) -> NDArray[np.float64]:
    """What the map says of the change, for masks (s, *inputs.shape[1:]): the sum of what is taken away, of slopes times
    the step that is made."""
    values = work.original[0].double()
    if work.slopes:
        values = values * (work.case.inputs - work.baseline)[0].double()
    return np.array([float(values[mask].sum()) for mask in masks])


def drawn(work: Work, regions: Regions, generator: np.random.Generator) -> tuple[Tensor, str]:
    """Masks of what is taken away, bool (SAMPLES, *inputs.shape[1:]), and what they are."""
    case, shape = work.case, tuple(work.case.inputs.shape[1:])
    masks = torch.zeros(SAMPLES, *shape, dtype=torch.bool)
    places = [axis - 1 for axis in case.places]
    valid = case.valid()[:1].expand(1, *shape)[0].cpu()
    if case.kind in ("image", "series") and places:
        for mask in masks:
            at: list[Any] = [slice(None)] * len(shape)
            share = generator.uniform(0.05, LARGEST)
            for place in places:
                size = shape[place] if case.lengths is None else int(case.lengths[0])
                length = max(1, round(share * size))
                start = int(generator.integers(0, size - length + 1))
                at[place] = slice(start, start + length)
            if case.kind == "series" and case.channels is not None:
                channels = shape[case.channels - 1]
                at[case.channels - 1] = generator.permutation(channels)[: int(generator.integers(1, channels + 1))]
            mask[tuple(at)] = True
        what = "squares" if case.kind == "image" else "spans of some channels"
        return (masks & valid).to(case.inputs.device), f"random {what} at the baseline"
    chosen = torch.zeros(SAMPLES, regions.count, dtype=torch.bool)
    for row in chosen:
        number = int(generator.integers(1, max(2, regions.count // 2 + 1)))
        row[torch.from_numpy(generator.permutation(regions.count)[:number])] = True
    return regions.mask(chosen), f"random {regions.name} at the baseline"
