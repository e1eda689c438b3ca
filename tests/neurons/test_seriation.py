"""Orders against planted ones."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.neurons.seriation import order, order_rows


def waves(items: int, rows: int, noise: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Columns that respond to places along a line, shuffled, and the place of each."""
    rng = np.random.default_rng(seed)
    places = rng.permutation(items)
    across = np.linspace(0, 1, rows)[:, None]
    values = np.exp(-(((across - places / items) / 0.15) ** 2)) + noise * rng.standard_normal((rows, items))
    return values, places


def disorder(places: np.ndarray) -> float:
    """One less the size of the rank correlation of a sequence of places with its order."""
    return 1 - abs(np.corrcoef(np.arange(len(places)), places)[0, 1])


@pytest.mark.parametrize("items", [40, 199, 600, 2000])
def test_neighbours_along_a_planted_line_become_neighbours(items: int) -> None:
    values, places = waves(items, 120, 0.05, items)
    found = order(values)
    assert sorted(found.tolist()) == list(range(items))
    assert disorder(places[found]) < 0.02
    assert disorder(places) > 0.5


@pytest.mark.parametrize("items", [60, 400])
def test_planted_blocks_stay_together(items: int) -> None:
    rng = np.random.default_rng(1)
    block = rng.permutation(np.repeat(np.arange(4), items // 4))
    values = rng.standard_normal((200, 4))[:, block] + 0.5 * rng.standard_normal((200, items))
    blocks = block[order(values)]
    changes = int((blocks[1:] != blocks[:-1]).sum())
    assert changes == 3


def test_an_order_is_the_same_every_time_and_begins_with_the_lower_number() -> None:
    values, _ = waves(300, 80, 0.1, 2)
    found = order(values)
    assert np.array_equal(found, order(values.copy()))
    assert found[0] < found[-1]


def test_columns_that_do_not_vary_or_are_not_finite_come_last() -> None:
    values, _ = waves(10, 50, 0.01, 3)
    values[:, 4] = 7
    values[3, 6] = np.nan
    found = order(values)
    assert found[-2:].tolist() == [4, 6]
    assert sorted(found.tolist()) == list(range(10))


def test_rows_that_are_missing_throughout_change_nothing() -> None:
    values, _ = waves(50, 80, 0.01, 4)
    more = np.insert(values, 10, np.nan, axis=0)
    assert np.array_equal(order(more), order(values))


@pytest.mark.parametrize("shape", [(0, 3), (1, 3), (3, 0), (3, 1), (3, 2), (2, 5)])
def test_little_is_ordered_too(shape: tuple[int, int]) -> None:
    values = np.random.default_rng(0).standard_normal(shape)
    assert sorted(order(values).tolist()) == list(range(shape[1]))
    assert sorted(order_rows(values).tolist()) == list(range(shape[0]))


def test_rows_that_behave_alike_stand_together_and_empty_ones_last() -> None:
    rng = np.random.default_rng(5)
    kind = np.array([0, 1, 0, 1, 0, 1, 0, 1])
    rows = rng.standard_normal((2, 30))[kind] + 0.1 * rng.standard_normal((8, 30))
    rows[5] = np.nan
    found = order_rows(rows)
    assert found[-1] == 5
    kinds = kind[found[:-1]]
    assert int((kinds[1:] != kinds[:-1]).sum()) == 1
