"""The picture of words and units: what is sent, what is said of it, and what is said when there is none."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dash
import numpy as np
import pytest
from dash import no_update
from hypothesis import given
from hypothesis import strategies as st
from plotly.utils import PlotlyJSONEncoder

from dashboard import subjects
from dashboard.selection import Selection
from dashboard.views.sequences import clusters_panel, clusters_payload, clusters_pictures, data

from .sequences_stage import Spoken

PAGE = "?view=sequences"
ASSETS = Path(__file__).parents[2] / "assets"


@pytest.fixture
def spoken(put: Callable[..., Any]) -> Spoken:
    return put(Spoken)


def draw(search: str = PAGE, before: Any = None) -> tuple[Any, ...]:
    """Outputs: mark, subtitle, state, hidden, payload, worth, list, colours, three addresses."""
    drawn = clusters_panel.draw_clusters(*[None] * 8, before, search)
    return tuple(json.loads(part) if at == 4 and isinstance(part, str) else part for at, part in enumerate(drawn))


def text_of(component: Any) -> str:
    return json.dumps(component, cls=PlotlyJSONEncoder, ensure_ascii=False)


def decoded(sent: dict[str, Any]) -> np.ndarray:
    """The responses that the page sees, (rows, U)."""
    raw = np.frombuffer(base64.b64decode(sent["codes"]), np.int8).reshape(-1, sent["units"])
    return raw * np.array(sent["scale"])[:, None]


def test_the_responses_that_are_sent_are_those_of_the_words_drawn_then_of_the_boxes(spoken: Spoken) -> None:
    sent = draw()[4]
    values, means = decoded(sent), spoken.means()
    rows = np.array(sent["w"]["id"]) - 100
    assert np.allclose(values[: len(rows)], means[rows], atol=np.abs(means).max() / 100)
    own = np.arange(spoken.count) % 2
    boxes = np.stack([means[own == number].mean(0) for number in range(2)])
    assert np.allclose(values[len(rows) :], boxes, atol=np.abs(boxes).max() / 100)
    assert sent["w"]["size"] == sorted(sent["w"]["size"], reverse=True)


def test_words_have_the_class_they_go_with_and_the_label_most_of_their_sequences_have(spoken: Spoken) -> None:  # noqa: ARG001
    words = draw()[4]["w"]
    even = [number % 2 == 0 for number in words["id"]]
    assert words["cls"] == [1 if first else 0 for first in even]
    assert words["label"] == words["cls"]
    assert set(words["z"]) == {9.0}
    assert words["pos"] == [-1] * len(even)


def test_a_word_without_a_clear_class_has_none() -> None:
    best, z = clusters_payload.leaning(np.array([[1.0, -1.0], [-3.0, 3.0], [np.nan, np.nan]]))
    assert best.tolist() == [-1, 1, -1]
    assert z.tolist() == [1.0, 3.0, 0.0]
    assert clusters_payload.leaning(np.zeros((3, 0)))[0].tolist() == [-1] * 3


@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=300),
    st.integers(5, 60),
    st.integers(0, 1000),
)
def test_of_many_words_every_cluster_keeps_its_strongest(own: list[int], most: int, seed: int) -> None:
    clusters = np.array(own)
    norms = np.random.default_rng(seed).random(len(own))
    found = clusters_payload.chosen(clusters, norms, 5, most)
    assert len(set(found.tolist())) == len(found) < most + 5  # a small cluster keeps one
    assert (np.diff(norms[found]) <= 0).all()
    for number in set(own):
        members = np.flatnonzero(clusters == number)
        kept = [at for at in found if clusters[at] == number]
        assert kept == members[np.argsort(-norms[members], kind="stable")][: len(kept)].tolist()
        assert kept


def test_a_large_picture_stays_below_300_kb(
    bare_app: dash.Dash,
    bare_request: None,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Spoken(bare_app, name="large", words=2000, units=2048, k=20).install(monkeypatch)
    sent = draw()[4]
    assert len(sent["w"]["id"]) <= clusters_payload.MOST + 20
    assert sent["total"] == 2000
    assert 0 < sent["coded"] < len(sent["w"]["id"])
    assert len(text_of(sent)) < 300_000


def test_the_header_says_how_many_units_clusters_and_words(spoken: Spoken) -> None:
    assert draw()[1] == (
        "12 units · 2 clusters (suggested) · 60 of 60 words (1,200 too rare, 300 too weak) · "
        "4,000 steps of 200 sequences"
    )
    assert "3 clusters (2 suggested)" in draw(f"{PAGE}&sk=3&checkpoint=step-40")[1]
    assert draw(f"{PAGE}&checkpoint=step-40")[1].endswith(" · step-40")
    assert spoken.asked[-1][1]["words"] == "tokens"


def test_parameters_of_the_address_are_asked_for(spoken: Spoken) -> None:
    draw(f"{PAGE}&sweight=absolute&sk=4&sleast=9&snorm=0.5&sstate=cell&sdepth=0")
    asked = [params for question, params in spoken.asked if question == "sequence_clusters"][-1]
    assert asked == {
        "layer": "lstm",
        "state": "cell",
        "depth": 0,
        "words": "tokens",
        "weight": "absolute",
        "k": 4,
        "least": 9,
        "norm": 0.5,
    }


def test_what_is_drawn_already_is_not_sent_again(spoken: Spoken) -> None:  # noqa: ARG001
    mark = draw()[0]
    assert set(draw(before=mark)) == {no_update}
    assert set(draw(f"{PAGE}&word=101&scolor=label&slinks=0.5", mark)) == {no_update}
    assert draw("?view=layers") == (no_update,) * clusters_panel.OUTPUTS


def test_while_clusters_are_computed_the_panel_says_so_and_offers_no_download(spoken: Spoken) -> None:
    spoken.waiting = {"sequence_clusters"}
    drawn = draw()
    assert "Co-clusters of lstm, layer 2 of 2, hidden state" in text_of(drawn[2])
    assert drawn[3] is True
    assert drawn[4] is None
    assert drawn[8:] == ("#", "#", "#")
    assert draw(before=drawn[0])[0] is no_update


def test_a_computation_that_failed_says_what_happened_and_what_to_do(
    spoken: Spoken,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ask = spoken.ask

    def failing(selection: Selection, question: str, **params: Any) -> subjects.Asked:
        if question == "sequence_clusters":
            return subjects.Asked("failed")
        return ask(selection, question, **params)

    monkeypatch.setattr(subjects, "ask", failing)
    drawn = draw()
    assert "failed" in text_of(drawn[2])
    assert drawn[3] is True


def test_part_of_speech_is_greyed_where_it_is_not_known(spoken: Spoken) -> None:
    greyed = [one for one in draw()[7] if one["disabled"]]
    assert [one["value"] for one in greyed] == ["pos"]
    spoken.pos = ""
    shown = data.framed(
        Selection.parse(PAGE), spoken.description, spoken.sources()[0] | {"pos": {"reason": ""}}, spoken.extraction
    )
    assert not any(one["disabled"] for one in clusters_panel.colours(shown))


def test_the_list_names_every_cluster_with_its_words_units_and_links(spoken: Spoken) -> None:  # noqa: ARG001
    text = text_of(draw()[6])
    for part in ("W0", "U1", "word 0", "Choose unit 3", "<b>yes</b>", "mean z 9.0"):
        assert part in text, part
    # A unit is one of a layer: an address without it would mean another layer's.
    assert '\\"layer\\": \\"lstm\\"' in text
    assert '\\"layer\\"' not in text_of(draw(f"{PAGE}&layer=lstm")[6])


def chosen(search: str) -> Any:
    sent = clusters_panel.draw_chosen(None, None, search)
    return json.loads(sent) if isinstance(sent, str) else sent


def test_responses_to_chosen_words_are_sent_and_missing_ones_named(spoken: Spoken) -> None:
    sent = chosen(f"{PAGE}&word=103,9999")
    assert sent["ids"] == [103, 9999]
    assert sent["names"] == ["word 3"]
    assert sent["missing"] == [9999]
    assert np.allclose(sent["rows"][0], spoken.means()[3], rtol=1e-3)
    assert chosen(PAGE) is None
    assert chosen("?view=layers&word=103") is no_update
    spoken.waiting = {"sequence_responses"}
    assert chosen(f"{PAGE}&layer=conv&word=103") is None


def test_blanks_that_cannot_be_seen_are_shown() -> None:
    assert data.spelt(" film") == "“␣film”"
    assert data.spelt("  ") == "“␣␣”"
    assert data.spelt("\n") == "“⏎”"
    assert data.spelt("") == "“(empty)”"
    assert data.spelt("motif 3: up ") == "“motif 3: up␣”"
    assert len(data.spelt("x" * 400)) == data.LONGEST + 2


# --- pictures of the words of series


def series(app: dash.Dash, monkeypatch: pytest.MonkeyPatch, words: str) -> dict[str, Any]:
    Spoken(app, "series", name=f"pictures {words}", words=24).install(monkeypatch)
    sent = draw(f"{PAGE}&swords={words}")[4]["pictures"]
    assert sent is not None
    return dict(sent)


def test_a_motif_has_a_curve_of_each_channel_over_its_own_range(
    bare_app: dash.Dash,
    bare_request: None,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent = series(bare_app, monkeypatch, "motifs")
    curves = np.array(sent["curves"])
    assert curves.shape == (24, 2, 16)
    assert curves.min(axis=(0, 2)).tolist() == [0, 0]
    assert curves.max(axis=(0, 2)).tolist() == [99, 99]
    assert sent["ends"][1][1] == pytest.approx(50, rel=0.01)


def test_a_level_has_its_range_within_that_of_its_channel(
    bare_app: dash.Dash,
    bare_request: None,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent = series(bare_app, monkeypatch, "quantiles")
    spans = np.array(sent["spans"])
    assert ((spans[:, 1:] >= 0) & (spans[:, 1:] <= 1)).all()
    assert (spans[:, 1] < spans[:, 2]).all()
    assert sent["ends"] == [[0, 23], [1, 24]]


def test_a_channel_that_never_changes_has_a_range_all_the_same() -> None:
    assert clusters_pictures._ends(np.full(4, 3.0)) == (2.5, 3.5)
    assert clusters_pictures._ends(np.full(4, np.nan)) == (0.0, 1.0)


# --- the page


def test_the_page_has_a_colour_for_every_cluster_in_both_themes() -> None:
    style = (ASSETS / "sequences.css").read_text()
    for number in range(data.COLOURS):
        assert len(re.findall(rf"--sq-{number}: #", style)) == 2
    script = (ASSETS / "sequences.js").read_text()
    assert f"HUES = {data.COLOURS}, CLUSTERS = {data.FIRST_COLOUR}," in script
    assert data.cluster_colour(9) == "var(--sq-3)"


def test_colours_of_words_can_be_read_on_their_background() -> None:
    """WCAG AA for text: 4.5 to 1."""
    style = (ASSETS / "sequences.css").read_text()
    blocks = re.findall(r":root[^{]*\{([^}]*)\}", style)
    for block, paper in zip(blocks, ("#ffffff", "#1b1f26"), strict=True):
        found = re.findall(r"--sq-(?:\d|raise-ink|lower-ink): (#[0-9a-f]{6})", block)
        assert len(found) == data.COLOURS + 2
        for colour in found:
            assert contrast(colour, paper) >= 4.5, colour


def contrast(one: str, other: str) -> float:
    def light(text: str) -> float:
        parts = [int(text[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((light(one), light(other)))
    return (high + 0.05) / (low + 0.05)
