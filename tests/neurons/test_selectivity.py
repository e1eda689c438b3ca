"""Selectivity against pairs counted one by one, and on planted neurons."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.neurons import selectivity as module
from analysis.neurons.selectivity import best, interval, midranks, selectivity, strongest


def by_pairs(values: np.ndarray, subset: np.ndarray) -> float:
    """Share of pairs in which the instance of the subset is stronger, ties half."""
    inside, outside = values[subset], values[~subset]
    inside, outside = inside[np.isfinite(inside)], outside[np.isfinite(outside)]
    if not len(inside) or not len(outside):
        return np.nan
    return float(np.mean([(a > b) + (a == b) / 2 for a in inside for b in outside]))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 25), st.booleans())
def test_areas_equal_pairs_counted_one_by_one(seed: int, count: int, absent: bool) -> None:
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 5, (count, 4)).astype(np.float32)  # many ties, as of rectified activations
    if absent:
        values[rng.random(values.shape) < 0.2] = np.nan
    subsets = [rng.random(count) < share for share in (0.0, 0.3, 0.6, 1.0)]
    found = selectivity(values, subsets)
    expected = [[by_pairs(values[:, n], subset) for n in range(4)] for subset in subsets]
    np.testing.assert_allclose(found.auc, expected, atol=1e-6)
    assert found.sampled == 0


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 20))
def test_weighted_ranks_are_those_of_repeated_rows(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 4, (count, 3)).astype(float)
    values[rng.random(values.shape) < 0.1] = np.nan
    times = rng.integers(1, 4, count)
    repeated = midranks(np.repeat(values, times, axis=0), None)
    firsts = np.concatenate([[0], np.cumsum(times)[:-1]])
    found = midranks(values, times.astype(float))
    # Of equal rows, each has the middle of all.
    np.testing.assert_allclose(found, repeated[firsts] - 0.0, atol=0.5 * times.max())
    heavy = np.array([[np.nansum(times[values[:, c] < values[r, c]]) for c in range(3)] for r in range(count)])
    ties = np.array([[np.nansum(times[values[:, c] == values[r, c]]) for c in range(3)] for r in range(count)])
    expected = np.where(np.isnan(values), np.nan, heavy + ties / 2)
    np.testing.assert_allclose(found, expected)


def planted(rng: np.random.Generator, count: int, filters: int) -> tuple[np.ndarray, np.ndarray]:
    labels = rng.integers(0, 5, count)
    values = np.maximum(rng.standard_normal((count, filters)), 0).astype(np.float32)
    values[labels == 3, 17] += 1.5
    values[labels == 1, 40] = 0
    values[labels != 1, 40] += 2
    return values, labels


def test_a_planted_selective_neuron_ranks_first_and_a_planted_silent_one_too() -> None:
    for seed in range(20):
        values, labels = planted(np.random.default_rng(seed), 300, 200)
        found = selectivity(values, [labels == c for c in range(5)])
        assert strongest(found, 3, 1).tolist() == [17]
        assert strongest(found, 1, 1).tolist() == [40]
        assert found.auc[3, 17] > 0.8
        assert found.auc[1, 40] < 0.05
        told = best(found)
        assert set(told.order[:2].tolist()) == {17, 40}
        assert told.subset[17] == 3
        assert told.subset[40] == 1


def test_a_tiny_subset_does_not_win_by_chance() -> None:
    rng = np.random.default_rng(0)
    values, labels = planted(rng, 300, 2000)
    few = np.zeros(300, bool)
    few[:3] = True
    found = selectivity(values, [labels == 3, few])
    assert found.auc[1].max() > 0.97  # of 2,000 neurons, some tell three instances by chance
    told = best(found)
    assert told.order[0] == 17
    assert told.subset[17] == 0


def test_drawn_rows_tell_the_same_as_all(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    values, labels = planted(rng, 20_000, 50)
    rare = labels == 3
    rare[rng.random(len(rare)) < 0.95] = False  # 1 % of all
    subsets = [labels == 1, rare, np.zeros(len(labels), bool)]
    exact = selectivity(values, subsets)
    monkeypatch.setattr(module, "BUDGET", 50 * 4_000)
    found = selectivity(values, subsets)
    assert 2_000 < found.sampled < 6_000
    np.testing.assert_allclose(found.auc[:2], exact.auc[:2], atol=0.06)
    assert np.isnan(found.auc[2]).all()
    inside = (found.low[:2] <= exact.auc[:2]) & (exact.auc[:2] <= found.high[:2])
    assert inside.mean() > 0.93
    assert strongest(found, 1, 1).tolist() == [17]


def test_the_interval_holds_the_truth_in_95_of_100_and_has_a_width_at_the_ends() -> None:
    rng = np.random.default_rng(2)
    shift = 0.8  # of normals: the area is Phi(shift / sqrt 2)
    from scipy.stats import norm

    truth = norm.cdf(shift / np.sqrt(2))
    values = rng.standard_normal((60, 1000)).astype(np.float32)
    inside = np.arange(60) < 20
    values[inside] += shift
    found = selectivity(values, [inside])
    held = ((found.low <= truth) & (truth <= found.high)).mean()
    assert 0.93 <= held <= 0.98
    low, high = interval(np.array([1.0, 0.0, 0.5]), 5.0, 100.0)
    assert low[0] < 0.9
    assert high[0] == pytest.approx(1)
    assert high[1] == pytest.approx(1 - low[0], abs=1e-6)
    assert low[2] == pytest.approx(1 - high[2], abs=1e-6)


def test_what_is_kept_in_memory_is_what_would_be_computed() -> None:
    values, labels = planted(np.random.default_rng(3), 200, 50)
    plain = selectivity(values, [labels == 0])
    for _ in range(2):
        assert np.array_equal(selectivity(values, [labels == 0], "kept here").auc, plain.auc)
