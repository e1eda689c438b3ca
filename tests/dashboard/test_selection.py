"""The selection and its form in the URL."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.selection import _READERS, GROUPS, Selection

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
)


@given(selections)
def test_a_link_rebuilds_the_same_selection(selection: Selection) -> None:
    again = Selection.parse(selection.query())
    assert again == selection
    assert again.problems == ()


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
    ],
)
def test_what_cannot_be_read_is_named_and_left_at_its_default(query: str, problem: str) -> None:
    selection = Selection.parse(query)
    assert selection == Selection()
    assert selection.problems[0].startswith(problem)


def test_every_field_has_a_reader() -> None:
    assert {item.name for item in fields(Selection)} - {"problems"} == set(_READERS)


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
