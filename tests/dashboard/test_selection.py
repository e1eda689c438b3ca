"""The selection and its form in the URL."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.readers import READERS
from dashboard.selection import GROUPS, Selection

ids = st.from_regex(r"[a-z0-9]{1,12}", fullmatch=True)
text = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=40)
selections = st.builds(
    Selection,
    view=st.sampled_from(["", "training", "runs"]),
    runs=st.lists(ids, max_size=2, unique=True).map(tuple),
    layer=st.none() | text,
    step=st.none() | st.integers(0, 10**12),
    base=st.sampled_from(["first", "previous", "400"]),
    filter=st.none() | st.integers(0, 5000),
    tag=st.lists(text, max_size=4).map(tuple),
    axis=st.sampled_from(["step", "epoch", "wall"]),
    scale=st.sampled_from(["linear", "log"]),
    smooth=st.sampled_from([0.0, 0.25, 0.6, 0.999]),
    range=st.none() | st.tuples(st.integers(-1000, 0), st.integers(1, 10**6)).map(lambda p: (float(p[0]), float(p[1]))),
    mode=st.sampled_from(["maximum", "frequency", "staleness"]),
    sort=st.sampled_from(["index", "value"]),
    limit=st.sampled_from([0.005, 0.1, 0.25, 1.0]),
    page=st.integers(1, 99),
    instances=st.lists(st.integers(0, 10**6), max_size=3).map(tuple),
    n=st.integers(10, 10**6),
    include=st.sets(st.integers(0, 300), max_size=40).map(lambda found: tuple(sorted(found))),
    filters=st.sets(st.integers(0, 4096), max_size=40).map(lambda found: tuple(sorted(found))),
    lmode=st.sampled_from(["value", "class", "step"]),
    lsort=st.sampled_from(["index", "value", "class", "similarity", "health"]),
    by=st.none() | st.integers(0, 999),
    color=st.sampled_from(["label", "prediction", "correct", "filter", "filters", "max"]),
    embed=st.sampled_from(["pca", "umap"]),
    undetected=st.sampled_from([0.0, 0.05, 0.1, 0.5]),
    lasso=st.lists(st.integers(-999, 999).map(lambda n: n / 8), min_size=6, max_size=128).map(
        lambda ends: tuple(ends[: len(ends) // 2 * 2])
    ),
    drill=st.just(()) | st.just((0.0, 0.5, 1e-05, 1.0, -3.25, 7.0)),
    mapscale=st.sampled_from(["common", "filter"]),
    overlay=st.sampled_from(["off", "on"]),
)


@given(selections)
def test_a_link_rebuilds_the_same_selection(selection: Selection) -> None:
    again = Selection.parse(selection.query())
    assert again == selection
    assert again.problems == ()


def test_filters_in_a_row_are_written_short() -> None:
    assert Selection(filters=(1, 2, 5, 6, 7, 9)).query() == "?filters=1%2C2%2C5-7%2C9"
    assert len(Selection(filters=tuple(range(4096))).query()) < 30


@given(st.text(max_size=300))
def test_any_query_is_read_without_an_exception(query: str) -> None:
    assert isinstance(Selection.parse(query), Selection)


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("?runs=../../etc", "runs"),
        ("?runs=a,b,c", "runs"),
        ("?step=-4", "step"),
        ("?step=1e9", "step"),
        ("?smooth=nan", "smooth"),
        ("?smooth=1.5", "smooth"),
        ("?limit=0", "limit"),
        ("?range=5~5", "range"),
        ("?range=inf~nan", "range"),
        ("?axis=__proto__", "axis"),
        ("?view=<script>", "view"),
        ("?n=0", "n"),
        ("?n=1e3", "n"),
        ("?include=-3", "include"),
        ("?filters=0-99999999999", "filters"),
        ("?filters=5-2", "filters"),
        ("?filters=1,,2", "filters"),
        ("?filters=" + "1," * 4000 + "1", "filters"),
        ("?lasso=0,0,1,1", "lasso"),
        ("?lasso=0,0,1,1,nan,0", "lasso"),
        ("?drill=" + ",".join("1" * 130), "drill"),
        ("?undetected=0.6", "undetected"),
        ("?color=__proto__", "color"),
        ("?by=-1", "by"),
    ],
)
def test_what_cannot_be_read_is_named_and_left_at_its_default(query: str, problem: str) -> None:
    selection = Selection.parse(query)
    assert selection == Selection()
    assert selection.problems[0].startswith(problem)


def test_every_field_has_a_reader() -> None:
    assert {item.name for item in fields(Selection)} - {"problems"} == set(READERS)


def test_every_grouped_parameter_is_a_field() -> None:
    names = {item.name for item in fields(Selection)}
    assert {key for keys in GROUPS.values() for key in keys} <= names


def test_the_page_knows_the_same_defaults() -> None:
    """assets/cutaway.js leaves out what is at its default; its table must say what Selection says."""
    script = (Path(__file__).parents[2] / "assets" / "cutaway.js").read_text()
    table = re.search(r"const DEFAULTS = \{(.*?)\};", script, re.S)
    assert table
    found = dict(re.findall(r'(\w+): (?:"([^"]*)"|null)', table.group(1)))
    assert found
    for name, shown in found.items():
        default = getattr(Selection(), name)
        assert shown == ("" if default is None else f"{default:g}" if isinstance(default, float) else str(default)), (
            name
        )
