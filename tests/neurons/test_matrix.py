"""The order of the matrix's neurons against planted ones; scales and codes against the values they stand for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.errors import ParameterError
from analysis.neurons import seriation
from analysis.neurons.matrix import COMPARED, EMPTY, TOP, Ranking, Row, Table, encode, limits, ordered, ranking, sample
from analysis.neurons.means import subset_means


def drawn(seed: int = 0, count: int = 200, filters: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """Rectified activations and labels; neuron 17 fires for class 3, 5 for class 0 somewhat."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, count)
    values = np.maximum(rng.standard_normal((count, filters)), 0).astype(np.float32)
    values[labels == 3, 17] += 3
    values[labels == 0, 5] += 1
    return values, labels


def rows_of(labels: np.ndarray) -> list[Row]:
    """Classes, two instances, an empty subset, all."""
    rows = [Row("subset", np.flatnonzero(labels == c)) for c in range(4)]
    rows += [Row("instance", np.array([7])), Row("instance", np.array([9]))]
    return [*rows, Row("subset", np.zeros(0, int)), Row("subset", np.arange(len(labels)))]


def means_of(values: np.ndarray, rows: list[Row]) -> np.ndarray:
    return subset_means(values, [row.rows for row in rows]).values


def ranked_of(values: np.ndarray, rows: list[Row]) -> Ranking:
    return ranking(Table(values), rows, means_of(values, rows))


def columns(values: np.ndarray, rows: list[Row], sort: str | int = "index", top: int = 0) -> list[int]:
    """The neurons shown, from left to right, as a view has them."""
    similar = lambda: seriation.order(sample(values))  # noqa: E731
    means, ranked = means_of(values, rows), ranked_of(values, rows)
    return ordered(means, sort, ranked=ranked, top=top, similar=similar).tolist()


def test_cells_of_instances_and_of_means_are_encoded_alike_and_empty_rows_stay_empty() -> None:
    values, labels = drawn()
    means = means_of(values, rows_of(labels))
    assert np.array_equal(means[4], values[7])
    assert np.array_equal(means[5], values[9])
    for scale in ("neuron", "layer"):
        codes = encode(means, *limits(means, scale, False))
        assert (codes[6] == EMPTY).all()
        assert (codes[[0, 1, 2, 3, 4, 5, 7]] != EMPTY).all()


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["neuron", "layer"]), st.booleans())
def test_codes_give_values_back_within_half_a_step(seed: int, scale: str, signed: bool) -> None:
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((6, 5)) * rng.choice([0, 1e-20, 1, 1e20], 5)
    values = values if signed else np.maximum(values, 0)
    values[rng.random(values.shape) < 0.2] = np.nan
    low, high = limits(values, scale, signed)
    codes = encode(values, low, high)
    assert np.array_equal(codes == EMPTY, np.isnan(values))
    back = low + codes / TOP * (high - low)
    known = np.isfinite(values)
    assert (np.abs(back - values)[known] <= (np.broadcast_to((high - low) / TOP / 2 * 1.0001, back.shape))[known]).all()
    if signed:
        assert np.array_equal(low, -high)
        assert (codes[known & (values == 0)] == TOP // 2).all()
    else:
        assert (low == 0).all()
        assert (codes[known & (values == 0)] == 0).all()
    if scale == "layer":
        assert len(set(low.tolist())) == len(set(high.tolist())) == 1


def test_a_row_shown_for_a_moment_keeps_the_scale_of_the_others() -> None:
    values, labels = drawn()
    low, high = limits(means_of(values, rows_of(labels)), "neuron", False)
    assert (encode(np.full((1, 30), 1e9), low, high) == TOP).all()
    assert (encode(np.full((1, 30), -1.0), low, high) == 0).all()


def test_neurons_are_sorted_by_a_row_with_its_largest_first() -> None:
    values, labels = drawn()
    rows = rows_of(labels)
    means = means_of(values, rows)
    for row in range(6):
        found = ordered(means, row)
        assert (np.diff(means[row, found]) <= 0).all()
        assert sorted(found.tolist()) == list(range(30))
    assert ordered(means, 6).tolist() == list(range(30))  # an empty one


def test_neurons_without_a_value_in_the_row_that_sorts_them_come_last() -> None:
    means = np.array([[1.0, np.nan, 3.0, np.nan, 2.0], [0.0, 0.0, 0.0, 0.0, 0.0]])
    assert ordered(means, 0).tolist() == [2, 4, 0, 1, 3]
    assert ordered(means, 1).tolist() == [0, 1, 2, 3, 4]


def test_the_planted_selective_neuron_comes_first_and_its_row_is_named() -> None:
    values, labels = drawn()
    rows = rows_of(labels)
    found = ranked_of(values, rows)
    assert found.order[:2].tolist() == [17, 5]
    assert sorted(found.order.tolist()) == list(range(30))
    assert found.best[[17, 5]].tolist() == [3, 0]
    assert found.auc[17] > 0.95
    assert (found.low <= found.auc).all()
    assert (found.auc <= found.high).all()
    # Rows that cannot be compared shift the numbers of those that can.
    moved = ranked_of(values, [rows[7], rows[6], rows[4], *rows[:4]])
    assert moved.best[[17, 5]].tolist() == [6, 3]
    np.testing.assert_array_equal(moved.auc, found.auc)


def test_the_most_selective_ones_are_shown_in_the_order_asked_for() -> None:
    values, labels = drawn()
    rows = rows_of(labels)
    assert columns(values, rows, top=2) == [5, 17]
    assert columns(values, rows, "selectivity", top=2) == [17, 5]
    assert columns(values, rows, 3, top=2) == [17, 5]
    assert columns(values, rows, 0, top=2) == [5, 17]
    whole = columns(values, rows, "similarity")
    best = set(columns(values, rows, "selectivity", top=9))
    assert len(best) == 9
    assert columns(values, rows, "similarity", top=9) == [neuron for neuron in whole if neuron in best]
    assert columns(values, rows, top=99) == list(range(30))


def test_without_subsets_neurons_in_which_an_instance_stands_out_come_first() -> None:
    values, _ = drawn()
    values[7, 11] = 50
    found = ranked_of(values, [Row("instance", np.array([7])), Row("subset", np.arange(200))])
    assert found.order[0] == 11
    assert (found.best == -1).all()
    for area in (found.auc, found.low, found.high):
        assert np.isnan(area).all()
    nothing = [Row("subset", np.zeros(0, int))]
    assert columns(values, nothing, "selectivity", top=3) == [0, 1, 2]


def test_instances_without_an_activation_leave_their_row_empty_and_the_ranking_as_it_is() -> None:
    values, labels = drawn()
    values[[7, 8]] = np.nan
    rows = rows_of(labels)
    means = means_of(values, rows)
    codes = encode(means, *limits(means, "neuron", False))
    assert (codes[4] == EMPTY).all()
    assert (codes[7] != EMPTY).all()
    assert ranked_of(values, rows).order[0] == 17
    alone = ranked_of(values, [rows[4], rows[5]])  # one of both instances has no activation
    np.testing.assert_array_equal(alone.order, ranked_of(values, [rows[5]]).order)


def test_similar_neurons_are_compared_by_a_sample_that_is_the_same_every_time() -> None:
    few, many = np.arange(12.0).reshape(6, 2), np.arange(3.0 * COMPARED).reshape(-1, 1)
    assert np.array_equal(sample(few), few)
    found = sample(many)
    assert found.shape == (COMPARED, 1)
    assert (np.diff(found[:, 0]) > 0).all()  # each once
    assert np.array_equal(found, sample(many))


@pytest.mark.parametrize(
    ("sort", "options", "words"),
    [
        ("colour", {}, "'colour'"),
        (8, {}, "no row 8"),
        (-1, {}, "no row -1"),
        ("selectivity", {}, "'selectivity'"),
        ("similarity", {}, "'similarity'"),
        ("index", {"top": 3}, "not known"),
    ],
)
def test_an_order_that_does_not_fit_is_refused_in_words(sort: str | int, options: dict[str, Any], words: str) -> None:
    values, labels = drawn()
    with pytest.raises(ParameterError, match=words):
        ordered(means_of(values, rows_of(labels)), sort, **options)


def test_scales_and_rows_that_do_not_fit_are_refused_in_words() -> None:
    values, _ = drawn()
    with pytest.raises(ParameterError, match="'page'"):
        limits(values, "page", False)
    with pytest.raises(ParameterError, match="row 200"):
        ranking(Table(values), [Row("instance", np.array([200]))], values[:1])


def test_no_instances_and_no_rows_are_ordered_and_encoded_as_nothing() -> None:
    empty = np.zeros((0, 5), np.float32)
    for rows in ([], [Row("subset", np.zeros(0, int))]):
        means = means_of(empty, rows)
        codes = encode(means, *limits(means, "neuron", False))
        assert codes.shape == (len(rows), 5)
        assert (codes == EMPTY).all()
        for sort in ("index", "similarity", "selectivity"):
            assert columns(empty, rows, sort) == list(range(5))
        assert columns(empty, rows, "selectivity", top=2) == [0, 1]
