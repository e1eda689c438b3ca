"""Answers that are not finished: the newest draft, whole or not at all, and gone when it is dropped."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
import pytest

from analysis.results import Answers, Partials, key_of

KEY = key_of(question="slow")


@pytest.fixture
def partials(tmp_path: Path) -> Partials:
    return Partials(tmp_path / "answers")


def left(partials: Partials) -> list[str]:
    return sorted(path.name for path in partials.directory.iterdir()) if partials.directory.exists() else []


def test_the_newest_draft_is_what_is_read(partials: Partials) -> None:
    assert partials.get(KEY) is None
    for number in range(3):
        partials.put(KEY, {"samples": number}, {"values": np.full(4, number, np.float32)})
        found = partials.get(KEY)
        assert found is not None
        assert found.json == {"samples": number}
        assert (found.array("values") == number).all()
    assert len(left(partials)) == 2  # the draft and its name: older ones are gone


def test_a_draft_is_no_answer(partials: Partials) -> None:
    partials.put(KEY, {"samples": 1})
    assert Answers(partials.directory).get(KEY) is None


def test_dropping_leaves_nothing_and_answers_stay(partials: Partials) -> None:
    Answers(partials.directory).put(KEY, {"done": True})
    partials.put(KEY, {"samples": 1})
    partials.drop(KEY)
    partials.drop(KEY)
    assert partials.get(KEY) is None
    assert left(partials) == [KEY]


def test_drafts_of_two_questions_do_not_meet(partials: Partials) -> None:
    other = key_of(question="other")
    partials.put(KEY, {"of": "one"})
    partials.put(other, {"of": "other"})
    partials.drop(KEY)
    found = partials.get(other)
    assert found is not None
    assert found.json == {"of": "other"}


@pytest.mark.parametrize("text", ["", "{", '"../../etc"', "3", '"' + "f" * 40 + '"'])
def test_a_damaged_name_is_no_draft(partials: Partials, text: str) -> None:
    partials.put(KEY, {"samples": 1})
    [pointer] = partials.directory.glob("*.partial")
    pointer.write_text(text)
    assert partials.get(KEY) is None
    partials.put(KEY, {"samples": 2})
    found = partials.get(KEY)
    assert found is not None
    assert found.json == {"samples": 2}


@pytest.mark.parametrize("key", ["", "..", "../" + "a" * 40, "A" * 40])
def test_what_is_no_key_names_no_draft(partials: Partials, key: str) -> None:
    assert partials.get(key) is None


def test_a_disk_that_takes_nothing_costs_the_draft_only(tmp_path: Path) -> None:
    (tmp_path / "answers").write_text("a file where the directory should be")
    partials = Partials(tmp_path / "answers")
    partials.put(KEY, {"samples": 1})
    assert partials.get(KEY) is None
    partials.drop(KEY)


def test_who_reads_while_it_is_written_gets_a_whole_draft_or_none(partials: Partials) -> None:
    written = threading.Event()

    def write() -> None:
        for number in range(60):
            partials.put(KEY, {"samples": number}, {"values": np.full(2000, number, np.float32)})
        written.set()

    thread = threading.Thread(target=write)
    thread.start()
    seen = []
    while not written.is_set():
        found = partials.get(KEY)
        if found is None:
            continue
        try:
            values = found.array("values")
        except FileNotFoundError:  # replaced meanwhile: the page reads the next one
            continue
        assert (values == found.json["samples"]).all()
        seen.append(found.json["samples"])
    thread.join()
    assert seen == sorted(seen)
    assert json.loads(next(partials.directory.glob("*.partial")).read_text())
