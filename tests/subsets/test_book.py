"""Named subsets survive torn lines and restarts; names are content, never paths."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.errors import NotFound, ParameterError
from analysis.subsets.book import FILE, MOST_INDICES, NAME, NOTE, Book
from analysis.subsets.expression import ExpressionError

SUBJECT = {"name": "digits", "data": "d" * 40, "weights": "w"}


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(tmp_path / "subsets", SUBJECT)


def test_what_is_saved_is_there_after_a_restart(book: Book, tmp_path: Path) -> None:
    book.save("night", "brightness < 0.2", note="too dark")
    book.save("lasso", indices=[9, 3, 4, 4, 5])
    book.save("hard", "class:3")
    again = Book(tmp_path / "subsets", {**SUBJECT, "weights": "others"}).all()
    assert list(again) == ["night", "lasso", "hard"]
    assert again["night"].text == "brightness < 0.2"
    assert again["night"].note == "too dark"
    assert again["night"].indices is None
    assert again["night"].subset == "saved:night"
    assert again["lasso"].indices is not None
    assert again["lasso"].indices.tolist() == [3, 4, 5, 9]
    assert again["hard"].text == "label == 3", "a shortcut is kept as an expression"
    assert Book(tmp_path / "subsets", {**SUBJECT, "data": "other"}).all() == {}


def test_a_torn_line_costs_itself_only(book: Book) -> None:
    book.save("one", "correct")
    with book.lines.file.open("ab") as file:
        file.write(b'{"saved": {"name": "torn", "te')
    book.save("two", "wrong")
    with book.lines.file.open("ab") as file:
        file.write("{}\n[1]\nnull\n\xff\n".encode("latin-1"))
    assert list(book.all()) == ["one", "two"]
    assert book.damaged() == [2, 4, 5, 6, 7]
    book.delete("one")
    assert list(book.all()) == ["two"]


HOSTILE: list[Any] = [
    {"saved": 3},
    {"saved": {"name": 3, "text": "x", "spans": None, "note": "", "created": 1}},
    {"saved": {"name": "x", "text": 3, "spans": None, "note": "", "created": 1}},
    {"saved": {"name": "x", "text": "", "spans": None, "note": "", "created": 1}},
    {"saved": {"name": "x", "text": "", "spans": [3], "note": "", "created": 1}},
    {"saved": {"name": "x", "text": "", "spans": [5, 3], "note": "", "created": 1}},
    {"saved": {"name": "x", "text": "", "spans": [0, 10**15], "note": "", "created": 1}},
    {"saved": {"name": "x", "text": "", "spans": "abc", "note": "", "created": 1}},
    {"saved": {"name": "x", "text": "a" * 9999, "spans": None, "note": "", "created": 1}},
    {"saved": {"name": "x", "text": "correct", "spans": None, "note": "", "created": True}},
    {"saved": {"name": "x", "text": "correct", "spans": None, "note": "", "created": float("inf")}},
    {"saved": {"name": "x" * 500, "text": "correct", "spans": None, "note": "", "created": 1}},
    {"renamed": ["none", "other"]},
    {"renamed": 3},
    {"deleted": ["x"]},
    {"deleted": {"x": 1}},
]


@pytest.mark.parametrize("line", HOSTILE, ids=range(len(HOSTILE)))
def test_a_line_that_nobody_can_have_said_is_left_out(book: Book, line: Any) -> None:
    book.save("mine", "correct")
    with book.lines.file.open("a") as file:
        file.write(json.dumps(line) + "\n")
    found = book.all()
    assert list(found) == ["mine"]
    assert book.damaged() == [2]


@settings(deadline=None, max_examples=60)
@given(name=st.text(min_size=1, max_size=NAME))
def test_names_are_content(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    home = tmp_path_factory.mktemp("book")
    book = Book(home, SUBJECT)
    try:
        saved = book.save(name, "correct")
    except ParameterError:
        assert not book.all()
        return
    assert list(book.all()) == [saved.name]
    assert sorted(path.name for path in book.home.iterdir()) == [FILE, "subsets.lock"]
    assert [path.name for path in home.iterdir()] == [book.home.name]


@pytest.mark.parametrize("name", ["../../evil", "/etc/passwd", "a\x00b", "<script>", "  ", "", "\n", "x" * 81, "con"])
def test_hostile_names_are_content_or_refused(book: Book, name: str) -> None:
    if not " ".join(name.split()).isprintable() or not name.strip() or len(name) > NAME:
        with pytest.raises(ParameterError, match="printable"):
            book.save(name, "correct")
        return
    assert book.save(name, "correct").name == name
    assert book.all()[name].text == "correct"
    assert sorted(path.name for path in book.home.iterdir()) == [FILE, "subsets.lock"]


def test_a_taken_name_is_refused_unless_it_is_replaced(book: Book) -> None:
    book.save("a", "correct")
    with pytest.raises(ParameterError, match="a subset 'a' already"):
        book.save("a", "wrong")
    book.save("a", "wrong", replace=True)
    assert book.all()["a"].text == "wrong"


def test_what_cannot_be_a_subset_is_refused(book: Book) -> None:
    for how in ({}, {"text": "correct", "indices": [1]}):
        with pytest.raises(ParameterError, match="an expression or a list"):
            book.save("a", **how)  # type: ignore[arg-type]
    with pytest.raises(ExpressionError, match="not closed"):
        book.save("a", "(correct")
    with pytest.raises(ParameterError, match="note has"):
        book.save("a", "correct", note="x" * (NOTE + 1))
    with pytest.raises(ParameterError, match="cannot be kept"):
        book.save("a", indices=[-1])
    with pytest.raises(ParameterError, match="cannot be kept"):
        book.save("a", indices=np.arange(MOST_INDICES + 1))
    assert book.all() == {}


def test_an_empty_selection_can_be_kept(book: Book) -> None:
    book.save("nothing", indices=[])
    found = book.all()["nothing"].indices
    assert found is not None
    assert found.tolist() == []


def test_renaming_follows_into_other_subsets(book: Book) -> None:
    book.save("it's old", "correct")
    book.save("user", "subset('it\\'s old') and size > 3 or contains(text, 'old')")
    assert book.rename("it's old", 'a "new" one').name == 'a "new" one'
    found = book.all()
    assert set(found) == {"user", 'a "new" one'}
    assert found["user"].text == "subset('a \"new\" one') and size > 3 or contains(text, 'old')"
    assert book.damaged() == []
    with pytest.raises(NotFound, match="no saved subset 'it's old'"):
        book.rename("it's old", "x")
    with pytest.raises(ParameterError, match="already"):
        book.rename("user", 'a "new" one')


def test_what_another_subset_needs_is_not_deleted(book: Book) -> None:
    book.save("part", "correct")
    book.save("whole", "not subset('part')")
    with pytest.raises(ParameterError, match="is a part of 'whole'"):
        book.delete("part")
    book.delete("whole")
    book.delete("part")
    assert book.all() == {}
    with pytest.raises(NotFound):
        book.delete("part")


def test_circles_and_missing_parts_are_refused(book: Book) -> None:
    with pytest.raises(ExpressionError, match="no saved subset 'b'"):
        book.save("a", "subset('b')")
    book.save("b", "correct")
    book.save("a", "subset('b')")
    with pytest.raises(ExpressionError, match="refer to itself"):
        book.save("b", "subset('a') and wrong", replace=True)


def test_threads_write_one_after_the_other(book: Book) -> None:
    def write(number: int) -> None:
        Book(book.home.parent, SUBJECT).save(f"name {number}", f"index > {number}")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(book.all()) == {f"name {number}" for number in range(12)}
    assert book.damaged() == []


def test_a_file_that_cannot_be_read_is_said(book: Book) -> None:
    book.lines.file.mkdir(parents=True)
    with pytest.raises(ParameterError, match="The subsets cannot be read"):
        book.all()


@settings(deadline=None)
@given(st.sets(st.integers(0, 300), max_size=60))
def test_instances_come_back_as_they_were(tmp_path_factory: pytest.TempPathFactory, indices: set[int]) -> None:
    book = Book(tmp_path_factory.mktemp("book"), SUBJECT)
    book.save("x", indices=list(indices))
    found = book.all()["x"].indices
    assert found is not None
    assert found.tolist() == sorted(indices)


def test_a_name_that_makes_another_subset_too_long_is_refused(book: Book) -> None:
    book.save("a", "correct")
    text = " or ".join(["subset('a')"] * 60)
    book.save("user", text)
    with pytest.raises(ParameterError, match="too long"):
        book.rename("a", "b" * NAME)
    assert book.all()["user"].text == text
