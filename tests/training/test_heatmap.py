from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.errors import ParameterError
from analysis.training import grid, heatmap_values, order

from .layers import record


def test_modes():
    r = record(0, stale_steps=np.array([0, 40, -1, *[0] * 9]))
    assert heatmap_values(r, "maximum") == pytest.approx(r.maximum)
    assert heatmap_values(r, "frequency") == pytest.approx(r.frequency)
    stale = heatmap_values(r, "staleness")
    assert stale[1] == 40
    assert np.isnan(stale[2])
    with pytest.raises(ParameterError, match="maximum, frequency, staleness"):
        heatmap_values(r, "minimum")


@given(st.integers(1, 20_000), st.floats(0.05, 20))
def test_a_grid_holds_all_filters_without_an_empty_row_or_column(filters, aspect):
    rows, columns = grid(filters, aspect)
    assert rows * columns >= filters
    assert (rows - 1) * columns < filters
    assert rows * (columns - 1) < filters


@pytest.mark.parametrize(
    ("filters", "aspect", "shape"),
    [(0, 1, (0, 0)), (1, 1, (1, 1)), (4096, 1, (64, 64)), (4096, 4, (32, 128)), (50, 2, (5, 10))],
)
def test_grids(filters, aspect, shape):
    assert grid(filters, aspect) == shape


@pytest.mark.parametrize(("filters", "aspect"), [(-1, 1), (4, 0), (4, float("nan")), (4, float("inf"))])
def test_impossible_grids(filters, aspect):
    with pytest.raises(ParameterError):
        grid(filters, aspect)


def test_orders():
    values = np.array([1.0, np.nan, 3.0, 3.0, 2.0])
    assert order(values, "index").tolist() == [0, 1, 2, 3, 4]
    assert order(values, "value").tolist() == [2, 3, 4, 0, 1]
    assert order(np.zeros(0), "value").tolist() == []
    with pytest.raises(ParameterError):
        order(values, "name")
