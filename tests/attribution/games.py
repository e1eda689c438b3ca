"""What tests of perturbation methods share: games with known values, runs of methods."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from math import comb
from typing import Any

import numpy as np

from analysis.attribution.case import Case
from analysis.attribution.parameters import checked

Game = Callable[[np.ndarray], np.ndarray]  # scores (k,) of subsets, bool (k, m)


def case_of(session: Any, *rows: int, **options: Any) -> Case:
    return Case(session, session.batch(list(rows) or [0]), **options)


def run(method: Any, case: Case, **given: Any) -> Any:
    """What a method's file finds on a case; given: its parameters."""
    with case:
        return method.run(case, lambda *_told: None, **checked(method.METHOD.parameters, given))


def random_game(m: int, seed: int) -> Game:
    """A score of its own for every subset."""
    scores = np.random.default_rng(seed).normal(size=2**m)
    return lambda kept: scores[kept @ (1 << np.arange(m))]


def smooth_game(m: int, seed: int) -> Game:
    """Additive, with products of pairs and a bend."""
    generator = np.random.default_rng(seed)
    single, pairs = generator.normal(size=m), generator.normal(size=(m, m)) / m
    return lambda kept: np.tanh(kept @ single + ((kept @ pairs) * kept).sum(1)) * 2


def shapley(game: Game, m: int) -> np.ndarray:
    """Values by the definition: the mean gain over all subsets of the others."""
    found = np.zeros(m)
    for feature in range(m):
        others = [other for other in range(m) if other != feature]
        for size in range(m):
            for chosen in combinations(others, size):
                kept = np.zeros((2, m), bool)
                kept[:, list(chosen)] = True
                kept[1, feature] = True
                low, high = game(kept)
                found[feature] += (high - low) / (m * comb(m - 1, size))
    return found


def play(sampler: Any, game: Game, most: int = 16) -> tuple[np.ndarray, np.ndarray | None]:
    """What a sampler says of a game at the end."""
    while sampler.taken < sampler.planned:
        sampler.take(game(sampler.draw(most)))
    found: tuple[np.ndarray, np.ndarray | None] = sampler.estimate()
    return found
