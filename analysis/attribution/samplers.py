"""Which subsets of features are tried, and what their scores say: Shapley values exactly, from permutations, or from a
regression; a local linear model. No torch.

A sampler: ``draw(most)`` yields the next subsets, bool (k, m), True where a feature is kept; ``take(scores)`` gets
their scores; ``estimate()`` what follows from all so far. taken, planned: samples, in the unit that the user gave.
"""

from __future__ import annotations

from math import comb
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from analysis.attribution.regression import Local, least_squares, local_model

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
LARGEST_EXACT = 16  # features, so that at most 65,536 subsets are held


class Sampler(Protocol):
    """See the module. exact: nothing is left to chance. versions: subsets that will be tried in all. empty: score
    without any feature, once there is an estimate."""

    exact: bool
    taken: int
    planned: int
    versions: int
    empty: float

    def draw(self, most: int) -> Bools:
        """The next subsets, at least one while taken < planned."""

    def take(self, scores: Floats) -> None:
        """Their scores (k,)."""

    def estimate(self) -> tuple[Floats, Floats | None] | None:
        """Values (m,) and their standard errors (None as yet unknown, or exact); None if it is too early."""


class Exact:
    """Shapley values of m features from all 2^m subsets: Shapley 1953; Lundberg & Lee 2017, equation 4."""

    exact = True

    def __init__(self, m: int) -> None:
        self.m = m
        self.taken, self.planned = 0, 2**m
        self.versions, self.empty = self.planned, 0.0
        self._scores = np.zeros(self.planned)
        self._asked = 0

    def draw(self, most: int) -> Bools:
        """Subsets by number: feature i is the i-th bit from below."""
        numbers = np.arange(self.taken, min(self.taken + max(most, 1), self.planned))
        self._asked = len(numbers)
        return (numbers[:, None] >> np.arange(self.m) & 1).astype(bool)

    def take(self, scores: Floats) -> None:
        """See ``Sampler``."""
        self._scores[self.taken : self.taken + self._asked] = scores
        self.taken += self._asked

    def estimate(self) -> tuple[Floats, Floats | None] | None:
        """Only at the end."""
        if self.taken < self.planned:
            return None
        self.empty = float(self._scores[0])
        subsets = np.arange(self.planned)
        sizes = np.bitwise_count(subsets).astype(int)
        weights = np.array([1 / (self.m * comb(self.m - 1, s)) for s in range(self.m)])
        values = np.zeros(self.m)
        for feature in range(self.m):
            without = subsets[subsets >> feature & 1 == 0]
            gain = self._scores[without | 1 << feature] - self._scores[without]
            values[feature] = weights[sizes[without]] @ gain
        return values, None


class Permutations:
    """Shapley values as mean contributions over orders in which features enter (Castro et al. 2009), each order with
    its reverse, which cancels much of the noise (Mitchell et al. 2022, 'Sampling Permutations for Shapley Value
    Estimation', section 4.2). The standard error is that of the mean over pairs. Samples are orders."""

    exact = False

    def __init__(self, m: int, n_samples: int, seed: tuple[int, ...]) -> None:
        self.m, self.taken = m, 0
        self.planned = n_samples + n_samples % 2
        self.versions = self.planned * (m - 1) + 2
        self.empty, self._full = 0.0, 0.0
        self._random = np.random.default_rng(seed)
        self._ranks = np.zeros((0, m), np.int64)
        self._pairs = 0
        self._mean, self._squares = np.zeros(m), np.zeros(m)

    def draw(self, most: int) -> Bools:
        """See ``Sampler``; the first two are no feature, and all."""
        pairs = max(most // (2 * (self.m - 1)), 1)
        pairs = min(pairs, (self.planned - self.taken) // 2)
        ranks = self._random.permuted(np.tile(np.arange(self.m), (pairs, 1)), axis=1)  # place at which each enters
        self._ranks = np.stack([ranks, self.m - 1 - ranks], 1).reshape(-1, self.m)
        kept = self._ranks[:, None, :] < np.arange(1, self.m)[:, None]
        kept = kept.reshape(-1, self.m)
        if self.taken:
            return kept
        return np.concatenate([np.zeros((1, self.m), bool), np.ones((1, self.m), bool), kept])

    def take(self, scores: Floats) -> None:
        """See ``Sampler``."""
        if not self.taken:
            self.empty, self._full = float(scores[0]), float(scores[1])
            scores = scores[2:]
        orders = len(self._ranks)
        paths = np.empty((orders, self.m + 1))
        paths[:, 0], paths[:, -1] = self.empty, self._full
        paths[:, 1:-1] = scores.reshape(orders, -1)
        gains = np.take_along_axis(np.diff(paths, axis=1), self._ranks, 1)
        self._add(gains.reshape(-1, 2, self.m).mean(1))
        self.taken += orders

    def _add(self, gains: Floats) -> None:
        # Mean and squared deviations of two sets at once: Chan et al. 1979, equations 2.1.
        new, before = len(gains), self._pairs
        mean = gains.mean(0)
        away = mean - self._mean
        self._pairs += new
        self._squares += ((gains - mean) ** 2).sum(0) + away**2 * before * new / self._pairs
        self._mean = self._mean + away * new / self._pairs

    def estimate(self) -> tuple[Floats, Floats | None] | None:
        """See ``Sampler``."""
        if not self._pairs:
            return None
        if self._pairs == 1:
            return self._mean, None
        return self._mean, np.sqrt(self._squares / (self._pairs - 1) / self._pairs)


class Subsets:
    """Shapley values by KernelSHAP: the weighted least squares of Lundberg & Lee 2017 (theorem 2) over subsets drawn
    with their kernel, each with its complement (Covert & Lee 2021, 'Improving KernelSHAP', section 4.2).

    For a pair z, 1 - z with scores v(z), v(1-z), both equations say the same of the values b that add up to
    c = v(all) - v(none): (z - 1/2) . b = (v(z) - v(1-z)) / 2. The last value is eliminated by the sum, which leaves
    ordinary least squares over pairs, with standard errors from its residuals. Samples are subsets.
    """

    exact = False

    def __init__(self, m: int, n_samples: int, seed: tuple[int, ...]) -> None:
        self.m, self.taken = m, 0
        self.planned = max(n_samples + n_samples % 2, 4 * m)  # two pairs for each value that is looked for
        self.versions = self.planned + 2
        self.empty, self._full = 0.0, 0.0
        self._random, self._random_sizes = _generators(seed)
        sizes = np.arange(1, m)
        weights = 1 / (sizes * (m - sizes))
        self._sizes, self._chances = sizes, weights / weights.sum()
        self._drawn = np.zeros((0, m), bool)
        self._rows: list[Floats] = []
        self._halves: list[Floats] = []

    def draw(self, most: int) -> Bools:
        """See ``Sampler``; the first two are no feature, and all."""
        pairs = min(max(most // 2, 1), (self.planned - self.taken) // 2)
        sizes = self._random_sizes.choice(self._sizes, pairs, p=self._chances)
        ranks = self._random.permuted(np.tile(np.arange(self.m), (pairs, 1)), axis=1)
        self._drawn = ranks < sizes[:, None]
        both = np.stack([self._drawn, ~self._drawn], 1).reshape(-1, self.m)
        if self.taken:
            return both
        return np.concatenate([np.zeros((1, self.m), bool), np.ones((1, self.m), bool), both])

    def take(self, scores: Floats) -> None:
        """See ``Sampler``."""
        if not self.taken:
            self.empty, self._full = float(scores[0]), float(scores[1])
            scores = scores[2:]
        first, second = scores.reshape(-1, 2).T
        self._rows.append(self._drawn - 0.5)
        self._halves.append((first - second) / 2)
        self.taken += 2 * len(first)

    def estimate(self) -> tuple[Floats, Floats | None] | None:
        """See ``Sampler``; None while there are fewer pairs than values."""
        if self.taken < 2 * self.m:
            return None
        rows, halves = np.concatenate(self._rows), np.concatenate(self._halves)
        change = self._full - self.empty
        found = least_squares(rows[:, :-1] - rows[:, -1:], halves - rows[:, -1] * change)
        if found is None:
            return None
        part, errors = found
        values = np.append(part, change - part.sum())
        ones = np.ones(self.m - 1)
        variances = np.append(np.diagonal(errors), ones @ errors @ ones)
        return values, np.sqrt(np.maximum(variances, 0))


def exact_within(m: int, versions: int) -> Exact | None:
    """The exact sampler, if all subsets of m features are no more than the versions that may be tried."""
    return Exact(m) if m <= 1 or (m <= LARGEST_EXACT and 2**m <= versions) else None


class Neighbourhood:
    """Values of a linear model that is fitted to the scores near the instance: LIME (Ribeiro et al. 2016, algorithm 1).
    The number of features taken away is drawn uniformly from 1 to m, then which; samples are subsets.

    Args:
        distance: 'cosine' or 'euclidean', from the instance, of vectors of 1 (kept) and 0, divided by the largest.
        width: of the kernel exp(-distance^2 / width^2). alpha, sparse: see ``local_model``.
    """

    exact = False

    def __init__(
        self, m: int, n_samples: int, seed: tuple[int, ...], *, distance: str, width: float, alpha: float, sparse: bool
    ) -> None:
        self.m, self.taken = m, 0
        self.planned = max(n_samples, 4 * m + 1)
        self.versions = self.planned + 1
        self.empty = 0.0
        self._random, self._random_sizes = _generators(seed)
        self._distance, self._width, self._alpha, self._sparse = distance, width, alpha, sparse
        self._model: Local | None = None
        self._kept: list[Bools] = []
        self._scores: list[Floats] = []

    def draw(self, most: int) -> Bools:
        """See ``Sampler``; the first is the instance itself."""
        number = min(max(most, 1), self.planned - self.taken)
        removed = self._random_sizes.integers(1, self.m + 1, number)
        ranks = self._random.permuted(np.tile(np.arange(self.m), (number, 1)), axis=1)
        kept = ranks >= removed[:, None]
        if not self.taken:
            kept[0] = True
        self._kept.append(kept)
        return kept

    def take(self, scores: Floats) -> None:
        """See ``Sampler``."""
        self._scores.append(scores)
        self._model = None
        self.taken += len(scores)

    def weights(self) -> Floats:
        """Of all samples so far, from 0 to 1."""
        share = np.concatenate(self._kept).mean(1)
        distance = 1 - np.sqrt(share) if self._distance == "cosine" else np.sqrt(1 - share)
        return np.asarray(np.exp(-((distance / self._width) ** 2)), np.float64)

    def model(self) -> Local:
        """Fitted to all samples so far."""
        if self._model is None:
            kept, scores = np.concatenate(self._kept).astype(np.float64), np.concatenate(self._scores)
            self._model = local_model(kept, scores, self.weights(), self._alpha, sparse=self._sparse)
        return self._model

    def counting(self) -> float:
        """How many samples of equal weight tell as much (Kish 1965)."""
        weights = self.weights()
        return float(weights.sum() ** 2 / (weights**2).sum())

    def estimate(self) -> tuple[Floats, Floats | None] | None:
        """See ``Sampler``."""
        if self.taken < 2 * self.m + 1:
            return None
        model = self.model()
        return model.coefficients, model.errors


def _generators(seed: tuple[int, ...]) -> list[np.random.Generator]:
    # One for orders and one for sizes: what is drawn must not depend on how much is drawn at once.
    return [np.random.default_rng(one) for one in np.random.SeedSequence(seed).spawn(2)]
