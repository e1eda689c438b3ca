"""Rank correlation between maps: against scipy, across resolutions, and where it is undefined."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from analysis.attribution.agreement import COARSE, FINE, compared, rank_correlations

RNG = np.random.default_rng(0)


def test_vectors_are_compared_by_scipy_s_figure() -> None:
    maps = [RNG.standard_normal(30).astype(np.float32) for _ in range(4)]
    found = compared(maps)
    for at in range(4):
        for other in range(4):
            signed = spearmanr(maps[at], maps[other]).statistic
            sizes = spearmanr(np.abs(maps[at]), np.abs(maps[other])).statistic
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
    assert found.sizes[0, 2] == pytest.approx(spearmanr(np.abs(series).ravel(), np.abs(series[::-1]).ravel()).statistic)


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
