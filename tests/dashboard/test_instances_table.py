"""The instance table: what the server makes of filters and sorting, against slow, obvious ways; and its requests."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import dash
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.errors import ParameterError
from analysis.subsets.expression import select
from analysis.subsets.table import Column, Table
from dashboard.views.instances import data, table_columns, table_data, table_expression, table_panel, table_rows

from .instances_stage import Sampled

SEARCH = "?view=instances"
NUMBER = {"a": 3.0, "b": -1.0, "c": math.nan, "d": 3.0, "e": 0.5, "f": 12.0}
TABLE = {
    "x": Column("x", "X", "number", np.array(list(NUMBER.values()))),
    "kind": Column("kind", "Kind", "category", np.array([2, 0, -1, 1, 0, 2]), ("10", "9", "b's")),
    "ok": Column("ok", "OK", "truth", np.array([1, 0, 255, 1, 0, 0], np.uint8)),
    "a text": Column("a text", "Text", "text", np.array(["Good", "", "not good", "BAD", "x'y", "bad"], object)),
}
ALL = np.arange(6)


def asked(filters: Any = None, sorts: Any = None) -> table_rows.Asked:
    return table_rows.read(0, 100, json.dumps(filters or {}), json.dumps(sorts or []))


def found(filters: Any = None, sorts: Any = None) -> list[int]:
    return table_rows.ordered(TABLE, ALL, asked(filters, sorts)).tolist()


def test_what_is_missing_comes_last_either_way() -> None:
    assert found(sorts=[{"colId": "x", "sort": "asc"}]) == [1, 4, 0, 3, 5, 2]
    assert found(sorts=[{"colId": "x", "sort": "desc"}]) == [5, 0, 3, 4, 1, 2]
    assert found(sorts=[{"colId": "kind", "sort": "asc"}]) == [3, 1, 4, 0, 5, 2]  # 9, 10, b's
    assert found(sorts=[{"colId": "a text", "sort": "asc"}])[-1] == 1
    assert found(sorts=[{"colId": "ok", "sort": "desc"}, {"colId": "x", "sort": "asc"}]) == [0, 3, 1, 4, 5, 2]


@pytest.mark.parametrize(
    ("filters", "rows"),
    [
        ({"x": {"type": "greaterThan", "filter": 0.5}}, [0, 3, 5]),
        ({"x": {"type": "inRange", "filter": 0.5, "filterTo": 3}}, [0, 3, 4]),
        ({"x": {"type": "blank"}}, [2]),
        ({"x": {"type": "notEqual", "filter": 3}}, [1, 4, 5]),
        ({"kind": {"type": "contains", "filter": "B'"}}, [0, 5]),
        ({"kind": {"type": "notBlank"}}, [0, 1, 3, 4, 5]),
        ({"ok": {"type": "equals", "filter": "yes"}}, [0, 3]),
        ({"a text": {"type": "contains", "filter": "GOOD"}}, [0, 2]),
        ({"a text": {"type": "startsWith", "filter": "bad"}, "x": {"type": "lessThan", "filter": 4}}, [3]),
        (
            {
                "x": {
                    "operator": "OR",
                    "conditions": [{"type": "lessThan", "filter": 0}, {"type": "equals", "filter": 12}],
                }
            },
            [1, 5],
        ),
    ],
)
def test_filters_keep_what_they_say(filters: Any, rows: list[int]) -> None:
    assert found(filters) == rows
    # Written as an expression they are the same instances.
    table = Table(6, ("10", "9"), TABLE, ALL, ALL, ALL)
    assert np.flatnonzero(select(table_expression.written(TABLE, filters), table)).tolist() == rows


@given(
    st.lists(st.one_of(st.floats(-5, 5), st.just(math.nan)), min_size=1, max_size=40),
    st.booleans(),
    st.sampled_from(["greaterThan", "lessThanOrEqual", "equals", "notEqual"]),
    st.floats(-5, 5),
)
def test_sorting_and_filtering_agree_with_a_slow_way(values: list[float], down: bool, kind: str, at: float) -> None:
    columns = {"v": Column("v", "V", "number", np.array(values))}
    rows = table_rows.ordered(
        columns,
        np.arange(len(values)),
        table_rows.read(
            0,
            50,
            json.dumps({"v": {"type": kind, "filter": at}}),
            json.dumps([{"colId": "v", "sort": "desc" if down else "asc"}]),
        ),
    )
    passes: dict[str, Callable[[float], bool]] = {
        "greaterThan": lambda v: v > at,
        "lessThanOrEqual": lambda v: v <= at,
        "equals": lambda v: v == at,
        "notEqual": lambda v: not math.isnan(v) and v != at,
    }
    kept = [i for i, v in enumerate(values) if passes[kind](v)]
    assert rows.tolist() == sorted(kept, key=lambda i: -values[i] if down else values[i])


@pytest.mark.parametrize(
    ("start", "stop", "filters", "sorts"),
    [
        (0, 501, "{}", "[]"),
        (5, 5, "{}", "[]"),
        (-1, 5, "{}", "[]"),
        ("x", 5, "{}", "[]"),
        (0, 5, "[", "[]"),
        (0, 5, "[]", "{}"),
        (0, 5, "{}", "[1]"),
        (0, 5, "[" * 100_000, "[]"),
    ],
)
def test_a_request_of_another_form_is_refused(start: Any, stop: Any, filters: str, sorts: str) -> None:
    with pytest.raises(ParameterError):
        table_rows.read(start, stop, filters, sorts)


@pytest.mark.parametrize(
    "filters",
    [
        {"nothing": {"type": "equals", "filter": 1}},
        {"x": {"type": "__class__", "filter": 1}},
        {"x": {"type": "equals", "filter": "1"}},
        {"x": {"type": "equals", "filter": True}},
        {"x": {"type": "inRange", "filter": 1}},
        {"x": {"type": "equals", "filter": 10**309}},  # no number of 64 bits
        {"x": {"type": "inRange", "filter": 1, "filterTo": -(10**400)}},
        {"x": {"conditions": []}},
        {"x": {"conditions": [[]]}},
        {"x": 3},
        {"kind": {"type": "contains", "filter": {"a": 1}}},
    ],
)
def test_a_condition_that_is_none_is_refused(filters: Any) -> None:
    with pytest.raises(ParameterError):
        found(filters)
    with pytest.raises(ParameterError):
        table_expression.written(TABLE, filters)


def test_neighbours_disagree_where_labels_are_mixed() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 40)
    labels[::20] = -1
    values = rng.normal(0, 0.1, (80, 4)) + np.repeat([[5.0, 0, 0, 0], [0, 5.0, 0, 0]], 40, 0)
    values[50] = values[10]  # one of the second class looks like the first
    labels[50] = 1
    shares = table_data.shares(values, labels)
    assert np.isnan(shares[labels < 0]).all()
    assert shares[50] == 1
    assert np.nanmax(np.delete(shares, 50)) <= 0.2
    # The slow way.
    known = np.flatnonzero(labels >= 0)
    scaled = (values[known] - values[known].mean(0)) / values[known].std(0)
    scaled /= np.linalg.norm(scaled, axis=1, keepdims=True)
    for place, row in enumerate(known[:20]):
        near = np.argsort(-np.delete(scaled @ scaled[place], place))[:10]
        assert shares[row] == pytest.approx((np.delete(labels[known], place)[near] != labels[row]).mean())


def test_the_columns_are_those_of_the_data(put: Callable[..., Sampled]) -> None:
    put(Sampled)
    shown = data.picked(SEARCH)
    held = table_data.columns(shown)
    own = ["index", "label", "prediction", "correct", "confidence", "loss", "margin", "entropy", "disagreement"]
    assert list(held) == [*own, "light", "a place"]
    told = table_columns.definitions(held, "image", shown.shown.class_names)
    assert [one["colId"] for one in told] == [table_columns.SEEN, *held]
    assert told[1 + list(held).index("light")]["headerName"] == "Light, lux"
    # No function is sent as text: the page's policy forbids making one.
    assert "function(" not in json.dumps(told).replace(" ", "")


def test_the_table_says_where_its_rows_are(put: Callable[..., Sampled], bare_app: dash.Dash) -> None:
    made = put(Sampled)
    drawn = table_panel.draw_table(*[None] * 8, None, SEARCH + "&subset=wrong")
    spec = json.loads(drawn[5])
    assert spec["count"] == made.wrong.sum()
    assert not drawn[3]
    assert f"{spec['count']} of 240 instances" in drawn[1]
    assert "was left out" in str(drawn[2])
    assert table_panel.draw_table(*[None] * 8, drawn[0], SEARCH + "&subset=wrong")[0] is dash.no_update
    client = bare_app.server.test_client()
    filters = quote(json.dumps({"light": {"type": "greaterThan", "filter": 0.9}}))
    sorts = quote(json.dumps([{"colId": "loss", "sort": "desc"}]))
    answer = client.get(f"{spec['rows']}{spec['query']}&start=0&stop=500&filters={filters}&sorts={sorts}")
    found_ = answer.get_json()
    light = np.flatnonzero(made.wrong)
    assert found_["count"] == len([row for row in light if row != 3])
    losses = [row["loss"] for row in found_["rows"]]
    assert losses == sorted(losses, reverse=True)
    assert {row["correct"] for row in found_["rows"]} == {"no"}
    assert all(row[table_columns.ROW] == str(row["index"]) for row in found_["rows"])
    assert "/picture/instances?" in found_["rows"][0][table_columns.SEEN]


def test_requests_that_cannot_be_answered_are_told_in_words(put: Callable[..., Sampled], bare_app: dash.Dash) -> None:
    put(Sampled)
    client = bare_app.server.test_client()
    for query in (
        "start=0&stop=9999",
        "start=0&stop=9&filters=%7B%22zz%22:%7B%7D%7D",
        "start=0&stop=9&subset=open('x')",
        "start=0&stop=9&filters=" + quote(json.dumps({"index": {"type": "equals", "filter": 10**400}})),
    ):
        answer = client.get(f"/export/instances/rows.json?{query}")
        assert answer.status_code == 400
        assert answer.get_json()["message"]
        assert "Traceback" not in answer.get_data(as_text=True)


def test_the_download_holds_every_row_and_column(put: Callable[..., Sampled], bare_app: dash.Dash) -> None:
    made = put(Sampled)
    text = bare_app.server.test_client().get("/export/instances/subset.csv?subset=wrong").get_data(as_text=True)
    head, *rows = text.splitlines()
    assert head.split(",")[:2] == ["index", "label"]
    assert {"light", "a place", "disagreement"} <= set(head.split(","))
    assert [int(row.split(",")[0]) for row in rows] == made.truth["indices"][made.wrong].tolist()
