"""Clauses, words and rules: what expressions read is what was counted, and the search finds what all rules hold."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.subsets.expression import select
from analysis.subsets.subset import of_indices
from analysis.subsets.table import Column
from analysis.suggestions import clusters, listing, neurons, redundancy, rules
from analysis.suggestions.candidates import Candidate, distinct, of_items, overlap, z_of
from analysis.suggestions.evidence import evidence
from analysis.suggestions.items import Item, Items, best_cuts, cuts, items_of, said, short
from analysis.suggestions.redundancy import Weighed, beyond, sharper, told
from analysis.suggestions.words import items_of_texts, terms

from . import planted


@settings(max_examples=100, deadline=None)
@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_a_short_number_parts_its_neighbours(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert low <= short(low, high) <= high
    assert short(low, high) < high or low == high


def test_short_numbers_are_short() -> None:
    assert short(0.61234, 0.64) == 0.63
    assert short(3.0, 4.0) == 3.5
    assert short(2.0, 2.0) == 2.0


def test_cuts_lie_between_values_and_leave_out_what_is_missing() -> None:
    values = np.array([1.0, 2, 3, np.nan, 4, 5, 6, 7, 8, 9, 10])
    found = cuts(values)
    assert found
    assert all(1 <= cut < 10 for cut in found)
    assert cuts(np.full(5, 3.0)) == []
    assert cuts(np.full(5, np.nan)) == []


def test_best_cuts_are_those_of_all() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=120).round(1)
    values[:10] = np.nan
    target = (values > 0.8) | (rng.random(120) < 0.1)
    rows = np.arange(120)
    found = best_cuts(values, target)
    every = np.unique(values[np.isfinite(values)])[:-1]
    for cut, sign in zip(found, (-1, 1), strict=True):
        inside = [(values * sign > one * sign) if sign > 0 else (values <= one) for one in every]
        allowed = [mask for mask in inside if 5 <= mask.sum() <= 115]
        own = values > cut if sign > 0 else values <= cut
        assert z_of(own, target, rows) == pytest.approx(max(z_of(mask, target, rows) for mask in allowed))


def everything(seed: int = 0) -> tuple[planted.Stage, Items]:
    stage = planted.noise(300, seed)
    rng = np.random.default_rng(seed)
    gaps = rng.normal(size=300)
    gaps[:20] = np.nan
    odd = [
        Column("a b'c", "Odd name", "number", gaps, unit="Hz", source="feature"),
        Column("count", "Count", "number", rng.integers(0, 4, 300), source="metadata"),
        Column("maybe", "Maybe", "truth", rng.choice([0, 1, 255], 300).astype(np.uint8), source="function"),
    ]
    stage.columns += odd
    rows = np.arange(0, 300, 2)
    columns = [column for name, column in stage.table.columns.items() if name != "correct"]
    items = items_of(columns, rows, target=stage.wrong)
    return stage, items.plus(items_of_texts([stage.table.columns["text"]], stage.wrong, rows, 20))


def test_expressions_of_clauses_and_of_their_opposites_hold_where_their_masks_say() -> None:
    stage, items = everything()
    table = stage.table
    assert {item.column for item in items.items} >= {"a b'c", "count", "maybe", "camera", "room no", "label", "text"}
    for place, item in enumerate(items.items):
        assert np.array_equal(select(item.text, table), items.masks[:, place]), item.text
        assert np.array_equal(select(item.opposite().text, table), ~items.masks[:, place]), item.text


def test_numbers_of_single_precision_and_very_large_ones_are_written_exactly() -> None:
    rng = np.random.default_rng(5)
    pieces = rng.choice(np.array([0.1, 0.2, 0.7], np.float32), 300)
    nanoseconds = 1.7e18 + 256 * rng.integers(0, 200, 300).astype(np.float64)
    dates = rng.choice([20240114.0, 20240115.0, 20240116.0], 300)
    given = {"pieces": pieces, "nanoseconds": nanoseconds, "dates": dates}
    columns = [Column(name, name, "number", values, source="metadata") for name, values in given.items()]
    stage = planted.Stage(300, 0, np.zeros(300, bool), columns)
    found = items_of(columns, np.arange(300))
    assert {item.column for item in found.items} == set(given)
    for item, mask in zip(found.items, found.masks.T, strict=True):
        np.testing.assert_array_equal(select(item.text, stage.table), mask, err_msg=item.text)
    assert "dates is 20240115" in {item.words for item in found.items}


def test_a_rule_is_read_as_it_was_counted() -> None:
    stage, items = everything(1)
    rows = np.arange(0, 300, 2)
    table = stage.table
    found = rules.search(items, stage.wrong, rows, 20) + rules.leaves(items, stage.wrong, rows, 0, 10)
    assert found
    for one in found:
        assert np.array_equal(select(one.text, table), one.mask), one.text
        assert one.z == pytest.approx(z_of(one.mask, stage.wrong, rows), abs=1e-4)


def test_clauses_about_one_column_are_said_together() -> None:
    above, below = (Item("a > 3", "age is above 3", "", "a"), Item("a <= 5", "age is at most 5", "", "a"))
    other, word = Item("r", "room is attic", "", "room"), Item("w", "the text contains “x”", "", "text")
    assert (
        said([above, other, below, word]) == "age is above 3 and at most 5 and room is attic and the text contains “x”"
    )
    assert said([word, word]) == "the text contains “x” and the text contains “x”"
    assert said([]) == ""


def test_a_class_is_never_put_beside_the_prediction() -> None:
    stage, items = everything(2)
    for one in rules.search(items, stage.wrong, np.arange(300), 40) + rules.leaves(
        items, stage.wrong, np.arange(300), 0, 20
    ):
        assert not {"label", "prediction"} <= set(one.columns)


def test_the_best_single_clause_and_a_planted_pair_are_found() -> None:
    rng = np.random.default_rng(0)
    masks = rng.random((600, 25)) < 0.4
    pair = masks[:, 3] & masks[:, 11]
    wrong = pair | (rng.random(600) < 0.1)
    items = Items(tuple(Item(f"c{at}", f"c{at}", f"no c{at}", f"c{at}") for at in range(25)), masks)
    rows = np.arange(600)
    found = rules.search(items, wrong, rows, 10)
    every = [
        of_items([items.items[a], items.items[b]], masks[:, a] & masks[:, b], 0)
        for a, b in itertools.combinations(range(25), 2)
    ]
    best = max(every, key=lambda one: z_of(one.mask, wrong, rows))
    assert found[0].text == best.text == "c3 and c11"
    assert any(one.text == "c3 and c11" for one in rules.leaves(items, wrong, rows, 0, 10))


def test_words_and_phrases_of_a_text_are_taken_as_they_stand() -> None:
    assert list(terms("not bad, at")) == ["not", "not bad", "not bad, at", "bad", "bad, at", "at"]
    assert list(terms("")) == []
    assert max(len(term) for term in terms("x" * 200 + " y")) < 61


def test_the_phrase_is_said_rather_than_its_words() -> None:
    stage = planted.phrase(800, 0)
    column = stage.table.columns["text"]
    found = items_of_texts([column], stage.wrong, np.arange(800), 10)
    assert found.items[0].text == "word(text, 'blue lagoon')"
    assert found.items[0].words == "the text contains “blue lagoon”"


def test_texts_with_quotes_and_backslashes_are_written_so_that_they_are_read() -> None:
    column = planted.text_column([["it's", "a\\b", "end"]] * 10 + [["plain", "end"]] * 10)
    stage = planted.Stage(20, 0, np.arange(20) < 10, [column])
    found = items_of_texts([column], stage.wrong, np.arange(20), 10)
    assert len(found)
    for place, item in enumerate(found.items):
        assert np.array_equal(select(item.text, stage.table), found.masks[:, place])


def test_clusters_and_units_are_lists_of_instances_that_can_be_read() -> None:
    rng = np.random.default_rng(0)
    own = np.arange(600) % 12 == 0
    values = np.maximum(rng.normal(size=(600, 16)), 0).astype(np.float32)
    values[own] += np.eye(16, dtype=np.float32)[5] * 9 + np.eye(16, dtype=np.float32)[6] * 7
    wrong = (own & (rng.random(600) < 0.8)) | (rng.random(600) < 0.08)
    stage = planted.Stage(600, 0, wrong, [], {"fc": values})
    rows = np.arange(0, 600, 2)
    lying = clusters.clusters(values, "fc", wrong, rows, stage.indices, 0, 5)
    firing = neurons.firing(values, "fc", wrong, rows, stage.indices, 5)
    assert overlap(lying[0].mask, own) > 0.9
    assert firing[0].more["neuron"] in (5, 6)
    assert overlap(firing[0].mask, own) > 0.75
    for one in (*lying, *firing):
        assert np.array_equal(select(one.text, stage.table), one.mask)


def test_the_units_that_tell_a_subset_are_named_and_none_of_noise() -> None:
    rng = np.random.default_rng(0)
    own, rows = np.arange(400) % 8 < 2, np.arange(0, 400, 2)
    values = rng.normal(size=(400, 20)).astype(np.float32)
    assert neurons.telling({"fc": values}, own, rows) == []
    values[own, 4] += 3
    [first, *_] = neurons.telling({"noise": rng.normal(size=(400, 5)).astype(np.float32), "fc": values}, own, rows)
    assert (first["layer"], first["neuron"]) == ("fc", 4)
    tests = np.setdiff1d(np.arange(400), rows)
    slow = np.mean([a > b for a in values[tests][own[tests], 4] for b in values[tests][~own[tests], 4]])
    assert first["auc"] == pytest.approx(slow)


def test_long_lists_are_cut_to_what_an_expression_has_room_for() -> None:
    few, many = np.arange(0, 300, 3), np.arange(0, 30_000, 3)[::-1]
    assert listing.fitting(few) == len(few)
    most = listing.fitting(many)
    assert 250 < most < len(many)
    assert listing.fits(listing.listed(many[:most]))
    assert not listing.fits(of_indices(many[: most + 1], 10**6) or "")
    assert listing.fitting(np.arange(100_000)) == 100_000  # one range


def test_what_a_cluster_has_in_common_is_said() -> None:
    stage, items = everything()
    [first, *_] = listing.profile(items, stage.table.labels == 2)
    assert first["words"] == "label is bird"
    assert first["share"] == 1.0
    assert listing.profile_words([first]).startswith("100 %: label is bird (of all ")
    assert listing.profile(items, np.zeros(300, bool)) == []


def made(mask: np.ndarray, wrong: np.ndarray, kind: str = "rule", text: str = "x") -> Weighed:
    return Weighed(Candidate(text, text, mask, 1.0, kind), evidence(mask, wrong), 0.0)


def test_what_adds_nothing_is_not_told() -> None:
    at = np.arange(1000)
    wrong = (at < 60) | (at % 20 == 0)
    sharp, blunt, other = at < 60, at < 120, (at >= 500) & (at < 540)
    wrong |= other
    found = told(
        [made(blunt, wrong, text="blunt"), made(sharp, wrong, text="sharp"), made(other, wrong, text="o")], wrong
    )
    assert [one.candidate.text for one in found] == ["sharp", "o"]
    assert sharper(sharp, blunt, wrong)
    assert not beyond(sharp, blunt, wrong)
    assert not beyond(blunt, sharp, wrong)
    assert not sharper(blunt, sharp, wrong)


def test_a_rule_takes_the_place_of_a_list_of_the_same_instances() -> None:
    at = np.arange(1000)
    wrong = (at < 60) | (at % 20 == 0)
    listed, rule = at < 60, at < 56
    found = told([made(listed, wrong, "cluster", "list"), made(rule, wrong, "rule", "rule")], wrong)
    assert [one.candidate.text for one in found] == ["rule"]
    assert overlap(listed, rule) >= redundancy.SAME


def test_of_nearly_the_same_rules_the_shorter_is_kept() -> None:
    mask = np.arange(100) < 50
    long = Candidate("a and b", "", mask, 5.0, "rule", length=2)
    brief = Candidate("a", "", np.arange(100) < 52, 4.8, "rule", length=1)
    assert [one.text for one in distinct([long, brief], 5)] == ["a"]
