"""Halves, tests, corrections and intervals, against scipy and by counting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.suggestions import evidence as ev
from analysis.suggestions.fidelity import fidelity, paired


def test_halves_part_wrong_and_right_instances_alike() -> None:
    wrong = np.random.default_rng(0).random(1001) < 0.1
    searched = ev.halves(wrong, 3)
    assert abs(2 * int((searched & wrong).sum()) - int(wrong.sum())) <= 1
    assert abs(2 * int(searched.sum()) - 1001) <= 2
    assert np.array_equal(searched, ev.halves(wrong, 3))
    assert not np.array_equal(searched, ev.halves(wrong, 4))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 30), st.integers(0, 30), st.integers(0, 30), st.integers(0, 30))
def test_chance_is_fishers_exact_test(hit: int, miss: int, other_hit: int, other_miss: int) -> None:
    table = [[hit, miss], [other_hit, other_miss]]
    n = hit + miss + other_hit + other_miss
    found = ev.chance(hit, hit + miss, hit + other_hit, n)
    assert found == pytest.approx(stats.fisher_exact(table, "greater").pvalue, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_q_values_are_those_of_benjamini_and_hochberg(p: list[float]) -> None:
    assert ev.adjusted(p) == pytest.approx(stats.false_discovery_control(p), abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 40), st.integers(1, 40))
def test_intervals_of_a_share_are_wilsons(hit: int, more: int) -> None:
    size = hit + more
    known = stats.binomtest(hit, size).proportion_ci(0.9, "wilson")
    assert ev.wilson(hit, size, 0.9) == pytest.approx((known.low, known.high), abs=1e-9)


def test_nothing_has_no_interval_no_chance_and_no_q() -> None:
    assert ev.wilson(0, 0) == (0.0, 1.0)
    assert ev.chance(0, 0, 5, 10) == 1.0
    assert len(ev.adjusted([])) == 0
    empty = ev.evidence(np.zeros(4, bool), np.array([1, 0, 0, 1], bool))
    assert (empty.share, empty.lift, empty.excess, empty.p) == (0, 0, 0, 1)


def test_evidence_counts_what_is_in_the_subset() -> None:
    members, wrong = np.array([1, 1, 1, 0, 0, 0, 0, 0], bool), np.array([1, 1, 0, 0, 0, 0, 0, 0], bool)
    found = ev.evidence(members, wrong)
    assert (found.size, found.wrong, found.base) == (3, 2, 0.25)
    assert found.lift == pytest.approx(8 / 3)
    assert found.excess == pytest.approx(found.size * found.base * (found.lift - 1))


def test_z_is_the_deviation_of_the_hypergeometric() -> None:
    known = stats.hypergeom(200, 40, 30)
    assert ev.z_scores([9], [30], 40, 200)[0] == pytest.approx((9 - known.mean()) / known.std())
    assert ev.z_scores([0, 40], [0, 200], 40, 200).tolist() == [0, 0]


def test_intervals_of_chosen_tests_are_wider() -> None:
    assert ev.selected_level(40, 40) == pytest.approx(0.95)
    assert ev.selected_level(1, 40) == pytest.approx(1 - 0.05 / 40)


def test_intervals_after_selection_cover_the_truth() -> None:
    rng = np.random.default_rng(0)
    missed = chosen = 0
    for _ in range(150):
        true = np.where(np.arange(30) < 5, 0.4, 0.1)
        hits = rng.binomial(60, true)
        p = np.array([ev.chance(int(hit), 60, 240, 2000) for hit in hits])
        kept = np.flatnonzero(ev.adjusted(p) <= 0.05)
        level = ev.selected_level(len(kept), 30)
        for at in kept:
            low, high = ev.wilson(int(hits[at]), 60, level)
            chosen += 1
            missed += not low <= true[at] <= high
    assert chosen > 300
    assert missed / chosen <= 0.05


def test_fidelity_is_that_of_held_out_instances_beside_the_majority() -> None:
    meant = np.array([0, 0, 0, 1, 1, 0, 1, 0])
    said = np.array([0, 0, 1, 1, 1, 0, 1, 1])
    fitted = np.arange(8) < 4
    found = fidelity(said, meant, fitted, 0)
    assert (found["train"], found["held_out"], found["baseline"]) == (0.75, 0.75, 0.5)
    assert (found["low"], found["high"]) == ev.wilson(3, 4)
    assert (found["n_train"], found["n_held_out"]) == (4, 4)
    assert found["gain"] == 0.25
    assert not found["better"]


def test_the_difference_of_pairs_covers_the_truth() -> None:
    rng = np.random.default_rng(1)
    inside = 0
    for _ in range(400):
        one, other = rng.random(150) < 0.8, rng.random(150) < 0.7
        _, low, high = paired(int((one & ~other).sum()), int((~one & other).sum()), 150)
        inside += low <= 0.1 <= high
    assert 0.92 <= inside / 400 <= 0.985
