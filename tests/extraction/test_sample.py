"""The sample: every class has its share, what must be in it is, and it is the same every time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.errors import ParameterError
from analysis.extraction.sample import choose, shares

populations = st.lists(st.integers(-1, 12), min_size=1, max_size=300)


@settings(max_examples=200, deadline=None)
@given(populations, st.integers(1, 320), st.integers(0, 5), st.data())
def test_a_sample_is_sorted_without_repetition_and_of_the_size_asked_for(labels, n, random_state, data) -> None:
    include = data.draw(st.lists(st.integers(0, len(labels) - 1), max_size=8))
    found = choose(labels, n, random_state, include)
    assert found.dtype == np.int64
    assert (np.diff(found) > 0).all()
    assert found.min() >= 0
    assert found.max() < len(labels)
    assert len(found) == max(min(n, len(labels)), len(set(include)))
    assert set(include) <= set(found.tolist())
    assert (found == choose(np.array(labels), n, random_state, include)).all()


@settings(max_examples=200, deadline=None)
@given(populations, st.integers(1, 320))
def test_every_class_has_its_share(labels, n) -> None:
    classes, sizes = np.unique(labels, return_counts=True)
    n = min(n, len(labels))
    found = np.array(labels)[choose(labels, n)]
    counts = np.array([(found == label).sum() for label in classes])
    if n >= len(classes):
        assert (counts >= 1).all()
    exact = n * sizes / len(labels)
    if (exact >= 1).all():  # no class had to be lifted: quota rule of the largest remainder
        assert (np.abs(counts - exact) < 1).all()


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=20), st.data())
def test_shares_add_up(sizes, data) -> None:
    n = data.draw(st.integers(1, sum(sizes)))
    found = shares(np.array(sizes), n)
    assert found.sum() == n
    assert (found <= sizes).all()
    assert (found >= (1 if n >= len(sizes) else 0)).all()


def test_included_instances_count_as_part_of_their_class() -> None:
    labels = np.repeat([0, 1], 50)
    found = choose(labels, 10, include=[0, 1, 2])
    assert (labels[found] == 0).sum() == 5


def test_another_random_state_is_another_sample() -> None:
    assert (choose(np.zeros(100), 10, 0) != choose(np.zeros(100), 10, 1)).any()


@pytest.mark.parametrize("include", [[-1], [3]])
def test_what_does_not_exist_cannot_be_included(include) -> None:
    with pytest.raises(ParameterError, match="no instance"):
        choose([0, 1, 0], 2, include=include)


def test_a_sample_of_nothing_is_refused() -> None:
    with pytest.raises(ParameterError, match="empty"):
        choose([0, 1], 0)
