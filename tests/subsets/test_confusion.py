"""Counts of labels against predictions, against loops; the most confused classes of many."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from analysis.errors import ParameterError
from analysis.subsets import confusion

PAIRS = st.integers(1, 8).flatmap(
    lambda classes: st.tuples(
        st.just(classes),
        arrays.arrays(np.int64, st.tuples(st.integers(0, 40), st.just(2)), elements=st.integers(-1, classes - 1)),
    )
)


@settings(deadline=None)
@given(PAIRS)
def test_counts_are_those_of_a_loop(given_: tuple[int, Any]) -> None:
    classes, drawn = given_
    labels, predictions = drawn[:, 0], np.maximum(drawn[:, 1], 0)
    slow = np.zeros((classes, classes), int)
    for label, prediction in zip(labels, predictions, strict=True):
        if label >= 0:
            slow[label, prediction] += 1
    assert (confusion.counts(labels, predictions, classes) == slow).all()
    found = confusion.top(labels, predictions, classes)
    assert found.complete
    assert (found.counts == slow).all()
    assert found.unlabelled == int((labels < 0).sum())
    assert found.wrong == slow.sum() - np.trace(slow)


@settings(deadline=None)
@given(PAIRS, st.integers(1, 7))
def test_what_is_not_shown_is_counted_beside_it(given_: tuple[int, Any], k: int) -> None:
    classes, drawn = given_
    labels, predictions = drawn[:, 0], np.maximum(drawn[:, 1], 0)
    whole = confusion.counts(labels, predictions, classes)
    found = confusion.top(labels, predictions, classes, k)
    assert len(found.classes) == min(classes, k)
    assert (found.counts == whole[np.ix_(found.classes, found.classes)]).all()
    assert (found.counts.sum(1) + found.rest == whole[found.classes].sum(1)).all()
    assert (found.counts.sum(0) + found.rest_of == whole[:, found.classes].sum(0)).all()
    assert found.n == whole.sum()


def test_of_many_classes_the_most_confused_come_first() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10_000, 50_000)
    predictions = labels.copy()
    labels[:30], predictions[:30] = 7_001, 4_002
    labels[30:50], predictions[30:50] = 12, 9_999
    found = confusion.top(labels, predictions, 10_000)
    assert set(found.classes[:2]) == {4_002, 7_001}
    assert set(found.classes[2:4]) == {12, 9_999}
    assert not found.complete
    assert found.counts.shape == (confusion.SHOWN, confusion.SHOWN)
    assert found.counts[:2, :2].max() == 30
    assert confusion.pairs(labels, predictions, 10_000)[:2] == [(7_001, 4_002, 30), (12, 9_999, 20)]


def test_a_whole_matrix_of_too_many_classes_is_refused() -> None:
    with pytest.raises(ParameterError, match="10,000 classes"):
        confusion.counts([0], [0], 10_000)


def test_nothing_and_one_class() -> None:
    nothing = confusion.top([], [], 3)
    assert nothing.n == nothing.wrong == 0
    assert nothing.counts.tolist() == np.zeros((3, 3)).tolist()
    one = confusion.top([0, 0, -1], [0, 0, 0], 1)
    assert one.counts.tolist() == [[2]]
    assert one.unlabelled == 1
    assert confusion.pairs([0, 0], [0, 0], 1) == []
