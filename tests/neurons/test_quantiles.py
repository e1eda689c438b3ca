"""The distribution behind a cell."""

from __future__ import annotations

import json

import numpy as np
import pytest

from analysis.errors import ParameterError
from analysis.neurons import quantiles
from analysis.neurons.quantiles import cell, distribution


def test_percentiles_zeros_and_counts_are_those_of_the_values() -> None:
    rng = np.random.default_rng(0)
    values = np.maximum(rng.standard_normal(500), 0).astype(np.float32)
    found = distribution(values)
    np.testing.assert_allclose(found.percentiles, np.percentile(values.astype(float), [5, 25, 50, 75, 95]))
    assert found.zeros == pytest.approx(np.mean(values == 0))
    assert found.mean == pytest.approx(values.astype(float).mean())
    assert (found.low, found.high) == (values.min(), values.max())
    assert found.counts.sum() == found.n == 500
    assert len(found.counts) == 32
    assert len(found.edges) == 33


def test_values_that_are_not_finite_are_left_out_and_counted() -> None:
    found = distribution(np.array([1, 2, 3, np.nan, np.inf]))
    assert (found.n, found.missing) == (3, 2)
    assert found.percentiles[2] == 2


def test_without_instances_nothing_is_a_number() -> None:
    for values in ([], [np.nan]):
        found = distribution(np.array(values, float))
        assert found.n == 0
        assert np.isnan(found.mean)
        assert np.isnan(found.percentiles).all()
        assert found.modes == ()
        json.dumps(found.to_json(), allow_nan=False)


def test_two_modes_show_where_the_mean_hides_them() -> None:
    rng = np.random.default_rng(1)
    values = np.concatenate([rng.normal(1, 0.2, 100), rng.normal(5, 0.2, 100)])
    found = distribution(values)
    assert found.mean == pytest.approx(3, abs=0.1)
    assert len(found.modes) == 2
    assert found.modes[0] == pytest.approx(1, abs=0.4)
    assert found.modes[1] == pytest.approx(5, abs=0.4)
    middle = (found.edges[:-1] > 2) & (found.edges[1:] < 4)
    assert found.counts[middle].sum() == 0


def test_a_unit_that_is_silent_or_active_has_two_modes() -> None:
    rng = np.random.default_rng(2)
    values = np.where(rng.random(300) < 0.5, 0, rng.normal(3, 0.4, 300))
    found = distribution(values)
    assert len(found.modes) == 2
    assert found.zeros == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("count", [20, 200, 5000])
def test_one_mode_is_seldom_taken_for_two(count: int) -> None:
    rng = np.random.default_rng(3)
    makers = [rng.standard_normal, rng.standard_exponential, rng.random]
    for make in makers:
        several = sum(len(distribution(make(count)).modes) > 1 for _ in range(100))
        assert several <= 5


def test_far_values_do_not_press_the_others_into_one_bin() -> None:
    rng = np.random.default_rng(4)
    values = np.concatenate([rng.normal(1, 0.2, 500), rng.normal(5, 0.2, 500), [1e6, -1e6]])
    found = distribution(values)
    assert len(found.modes) == 2
    assert (found.below, found.above) == (1, 1)
    assert found.counts.sum() == 1002
    assert (found.low, found.high) == (-1e6, 1e6)


def test_equal_values_have_bins_around_them() -> None:
    for value in (0.0, 3.0, -2.0):
        found = distribution(np.full(7, value))
        assert found.counts.max() == 7
        assert (np.diff(found.edges) > 0).all()
        assert len(found.modes) == 1


def test_a_cell_is_of_its_neuron_and_rows() -> None:
    values = np.arange(40, dtype=np.float32).reshape(10, 4)
    mask = np.arange(10) < 5
    assert cell(values, mask, 2).mean == values[:5, 2].mean()
    assert cell(values, np.flatnonzero(mask), 2).to_json() == cell(values, mask, 2).to_json()
    with pytest.raises(ParameterError, match="neuron 4"):
        cell(values, mask, 4)


def test_of_many_instances_some_are_drawn_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantiles, "MOST", 2_000)
    values = np.random.default_rng(5).standard_normal((30_000, 2)).astype(np.float32)
    found = cell(values, np.ones(30_000, bool), 1)
    assert (found.n, found.sampled) == (2_000, 30_000)
    # Of 2,000 the rank of the median is good to 1.1 points: within 4 of these.
    ranks = [(values[:, 1] < value).mean() for value in found.percentiles]
    np.testing.assert_allclose(ranks, [0.05, 0.25, 0.5, 0.75, 0.95], atol=0.045)
    assert found.to_json() == cell(values, np.ones(30_000, bool), 1).to_json()
