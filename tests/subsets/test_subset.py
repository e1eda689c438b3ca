"""Shortcuts, saved names and expressions lead to rows, titles and to one another."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.errors import NotFound
from analysis.subsets import subset
from analysis.subsets.expression import ExpressionError
from analysis.subsets.subset import Named
from tests.subsets.tables import table

TABLE = table()
SAVED = {"dogs": Named("label == 'dog' and size < 1"), "few": Named("", np.array([0, 3, 6])), "it's": Named("correct")}
TEXTS = ["", "all", "wrong", "class:1", "predicted:2", "saved:few", "saved:it's", "size < 0", "label == 1 or size > 2"]


def test_shortcuts_are_the_rows_they_name() -> None:
    assert subset.mask(None, TABLE).all()
    assert subset.mask(" all ", TABLE).all()
    assert (subset.mask("wrong", TABLE) == (TABLE.labels >= 0) & (TABLE.labels != TABLE.predictions)).all()
    assert (subset.mask("class:1", TABLE) == (TABLE.labels == 1)).all()
    assert (subset.mask("predicted:1", TABLE) == (TABLE.predictions == 1)).all()
    assert subset.rows("saved:few", TABLE, SAVED).tolist() == [0, 1, 2]


@pytest.mark.parametrize("text", TEXTS)
def test_a_subset_as_an_expression_is_the_same(text: str) -> None:
    expression = subset.as_expression(text)
    assert (subset.mask(expression, TABLE, SAVED) == subset.mask(text, TABLE, SAVED)).all()


@settings(deadline=None)
@given(st.sampled_from(TEXTS), st.sampled_from(TEXTS))
def test_combined_subsets_are_what_sets_are(a: str, b: str) -> None:
    left, right = subset.mask(a, TABLE, SAVED), subset.mask(b, TABLE, SAVED)
    assert (subset.mask(subset.combined("and", a, b), TABLE, SAVED) == (left & right)).all()
    assert (subset.mask(subset.combined("or", a, b), TABLE, SAVED) == (left | right)).all()
    assert (subset.mask(subset.combined("not", a), TABLE, SAVED) == ~left).all()


def test_other_combinations_are_refused() -> None:
    for given_ in (("xor", "a", "b"), ("not", "a", "b"), ("and",)):
        with pytest.raises(ExpressionError, match="cannot be combined"):
            subset.combined(*given_)


def test_a_class_that_there_is_not_is_refused_with_their_number() -> None:
    for text in ("class:3", "predicted:99"):
        with pytest.raises(NotFound, match="There is no class") as caught:
            subset.mask(text, TABLE)
        assert isinstance(caught.value, ExpressionError)
        assert "numbered from 0 to 2" in caught.value.remedy


def test_titles_name_classes() -> None:
    titles = {text: subset.title(text, TABLE, SAVED) for text in ("", "wrong", "class:1", "predicted:0", "saved:few")}
    assert list(titles.values()) == [
        "all instances",
        "wrongly predicted instances",
        "instances labelled dog",
        "instances predicted cat",
        "'few'",
    ]
    assert subset.title("label == 1 and prediction == 2", TABLE) == "instances labelled dog, predicted bird"
    assert subset.title("prediction == 2", TABLE) == "instances predicted bird"
    assert subset.title("size < 3\n and correct", TABLE) == "instances where size < 3 and correct"
    assert len(subset.title("size < 3 and " * 30 + "correct", TABLE)) < 110
    with pytest.raises(ExpressionError, match="no saved subset 'fwe'"):
        subset.title("saved:fwe", TABLE, SAVED)


def test_columns_of_saved_subsets_count() -> None:
    saved = {**SAVED, "both": Named("subset('dogs') or wrong")}
    assert set(subset.columns_of("saved:both", saved)) == {"label", "size"}
    assert subset.columns_of("class:1") == ["label"]
    assert subset.columns_of("wrong and contains(text, 'x')") == ["text"]
    assert set(subset.subsets_of("saved:both", saved)) == {"both", "dogs"}


def test_a_circle_of_saved_subsets_ends() -> None:
    saved = {"a": Named("subset('b')"), "b": Named("subset('a') and size < 3")}
    assert subset.columns_of("saved:a", saved) == ["size"]


@settings(deadline=None)
@given(st.sets(st.integers(0, 200), max_size=80))
def test_instances_are_written_as_ranges(indices: set[int]) -> None:
    text = subset.of_indices(sorted(indices))
    assert text is not None
    assert subset.mask(text, TABLE).tolist() == [int(index) in indices for index in TABLE.indices]


def test_too_many_instances_are_saved_under_a_name_instead() -> None:
    assert subset.of_indices(np.arange(100_000)) == "index in '0-99999'"
    assert subset.of_indices(np.arange(0, 100_000, 2)) is None


def test_no_rows_one_class_and_many_classes() -> None:
    assert subset.mask("wrong", table(0)).shape == (0,)
    assert subset.mask("class:0", table(30, ("only",))).any()
    many = table(30, tuple(f"c{at}" for at in range(10_000)))
    label = int(many.labels[1])
    assert subset.mask(f"class:{label}", many)[1]
    assert subset.title(f"class:{label}", many) == f"instances labelled c{label}"
