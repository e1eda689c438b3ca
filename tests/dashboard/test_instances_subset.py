"""The panel Subset: expressions from a browser, what is wrong with them, names, figures beside each other."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import dash
import numpy as np
import pytest

from dashboard import members
from dashboard.selection import Selection
from dashboard.views.instances import data, inspector, subset_data, subset_panel

from .instances_stage import Sampled
from .test_training import text_of

SEARCH = "?view=instances"
INPUTS = [None] * 8
ATTEMPTS = (
    "__import__('os').system('true')",
    "label.__class__.__mro__",
    "(lambda: 1)()",
    "open('/etc/passwd').read()",
    "[x for x in (1, 2)]",
    "exec('1')",
    "@label",
    "f'{label}'",
    "9 ** 9 ** 9",
    "label[0]",
    "label := 1",
    "(" * 60 + "label == 1" + ")" * 60,
    "label == 1 # comment\nimport os",
    "<script>alert(1)</script>",
    "${alert(1)}",
    "index in [" + "1," * 3000 + "1]",
    "\u0130mport",
    "a\x00b",
)


def drawn(search: str, before: Any = None) -> tuple[Any, ...]:
    return subset_panel.draw_subset(*INPUTS, before, search)


def asked(monkeypatch: pytest.MonkeyPatch, given: Any, search: str = SEARCH, by: str = "in-subset-asked") -> Any:
    monkeypatch.setattr(dash, "ctx", type("Context", (), {"triggered_id": by})())
    return subset_panel.check(given, given, search)


def test_the_subset_stands_beside_the_rest(put: Callable[..., Sampled]) -> None:
    made = put(Sampled)
    found = drawn(SEARCH + "&subset=light > 0.9")
    wrong = int(made.wrong.sum())
    assert f"{wrong} of 240 instances" in found[1]
    text = text_of(found[2])
    assert "the rest" in text
    assert "0.0 %" in text
    assert "100.0 %" in text
    assert "+100.0 points" in text
    assert found[3] is None
    assert drawn(SEARCH + "&subset=light > 0.9", found[0])[0] is dash.no_update
    assert drawn("?view=layers")[0] is dash.no_update


def test_figures_agree_with_a_slow_way(put: Callable[..., Sampled]) -> None:
    made = put(Sampled)
    rows = np.arange(0, 240, 3)
    found = subset_data.facts(made.extraction, rows)
    labels, guesses = made.truth["labels"][rows], made.truth["predictions"][rows]
    assert (found.n, found.right) == (80, int((labels == guesses).sum()))
    assert found.mix.tolist() == [int((labels == c).sum()) for c in range(4)]
    assert found.loss == pytest.approx(float(np.mean(made.extraction.loss[rows])), rel=1e-5)
    # Wilson, Newcombe: the worked example of Newcombe (1998), 56 of 70 against 48 of 80.
    low, high = subset_data.interval(56, 70)
    assert (round(low, 4), round(high, 4)) == (0.6925, 0.8769) or (round(low, 3), round(high, 3)) == (0.692, 0.877)
    none = np.zeros(4, np.int64)
    one = subset_data.Facts(70, 70, 56, *subset_data.interval(56, 70), 0, 0, 0, 0, none)
    other = subset_data.Facts(80, 80, 48, *subset_data.interval(48, 80), 0, 0, 0, 0, none)
    gap = subset_data.difference(one, other)
    assert gap is not None
    assert [round(value, 4) for value in gap] == [0.2, 0.0524, 0.3339]


@pytest.mark.parametrize("text", ATTEMPTS)
def test_attempts_from_the_browser_are_refused_in_words(
    put: Callable[..., Sampled], monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    put(Sampled)
    go, problem = asked(monkeypatch, {"text": text, "at": 1})
    assert go is dash.no_update
    assert len(text_of(problem)) > 20
    assert "Traceback" not in text_of(problem)
    # The same in an address: the panel says what is wrong, the others that they wait for it.
    search = Selection(view="instances", subset=text[:4000]).query()
    found = drawn(search)
    assert text_of(found[3])
    assert found[2] is None
    with pytest.raises(Exception, match="cannot be read"):
        data.picked(search)


@pytest.mark.parametrize(
    ("text", "part", "place"),
    [
        ("lable == 3", "label", 0),
        ("(label == 3", "", 0),
        ("label = 3", "==", 6),
        ("loss > 'cat'", "", None),
        ("subset('mine')", "", None),
    ],
)
def test_what_is_wrong_is_said_with_its_place(
    put: Callable[..., Sampled], monkeypatch: pytest.MonkeyPatch, text: str, part: str, place: int | None
) -> None:
    put(Sampled)
    _, problem = asked(monkeypatch, {"text": text})
    said = text_of(problem)
    assert part in said
    if place is not None:
        shown, pointer = problem[-1].children.split("\n")
        assert shown == text
        assert pointer.index("^") == place


def test_an_expression_that_can_be_read_goes_into_the_address(
    put: Callable[..., Sampled], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(Sampled)
    go, problem = asked(monkeypatch, {"text": " wrong and\n light > 0.9 ", "at": 5})
    assert problem is None
    assert json.loads(go) == {"changes": {"subset": "wrong and  light > 0.9"}, "at": 5}
    go, _ = asked(monkeypatch, {"text": "all", "at": 6})
    assert json.loads(go)["changes"] == {"subset": None}
    assert asked(monkeypatch, "nonsense") == (dash.no_update, dash.no_update)
    go, problem = asked(monkeypatch, {"text": "index > 0 or " * 400 + "True"})
    assert go is dash.no_update
    assert problem


def test_filters_of_the_table_become_the_subset(put: Callable[..., Sampled], monkeypatch: pytest.MonkeyPatch) -> None:
    made = put(Sampled)
    filters = {"label": {"type": "contains", "filter": "'s"}, "a place": {"type": "equals", "filter": "OUT"}}
    go, _ = asked(monkeypatch, {"filters": filters, "at": 1}, SEARCH + "&subset=wrong", by="in-table-asked")
    text = json.loads(go)["changes"]["subset"]
    rows = members.rows(data.frame(SEARCH), text)
    wanted = made.wrong & (made.truth["labels"] == 2) & (np.arange(240) % 3 == 2)
    assert rows.tolist() == np.flatnonzero(wanted).tolist()


@pytest.mark.parametrize("how", ["and", "or", "not"])
@pytest.mark.parametrize("first", ["", "wrong", "class:1", "light > 0.2 or label == 'cat'"])
@pytest.mark.parametrize("second", ["all", "predicted:2", "label == 3 or confidence < 0.9"])
def test_combinations_are_those_of_sets(
    put: Callable[..., Sampled], monkeypatch: pytest.MonkeyPatch, how: str, first: str, second: str
) -> None:
    put(Sampled)
    shown = data.frame(SEARCH)
    one, other = (set(members.rows(shown, text).tolist()) for text in (first, second))
    search = Selection(view="instances", subset=first or None).query()
    go, problem = asked(monkeypatch, {"how": how, "with": second, "at": 1}, search)
    assert problem is None
    text = json.loads(go)["changes"]["subset"] or ""
    wanted = {"and": one & other, "or": one | other, "not": one - other}[how]
    assert set(members.rows(shown, text).tolist()) == wanted


def test_a_subset_is_saved_renamed_and_deleted(put: Callable[..., Sampled]) -> None:
    put(Sampled)
    search = SEARCH + "&subset=light > 0.9"

    def do(command: dict[str, Any]) -> tuple[Any, Any, Any]:
        return subset_panel.change_book(command, search)

    assert do({"do": "save", "name": "bright <b>", "at": 7})[:2] == (7, "Saved as 'bright <b>'.")
    assert "bright <b>" in text_of(drawn(search)[6])
    found = drawn(SEARCH + "&subset=saved:bright <b>")
    assert found[3] is None
    refused = do({"do": "save", "name": "bright <b>", "at": 8})
    assert refused[0] is dash.no_update
    assert "bright" in refused[1]
    assert do({"do": "save", "name": "bright <b>", "again": True, "at": 9})[0] == 9
    assert do({"do": "rename", "name": "bright <b>", "new": "dark", "at": 10})[0] == 10
    assert "dark" in text_of(drawn(search)[6])
    assert do({"do": "delete", "name": "dark", "at": 11})[0] == 11
    assert "None yet" in text_of(drawn(search)[6])
    for command in ({"do": "save", "name": " "}, {"do": "delete", "name": "dark"}, {"do": "rename", "name": "dark"}):
        book, said, _ = do(command)
        assert book is dash.no_update
        assert said
    assert do({"do": "format"})[0] is dash.no_update
    assert subset_panel.change_book([], search) == (dash.no_update,) * 3


def test_kept_subsets_stand_beside_it_also_a_broken_one(put: Callable[..., Sampled]) -> None:
    put(Sampled)
    rows = json.dumps(["class:1", "nothing == 3", "each:wrong"])
    search = Selection(view="instances", subset="wrong", xrows=rows).query()
    text = text_of(drawn(search)[2])
    assert "instances labelled <b>dog</b>" in text
    assert "There is no column 'nothing'" in text
    assert "each:" not in text
    for bad in ("[", "3", '{"a": 1}', "[[1]]"):
        assert subset_panel.compared_of(Selection(xrows=bad)) == []


def test_zero_rows_are_shown_as_none(put: Callable[..., Sampled]) -> None:
    put(Sampled)
    found = drawn(SEARCH + "&subset=loss < 0")
    assert "0 of 240 instances" in found[1]
    assert found[3] is None


def test_columns_and_examples_fit_the_data(put: Callable[..., Sampled]) -> None:
    put(Sampled)
    found = drawn(SEARCH)
    listed = text_of(found[4])
    assert "to 1 lux" in listed
    assert "`a place`" in listed
    assert "Broken" in listed or "broken" in listed
    shown = data.frame(SEARCH)
    for button in found[5]:
        members.rows(shown, button.to_plotly_json()["props"]["data-example"])


def test_the_inspector_tells_of_the_instance_and_the_subset(put: Callable[..., Sampled]) -> None:
    made = put(Sampled)
    index = int(made.truth["indices"][made.wrong][0])

    def said(search: str) -> str:
        return text_of(inspector.draw_inspector(*[None] * 8, None, search)[0])

    text = said(SEARCH + f"&subset=wrong&instances={index}")
    assert f"Instance {index:,}".replace(" ", "") in text.replace(" ", "")
    assert "✗ wrong" in text
    assert "1 lux" in text
    assert "in Attribution" in text
    assert "It is not in the sample" in said(SEARCH + f"&instances={missing(made)}")
    assert "720 instances" in said(SEARCH + "&instances=100000")
    assert "Make the chosen instances the subset" in said(SEARCH + "&instances=1,2,3".replace("1,", f"{index},"))


def missing(made: Sampled) -> int:
    return next(index for index in range(720) if index not in set(made.truth["indices"].tolist()))
