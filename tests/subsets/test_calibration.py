"""Reliability and expected calibration error against slow versions; planted miscalibration is found."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.errors import ParameterError
from analysis.subsets import calibration

SCORES = st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=60)


def slow_ece(confidence: list[float], correct: list[bool], edges: np.ndarray) -> float:
    total = 0.0
    for at in range(len(edges) - 1):
        inside = [
            row
            for row, value in enumerate(confidence)
            if edges[at] < value <= edges[at + 1] or (at == 0 and value == 0)
        ]
        if inside:
            accuracy = sum(correct[row] for row in inside) / len(inside)
            mean = sum(confidence[row] for row in inside) / len(inside)
            total += len(inside) / len(confidence) * abs(accuracy - mean)
    return total


@settings(deadline=None, max_examples=100)
@given(SCORES, st.integers(1, 20), st.sampled_from(["width", "mass"]))
def test_the_error_and_the_bins_are_those_of_a_loop(drawn: list[tuple[float, bool]], bins: int, how: str) -> None:
    confidence, correct = [one for one, _ in drawn], [one for _, one in drawn]
    found = calibration.reliability(confidence, correct, bins=bins, how=how)
    assert found.counts.sum() == found.n == len(drawn)
    assert len(found.edges) == len(found.counts) + 1
    assert found.edges[0] == 0
    assert found.edges[-1] == 1
    told = calibration.error(confidence, correct, bins=bins, how=how, draws=20)
    if not drawn:
        assert np.isnan(told.value)
        return
    assert told.value == pytest.approx(slow_ece(confidence, correct, found.edges), abs=1e-9)
    filled = found.counts > 0
    gap = np.abs(found.accuracy - found.confidence)[filled] * found.counts[filled]
    assert told.value == pytest.approx(gap.sum() / found.n, abs=1e-9)
    assert (found.low[filled] <= found.accuracy[filled] + 1e-9).all()
    assert (found.high[filled] >= found.accuracy[filled] - 1e-9).all()
    assert np.isnan(found.accuracy[~filled]).all()


def test_bins_of_equal_mass_hold_equal_numbers() -> None:
    values = np.random.default_rng(0).random(1000) ** 0.2
    found = calibration.reliability(values, values > 0.5, bins=10, how="mass")
    assert found.counts.tolist() == [100] * 10


def test_ties_stay_in_one_bin() -> None:
    values = np.array([0.9] * 80 + list(np.linspace(0.1, 0.8, 20)))
    found = calibration.reliability(values, values > 0.5, bins=10, how="mass")
    assert found.counts.max() >= 80
    assert found.counts.sum() == 100


def planted(n: int, shift: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    confidence = rng.uniform(0.5, 1, n)
    return confidence, rng.random(n) < confidence - shift


def test_planted_overconfidence_is_measured_and_calibration_is_not_blamed() -> None:
    over = calibration.error(*planted(5000, 0.2, 0))
    assert over.value == pytest.approx(0.2, abs=0.02)
    assert over.low < 0.2 < over.high
    assert over.value > over.perfect
    excess = [calibration.error(*planted(1000, 0.0, seed), draws=200) for seed in range(40)]
    assert sum(one.value > one.perfect for one in excess) <= 6, "5 % of 40, with room"


def test_the_interval_has_the_spread_of_resampled_instances_and_goes_lower_by_chance() -> None:
    confidence, correct = planted(800, 0.1, 3)
    told = calibration.error(confidence, correct, draws=2000)
    edges = calibration.reliability(confidence, correct).edges
    rng = np.random.default_rng(1)
    drawn, chance = [], []
    for _ in range(400):
        rows = rng.integers(0, 800, 800)
        drawn.append(slow_ece(confidence[rows].tolist(), correct[rows].tolist(), edges))
        chance.append(slow_ece(confidence.tolist(), (rng.random(800) < confidence).tolist(), edges))
    below, above = np.quantile(drawn, [0.025, 0.975]) - np.mean(drawn)
    slow = [max(0.0, told.value - np.mean(chance) + below), told.value + above]
    assert [told.low, told.high] == pytest.approx(slow, abs=0.01)


@pytest.mark.parametrize("bias", [0.0, 0.05])
def test_the_interval_holds_the_true_error_nearly_always(bias: float) -> None:
    held = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        confidence = rng.uniform(0.5, 1, 400)
        told = calibration.error(confidence, rng.random(400) < confidence - bias, draws=200)
        assert told.low <= told.value <= told.high
        held += told.low <= bias <= told.high
    assert held >= 93


def test_the_brier_score_is_a_mean_of_squares() -> None:
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.ones(4), 30)
    labels = rng.integers(-1, 4, 30)
    slow = [sum((shares[i, c] - (labels[i] == c)) ** 2 for c in range(4)) for i in range(30) if labels[i] >= 0]
    assert calibration.brier(shares, labels) == pytest.approx(np.mean(slow))
    assert np.isnan(calibration.brier(shares, np.full(30, -1)))


def test_histograms_part_right_and_wrong() -> None:
    edges, right, wrong = calibration.histograms([0.05, 0.05, 0.95, np.nan, 1.5], [1, 0, 1, 1, 0], bins=10)
    assert edges[[0, -1]].tolist() == [0, 1]
    assert right.tolist() == [1, *[0] * 8, 1]
    assert wrong.tolist() == [1, *[0] * 8, 1]


def test_values_that_are_not_numbers_do_not_count() -> None:
    told = calibration.error([0.9, np.nan, 0.8], [True, True, True])
    assert told.n == 2
    assert told.value == pytest.approx(0.15)


def test_other_bins_are_refused() -> None:
    for how, bins in (("depth", 10), ("width", 0)):
        with pytest.raises(ParameterError, match="There are no"):
            calibration.reliability([0.5], [True], bins=bins, how=how)


def test_the_interval_of_a_share_is_wilsons() -> None:
    low, high = calibration.wilson([0, 5, 10], [10, 10, 10])
    assert low == pytest.approx([0, 0.2366, 0.7225], abs=1e-4)
    assert high == pytest.approx([0.2775, 0.7634, 1], abs=1e-4)
