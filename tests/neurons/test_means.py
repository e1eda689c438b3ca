"""Means over subsets against loops."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.errors import ParameterError
from analysis.neurons import means
from analysis.neurons.means import rows_of, subset_means


def by_loops(values: np.ndarray, subsets: list[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Means and counts, one cell after the other."""
    found = np.full((len(subsets), values.shape[1]), np.nan)
    counts = np.zeros(found.shape, int)
    for number, subset in enumerate(subsets):
        rows = np.flatnonzero(subset) if np.asarray(subset).dtype == bool else sorted(set(np.asarray(subset).tolist()))
        for neuron in range(values.shape[1]):
            kept = [float(values[row, neuron]) for row in rows if np.isfinite(values[row, neuron])]
            counts[number, neuron] = len(kept)
            if kept:
                found[number, neuron] = sum(kept) / len(kept)
    return found, counts


def drawn(rng: np.random.Generator, count: int, subsets: int) -> list[np.ndarray]:
    """Masks and numbers of rows by turns, overlapping, some empty."""
    found = []
    for number in range(subsets):
        mask = rng.random(count) < rng.choice([0, 0.01, 0.3, 1])
        found.append(mask if number % 2 else rng.permutation(np.flatnonzero(mask)))
    return found


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 40), st.integers(1, 6), st.integers(0, 5), st.sampled_from([0, 0.2, 0.9]))
def test_means_equal_loops_with_overlapping_and_empty_subsets_and_values_that_are_not_finite(
    seed: int, count: int, filters: int, subsets: int, absent: float
) -> None:
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((count, filters)).astype(np.float32)
    values[rng.random(values.shape) < absent] = rng.choice([np.nan, np.inf, -np.inf])
    chosen = drawn(rng, count, subsets)
    found = subset_means(values, chosen)
    expected, counts = by_loops(values, chosen)
    np.testing.assert_allclose(found.values, expected, rtol=1e-12, atol=1e-12)
    assert np.array_equal(found.counts, counts)
    assert found.sizes.tolist() == [len(rows_of(each, count)) for each in chosen]
    bad = ~np.isfinite(values).all(axis=1)
    assert found.missing.tolist() == [int(bad[rows_of(each, count)].sum()) for each in chosen]


@pytest.mark.parametrize(("subsets", "dense"), [(20, 0), (20, 1), (100, 0.25)])
def test_chunks_threads_and_the_form_of_membership_change_nothing(
    monkeypatch: pytest.MonkeyPatch, subsets: int, dense: float
) -> None:
    rng = np.random.default_rng(1)
    values = rng.standard_normal((997, 7)).astype(np.float32)
    values[[3, 500], :] = np.nan
    chosen = drawn(rng, len(values), subsets)
    expected, counts = by_loops(values, chosen)
    monkeypatch.setattr(means, "_ELEMENTS", 7 * 13)
    monkeypatch.setattr(means, "_SMALL", 0)
    monkeypatch.setattr(means, "_DENSE", dense)
    found = subset_means(values, chosen)
    np.testing.assert_allclose(found.values, expected, rtol=1e-12, atol=1e-12)
    assert np.array_equal(found.counts, counts)


def test_few_rows_of_many_are_read_alone() -> None:
    rng = np.random.default_rng(2)
    values = rng.standard_normal((500, 3)).astype(np.float32)
    values[400:] = np.nan  # outside, so that nothing is said of them
    chosen = [np.array([7, 3, 3]), np.array([7]), np.zeros(0, int)]
    found = subset_means(values, chosen)
    np.testing.assert_allclose(found.values[0], values[[3, 7]].astype(float).mean(0))
    np.testing.assert_allclose(found.values[1], values[7].astype(float))
    assert np.isnan(found.values[2]).all()
    assert found.sizes.tolist() == [2, 1, 0]
    assert not found.missing.any()


def test_an_empty_subset_has_no_mean_and_zeros_have_one() -> None:
    found = subset_means(np.zeros((4, 2), np.float32), [np.zeros(4, bool), np.ones(4, bool)])
    assert np.isnan(found.values[0]).all()
    assert (found.values[1] == 0).all()
    assert found.counts.tolist() == [[0, 0], [4, 4]]


def test_a_value_that_is_not_finite_stays_in_its_subset() -> None:
    values = np.ones((6, 2), np.float32)
    values[0] = np.nan
    values[1, 0] = np.inf
    found = subset_means(values, [np.arange(6) < 3, np.arange(6) >= 3, np.arange(1)])
    assert found.values[:2].tolist() == [[1, 1], [1, 1]]
    assert found.counts.tolist() == [[1, 2], [3, 3], [0, 0]]
    assert found.missing.tolist() == [2, 0, 1]
    assert np.isnan(found.values[2]).all()


def test_sums_are_of_float64_where_float32_would_stand_still() -> None:
    values = np.full((40_000, 1), 1.0, np.float32)
    values[0] = 2.0**25  # from here on, adding 1 in float32 changes nothing
    found = subset_means(values, [np.ones(len(values), bool)])
    assert found.values[0, 0] == (2.0**25 + 39_999) / 40_000


def test_a_memory_map_gives_the_same(tmp_path: Path) -> None:
    values = np.random.default_rng(3).standard_normal((300, 5)).astype(np.float32)
    values.tofile(tmp_path / "values")
    table = np.memmap(tmp_path / "values", np.float32, "r", shape=values.shape)
    chosen = [np.arange(300) % 3 == 0, np.arange(300) % 2 == 0]
    assert np.array_equal(subset_means(table, chosen).values, subset_means(values, chosen).values)


def test_subsets_of_other_rows_are_refused() -> None:
    with pytest.raises(ParameterError, match="row 4"):
        subset_means(np.zeros((4, 2), np.float32), [np.array([4])])
    with pytest.raises(ParameterError, match="row -1"):
        subset_means(np.zeros((4, 2), np.float32), [np.array([-1])])
    with pytest.raises(ParameterError, match="5 instances"):
        subset_means(np.zeros((4, 2), np.float32), [np.ones(5, bool)])


def test_no_rows_and_no_subsets_are_answered() -> None:
    assert subset_means(np.zeros((0, 3), np.float32), [np.zeros(0, bool)]).values.shape == (1, 3)
    assert subset_means(np.zeros((5, 3), np.float32), []).values.shape == (0, 3)


class Watched:
    """A table that notes which rows are read."""

    def __init__(self, values: np.ndarray) -> None:
        self.shape, self._values = values.shape, values
        self.read: list[np.ndarray] = []

    def __getitem__(self, rows: Any) -> np.ndarray:
        self.read.append(np.arange(len(self._values))[rows])
        return self._values[rows]


def test_each_row_is_read_once_and_only_a_chunk_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(means, "_ELEMENTS", 4 * 10)
    monkeypatch.setattr(means, "_SMALL", 0)
    table: Any = Watched(np.ones((105, 4), np.float32))
    subset_means(table, [np.arange(105), np.arange(50), np.arange(30, 80)])
    assert max(map(len, table.read)) <= 10
    assert sorted(np.concatenate(table.read).tolist()) == list(range(105))
    table.read.clear()
    subset_means(table, [np.array([3, 99]), np.array([99])])
    assert sorted(np.concatenate(table.read).tolist()) == [3, 99]
