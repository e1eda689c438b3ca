"""What an expression may not hold is refused with a sentence that says what, and where; nothing is ever executed."""

from __future__ import annotations

import builtins
from dataclasses import replace
from typing import Any

import pytest

from analysis.errors import CutawayError
from analysis.subsets import comparing, expression
from analysis.subsets.expression import ExpressionError, select
from analysis.subsets.subset import Named
from tests.subsets.tables import table

TABLE = table()
INJECTIONS = {
    "an attribute": "label.__class__ == 3",
    "a chain of attributes": "().__class__.__bases__[0].__subclasses__()",
    "an attribute of a string": "'x'.join(text)",
    "an attribute of a number": "(1).real == 1",
    "an attribute after a number": "1.real == 1",
    "a call of a builtin": "open('/etc/passwd')",
    "an import": "__import__('os').system('true')",
    "a call of eval": "eval('1')",
    "a call of a column": "label(3)",
    "a call of a call": "abs(size)(3)",
    "a call of a string": "'abs'(size)",
    "a call with a name": "contains(text, part='x')",
    "a call with a star": "abs(*[size])",
    "a subscript": "label[0] == 3",
    "a slice": "text[1:2] == 'a'",
    "a dunder name": "__builtins__",
    "a dunder of the module": "__name__ == '__main__'",
    "lambda": "(lambda: 1)() == 1",
    "a comprehension": "[x for x in label]",
    "a generator": "abs(x for x in size)",
    "a choice": "label == (3 if correct else 4)",
    "an f-string": "f'{label}' == 'x'",
    "an f-string in capitals": 'F"{open}" == text',
    "bytes": "b'x' == text",
    "a raw string": "r'x' == text",
    "a walrus": "(x := 3) == label",
    "a dictionary": "{'a': 1}",
    "a set": "label in {1, 2}",
    "a huge power": "9**9**9**9 > label",
    "a huge shift": "1 << 99999999 > label",
    "a floor division": "label // 2 == 1",
    "a matrix product": "size @ size",
    "an exclusive or": "correct ^ wrong",
    "a semicolon": "correct; wrong",
    "a comment": "correct # wrong",
    "a backslash": "correct \\\n and wrong",
    "a statement": "import os",
    "an assignment": "label = 3",
    "an augmented assignment": "label += 3",
    "await": "await label",
    "yield": "(yield label)",
    "an ellipsis": "... == label",
    "a complex number": "5j == size",
    "a hexadecimal number": "0xff > index",
    "a number that is too large": "1e999 > index",
    "a number of many digits": f"{'9' * 300} > index",
    "an annotation": "label: int",
    "a star": "*label",
    "a format character": "label\u200b == 3",
    "a line separator in a name": "la\u2028bel == 3",
    "letters that look alike": "ｏｐｅｎ('x')",
    "a function in other letters": "ａbs(size) > 3",
    "a column in other letters": "ｌabel == 3",
    "a null byte": "label\x00 == 3",
    "a pattern with a star inside": "matches(text, 'a*b')",
    "a nested list": "label in [[1]]",
    "columns in a list": "label in [prediction]",
    "a nameless subset": "subset(label)",
    "nothing": "   ",
    "two strings side by side": "text == 'a''b'",
    "a wide quote": "label == “cat”",
    "javascript": "label === 3",
    "sql": "label == 3; DROP TABLE x",
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("text", INJECTIONS.values(), ids=INJECTIONS)
def test_what_is_no_condition_is_refused_with_a_sentence(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_given: Any, **_named: Any) -> Any:
        raise AssertionError("something was executed")

    for name in ("eval", "exec", "open", "__import__"):
        monkeypatch.setattr(builtins, name, never)
    with pytest.raises(ExpressionError) as caught:
        select(text, TABLE)
    monkeypatch.undo()
    error = caught.value
    assert isinstance(error, CutawayError)
    assert error.message.endswith(".")
    assert error.remedy.endswith(".")
    assert len(error.message) < 300


@pytest.mark.parametrize(
    "text",
    [
        "(" * 400 + "correct" + ")" * 400,
        "not " * 900 + "correct",
        "~" * 900 + "correct",
        "-" * 900 + "1 < index",
        "+".join(["1"] * 1500) + " < index",
        "[" * 60 + "]" * 60,
        "abs(" * 45 + "size" + ")" * 45 + " < " * 60 + "1",
        " or ".join(["wrong"] * 400),
    ],
    ids=["parentheses", "not", "tilde", "minus", "sum", "lists", "calls", "many parts"],
)
def test_what_is_nested_too_deeply_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError, match=r"nested|too many parts|too deep|cannot be read"):
        select(text, TABLE)


def test_each_part_is_evaluated_once_however_deep_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = {"compared": 0, "parse": 0}

    def counted(module: Any, name: str) -> None:
        was = getattr(module, name)

        def call(*args: Any) -> Any:
            calls[name] += 1
            return was(*args)

        monkeypatch.setattr(module, name, call)

    counted(comparing, "compared")
    counted(expression, "parse")
    chain = "loss"
    for _ in range(12):
        chain = f"-1 < ({chain}) < 2"
    assert select(chain, table()).any()
    assert calls == {"compared": 24, "parse": 1}
    saved = {"part 0": Named("loss > 0.5")}
    for level in range(1, 6):
        saved[f"part {level}"] = Named(" or ".join([f"subset('part {level - 1}')"] * 4))
    assert select("subset('part 5')", table(), saved).sum() == select("loss > 0.5", table()).sum()
    assert calls["parse"] == 1 + 6 + 1 + 1


def test_a_long_text_is_refused_with_its_length() -> None:
    with pytest.raises(ExpressionError, match="has 5,024 characters") as caught:
        select("index in [" + "1," * 2500 + "1] and correct", TABLE)
    assert "4,000" in caught.value.remedy


@pytest.mark.parametrize(
    ("text", "name"),
    [("labell == 3", "label"), ("Label == 3", "label"), ("confidense > 0.5", "confidence"), ("grosse > 3", "größe")],
)
def test_an_unknown_column_names_the_nearest(text: str, name: str) -> None:
    with pytest.raises(ExpressionError, match=r"There is no column '.*' \(at character 1\)") as caught:
        select(text, TABLE)
    assert name in caught.value.remedy


def test_a_column_like_no_other_names_what_there_is() -> None:
    with pytest.raises(ExpressionError, match="no column 'zzz'") as caught:
        select("size > 3 and zzz", TABLE)
    assert "There are: index, label" in caught.value.remedy
    assert caught.value.place == 13


def test_unknown_classes_functions_and_subsets_name_the_nearest() -> None:
    for text, words in (
        ("label == 'dgo'", "dog"),
        ("label in ['cat', 'brid']", "bird"),
        ("label == 7", "numbered from 0 to 2"),
        ("contain(text, 'x')", "contains"),
    ):
        with pytest.raises(ExpressionError) as caught:
            select(text, TABLE)
        assert words in caught.value.remedy
    with pytest.raises(ExpressionError, match="no saved subset 'nigth'") as caught:
        select("subset('nigth')", TABLE, {"night": None})
    assert "night" in caught.value.remedy


@pytest.mark.parametrize(
    ("text", "words", "place"),
    [
        ("(label == 3", r"'\(' at character 1 is not closed", 0),
        ("correct and (size < (3 + 1)", r"'\(' at character 13 is not closed", 12),
        ("label == 3)", r"'\)' at character 11 closes nothing", 10),
        ("label in [1, 2)", r"'\)' at character 15 does not close the '\[' at character 10", 14),
        ("label in [1, 2", r"'\[' at character 10 is not closed", 9),
        ("text == 'abc", "quote at character 9 is not closed", 8),
        ("`starts at > 3", "backtick at character 1 is not closed", 0),
        ("label = 3", "single '=' at character 7", 6),
        ("größe = 3", "single '=' at character 7", 6),
        ("'ä' == text and size => 3", "single '=' at character 22", 21),
        ("label == 3 4", "character 12", 11),
        ("größe == 3 4", "character 12", 11),
        ("text == 'ä ö' 4", "character 15", 14),
        ("correct & & wrong", "character 11", 10),
        ("correct and", "ends too early.*after 'and'", 11),
        ("size <", "ends too early.*after '<'", 6),
        ("  labell == 3", "character 3", 2),
    ],
)
def test_the_place_of_a_mistake_is_named(text: str, words: str, place: int) -> None:
    with pytest.raises(ExpressionError, match=words) as caught:
        select(text, TABLE)
    assert caught.value.place == place


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("confidence", "confidence at character 1 is a number, not a condition"),
        ("label", "label at character 1 is a name out of several, not a condition"),
        ("text", "text at character 1 is a text, not a condition"),
        ("3", "is a number, not a condition"),
        ("correct and size", "size at character 13 is a number, not a condition"),
        ("not text", "text at character 5 is a text"),
        ("size > 'high'", "size is a number, 'high' is a text: they cannot be compared"),
        ("colour == 3", "colour is a name out of several, 3 is a number: they cannot be compared"),
        ("text == 3", "text is a text, 3 is a number"),
        ("correct == 'yes'", "correct is true or false, 'yes' is a text"),
        ("colour < 'red'", "have no order"),
        ("text + 1 == 3", "text at character 1 is a text, not a number"),
        ("-colour == 3", "not a number"),
        ("size == [1, 2]", "one is a list"),
        ("size in 3", "'in' needs a list"),
        ("size in ['a']", "holds other values than size"),
        ("text in [1]", "holds other values than text"),
        ("index in '9-3'", "is no list of ranges"),
        ("index in 'x'", "is no list of ranges"),
        ("size < None", "cannot be put in order"),
        ("size is 3", "'is' compares with None only"),
        ("contains(size, 'x')", "size is a number, not a column of texts"),
        ("contains(text, 3)", "3 is a number, not a string"),
        ("contains(text, '')", "the string is empty"),
        ("contains('a', 'a')", "'a' is a text, not a column of texts"),
        ("length(size) > 3", "not a column of texts"),
        ("rank(text) > 3", "text is a text, not a number"),
        ("quantile(size, 90) > 3", "90 is no number between 0 and 1"),
        ("quantile(size, size) > 3", "is no number between 0 and 1"),
        ("missing(3)", "is no column"),
        ("abs(size, 3) > 1", "takes 1 value"),
        ("contains(text) ", "takes 2 values"),
    ],
)
def test_values_that_do_not_fit_are_named(text: str, words: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        select(text, TABLE)
    assert words in caught.value.message


def test_columns_that_are_still_computed_are_not_called_unknown() -> None:
    waiting = replace(TABLE, waiting=True, columns={"label": TABLE.columns["label"]})
    with pytest.raises(ExpressionError, match="so far") as caught:
        select("brightness > 0.5", waiting)
    assert "still being computed" in caught.value.remedy
    failed = replace(TABLE, left_out=(("night", "it raises KeyError for instance 3"),))
    with pytest.raises(ExpressionError, match="could not be computed: it raises KeyError"):
        select("night", failed)


def test_a_name_with_braces_or_markup_is_shown_as_it_is() -> None:
    for name in ("{0}", "{at}", "<b>", "{1!r}", "{", "%s"):
        with pytest.raises(ExpressionError) as caught:
            select(f"label == '{name}'", TABLE)
        assert f"label has no value '{name}'" in caught.value.message
        with pytest.raises(ExpressionError) as caught:
            select(f"contains(size, '{name}') and text == 3", TABLE)
        assert "size is a number" in caught.value.message
        with pytest.raises(ExpressionError) as caught:
            select(f"size > '{name}'", TABLE)
        assert f"'{name}' is a text" in caught.value.message
