"""Explanations as shares: each divided by the sum of its sizes, so that no instance dominates a mean. No torch."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
SIDE = 7  # regions along each side of a picture, at most
BINS = 64  # of time, in means
COARSE = 16  # of time, where regions are counted


@dataclass(frozen=True)
class One:
    """The explanation of an instance. shares: as ``Case.natural``, divided by the sum of sizes: signed, sizes add up to
    1. label: -1 without one. tokens: of a text. joined: of a series of several channels, whether its one row is of all
    of them."""

    index: int
    label: int
    prediction: int
    shares: Floats
    tokens: list[str] = field(default_factory=list)
    joined: bool = False


@dataclass(frozen=True)
class Features:
    """Explanations (m) in d places of one meaning. shares: of sizes, (m, d). names: of the places, as phrases. vectors:
    what distances are measured between, (m, e): square roots of shares (Hellinger), signed where signs matter.
    places: number of the place of each feature along its axes, (d, axes). word: what a place is called. signed: shares
    with their sign, (m, d), where it is of interest.
    """

    shares: Floats
    names: list[str]
    vectors: Floats
    places: list[list[int]]
    word: str
    signed: Floats | None = None


def share_of(values: NDArray[np.floating]) -> Floats | None:
    """Values divided by the sum of their sizes; None if they are 0 everywhere or not finite."""
    array = np.asarray(values, np.float64)
    total = float(np.abs(array).sum())
    return array / total if np.isfinite(total) and total > 0 else None


def edges(size: int, most: int) -> NDArray[np.int64]:
    """Bounds of at most ``most`` spans that cover ``size`` places evenly."""
    return np.rint(np.linspace(0, size, min(size, most) + 1)).astype(np.int64)


def summed(values: Floats, bounds: NDArray[np.int64], axis: int) -> Floats:
    """Sums within spans along an axis."""
    found: Floats = np.add.reduceat(values, bounds[:-1], axis=axis)
    return found


def stretched(values: Floats, bins: int) -> Floats:
    """Shares (channels, steps) of any number of steps as sums within ``bins`` spans of relative time: a step that lies
    in two spans is divided between them. The sum stays."""
    steps = values.shape[1]
    before = np.concatenate([np.zeros((len(values), 1)), np.cumsum(values, axis=1)], axis=1)
    at = np.linspace(0, steps, bins + 1)
    ends = np.stack([np.interp(at, np.arange(steps + 1), line) for line in before])
    return np.diff(ends, axis=1)


def roots(shares: Floats) -> Floats:
    """Square roots, with the sign."""
    return np.sign(shares) * np.sqrt(np.abs(shares))
