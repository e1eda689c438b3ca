"""The Bayesian rule list against all lists that there are, and against planted ones."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from analysis.suggestions.rule_list import Problem, bits, fit, rhat, walk


def small(classes: int = 2, seed: int = 0) -> Problem:
    rng = np.random.default_rng(seed)
    masks = rng.random((40, 4)) < 0.4
    target = np.where(masks[:, 0], 1, rng.integers(0, classes, 40))
    return Problem(masks, [1, 1, 2, 2], target, classes, length=1.0)


def every(problem: Problem) -> list[tuple[int, ...]]:
    return [one for m in range(problem.most + 1) for one in itertools.permutations(range(problem.number), m)]


def slow_counts(problem: Problem, listed: tuple[int, ...]) -> np.ndarray:
    found = np.zeros((len(listed) + 1, problem.classes), int)
    for row, label in enumerate(problem.target):
        place = next((j for j, at in enumerate(listed) if problem.antecedents[row, at]), len(listed))
        found[place, label] += 1
    return found


def test_each_instance_is_taken_by_the_first_rule_that_holds() -> None:
    problem = small(3)
    for listed in every(problem):
        assert np.array_equal(problem.counts(listed), slow_counts(problem, listed))


def test_the_prior_is_a_distribution_over_all_lists() -> None:
    problem = small()
    assert sum(math.exp(problem.log_prior(one)) for one in every(problem)) == pytest.approx(1)


def test_the_likelihood_is_a_distribution_over_all_answers() -> None:
    masks = np.array([[1, 0], [1, 1], [0, 1], [0, 0]], bool)
    for classes in (2, 3):
        total = 0.0
        for target in itertools.product(range(classes), repeat=4):
            total += math.exp(Problem(masks, [1, 1], np.array(target), classes).log_likelihood((0, 1)))
        assert total == pytest.approx(1)


@pytest.mark.parametrize("classes", [2, 3])
def test_the_chain_visits_lists_as_often_as_their_posterior_says(classes: int) -> None:
    problem = small(classes)
    lists = every(problem)
    logs = np.array([problem.log_posterior(one) for one in lists])
    exact = np.exp(logs - logs.max())
    exact /= exact.sum()
    visited = walk(problem, np.random.default_rng(1), 40_000)
    place = {one: at for at, one in enumerate(lists)}
    share = np.bincount([place[one] for one, _ in visited], minlength=len(lists)) / len(visited)
    assert np.abs(share - exact).sum() / 2 < 0.05  # total variation


def test_the_list_found_is_the_best_of_its_length() -> None:
    problem = small()
    found = fit(problem, steps=4000)
    same = [one for one in every(problem) if len(one) == len(found.antecedents)]
    width = [sum(problem.sizes[at] for at in one) for one in same]
    own = sum(problem.sizes[at] for at in found.antecedents)
    alike = [one for one, wide in zip(same, width, strict=True) if wide == own]
    assert found.log_posterior == pytest.approx(max(problem.log_posterior(one) for one in alike))
    assert found.rhat < 1.1


def test_a_planted_list_is_found_among_many_rules_that_tell_nothing() -> None:
    rng = np.random.default_rng(3)
    masks = rng.random((600, 60)) < 0.3
    target = np.select([masks[:, 7], masks[:, 20], masks[:, 41]], [0, 1, 2], 3)
    noisy = np.where(rng.random(600) < 0.05, rng.integers(0, 4, 600), target)
    found = fit(Problem(masks, [1] * 60, noisy, 4))
    assert found.antecedents[:3] == (7, 20, 41)
    assert found.shares()[:, :4].argmax(1).tolist()[:3] == [0, 1, 2]
    assert found.counts.sum() == 600


def test_without_antecedents_there_is_a_default_only() -> None:
    found = fit(Problem(np.zeros((10, 0), bool), [], np.arange(10) % 2, 2), steps=20)
    assert found.antecedents == ()
    assert found.shares().tolist() == [[0.5, 0.5]]


def test_bits_count_the_instances() -> None:
    mask = np.random.default_rng(0).random(131) < 0.5
    assert bits(mask).bit_count() == mask.sum()


def test_chains_that_disagree_are_told_by_rhat() -> None:
    rng = np.random.default_rng(0)
    same = rng.normal(size=(3, 500))
    assert rhat(same) < 1.02
    assert rhat(same + np.arange(3)[:, None] * 5) > 2
    assert math.isnan(rhat(np.zeros((3, 10))))
