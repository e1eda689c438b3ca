"""What is there of an extraction is looked up once it is complete, and never told wrongly while it grows."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.extraction import shards, survey
from analysis.extraction.reader import Extraction
from analysis.extraction.survey import Places
from tests.extraction.fabricate import fabricate, layer


def age(directory: Path, seconds: float = 60) -> None:
    """As if nothing had changed there for so long."""
    then = time.time() - seconds
    os.utime(directory, (then, then))


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The shards that were looked into."""
    found: list[Path] = []
    facts = survey.shard_facts

    def noted(path: Path) -> object:
        found.append(path)
        return facts(path)

    monkeypatch.setattr(survey, "shard_facts", noted)
    return found


def test_a_complete_extraction_is_looked_at_once(tmp_path: Path, looks: list[Path]) -> None:
    truth = fabricate(tmp_path, n=200)
    age(tmp_path)
    with ThreadPoolExecutor(4) as threads:
        every = list(threads.map(lambda _: Extraction(tmp_path), range(40)))
    first = len(looks)
    assert first <= 4 * 4  # of four shards, by threads that came at the same time
    again = Extraction(tmp_path)
    assert len(looks) == first
    for found in (*every, again):
        assert (found.done, found.complete) == (200, True)
        assert found.row_of(truth["indices"][7]) == 7


def test_one_that_grows_or_just_changed_is_looked_at_each_time(tmp_path: Path, looks: list[Path]) -> None:
    fabricate(tmp_path, n=200, only=[0])
    age(tmp_path)
    for _ in range(2):
        assert Extraction(tmp_path).done == 64
    assert len(looks) == 2
    fabricate(tmp_path, n=200)  # complete, but a change may bear the same time
    for _ in range(2):
        assert Extraction(tmp_path).complete
    assert len(looks) == 2 + 2 * 4


def test_what_changes_after_it_was_complete_is_seen(tmp_path: Path) -> None:
    fabricate(tmp_path, n=200, failed=[1])
    age(tmp_path)
    assert (Extraction(tmp_path).complete, Extraction(tmp_path).done) == (True, 136)
    shards.forget_failures(tmp_path)  # 'try again'
    assert (Extraction(tmp_path).complete, Extraction(tmp_path).done) == (False, 136)
    fabricate(tmp_path, n=130)  # another one in its place
    age(tmp_path, 30)
    assert Extraction(tmp_path).done == 130


def test_only_a_few_are_remembered(tmp_path: Path) -> None:
    for number in range(survey.MOST + 3):
        fabricate(tmp_path / str(number), n=3, layers=[layer("fc", "linear", 12)])
        age(tmp_path / str(number))
        assert Extraction(tmp_path / str(number)).done == 3
    assert len(survey._known) <= survey.MOST


def test_a_damaged_shard_is_looked_for_again(tmp_path: Path) -> None:
    fabricate(tmp_path, n=200)
    age(tmp_path)
    found = Extraction(tmp_path)
    path = tmp_path / shards.shard_file(2)
    path.write_bytes(path.read_bytes()[:100])  # in place, which the directory does not tell
    with pytest.raises(Exception, match=r"[Ss]hort|[Ii]nvalid|[Dd]eserializing|[Ii]ncomplete"):
        _ = found.loss
    assert (Extraction(tmp_path).complete, Extraction(tmp_path).done) == (False, 136)


@given(st.lists(st.integers(-5, 40), unique=True), st.lists(st.integers(-9, 50)), st.booleans())
def test_places_are_those_of_a_table(values: list[int], wanted: list[int], ascending: bool) -> None:
    held = sorted(values) if ascending else values
    table = {value: place for place, value in enumerate(held)}
    assert Places(np.array(held, np.int64)).of(wanted).tolist() == [table.get(one, -1) for one in wanted]


def test_instances_are_shown_together_as_one_by_one(tmp_path: Path) -> None:
    fabricate(tmp_path, n=200, kind="table", shape=(8,), skipped=[3], failed=[2], layers=[layer("fc", "linear", 12)])
    (tmp_path / shards.display_file(1)).unlink()
    found = Extraction(tmp_path)
    together = list(found.displays())
    assert len(together) == found.done == 135
    assert [one is None for one in together] == [63 <= row < 127 for row in range(135)]
    for row in (0, 3, 62, 127, 134):
        assert np.array_equal(together[row], found.display(int(found.indices[row])))
