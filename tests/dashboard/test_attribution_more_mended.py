"""The Attribution view's lower panels: choices that outlive a change, places counted alike, names in full, damage."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dash import no_update

from analysis.attribution import agreement
from analysis.errors import ParameterError
from dashboard.views.attribution import (
    data,
    edit_data,
    edit_figure,
    feedback_data,
    picking,
    subset_data,
    subset_parts,
    thumbs,
)

from .layers_stage import make_app, stage_in
from .test_attribution_more import KINDS, MAPS, Shown, edit, inspect, judge, subset_answer, text_of, trust

LONG = "a name that is longer than any column of a table would ever be wide"


@pytest.fixture
def shown(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shown]:
    kind = getattr(request, "param", "image")
    app = make_app(tmp_path)
    for stage in stage_in(app, monkeypatch, kind=kind, **KINDS[kind]):
        yield Shown(stage, kind)


def kind(name: str) -> Any:
    return pytest.mark.parametrize("shown", [name], indirect=True)


def found_in(component: Any, wanted: str) -> list[Any]:
    """Every component below that is of a class."""
    if isinstance(component, list | tuple):
        return [one for part in component for one in found_in(part, wanted)]
    own = [component] if wanted in str(getattr(component, "className", "") or "").split() else []
    return own + (found_in(getattr(component, "children", None), wanted) if hasattr(component, "children") else [])


def pressed(drawn: tuple[Any, ...]) -> list[str]:
    """Labels of the tokens that are drawn as chosen."""
    plain = [chip.to_plotly_json()["props"] for chip in found_in(drawn[10], "at-chip")]
    return [chip["children"] for chip in plain if chip["aria-pressed"] == "true"]


def changed(shown: Shown, *changes: dict[str, Any]) -> str:
    return f"{shown.search}&edit={json.dumps(list(changes))}"


@kind("text")
def test_the_chosen_token_stays_chosen_after_a_change_where_its_place_is_left(shown: Shown) -> None:
    shown.answer("one")
    first = edit(shown.search, chosen=[2])
    assert pressed(first) == ["refund"]
    assert first[21] is no_update  # the choice in the page stands, also one made since
    change = {"op": "replace", "at": 2, "token": "parcel"}
    shown.answer("one", edit=[change], tokens=["a", "b", "parcel", "please"])
    then = edit(changed(shown, change), first[0], [2])
    assert pressed(then) == ["parcel"]
    assert then[21] is no_update
    gone = [{"op": "delete", "at": 0}] * 2
    shown.answer("one", edit=gone, tokens=["refund", "please"])
    last = edit(changed(shown, *gone), then[0], [2])
    assert pressed(last) == []
    assert last[21] == []


@kind("text")
def test_while_a_change_is_computed_its_tokens_are_shown_and_the_choice_stays(shown: Shown) -> None:
    shown.answer("one")
    drawn = edit(changed(shown, {"op": "insert", "at": 2, "token": "blue"}), chosen=[2])
    chips = found_in(drawn[10], "at-chip")
    assert [chip.children for chip in chips][2:] == ["blue", "refund", "please"]
    assert pressed(drawn) == ["blue"]


@kind("text")
def test_the_choice_is_of_one_instance(shown: Shown) -> None:
    shown.answer("one")
    first = edit(shown.search, chosen=[1])
    other = shown.search.replace(str(shown.instance), str(int(shown.stage.truth["indices"][9])))
    waiting = edit(other, first[0], [1])  # nothing is there yet
    shown.search, shown.instance = other, int(shown.stage.truth["indices"][9])
    shown.answer("one")
    assert edit(other, waiting[0], [1])[21] == []


@kind("text")
@pytest.mark.parametrize("chosen", [None, 3, "x", [None], [True], [-1], [9], [[1]], {"a": 1}])
def test_a_choice_that_is_none_is_left_out(shown: Shown, chosen: Any) -> None:
    shown.answer("one")
    assert edit(shown.search, chosen=chosen)[21] == []


@kind("text")
def test_tokens_are_counted_from_1_wherever_one_is_named(shown: Shown) -> None:
    shown.answer("one")
    frame = data.frame(shown.search)
    assert edit_data.token_name(5, []) == "token 6"
    assert edit_data.words({"op": "delete", "at": 0}, frame, ["a", "b"]) == "“a” (1st token) deleted"
    region = {"kind": "text", "region": [0, 2]}
    assert feedback_data.region_text(frame, region) == "token 1; token 3"
    [first, *_] = found_in(picking.chips("at-edit", ["a", "b"], "k", many=False), "at-chip")
    assert first.title == "token 1"
    store = feedback_data.kept(shown.stage.description)
    entry = feedback_data.entry(frame, shown.answer("one"), "wrong", "", [], [9])
    with pytest.raises(ParameterError) as wrong:
        store.add(entry)
    assert wrong.value.message == "The text has no token 10."
    assert wrong.value.remedy == "Mark some of its tokens: 1 to 4."


def test_the_rule_of_agreement_is_said_below_the_matrix(shown: Shown) -> None:
    rng = np.random.default_rng(0)
    maps = []
    for name in ("one", "two"):
        values = 1e-3 * rng.normal(size=MAPS["image"])
        values[0, :4, :4] = 5.0
        maps.append(values)
        shown.answer(name, values.astype(np.float32))
    said = text_of(trust(shown.search)[4])
    assert "Most alike: Two and One (+1.00)" in said
    assert agreement.RULE in said


VALUES = np.stack([np.sin(np.arange(50) / 5), 1000 + np.arange(50.0), np.zeros(50)])
NAMES = ["inlet", LONG, "<b>outlet"]


def test_each_channel_has_a_row_and_a_scale_of_its_own_and_all_share_the_time() -> None:
    figure, _ = edit_figure.signal_figure(VALUES, NAMES, 10.0)
    layout, traces = figure["layout"], figure["data"]
    assert {trace["xaxis"] for trace in traces} == {"x"}
    assert [trace["yaxis"] for trace in traces] == ["y", "y2", "y3"]
    domains = [layout[name]["domain"] for name in ("yaxis3", "yaxis2", "yaxis")]
    assert all(low < high for low, high in domains)
    assert all(one[1] < two[0] for one, two in pairwise(domains))  # none overlaps
    for row, name in enumerate(("yaxis", "yaxis2", "yaxis3")):
        low, high = layout[name]["range"]
        assert low < VALUES[row].min() <= VALUES[row].max() < high
        assert high - low < 1.5 * np.ptp(VALUES[row]) + 1.1
    assert layout["xaxis"]["title"]["text"] == "time (s)"
    assert layout["xaxis"]["range"] == [0, 5.0]
    assert traces[0]["x"][:2] == [0.05, 0.15]  # the middle of a step, as in the maps
    steps, _ = edit_figure.signal_figure(VALUES, NAMES, None)
    assert steps["layout"]["xaxis"]["title"]["text"] == "step"


def test_a_cut_name_of_a_channel_is_whole_on_hover() -> None:
    figure, _ = edit_figure.signal_figure(VALUES, NAMES, 10.0)
    titles = [note["text"] for note in figure["layout"]["annotations"]]
    assert titles[1].endswith("…")
    assert figure["layout"]["annotations"][1]["hovertext"] == LONG
    assert LONG in figure["data"][1]["hovertemplate"]
    assert "<b>" not in str(figure)


def test_a_change_is_marked_in_the_rows_it_is_of() -> None:
    after = VALUES.copy()
    after[1, 10:20] = 0
    figure, _ = edit_figure.signal_figure(after, NAMES, 10.0, before=VALUES, spans=[(1, 1.0, 2.0), (None, 3.0, 4.0)])
    shapes = [(shape["yref"], shape["x0"], shape["x1"]) for shape in figure["layout"]["shapes"]]
    every = [(f"{axis} domain", 3.0, 4.0) for axis in ("y", "y2", "y3")]
    assert sorted(shapes) == sorted([("y2 domain", 1.0, 2.0), *every])
    dotted = [trace for trace in figure["data"] if trace["line"]["dash"] == "dot"]
    assert [trace["yaxis"] for trace in dotted] == ["y2"]
    assert figure["layout"]["yaxis2"]["range"][0] < 0  # the scale holds both


def test_of_many_channels_those_changed_are_drawn() -> None:
    values = np.zeros((30, 40))
    figure, height = edit_figure.signal_figure(values, [], None, spans=[(25, 3, 9)])
    titles = [note["text"] for note in figure["layout"]["annotations"]]
    assert titles[-1] == "channel 25"
    assert len(titles) == edit_figure.MOST_ROWS
    assert f"{edit_figure.MOST_ROWS} of 30 channels" in figure["layout"]["xaxis"]["title"]["text"]
    assert height <= 640
    assert edit_figure.signal_figure(values[:1], [], None)[1] < 160


def test_a_long_signal_keeps_its_peaks() -> None:
    values = np.zeros((1, 100_000))
    values[0, 77_777] = 9.0
    [trace] = edit_figure.signal_figure(values, [], None)[0]["data"]
    assert len(trace["x"]) <= edit_figure.MOST_POINTS
    assert max(trace["y"]) == 9.0
    gaps = np.full((1, 30), np.nan)
    assert edit_figure.signal_figure(gaps, [], None)[0]["data"][0]["y"] == [None] * 30


@kind("series")
def test_the_signal_of_the_page_has_the_height_of_its_rows_and_marks_every_change(shown: Shown) -> None:
    shown.answer("one")
    shown.stage.description["sampling_rate"] = 10.0
    change = {"op": "mute", "channel": 1, "span": [10, 20], "fill": "mean"}
    drawn = edit(changed(shown, change))
    [shape] = drawn[11]["layout"]["shapes"]
    assert (shape["yref"], shape["x0"], shape["x1"]) == ("y2 domain", 1.0, 2.0)
    assert int(drawn[22]["height"].removesuffix("px")) > 200
    marks = judge(shown.search, [[2, 0, 10], [None, 20, 30]])
    marked = [shape["yref"] for shape in marks[9]["layout"]["shapes"]]
    assert sorted(marked) == [f"{axis} domain" for axis in ("y", "y2", "y3", "y3")]
    assert marks[15] == drawn[22]


@kind("series")
@pytest.mark.parametrize(
    "change", [{"op": "mute"}, {"op": "mute", "span": [3]}, {"op": "mute", "channel": "x", "span": [9, 1]}]
)
def test_a_change_that_is_none_is_not_marked(shown: Shown, change: dict[str, Any]) -> None:
    shown.answer("one")
    assert edit(changed(shown, change))[11]["layout"]["shapes"] == []


def test_verdicts_that_cannot_be_read_are_counted_with_what_to_do(shown: Shown) -> None:
    shown.answer("one")
    kept = feedback_data.kept(shown.stage.description)
    frame = data.frame(shown.search)
    kept.add(feedback_data.entry(frame, shown.answer("one"), "right", "", [], []))
    first = judge(shown.search)
    assert "cannot be read" not in text_of(first[12])
    with (kept.home / "verdicts.jsonl").open("a") as file:
        file.write('{"verdict": {"id":\n{"other": 1}\n')
    drawn = judge(shown.search, before=first[0])  # it is drawn again
    said = text_of(drawn[12])
    assert "2 lines of the file of verdicts cannot be read and are left out: 2, 3." in said
    assert "Put back" in said
    assert f"feedback/{kept.home.name}/verdicts.jsonl" in said
    assert "✓ right" in said


def test_a_file_of_verdicts_that_is_not_to_be_opened_is_no_empty_list(shown: Shown) -> None:
    shown.answer("one")
    kept = feedback_data.kept(shown.stage.description)
    (kept.home / "verdicts.jsonl").mkdir(parents=True)
    drawn = judge(shown.search)
    assert "The verdicts cannot be read" in text_of(drawn[2])
    assert "No verdict" not in text_of(drawn[12] or [])
    assert "The verdicts cannot be read" in text_of(inspect(shown.search)[0])


@kind("series")
def test_a_cut_name_in_the_means_is_whole_on_hover(shown: Shown) -> None:
    shown.stage.description["feature_names"] = [LONG, "b", "c"]
    arrays = {"mean_absolute": np.ones((3, 20), np.float32)}
    subset_answer(shown, {"axis": {"name": "step", "ends": [0.0, 50.0]}}, arrays)
    from .test_attribution_more import many

    [graph] = [one for one in _all(many(shown.search)[3]) if getattr(one, "id", "") == "at-subset-figure"]
    [trace] = graph.figure["data"]
    assert graph.figure["layout"]["yaxis"]["ticktext"][0].endswith("…")
    assert trace["text"][0][0] == LONG
    assert "%{text}" in trace["hovertemplate"]


def _all(component: Any) -> Iterator[Any]:
    if isinstance(component, list | tuple):
        for part in component:
            yield from _all(part)
    elif component is not None:
        yield component
        yield from _all(getattr(component, "children", None))


@kind("table")
def test_names_of_columns_and_classes_are_whole_on_hover(shown: Shown) -> None:
    shown.stage.description["feature_names"] = [LONG] * 8
    shown.answer("one")
    drawn = edit(shown.search)
    assert {one.title for one in found_in(drawn[14], "at-column-name")} == {LONG}
    frame = data.frame(shown.search)
    assert frame.extraction is not None
    index = int(frame.extraction.indices[0])
    cards = found_in(subset_parts.cards(frame, [index]), "at-card-class")
    assert all(one.title for one in cards)
    options = subset_data.options(
        data.Frame(**{**vars(frame), "description": {**frame.description, "classes": [LONG]}})
    )
    assert all("…" not in one["label"] for one in options)
    [card] = thumbs.thumbs(frame.extraction, [index], [LONG] * 8)
    assert card.title.count(LONG) == 8
