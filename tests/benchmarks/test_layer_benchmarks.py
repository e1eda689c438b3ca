"""The benchmarks of the Layers view run in a small size, and read what the page sends."""

from __future__ import annotations

import pytest

from benchmarks import halving, pages


def test_halving_compares_with_the_full_network() -> None:
    rows = halving.measure(seeds=2, epochs=1, per_class=20)
    assert [row["name"] for row in rows] == [*halving.TRAINED, halving.LEAST, halving.RANDOM]
    assert (rows[0]["change"], rows[0]["low"], rows[0]["high"]) == (0, 0, 0)
    assert all(row["low"] <= row["change"] <= row["high"] and row["n"] == 40 for row in rows)


def test_zeroed_filters_are_silent_and_the_others_as_before() -> None:
    model = halving.digits.lenet(**halving.FULL)
    images = halving.digits.load_digits()[0][:20]
    cut = halving.without(model, halving.torch.tensor([1, 4]))
    before, after = halving.activity(model, images), halving.activity(cut, images)
    assert after[[1, 4]].tolist() == [0, 0]
    assert after[[0, 2, 3]].equal(before[[0, 2, 3]])
    assert before[[1, 4]].sum() > 0


def test_what_an_answer_makes_the_browser_fetch() -> None:
    answer = {"children": [{"props": {"src": "/picture/instance?x=1&i=3"}}, "/export/x.csv", "/cut/picture/maps?k=a"]}
    assert pages.pictures_in(answer) == {"/picture/instance?x=1&i=3", "/cut/picture/maps?k=a"}


@pytest.mark.parametrize(
    ("own", "expected"), [({"kind": "a", "row": 3}, True), ({"kind": "b", "row": 3}, False), ({"kind": "a"}, False)]
)
def test_ids_that_a_pattern_means(own: dict[str, object], expected: bool) -> None:
    assert pages.fits(own, {"kind": "a", "row": ["ALL"]}) is expected


def test_goals_are_judged_by_time_and_size() -> None:
    quick = pages.row("one", [0.1] * 20, 1.0, [3], 100_000)
    slow = pages.row("two", [0.1] * 15 + [0.5] * 5, 1.0, [3], 100_000)
    large = pages.row("three", [0.1] * 20, 1.0, [3], 400_000)
    table = pages.table([quick, slow, large]).splitlines()[2:]
    assert [line.endswith("| met |") for line in table] == [True, False, False]
