"""The matrix against means by hand; its orders, scales and codes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.errors import ParameterError
from analysis.neurons.matrix import EMPTY, TOP, Block, Row, Table, assemble, block, encode, limits


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
    rows = [Row("subset", f"class {c}", np.flatnonzero(labels == c), f"class:{c}") for c in range(4)]
    rows += [Row("instance", "instance 7", np.array([7]), "7"), Row("instance", "instance 9", np.array([9]), "9")]
    return [*rows, Row("subset", "none", np.zeros(0, int)), Row("subset", "all", np.arange(len(labels)))]


def test_rows_are_instances_and_means_of_subsets_alike() -> None:
    values, labels = drawn()
    [found] = assemble([Table("fc", values)], rows_of(labels)).blocks
    for c in range(4):
        np.testing.assert_allclose(found.values[c], values[labels == c].astype(float).mean(0), rtol=1e-6)
    assert np.array_equal(found.values[4], values[7])
    assert np.array_equal(found.values[5], values[9])
    assert np.isnan(found.values[6]).all()
    assert (found.codes[6] == EMPTY).all()
    assert (found.codes[[0, 1, 2, 3, 4, 5, 7]] != EMPTY).all()
    assert found.counts.tolist() == [*np.bincount(labels).tolist(), 1, 1, 0, 200]
    assert found.neurons.tolist() == list(range(30))


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
    found = block(Table("fc", values), rows_of(labels))
    beyond = encode(np.full((1, 30), 1e9), found.low, found.high)
    assert (beyond == TOP).all()
    assert (encode(np.full((1, 30), -1.0), found.low, found.high) == 0).all()


def test_columns_are_sorted_by_a_row_with_its_largest_first() -> None:
    values, labels = drawn()
    for row in range(6):
        found = block(Table("fc", values), rows_of(labels), sort=f"row:{row}")
        assert (np.diff(found.values[row]) <= 0).all()
        assert sorted(found.neurons.tolist()) == list(range(30))
    assert block(Table("fc", values), rows_of(labels), sort="row:6").neurons.tolist() == list(range(30))


def told(found: Block) -> dict[int, tuple[int, float]]:
    return {int(n): (int(row), float(auc)) for n, row, auc in zip(found.neurons, found.best, found.auc, strict=True)}


def test_the_planted_selective_neuron_comes_first_and_its_row_is_named() -> None:
    values, labels = drawn()
    found = block(Table("fc", values), rows_of(labels), sort="selectivity")
    assert found.neurons[:2].tolist() == [17, 5]
    assert told(found)[17][0] == 3
    assert told(found)[5][0] == 0
    assert told(found)[17][1] > 0.95
    assert (found.auc_low <= found.auc).all()
    assert (found.auc <= found.auc_high).all()


def test_the_most_selective_ones_are_shown_in_the_order_asked_for() -> None:
    values, labels = drawn()
    by_number = block(Table("fc", values), rows_of(labels), top=2)
    assert by_number.neurons.tolist() == [5, 17]
    assert by_number.filters == 30
    assert by_number.codes.shape == by_number.values.shape == (8, 2)
    assert block(Table("fc", values), rows_of(labels), sort="selectivity", top=2).neurons.tolist() == [17, 5]
    assert block(Table("fc", values), rows_of(labels), sort="row:3", top=2).neurons.tolist() == [17, 5]
    assert len(block(Table("fc", values), rows_of(labels), sort="similarity", top=9).neurons) == 9
    assert len(block(Table("fc", values), rows_of(labels), top=99).neurons) == 30


def test_without_subsets_neurons_in_which_an_instance_stands_out_come_first() -> None:
    values, _ = drawn()
    values[7, 11] = 50
    rows = [Row("instance", "7", np.array([7])), Row("subset", "all", np.arange(200))]
    found = block(Table("fc", values), rows, sort="selectivity")
    assert found.neurons[0] == 11
    assert (found.best == -1).all()
    assert np.isnan(found.auc).all()
    none = block(Table("fc", values), [Row("subset", "none", np.zeros(0, int))], sort="selectivity", top=3)
    assert none.neurons.tolist() == [0, 1, 2]


def test_instances_without_an_activation_are_counted_and_leave_their_row_empty() -> None:
    values, labels = drawn()
    values[[7, 8]] = np.nan
    found = block(Table("fc", values), rows_of(labels), sort="selectivity")
    assert (found.codes[4] == EMPTY).all()
    assert found.missing[[4, 7]].tolist() == [1, 2]
    assert np.isfinite(found.values[7]).all()
    assert found.neurons[0] == 17


def test_layers_are_stacked_with_the_same_rows_and_rows_ordered_over_all() -> None:
    values, labels = drawn()
    other = drawn(1)[0][:, :12]
    rows = rows_of(labels)
    found = assemble([Table("a", values), Table("b", other - 0.5, signed=True)], rows, sort="similarity")
    assert [each.layer for each in found.blocks] == ["a", "b"]
    assert [each.values.shape for each in found.blocks] == [(8, 30), (8, 12)]
    assert [each.signed for each in found.blocks] == [False, True]
    assert "minus" in found.blocks[1].stated
    assert "minus" not in found.blocks[0].stated
    assert sorted(found.order.tolist()) == list(range(8))
    assert found.order[-1] == 6  # the empty one


def test_what_does_not_fit_is_refused_in_words() -> None:
    values, labels = drawn()
    rows = rows_of(labels)
    for options, words in (
        ({"sort": "colour"}, "'colour'"),
        ({"sort": "row:8"}, "no row 8"),
        ({"sort": "row:-1"}, "'row:-1'"),
        ({"scale": "page"}, "'page'"),
    ):
        with pytest.raises(ParameterError, match=words):
            assemble([Table("fc", values)], rows, **options)
    with pytest.raises(ParameterError, match="row 200"):
        assemble([Table("fc", values)], [Row("instance", "200", np.array([200]))])


def test_no_instances_no_rows_and_no_layers_are_drawn_as_nothing() -> None:
    empty = Table("fc", np.zeros((0, 5), np.float32))
    found = assemble([empty], [Row("subset", "none", np.zeros(0, int))], sort="similarity")
    assert (found.blocks[0].codes == EMPTY).all()
    assert assemble([empty], []).blocks[0].codes.shape == (0, 5)
    assert assemble([], rows_of(np.zeros(12, int))).blocks == ()
    assert assemble([empty], [Row("subset", "none", np.zeros(0, int))], sort="selectivity", top=2).blocks
