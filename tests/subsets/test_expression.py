"""Expressions mean what Python would mean by them, row by row; a comparison with a missing value is False."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.subsets.expression import (
    ExpressionError,
    columns_used,
    quoted,
    renamed,
    select,
    subsets_used,
    written_name,
)
from analysis.subsets.subset import Named
from analysis.subsets.table import NUMBER, Column, of_model
from tests.subsets.tables import CLASSES, COLOURS, row_of, table, with_columns

TABLE = table()
ROWS = [row_of(TABLE, row) for row in range(TABLE.n)]
COMPARE = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
Row = dict[str, Any]
Made = tuple[str, Callable[[Row], Any]]


def _number(text: str, value: Callable[[Row], Any]) -> Made:
    return text, value


def _column(name: str) -> Made:
    return name, lambda row: row[name]


def _join(op: str, left: Made, right: Made) -> Made:
    signs = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "%": operator.mod}

    def value(row: Row) -> float | None:
        a, b = left[1](row), right[1](row)
        if a is None or b is None:
            return None
        try:
            return float(signs[op](float(a), float(b)))
        except ZeroDivisionError:
            return None

    return f"({left[0]} {op} {right[0]})", value


_CONSTANTS = st.sampled_from([0, 1, 2, 0.5, 1.5, 10]).map(lambda number: _number(str(number), lambda _row: number))
_NUMBERS = st.recursive(
    st.one_of(_CONSTANTS, st.sampled_from(["index", "confidence", "size", "größe"]).map(_column)),
    lambda inner: st.builds(_join, st.sampled_from("+-*/%"), inner, inner),
    max_leaves=4,
)


def _compared(op: str, left: Made, right: Made) -> Made:
    def value(row: Row) -> bool:
        a, b = left[1](row), right[1](row)
        return a is not None and b is not None and bool(COMPARE[op](a, b))

    return f"{left[0]} {op} {right[0]}", value


def _chained(first: str, second: str, parts: list[Made]) -> Made:
    one, two = _compared(first, parts[0], parts[1]), _compared(second, parts[1], parts[2])
    text = f"{parts[0][0]} {first} {parts[1][0]} {second} {parts[2][0]}"
    return text, lambda row: one[1](row) and two[1](row)


def _named(column: str, op: str, name: str) -> Made:
    def value(row: Row) -> bool:
        return row[column] is not None and bool(COMPARE[op](row[column], name))

    return f"{column} {op} {quoted(name)}", value


def _listed(column: str, names: list[str], negated: bool) -> Made:
    def value(row: Row) -> bool:
        return row[column] is not None and (row[column] in names) is not negated

    return f"{column} {'not in' if negated else 'in'} [{', '.join(map(quoted, names))}]", value


def _contains(part: str) -> Made:
    return f"contains(text, {quoted(part)})", lambda row: part.lower() in (row["text"] or "").lower()


_ATOMS = st.one_of(
    st.builds(_compared, st.sampled_from(sorted(COMPARE)), _NUMBERS, _NUMBERS),
    st.builds(_chained, *[st.sampled_from(sorted(COMPARE))] * 2, st.lists(_NUMBERS, min_size=3, max_size=3)),
    st.builds(
        _named, st.sampled_from(["label", "prediction"]), st.sampled_from(["==", "!="]), st.sampled_from(CLASSES)
    ),
    st.builds(_named, st.just("colour"), st.sampled_from(["==", "!="]), st.sampled_from(COLOURS)),
    st.builds(_listed, st.just("colour"), st.lists(st.sampled_from(COLOURS), max_size=3), st.booleans()),
    st.builds(_contains, st.sampled_from(["night", "GOOD", "100%", "zebra"])),
    st.sampled_from(["correct", "damaged"]).map(lambda name: (name, lambda row: row[name] is True)),
    st.sampled_from(["size", "label", "colour", "text", "correct"]).map(
        lambda name: (f"missing({name})", lambda row: row[name] is None)
    ),
    st.just(("label == prediction", lambda row: row["label"] is not None and row["label"] == row["prediction"])),
    st.booleans().map(lambda known: (str(known), lambda _row: known)),
)


def _both(word: str, left: Made, right: Made) -> Made:
    if word in ("and", "&"):
        return f"({left[0]}) {word} ({right[0]})", lambda row: left[1](row) and right[1](row)
    return f"({left[0]}) {word} ({right[0]})", lambda row: left[1](row) or right[1](row)


def _not(word: str, part: Made) -> Made:
    return f"{word} ({part[0]})", lambda row: not part[1](row)


_CONDITIONS = st.recursive(
    _ATOMS,
    lambda inner: st.one_of(
        st.builds(_both, st.sampled_from(["and", "or", "&", "|"]), inner, inner),
        st.builds(_not, st.sampled_from(["not", "~"]), inner),
    ),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(_CONDITIONS)
def test_an_expression_selects_the_rows_for_which_it_is_true(made: Made) -> None:
    text, value = made
    assert select(text, TABLE).tolist() == [bool(value(row)) for row in ROWS], text


@settings(max_examples=60, deadline=None)
@given(_CONDITIONS)
def test_a_subset_and_its_negation_are_all_rows(made: Made) -> None:
    assert (select(made[0], TABLE) ^ select(f"not ({made[0]})", TABLE)).all()


def complaint(text: str) -> ExpressionError | None:
    """What is said against a text; None where it is read."""
    try:
        assert select(text, TABLE).shape == (TABLE.n,)
    except ExpressionError as error:
        return error
    return None


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    error = complaint(text)
    assert error is None or (error.message.endswith(".") and error.remedy)


_TOKENS = ["label", "size", "text", "'cat'", "3", "and", "or", "not", "in", "==", "<", "=", "(", ")", "[", "]", ","]
_TOKENS += ["+", "-", ".", "**", "lambda", "correct", "None", "is", "abs", "subset", "`starts at (s)`", ":", "'", "~"]


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(_TOKENS), min_size=1, max_size=14).map(" ".join))
def test_any_row_of_tokens_is_read_or_refused_in_words(text: str) -> None:
    error = complaint(text)
    assert error is None or error.message.endswith(".")


def count(text: str) -> int:
    return int(select(text, TABLE).sum())


def test_classes_compare_by_name_and_by_number() -> None:
    assert select("label == 'dog'", TABLE).tolist() == (TABLE.labels == 1).tolist()
    assert select("label == 1", TABLE).tolist() == (TABLE.labels == 1).tolist()
    assert select("label in ['cat', 2]", TABLE).tolist() == np.isin(TABLE.labels, [0, 2]).tolist()
    assert select("prediction >= 1", TABLE).tolist() == (TABLE.predictions >= 1).tolist()


def test_wrong_needs_a_label_and_not_correct_does_not() -> None:
    missing = TABLE.labels < 0
    assert missing.any()
    assert not (select("wrong", TABLE) & missing).any()
    assert (select("not correct", TABLE) == select("wrong", TABLE) | missing).all()
    assert (select("correct == False", TABLE) == select("wrong", TABLE)).all()


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("label == 1 & size < 0 | correct", "((label == 1) and (size < 0)) or correct"),
        ("~correct & size < 0", "(not correct) and (size < 0)"),
        ("label is None", "missing(label)"),
        ("size != None", "not missing(size)"),
        ("'night' in text", "contains(text, 'NIGHT')"),
        ("'night' not in text", "not missing(text) and not contains(text, 'night')"),
        ("matches(text, '*good')", "ends(text, 'good')"),
        ("matches(text, 'the*')", "starts(text, 'THE')"),
        ("matches(text, '*ight*')", "contains(text, 'ight')"),
        ("matches(text, 'a good film')", "text == 'a good film'"),
        ("index in '0-30, 60'", "0 <= index <= 30 or index == 60"),
        ("index not in '0-30'", "index > 30"),
        ("abs(size) > 1", "size > 1 or size < -1"),
        ("`starts at (s)` < 5", "index < 30"),
        ("größe < 5", "`größe` < 5"),
        ("rank(index) <= 10", "index <= 27"),
        ("index >= quantile(index, 1)", "index == 177"),
        ("length(text) == 0", "missing(text)"),
        ("colour == 'it\\'s'", 'colour == "it\'s"'),
        (" \n label == 1\n and size < 0 ", "label == 1 and size < 0"),
        ("'a'=='a'and size<0", "size < 0"),
        ("size < 1e-3", "size < .001"),
        ("label in (1, 2)", "label in [2, 1]"),
    ],
)
def test_two_ways_to_say_the_same(text: str, same: str) -> None:
    assert select(text, TABLE).tolist() == select(same, TABLE).tolist()
    assert 0 < count(same) < TABLE.n


def test_a_word_is_whole_and_a_pattern_is_plain_text() -> None:
    assert count("word(text, 'night')") < count("contains(text, 'night')")
    assert count("word(text, '00%')") == 0
    assert count("contains(text, '100%')") > 0
    assert count("contains(text, '.')") == 0


def test_ranks_share_ties_and_leave_out_what_is_missing() -> None:
    values = np.array([3.0, 1.0, 1.0, np.nan, 2.0])
    zeros = np.zeros(5, np.int64)
    made = of_model(np.arange(5), zeros, zeros, np.zeros((5, 2)), np.zeros(5), ["a", "b"])
    made = with_columns(made, Column("v", "v", NUMBER, values))
    assert select("rank(v) == 1.5", made).tolist() == [False, True, True, False, False]
    assert select("rank(v) >= 3", made).tolist() == [True, False, False, False, True]
    assert not select("rank(v) != rank(v)", made).any()


def test_names_of_columns_are_told_without_a_table() -> None:
    text = "`starts at (s)` > 3 and contains(text, 'label') and size / größe < quantile(size, 0.5) and subset('x')"
    assert columns_used(text) == ["starts at (s)", "text", "size", "größe"]
    assert subsets_used(text) == ["x"]


@settings(deadline=None)
@given(st.text(min_size=1, max_size=20).filter(lambda name: "`" not in name))
def test_a_name_is_written_so_that_it_is_read_again(name: str) -> None:
    assert columns_used(f"{written_name(name)} == 3") == [name]


@settings(deadline=None)
@given(st.text(max_size=30))
def test_a_string_is_quoted_so_that_it_is_read_again(text: str) -> None:
    assert subsets_used(f"size > 3 or subset({quoted(text)})") == [text]
    assert subsets_used(renamed("subset('old') and subset('other')", "old", text)) == list(
        dict.fromkeys([text, "other"])
    )


def test_saved_subsets_are_parts_of_others() -> None:
    saved = {
        "dogs": Named("label == 'dog'"),
        "few": Named("", [0, 3, 6]),
        "both": Named("subset('dogs') or subset('few')"),
    }
    both = select("subset('both')", TABLE, saved)
    assert both.tolist() == ((TABLE.labels == 1) | np.isin(TABLE.indices, [0, 3, 6])).tolist()
    assert (select("not subset('both')", TABLE, saved) == ~both).all()


def test_a_subset_that_refers_to_itself_is_refused() -> None:
    saved = {"a": Named("subset('b')"), "b": Named("not subset('a')")}
    with pytest.raises(ExpressionError, match="refers to itself"):
        select("subset('a')", TABLE, saved)


def test_no_rows_and_one_class_are_no_obstacle() -> None:
    empty = table(0)
    assert select("label == 'cat' and contains(text, 'x') or rank(size) > quantile(size, 0.5)", empty).shape == (0,)
    one = table(20, ("only",))
    assert select("label == 'only' or missing(label)", one).all()
    assert select("margin == 1 and confidence > 0", table(5, ("only",))).shape == (5,)


def test_ten_thousand_classes_are_compared_by_name() -> None:
    names = tuple(f"class {at}" for at in range(10_000))
    made = table(50, names)
    label = int(made.labels[1])
    assert select(f"label == 'class {label}'", made)[1]
    with pytest.raises(ExpressionError, match=r"has no value 'class 99999'") as caught:
        select("label == 'class 99999'", made)
    assert "class 9999" in caught.value.remedy


def test_a_million_rows_are_selected_at_once() -> None:
    n = 1_000_000
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, n)
    made = of_model(
        np.arange(n), labels, labels, np.zeros((n, 1), np.float32), rng.random(n).astype("f4"), list("abcdefghij")
    )
    text = "(label == 'c' or prediction in [4, 5]) and 0.2 < loss <= 0.7 and index % 3 == 0 and not wrong"
    loss = made.columns["loss"].values.astype(np.float64)
    slow = np.isin(labels, [2, 4, 5]) & (loss > 0.2) & (loss <= 0.7) & (np.arange(n) % 3 == 0)
    assert (select(text, made) == slow).all()
