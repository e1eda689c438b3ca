"""Two co-clusterings side by side: numbers that agree, words that moved, and what can be compared."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from dash import no_update
from plotly.utils import PlotlyJSONEncoder

from analysis.results import Answer
from dashboard.views.sequences import compare_data, compare_panel, compare_parts, data

from .sequences_stage import Spoken

PAGE = "?view=sequences"


class Swapped(Spoken):
    """The cell state has the same clusters under other numbers, but for three words."""

    def clusters(self, state: str = "hidden", **params: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        value, arrays = super().clusters(**params)
        if state == "cell":
            word = 1 - arrays["word_cluster"]
            word[[0, 2, 50]] = 1 - word[[0, 2, 50]]
            arrays |= {"word_cluster": word, "unit_cluster": 1 - arrays["unit_cluster"]}
            arrays["links"] = arrays["links"][::-1, ::-1].copy()
        return value, arrays


@pytest.fixture
def spoken(put: Callable[..., Any]) -> Spoken:
    return put(Swapped)


def draw(search: str, before: Any = None) -> tuple[Any, ...]:
    """Outputs: mark, subtitle, state, payload, body, options."""
    return compare_panel.draw_compare(*[None] * 11, before, search)


def text_of(component: Any) -> str:
    return json.dumps(component, cls=PlotlyJSONEncoder, ensure_ascii=False)


def test_clusters_that_share_their_words_have_the_same_number(spoken: Spoken) -> None:
    drawn = draw(PAGE + "&scompare=state:cell")
    assert drawn[1] == "lstm, layer 2 of 2, hidden state beside lstm, layer 2 of 2, cell state"
    one, other = drawn[3]["sides"]
    assert [box["size"] for box in one["boxes"]] == [30, 30]
    assert sorted(box["size"] for box in other["boxes"]) == [27, 33]
    assert one["chips"] == other["chips"]
    ids = [{word for word, _ in side["boxes"][0]["words"]} for side in (one, other)]
    assert len(ids[0] & ids[1]) > len(ids[0]) / 2
    said = text_of(drawn[4])
    assert "3 of 60 words" in said
    assert "Units: the same clusters, ARI 1.00 (12 units)." in said
    assert draw(PAGE + "&scompare=state:cell", drawn[0]) == (no_update,) * 6
    assert {name for name, _ in spoken.asked} >= {"sequence_clusters", "sequence_responses"}


def test_links_are_those_of_the_same_words_and_units(spoken: Spoken) -> None:  # noqa: ARG001
    pair = pair_of(PAGE + "&scompare=state:cell")
    np.testing.assert_allclose(pair.a.links, pair.b.links, rtol=1e-5)
    assert pair.same_units
    listed = compare_data.changed(pair)
    assert [one["id"] for one in listed] == [100, 102, 150]  # the largest response first
    assert all(one["from"] != one["to"] for one in listed)


def pair_of(search: str) -> compare_data.Pair:
    shown = data.frame(search)
    sides = []
    for one in (shown, data.beside(shown, shown.selection.scompare)):
        sides.append(compare_data.side(one, data.responses(one), data.clusters(one)))
    return compare_data.paired(*sides)


def test_units_of_another_layer_are_matched_by_their_links(spoken: Spoken) -> None:  # noqa: ARG001
    pair = pair_of(PAGE + "&scompare=layer:conv")
    assert not pair.same_units
    assert np.isnan(pair.units_ari)
    assert pair.words_ari == pytest.approx(1)
    np.testing.assert_allclose(pair.a.links, pair.b.links, rtol=1e-5)
    assert "matched by their links" in text_of(compare_parts.lead(pair))


def test_more_clusters_on_one_side_get_numbers_of_their_own(tmp_path: Any) -> None:
    def side(word: list[int], unit: list[int], k: int, seed: int) -> compare_data.Side:
        shown: Any = type("Shown", (), {"layer": f"layer {seed}", "depth": -1})()
        answer = Answer(tmp_path, {"k": k})
        links = np.random.default_rng(seed).normal(size=(k, k))
        own = np.array(word)
        rows = np.arange(len(own))
        return compare_data.Side(shown, answer, answer, rows, own, np.array(unit), np.ones(len(own)), rows, links)

    a = side([0, 0, 1, 1, 1, 0], [0, 0, 1], 2, 0)
    b = side([2, 2, 0, 0, 1, 3], [0, 1, 2, 3, 4], 5, 1)
    pair = compare_data.paired(a, b)
    assert pair.b.word[:2].tolist() == [0, 0]
    assert pair.b.word[2:4].tolist() == [1, 1]
    assert len(set(pair.b.word.tolist())) == 4
    assert len(set(pair.b.unit.tolist())) == 5
    finite = pair.b.links[np.isfinite(pair.b.links)]
    np.testing.assert_allclose(np.sort(finite), np.sort(b.links.ravel()))
    assert pair.a.links.shape == pair.b.links.shape


def test_the_chosen_word_is_shown_on_both_sides_else_the_strongest(spoken: Spoken) -> None:  # noqa: ARG001
    assert draw(PAGE + "&scompare=state:cell&word=117")[3]["word"] == 117
    assert draw(PAGE + "&scompare=state:cell&word=99999")[3]["word"] == 100
    assert "correlate by +1.00" in text_of(draw(PAGE + "&scompare=state:cell&word=117")[4])


def test_what_is_offered_leaves_out_what_is_shown_and_what_cannot_be_read(spoken: Spoken) -> None:
    spoken.description["checkpoints"] = [{"name": "early", "problem": ""}, {"name": "broken", "problem": "gone"}]
    drawn = draw(PAGE)
    values = [one["value"] for group in drawn[5] for one in group["items"]]
    assert values == ["state:cell", "depth:0", "layer:conv", "checkpoint:early"]
    assert "Nothing to compare with is chosen" in text_of(drawn[2])
    later = draw(PAGE + "&checkpoint=early")
    values = [one["value"] for group in later[5] for one in group["items"]]
    assert values[-1] == compare_parts.OWN
    shown = data.frame(PAGE + "&checkpoint=early")
    assert data.beside(shown, compare_parts.OWN).selection.checkpoint is None


@pytest.mark.parametrize("text", ["layer:odd", "layer:none", "depth:7", "depth:x", "state:soul"])
def test_what_cannot_be_compared_is_said(spoken: Spoken, text: str) -> None:  # noqa: ARG001
    drawn = draw(PAGE + f"&scompare={text}")
    assert drawn[3] is None
    assert "cannot be shown" in text_of(drawn[2])


def test_the_payload_is_json_without_nan(spoken: Spoken) -> None:  # noqa: ARG001
    json.dumps(draw(PAGE + "&scompare=layer:conv")[3], allow_nan=False)
