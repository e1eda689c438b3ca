"""Rank correlation between maps: against scipy, across resolutions, where one place decides, and where undefined."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import spearmanr

from analysis.attribution.agreement import COARSE, FINE, SMALL, compared, rank_correlations
from analysis.attribution.ranks import tied

RNG = np.random.default_rng(0)
Map = NDArray[np.floating[Any]]


def slow(one: Map, other: Map) -> float:
    """Scipy's figure of two maps, value by value brought to 0 where it is small."""
    kept = []
    for values in (one.ravel().tolist(), other.ravel().tolist()):
        largest = max(abs(value) for value in values)
        kept.append([0.0 if abs(value) < SMALL * largest else value for value in values])
    return float(spearmanr(*kept).statistic)


def test_vectors_are_compared_by_scipy_s_figure() -> None:
    maps = [(RNG.standard_normal(30) ** 3).astype(np.float32) for _ in range(4)]  # many are small
    found = compared(maps)
    for at in range(4):
        for other in range(4):
            signed, sizes = slow(maps[at], maps[other]), slow(np.abs(maps[at]), np.abs(maps[other]))
            assert found.signed[at, other] == pytest.approx(signed, abs=1e-6)
            assert found.sizes[at, other] == pytest.approx(sizes, abs=1e-6)
    assert (found.values == 30).all()
    assert found.mean_of(1) == pytest.approx(np.delete(found.sizes[1], 1).mean())
    assert np.array_equal(rank_correlations(maps), found.sizes)
    assert np.array_equal(rank_correlations(maps, signed=True), found.signed)


def test_channels_are_added_up_where_the_other_map_has_none() -> None:
    picture = RNG.standard_normal((3, 14, 14))
    flat = np.abs(picture).sum(0, keepdims=True)
    found = compared([picture, flat])
    assert found.sizes[0, 1] == pytest.approx(1)
    series = RNG.standard_normal((4, 40))
    found = compared([series, np.abs(series).sum(0, keepdims=True), series[::-1]])
    assert found.sizes[0, 1] == pytest.approx(1)
    assert found.values[0, 1] == 40
    assert found.values[0, 2] == 160
    assert found.sizes[0, 2] == pytest.approx(slow(np.abs(series), np.abs(series[::-1])))


def test_coarse_maps_are_compared_at_their_resolution() -> None:
    """A fine map that differs from a coarse one only within blocks agrees with it."""
    coarse = np.kron(RNG.random((7, 7)) + 0.5, np.ones((4, 4)))[None]
    checks = np.where(np.indices((28, 28)).sum(0) % 2, 1.9, 0.1)[None]
    fine = coarse * checks
    assert compared([fine, coarse], [False, False]).sizes[0, 1] < 0.6
    found = compared([fine, coarse], [False, True])
    assert found.sizes[0, 1] == pytest.approx(1)
    assert found.values[0, 1] == COARSE[2] ** 2
    large = RNG.standard_normal((3, 224, 224))
    assert compared([large, large]).values[0, 1] == FINE[2] ** 2


def test_what_cannot_be_compared_is_nan() -> None:
    one = RNG.standard_normal(10)
    found = compared(
        [one, np.ones(10), one[:7], None, one, RNG.standard_normal((2, 10, 10))],
        forms=["input", "input", "input", "input", "filters", "input"],
    )
    for other in (1, 2, 3, 4, 5):
        assert np.isnan(found.sizes[0, other])
        assert found.mean_of(other) is None
    assert found.sizes[0, 0] == pytest.approx(1)
    assert found.mean_of(0) is None
    assert np.isnan(compared([one, one[:2]]).sizes[0, 1])
    assert compared([]).sizes.shape == (0, 0)


def test_opposite_maps_have_the_same_sizes() -> None:
    one = RNG.standard_normal(50)
    found = compared([one, -one])
    assert found.signed[0, 1] == pytest.approx(-1)
    assert found.sizes[0, 1] == pytest.approx(1)


def noisy(place: int, size: float, noise: float, seed: int, count: int = 12) -> Map:
    """One place that decides, among noise."""
    values = noise * np.random.default_rng(seed).standard_normal(count)
    values[place] = size
    return values


def test_maps_that_share_the_one_place_that_decides_agree_whatever_the_noise() -> None:
    """Its rank is one of many: without ties the noise of the others would be all that is compared."""
    maps = [noisy(4, 8.0, 0.01, seed) for seed in range(6)]
    plain = [spearmanr(np.abs(maps[0]), np.abs(other)).statistic for other in maps[1:]]
    assert min(plain) < 0.3
    found = compared(maps)
    assert found.sizes == pytest.approx(1)
    assert found.signed == pytest.approx(1)
    assert found.mean_of(0) == pytest.approx(1)


def test_maps_whose_deciding_places_differ_or_oppose_each_other_do_not_agree() -> None:
    one, elsewhere, against = noisy(4, 8.0, 0.01, 1), noisy(7, 8.0, 0.01, 1), noisy(4, -8.0, 0.01, 2)
    found = compared([one, elsewhere, against])
    assert found.sizes[0, 1] == pytest.approx(-1 / 11)
    assert found.signed[0, 2] == pytest.approx(-1)
    assert found.sizes[0, 2] == pytest.approx(1)


def test_noise_in_a_picture_does_not_hide_that_both_maps_show_one_mark() -> None:
    pictures = []
    for seed in (0, 1):
        picture = 0.005 * np.random.default_rng(seed).standard_normal((1, 28, 28))
        picture[0, :6, :6] += np.add.outer(np.arange(1.0, 7), np.arange(6.0))
        pictures.append(picture)
    assert spearmanr(np.abs(pictures[0]).ravel(), np.abs(pictures[1]).ravel()).statistic < 0.3
    assert compared(pictures).sizes[0, 1] > 0.99


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), st.floats(0, 0.5))
def test_only_small_values_are_tied(values: list[float], share: float) -> None:
    found = tied(np.array(values), share)
    largest = max(abs(value) for value in values)
    assert found.tolist() == [0.0 if abs(value) < share * largest else value for value in values]


def test_values_that_are_not_finite_are_left_to_the_correlation() -> None:
    assert np.isnan(tied(np.array([1.0, np.nan, 3.0]), 0.1)).sum() == 1
    assert np.isnan(compared([np.array([1.0, np.inf, 3.0, 0.0]), np.arange(4.0)]).sizes[0, 1])
