"""The rows of glyphs: what is sent of a sequence, of a typed text, and what is said when there is none."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dash
import numpy as np
import pytest
from dash import no_update
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as some

from analysis.jobs.queue import Job
from dashboard import subjects
from dashboard.views.sequences import data, glyphs_data, glyphs_panel, glyphs_parts

from .sequences_read import STEPS, Read
from .test_sequences_clusters import text_of
from .test_training import places

PAGE = "?view=sequences"
ASSETS = Path(__file__).parents[2] / "assets"
MARK, SUBTITLE, PAYLOAD, STATE, LEGEND, PICK, VALUE, NUMBER, STEP, UNTYPED = range(10)


@pytest.fixture
def made(put: Callable[..., Any]) -> Read:
    return put(Read)


@pytest.fixture
def signals(
    bare_app: dash.Dash,
    bare_request: None,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Read:
    return Read(bare_app, "series", name=request.node.nodeid).install(monkeypatch)  # type: ignore[return-value]


def draw(search: str = PAGE, before: Any = None) -> tuple[Any, ...]:
    drawn = list(glyphs_panel.draw_glyphs(*[None] * 10, before, search))
    if isinstance(drawn[PAYLOAD], str):
        drawn[PAYLOAD] = json.loads(drawn[PAYLOAD]) if drawn[PAYLOAD] else None
    return tuple(drawn)


def ends_of(row: dict[str, Any], count: int) -> np.ndarray:
    """What the page adds up, (4, T, clusters)."""
    planes = [np.frombuffer(base64.b64decode(plane["ends"]), "<i2") for plane in row["planes"]]
    return sum(plane.astype(float) for plane in planes).reshape(4, row["steps"], count) / 32767 * row["scale"]


def floats(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), "<f4")


def know_clusters(made: Read, search: str = PAGE) -> None:
    """Another panel asked for them."""
    data.clusters(data.frame(search))
    assert made.asked[-1][0] == "sequence_clusters"


@given(
    some.arrays(np.float64, (3, 5), elements=st.floats(-2, 2)),
    some.arrays(np.float64, (3, 5), elements=st.floats(-2, 2)),
    some.arrays(np.int64, 5, elements=st.integers(0, 2)),
)
def test_the_ends_of_a_bar_add_up_to_the_mean_state_and_its_change(
    states: np.ndarray, before: np.ndarray, cluster: np.ndarray
) -> None:
    found = glyphs_data.parts(states, before, cluster, 3, np.ones(5, bool))
    for number in range(3):
        own = cluster == number
        if not own.any():
            assert not found[..., number].any()
            continue
        assert np.allclose(found[0, :, number] + found[1, :, number], states[:, own].mean(1))
        gained = found[0] + found[1] - found[2] - found[3]
        assert np.allclose(gained[:, number], (states - before)[:, own].mean(1))
        slow = [[np.mean([max(value, 0) for value in row[own]]) for row in part] for part in (states, before)]
        assert np.allclose(found[[0, 2], :, number], slow)
    assert (found[[0, 2]] >= 0).all()
    assert (found[[1, 3]] <= 0).all()


def test_a_row_holds_the_bars_of_the_unit_clusters_to_four_digits(made: Read) -> None:
    know_clusters(made)
    sent = draw(f"{PAGE}&instances=3")[PAYLOAD]
    answer = data.states(data.frame(PAGE), 3)
    cluster = np.where(np.arange(made.units) < made.units // 2, 0, 1)
    truth = glyphs_data.parts(answer.array("states"), answer.array("previous"), cluster, 2, np.ones(made.units, bool))
    [row] = sent["rows"]
    assert sent["grouped"] is True
    assert [one["name"] for one in sent["clusters"]] == ["U0", "U1"]
    assert np.allclose(ends_of(row, 2), truth, atol=2e-4 * row["scale"])
    assert np.allclose(floats(row["kept"]), answer.array("kept"), equal_nan=True)
    assert np.allclose(floats(row["change"]), np.abs(answer.array("changes")).mean(1))


def test_both_directions_are_sent_apart_and_add_up(made: Read) -> None:
    made.backward = made.units // 3
    know_clusters(made)
    [row] = draw(f"{PAGE}&instances=3")[PAYLOAD]["rows"]
    assert [plane["way"] for plane in row["planes"]] == [1, -1]
    answer = data.states(data.frame(PAGE), 3)
    cluster = np.where(np.arange(made.units) < made.units // 2, 0, 1)
    truth = glyphs_data.parts(answer.array("states"), answer.array("previous"), cluster, 2, np.ones(made.units, bool))
    assert np.allclose(ends_of(row, 2), truth, atol=3e-4 * row["scale"])


def test_without_clusters_all_units_are_one_group_and_the_page_says_so(made: Read) -> None:
    drawn = draw(f"{PAGE}&instances=3")
    assert drawn[PAYLOAD]["grouped"] is False
    assert drawn[PAYLOAD]["clusters"] == [{"id": 0, "size": made.units, "name": "all units"}]
    assert "being computed: one bar shows all 12 units" in text_of(drawn[LEGEND])
    assert "sequence_clusters" not in [question for question, _ in made.asked]
    know_clusters(made)
    again = draw(f"{PAGE}&instances=3", drawn[MARK])
    assert again[PAYLOAD]["grouped"] is True, "drawn anew as soon as they are there"
    assert {"cluster": "u1"} in places(again[LEGEND])


def test_a_cluster_of_words_alone_has_no_bar(made: Read) -> None:
    made.k = 3
    know_clusters(made)
    sent = draw(f"{PAGE}&instances=3")[PAYLOAD]
    assert [(one["name"], one["size"]) for one in sent["clusters"]] == [("U0", 6), ("U1", 6)]
    assert ends_of(sent["rows"][0], 2).shape == (4, STEPS, 2)


def test_at_most_four_instances_are_beside_each_other_then_the_typed_text(made: Read) -> None:
    drawn = draw(f"{PAGE}&instances=5,3,8,1,9&stext=not+good")
    rows = drawn[PAYLOAD]["rows"]
    assert [row["instance"] for row in rows] == [5, 3, 8, 1, None]
    assert rows[4]["title"] == "Typed text"
    assert rows[4]["unknown"] == [1]
    assert "5 sequences · 38 steps in all" in drawn[SUBTITLE]
    assert "1 more chosen, not drawn" in drawn[SUBTITLE]
    assert (drawn[VALUE], drawn[NUMBER], drawn[UNTYPED]) == ("5", 5, False)
    assert [params["instance"] for question, params in made.asked if question == "sequence_states"][:4] == [5, 3, 8, 1]


def test_the_same_is_not_drawn_twice(made: Read) -> None:
    first = draw(f"{PAGE}&instances=5")
    assert made.asked
    assert all(part is no_update for part in draw(f"{PAGE}&instances=5", first[MARK]))
    assert draw(f"{PAGE}&instances=6", first[MARK])[MARK] != first[MARK]
    assert all(part is no_update for part in draw("?view=layers&instances=5"))


def test_the_prediction_is_named_where_it_changes_and_left_out_with_a_reason(made: Read) -> None:
    [row] = draw(f"{PAGE}&instances=5")[PAYLOAD]["rows"]
    shares = floats(row["prefix"])
    assert len(shares) == STEPS
    assert np.isnan(shares[1])
    assert shares[-1] == pytest.approx(0.75)
    high = np.linspace(0.1, 0.75, STEPS)
    turn = next(at for at in range(STEPS) if high[at] > 0.5 and at != 1)
    assert [at for at, _ in row["turns"]] == [0, turn]
    assert [one["name"] for _, one in row["turns"]] == ["no", "<b>yes</b>"]
    assert row["share"] == 0.75
    assert (row["outcome"], row["label"]["name"]) == ("right", "<b>yes</b>")
    made.prefixes = False
    [other] = draw(f"{PAGE}&instances=6")[PAYLOAD]["rows"]
    assert (other["prefix"], other["turns"]) == ("", [])
    assert other["reason"] == "the model takes sequences of one length only"
    assert other["outcome"] == "wrong"


def test_the_prediction_of_a_single_score_is_that_of_class_one() -> None:
    assert glyphs_data._share([0.8], 1) == pytest.approx(0.8)
    assert glyphs_data._share([0.8], 0) == pytest.approx(0.2)
    assert glyphs_data._share([], 0) is None


def test_a_series_is_sent_with_its_time_its_channels_and_the_names_of_its_words(signals: Read) -> None:
    assert signals.kind == "series"
    search = f"{PAGE}&instances=2&swords=motifs"
    before = draw(search)
    assert before[PAYLOAD]["names"] == {}
    data.responses(data.frame(search))
    sent = draw(search, before[MARK])[PAYLOAD]
    [row] = sent["rows"]
    assert row["rate"] == 20.0
    assert row["tokens"] == []
    assert [one["name"] for one in row["channels"]] == ["left", "right"]
    assert floats(row["channels"][1]["values"]).tolist() == (-np.arange(STEPS)).tolist()
    assert sent["names"]["102"] == "motif 3: a, up"
    assert draw(search)[UNTYPED] is True, "nothing can be typed"


def test_a_text_that_the_model_cannot_take_is_said_in_its_row(made: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    error = {"message": "The vocabulary has no 'dragon'.", "remedy": "Type other words."}
    job = Job(id="1", kind="question", name="", params={}, owner="server", submitted=0.0, state="failed", error=error)
    real = made.ask

    def ask(selection: Any, question: str, **params: Any) -> subjects.Asked:
        if params.get("text"):
            return subjects.Asked("failed", None, job)
        return real(selection, question, **params)

    monkeypatch.setattr(subjects, "ask", ask)
    drawn = draw(f"{PAGE}&instances=5&stext=dragon")
    assert len(drawn[PAYLOAD]["rows"]) == 1
    said = text_of(drawn[STATE])
    assert "Your text: " in said
    assert "The vocabulary has no 'dragon'." in said
    assert "Type other words." in said


def test_rows_that_are_being_computed_say_so_beside_those_that_are_there(made: Read) -> None:
    made.waiting = {"sequence_states"}
    drawn = draw(f"{PAGE}&instances=5,6")
    assert drawn[PAYLOAD]["rows"] == []
    assert "instance 5" in text_of(drawn[STATE])
    assert "instance 6" in text_of(drawn[STATE])
    assert drawn[LEGEND] == []


def test_an_instance_that_is_not_there_is_said_in_words(made: Read) -> None:
    assert made.extraction
    drawn = draw(f"{PAGE}&instances=700")
    assert "There is no instance 700" in text_of(drawn[STATE])
    assert drawn[PAYLOAD] is None


def test_wrong_instances_come_first_the_surest_of_them_before_the_others(made: Read) -> None:
    shown = data.frame(PAGE)
    order = glyphs_parts.ranked(shown)
    found = made.extraction
    row = {int(index): at for at, index in enumerate(found.indices)}
    wrong = [index for index in order if found.labels[row[index]] != found.predictions[row[index]]]
    assert order[: len(wrong)] == wrong
    sure = [float(found.confidence[row[index]]) for index in wrong]
    assert sure == sorted(sure, reverse=True)
    assert sorted(order) == sorted(int(index) for index in found.indices)
    offered = glyphs_parts.options(shown, order)
    assert offered[0]["label"].startswith("✗ " if wrong else "✓ ")
    assert "→" in offered[0]["label"]
    steps = places(glyphs_parts.steps(order, order[1]))
    assert steps == [{"instances": str(order[0])}, {"instances": str(order[2])}]


def test_what_is_sent_stays_small_and_is_json(made: Read) -> None:
    know_clusters(made)
    sent = draw(f"{PAGE}&instances=5,3,8,1")[PAYLOAD]
    assert len(json.dumps(sent)) < 20_000


def test_the_page_draws_text_as_text_and_builds_no_code() -> None:
    for name in ("sequences_glyphs.js", "sequences_glyphs_moves.js"):
        script = (ASSETS / name).read_text(encoding="utf-8")
        assert "innerHTML" not in script
        assert "Function(" not in script
        assert "eval(" not in script
