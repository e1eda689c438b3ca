"""Responses of words and of units, and the inspector's cards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dash
import numpy as np
import pytest
from dash import no_update
from hypothesis import given
from hypothesis import strategies as st

from dashboard import subjects
from dashboard.selection import Selection
from dashboard.views.sequences import (
    data,
    inspector,
    unit_data,
    unit_panel,
    unit_parts,
    word_data,
    word_figure,
    word_panel,
    word_pictures,
)

from .attribution_stage import found_in
from .sequences_read import Read
from .test_sequences_clusters import text_of
from .test_training import places

PAGE = "?view=sequences"


@pytest.fixture
def made(put: Callable[..., Any]) -> Read:
    return put(Read)


def draw(search: str = PAGE, before: Any = None, by: str = "mean") -> tuple[Any, ...]:
    """Outputs: mark, subtitle, chips, figure, style, body, nothing for the search."""
    return word_panel.draw_word(*[None] * 11, by, "light", None, before, search)


def draw_unit(search: str = PAGE, before: Any = None) -> tuple[Any, ...]:
    """Outputs: mark, subtitle, body, number, largest number."""
    return unit_panel.draw_unit(*[None] * 11, before, search)


def draw_inspector(search: str, before: Any = None) -> tuple[Any, Any]:
    return inspector.draw_inspector(*[None] * 13, before, search)


def lines(figure: dict[str, Any]) -> list[dict[str, Any]]:
    return [trace for trace in figure["data"] if trace.get("name")]


def test_without_a_choice_the_word_with_the_strongest_response_is_shown(made: Read) -> None:
    drawn = draw()
    assert drawn[0]["words"] == [100], "||s|| falls with the number"
    assert "“word 0”, which has the strongest response" in drawn[1]
    rare = draw(f"{PAGE}&sleast=1000")
    assert rare[0]["words"] == [100], "none is as frequent, so all are looked at"
    [(question, params)] = [one for one in made.asked if one[0] == "sequence_words"][:1]
    assert (question, params["chosen"]) == ("sequence_words", [100])


def test_units_are_in_the_order_of_the_first_words_mean(made: Read) -> None:
    drawn = draw(f"{PAGE}&word=103,100&instances=30")
    mean = made.means()
    [other, first] = lines(drawn[3])
    assert (np.diff(first["y"]) <= 0).all()
    assert first["customdata"] == np.argsort(-mean[3], kind="stable").tolist()
    assert other["customdata"] == first["customdata"], "all words share the order"
    assert np.allclose(other["y"], mean[0][first["customdata"]], rtol=1e-3)
    assert first["line"]["color"] != other["line"]["color"]
    assert [place["word"] for place in places(drawn[2])] == ["103,100", "100", "100,103", "103"]


def test_the_bands_are_the_percentiles_and_lie_below_the_lines(made: Read) -> None:
    figure = draw(f"{PAGE}&word=104")[3]
    bands = [trace for trace in figure["data"] if not trace.get("name")]
    mean = made.means()[4]
    order = np.argsort(-mean, kind="stable")
    for low, high, wide in ((bands[0], bands[1], 4), (bands[2], bands[3], 2)):
        assert np.allclose(np.array(high["y"]) - np.array(low["y"]), wide, atol=1e-2)
        assert high["fill"] == "tonexty"
        assert np.allclose(low["y"], mean[order] - wide / 2, atol=1e-2)
    assert figure["data"].index(lines(figure)[0]) > figure["data"].index(bands[3])


def test_the_panel_says_how_often_how_sure_and_which_class(made: Read) -> None:
    assert made.description
    said = text_of(draw(f"{PAGE}&word=100&instances=30")[5])
    assert "5,000 occurrences; the percentiles are of 4,096 drawn at random" in said
    assert "off by 2.1 points (95 %)" in said
    assert "It goes with <b>yes</b> (z = " in said
    assert "40 of 200 instances labelled <b>yes</b> hold it (20 %), 1 of 200 others (0 %)" in said


def test_before_the_percentiles_are_there_the_means_are_drawn(made: Read) -> None:
    made.waiting = {"sequence_words"}
    drawn = draw(f"{PAGE}&word=100&instances=30")
    assert len(drawn[3]["data"]) == 1
    assert "percentiles are being computed" in text_of(drawn[5])
    made.waiting = set()
    later = draw(f"{PAGE}&word=100&instances=30", drawn[0])
    assert len(later[3]["data"]) == 5
    assert all(part is no_update for part in draw(f"{PAGE}&word=100&instances=30", later[0]))


def test_the_words_occurrence_in_the_instance_lies_over_its_mean(made: Read) -> None:
    assert made.extraction
    drawn = draw(f"{PAGE}&word=105&instances=3")  # instance 3 holds 103, 104, 105, ...
    dotted = [line for line in lines(drawn[3]) if line["line"]["dash"] == "dot"]
    [single] = dotted
    changes = data.states(data.frame(PAGE), 3).array("changes")
    assert np.allclose(single["y"], changes[2][single["customdata"]], rtol=1e-3)
    [chosen] = [
        button
        for button in found_in(drawn[5], "sqw-places")[0].children
        if "true" in str(button.children.to_plotly_json())
    ]
    assert chosen.children.children == "#3, step 3"
    assert {"instances": "7", "sspan": "5-5"} in places(drawn[5])
    assert not [line for line in lines(draw(f"{PAGE}&word=105&instances=30")[3]) if line["line"]["dash"] == "dot"]


def test_units_can_be_in_the_order_of_their_clusters_or_numbers(made: Read) -> None:
    data.clusters(data.frame(PAGE))
    by_cluster = lines(draw(f"{PAGE}&word=101", by="cluster")[3])[0]["customdata"]
    half = made.units // 2
    assert set(by_cluster[:half]) == set(range(half))
    assert lines(draw(f"{PAGE}&word=101", by="index")[3])[0]["customdata"] == list(range(made.units))


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=12), st.sampled_from(["mean", "index", "cluster"]))
def test_every_order_has_each_unit_once(mean: list[float], by: str) -> None:
    cluster = np.arange(len(mean)) % 3
    assert sorted(word_data.order_of(np.array(mean), cluster, by).tolist()) == list(range(len(mean)))


def test_the_search_finds_the_word_itself_first_then_beginnings_then_the_rest(made: Read) -> None:
    assert made.extraction
    answer = data.responses(data.frame(PAGE))
    found = word_data.search(answer, " WORD 5 ")
    assert found[0] == {"value": "105", "label": "word 5 (165)"}
    assert [one["value"] for one in found[1:]] == [str(150 + at) for at in range(10)]
    assert [one["value"] for one in word_data.search(answer, "")][:2] == ["100", "101"]
    assert len(word_data.search(answer, "")) == word_data.FOUND
    assert word_data.search(answer, "x" * 500) == []
    assert word_panel.offer_words(None, None, "?view=layers") is no_update


def test_a_word_that_the_sample_does_not_hold_is_said(made: Read) -> None:
    assert made.extraction
    drawn = draw(f"{PAGE}&word=7")
    assert "The sample does not hold the word 7" in text_of(drawn[5])
    assert drawn[4] == word_panel.HIDDEN


@pytest.mark.parametrize("words", ["motifs", "quantiles"])
def test_words_of_series_have_a_picture_or_a_range(
    bare_app: dash.Dash,
    bare_request: None,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
    words: str,
) -> None:
    Read(bare_app, "series", name=f"picture {words}").install(monkeypatch)
    body = text_of(draw(f"{PAGE}&word=103&swords={words}")[5])
    if words == "motifs":
        assert body.count("data:image/svg+xml;base64,") == 2
        assert "a, the last 16 steps: from" in body
    else:
        assert "b is in the range from 3 to 4" in body
    assert word_pictures.curve([float("nan"), 1.0], (0.0, 0.0), "dark").startswith("data:image/svg")


def test_hostile_names_reach_the_figure_as_plain_text() -> None:
    curve = word_figure.Curve("<b>%{x}</b>", np.zeros(3))
    figure = word_figure.figure([curve], np.arange(3), by="mean", layer="<i>", unit=1)
    assert "<b>" not in figure["data"][0]["name"]
    assert "%{x}" not in figure["data"][0]["hovertemplate"].replace("%{customdata}", "")
    assert len(figure["layout"]["shapes"]) == 1


def test_a_unit_shows_the_four_words_that_lower_it_most_and_the_four_that_raise_it_most(made: Read) -> None:
    mark, subtitle, body, number, largest = draw_unit(f"{PAGE}&filter=8")
    mean = made.means()[:, 8]
    order = np.argsort(mean)
    expected = [*order[:4].tolist(), *order[-4:].tolist()]
    rows = found_in(body, "squ-row")
    assert [int(places(row)[0]["word"]) - 100 for row in rows] == expected
    assert ["lowers" in row.className for row in rows] == [True] * 4 + [False] * 4
    assert (mark["unit"], number, largest) == (8, 8, made.units - 1)
    assert subtitle.startswith("unit 8 · lstm")
    assert {"view": "attribution", "layer": "lstm", "filter": "8", "explain": "unit"}.items() <= next(
        place for place in places(body) if place.get("view") == "attribution"
    ).items()
    data.clusters(data.frame(PAGE))
    assert "unit 8 of U1" in draw_unit(f"{PAGE}&filter=8", mark)[1]


def test_the_boxes_of_a_unit_share_a_scale_that_holds_zero(made: Read) -> None:
    assert made.extraction
    moved = unit_data.moved(data.frame(f"{PAGE}&filter=2"))
    answer = data.word_answer(data.frame(PAGE), moved.numbers, "")
    boxes = unit_panel.percentiles(moved, answer)
    assert boxes is not None
    assert np.allclose(boxes[:, 2], [moved.mean(row) for row in moved.rows])
    low, high = unit_parts.ends([moved.mean(row) for row in moved.rows], boxes)
    assert low == pytest.approx(boxes.min())
    assert high == pytest.approx(boxes.max())
    assert unit_parts.ends([1.0, 2.0], None)[0] == 0.0
    for row in found_in(unit_parts.rows(moved, boxes, []), "squ-row"):
        for span in row.children[1].children:
            left = float(span.style["left"].rstrip("%"))
            assert -0.01 <= left <= 100.01
            assert left + float(span.style.get("width", "0%").rstrip("%")) <= 100.02


@given(st.lists(st.tuples(st.floats(-1, 1), st.integers(1, 9)), max_size=30), st.integers(1, 9))
def test_extremes_are_those_of_a_slow_search(words: list[tuple[float, int]], least: int) -> None:
    mean, counts = np.array([one[0] for one in words]), np.array([one[1] for one in words], np.int64)
    lowers, raises = unit_data.extremes(mean, counts, least)
    good = [value for value, count in words if count >= least]
    assert [mean[row] for row in lowers] == sorted(value for value in good if value < 0)[:4]
    assert [mean[row] for row in raises] == sorted((value for value in good if value > 0), reverse=True)[:4]


def test_a_unit_of_another_layer_is_none_of_these(made: Read) -> None:
    assert made.extraction
    assert draw_unit(f"{PAGE}&filter=700")[0]["unit"] < made.units
    assert "which the word shown moves most" in draw_unit(f"{PAGE}&filter=700")[1]


def test_what_attribution_cannot_explain_is_greyed_with_the_reason(made: Read) -> None:
    assert made.extraction
    for change, reason in (("&sstate=cell", "cell states"), ("&sdepth=0", "last of the stacked layers")):
        body = draw_unit(f"{PAGE}&filter=1{change}")[2]
        assert reason in text_of(body)
        greyed = [link for link in found_in(body, "link") if "true" in str(getattr(link, "aria-disabled", ""))]
        assert len(greyed) == 2


def test_the_half_life_of_a_unit_is_said_once_it_is_known(made: Read) -> None:
    lives = np.array([3.25, np.inf, np.nan, *[1.0] * (made.units - 3)])
    made.makers["sequence_memory"] = lambda **_params: ({}, {"half_life": lives})
    shown = data.frame(PAGE)
    assert unit_data.half_life(shown, 0) == ""
    subjects.ask(shown.selection, "sequence_memory", **shown.source)
    assert unit_data.half_life(shown, 0) == "3.25 steps"
    assert unit_data.half_life(shown, 1) == "longer than these sequences tell"
    assert unit_data.half_life(shown, 2).startswith("not defined")
    assert "Half-life of its state: 3.25 steps." in text_of(draw_unit(f"{PAGE}&filter=0")[2])


def titles(cards: Any) -> list[str]:
    return [text_of(card.children[0].children) for card in cards] if isinstance(cards, list) else []


def test_the_inspector_puts_what_was_selected_last_first(made: Read) -> None:
    assert made.extraction
    cards, mark = draw_inspector(f"{PAGE}&word=100&instances=30")
    assert "word 0" in titles(cards)[0]
    cards, mark = draw_inspector(f"{PAGE}&word=100&filter=3", mark)
    assert "Unit " in titles(cards)[0]
    data.clusters(data.frame(PAGE))
    cards, mark = draw_inspector(f"{PAGE}&word=100&filter=3&cluster=w1", mark)
    assert "W1" in titles(cards)[0]
    assert "Strongest: “word 1”" in text_of(cards[0])
    cards, mark = draw_inspector(f"{PAGE}&word=104&filter=3&cluster=w1", mark)
    assert [name for name in ("word 4", "W1", "Unit") if name in titles(cards)[0]] == ["word 4"]
    assert draw_inspector(f"{PAGE}&word=104&filter=3&cluster=w1", mark) == (no_update, no_update)
    assert draw_inspector("?view=layers", mark) == (no_update, no_update)


def test_the_inspector_says_what_the_chosen_steps_do(made: Read) -> None:
    assert made.extraction
    cards, _ = draw_inspector(f"{PAGE}&instances=4&sspan=2-3")
    answer = data.states(data.frame(PAGE), 4)
    share = 100 * float(np.nanmean(answer.array("kept")[2:4]))
    said = text_of(cards)
    assert "Steps 3 to 4" in said
    assert f"{share:.0f} %" in said
    assert {"filter": str(int(np.abs(answer.array("changes")[2:4].sum(0)).argmax()))} in places(cards)
    assert "has 9 steps" in text_of(draw_inspector(f"{PAGE}&instances=4&sspan=50-60")[0])


def test_the_inspector_says_when_nothing_is_selected(made: Read) -> None:
    assert made.extraction
    assert "Nothing is selected." in text_of(draw_inspector(PAGE)[0])
    assert "counted from 0" in text_of((data.clusters(data.frame(PAGE)), draw_inspector(f"{PAGE}&cluster=u9"))[1][0])
    assert inspector.newest(Selection.parse(PAGE), {"order": ["hostile"], "chosen": None}) == list(inspector.KINDS)
