"""Planted truth: a word that decides, a unit that remembers, a tone in one channel, and a task that needs a memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.sequences import states
from analysis.sequences.association import association
from analysis.sequences.kept import kept
from analysis.subject.session import Session
from tests.e2e.cue_subjects import memory, tones, word
from tests.sequences import tasks
from tests.sequences.planted import Told, recalling, seated, source
from tests.sequences.planted import asked as ask


@pytest.fixture(scope="module")
def valve(tmp_path_factory: pytest.TempPathFactory) -> Session:
    return seated(memory.subject(), tmp_path_factory.mktemp("valve"))


@pytest.fixture(scope="module")
def microphones(tmp_path_factory: pytest.TempPathFactory) -> Session:
    return seated(tones.subject(), tmp_path_factory.mktemp("microphones"))


def first_of(answer: Told, label: int, by: str = "by_class", n: str = "class_n") -> int:
    """The word, as a row of the responses, that goes most with a class."""
    found = association(answer.arrays[by], answer.arrays[n])
    return int(np.nanargmax(found.z[:, label]))


def test_the_word_that_decides_ranks_first_by_its_association_with_the_class(tmp_path: Path) -> None:
    session = seated(word.subject(), tmp_path)
    answer = ask(session, "sequence_responses", words="tokens", **source("lstm"))
    label = word.CLASSES.index("complaint")
    names = answer.value["names"]
    assert names[first_of(answer, label)] == word.CUE
    assert names[first_of(answer, label, "by_predicted", "predicted_n")] == word.CUE
    assert names[int(answer.arrays["norm"].argmax())] == word.CUE  # and does most to the states
    row = names.index(word.CUE)
    assert answer.arrays["by_class"][row].tolist() == [0, word.HELD_OUT // 2]


# --- A unit that remembers ---


def spans(number: int) -> list[tuple[int, int]]:
    """Where it is open in an instance, as half-open steps."""
    ids, _ = memory.logs(memory.HELD_OUT, seed=3)
    state = np.concatenate([[0], memory.is_open(ids[number]).int().numpy(), [0]])
    begins, ends = (np.flatnonzero(np.diff(state) == sign) for sign in (1, -1))
    return list(zip(begins.tolist(), ends.tolist(), strict=True))


def a_long_span(least: int = 5) -> tuple[int, int, int]:
    """(instance, first step, step behind the last) of one that was opened for so long."""
    return next((n, a, b) for n in range(memory.HELD_OUT) for a, b in spans(n) if b - a >= least)


def test_the_unit_is_on_from_open_to_close(valve: Session) -> None:
    instance, *_ = a_long_span()
    answer = ask(valve, "sequence_states", words="tokens", instance=instance, text="", **source("lstm"))
    ids, _ = memory.logs(memory.HELD_OUT, seed=3)
    state = memory.is_open(ids[instance]).numpy()
    unit = answer.arrays["states"][:, memory.UNIT]
    assert unit[state].min() > 0.7
    assert np.abs(unit[~state]).max() < 0.05
    assert answer.value["tokens"] == [memory.VOCABULARY[number] for number in ids[instance].tolist()]
    shares = answer.arrays["kept"][1:]
    assert ((shares >= 0) & (shares <= 1 + 1e-6)).all()
    # Given only what came so far, the model says open while it is.
    assert (answer.arrays["prefix"].argmax(1) == state).all()


def test_open_raises_the_unit_and_close_lowers_it_more_than_any_other_word(valve: Session) -> None:
    answer = ask(valve, "sequence_responses", words="tokens", **source("lstm"))
    response = answer.arrays["mean"][:, memory.UNIT]
    names = answer.value["names"]
    assert names[int(response.argmax())] == memory.OPEN
    assert names[int(response.argmin())] == memory.CLOSE
    others = [row for row, name in enumerate(names) if name in memory.OTHERS]
    assert np.abs(response[others]).max() < 0.02


def test_similar_moments_find_the_unit_and_where_else_it_is_on(valve: Session) -> None:
    instance, first, end = a_long_span()
    asked = {"instance": instance, "start": first, "stop": end - 1} | source("lstm")
    answer = ask(valve, "sequence_similar", **asked)
    assert [memory.UNIT, 1] in [list(unit) for unit in answer.value["units"]]
    only = ask(valve, "sequence_similar", units=[memory.UNIT], most=10_000, **asked)
    moments = only.value["moments"]
    assert moments
    for moment in moments:
        assert any(a <= moment["start"] <= moment["stop"] < b for a, b in spans(moment["instance"]))
    found = {moment["instance"] for moment in moments}
    opened = {number for number in range(memory.HELD_OUT) if spans(number)}
    assert len(found & opened - {instance}) >= 0.95 * len(opened)
    shares = {row["name"]: row["share"] for row in only.value["by_label"]}
    assert shares[memory.CLASSES[1]] > shares[memory.CLASSES[0]]


def test_without_the_unit_the_task_is_lost_and_without_another_it_is_not(valve: Session) -> None:
    asked = {"mode": "zero", "value": 0.0} | source("lstm")
    without = ask(valve, "sequence_ablation", units=[memory.UNIT], **asked).value
    assert without["accuracy_before"] == 1
    assert without["accuracy_after"] == pytest.approx(0.5, abs=0.02)  # everything counts as shut
    assert without["high"] < -30
    moved = {one["name"] if "name" in one else memory.VOCABULARY[one["id"]] for one in without["tokens"][:2]}
    assert memory.OPEN in moved or memory.CLOSE in moved
    assert without["random"]["change"] > -5
    other = ask(valve, "sequence_ablation", units=[(memory.UNIT + 1) % memory.UNITS], **asked).value
    assert other["accuracy_after"] == 1
    on = ask(valve, "sequence_ablation", units=[memory.UNIT], **(asked | {"mode": "clamp", "value": 0.76})).value
    by_class = {row["name"]: row["after"] for row in on["classes"]}
    assert by_class == {memory.CLASSES[0]: 0, memory.CLASSES[1]: 1}


def test_the_unit_remembers_longest(valve: Session) -> None:
    answer = ask(valve, "sequence_memory", **source("lstm"))
    assert int(answer.arrays["kept"].argmax()) == memory.UNIT
    half = answer.arrays["half_life"]
    assert (half[memory.UNIT] >= np.delete(half, memory.UNIT)).all()


# --- A tone in one channel ---


def test_the_motif_of_the_class_is_the_tone_in_the_channel_that_decides(microphones: Session) -> None:
    answer = ask(microphones, "sequence_responses", words="motifs", **source("gru"))
    best = answer.arrays["picture"][first_of(answer, tones.CLASSES.index("tone"))]
    left, right = np.abs(np.diff(best, axis=-1)).mean(-1)
    assert left > 2 * right
    assert left > 0.2  # a tone of size 1 moves by a third at each step; noise and bumps, averaged, hardly


def test_the_level_that_changes_the_states_most_is_one_of_the_channel_that_decides(microphones: Session) -> None:
    """Every instance holds every level, so that no level goes with a class; what it does to the states tells."""
    answer = ask(microphones, "sequence_responses", words="quantiles", **source("gru"))
    best = int(answer.arrays["norm"].argmax())
    assert answer.arrays["channel"][best] == tones.CUE
    extremes = answer.arrays["low"][best], answer.arrays["high"][best]
    assert min(extremes) < -0.1 or max(extremes) > 0.1


# --- A task that needs a memory ---


def test_an_lstm_that_has_learnt_to_copy_keeps_more_from_step_to_step_than_a_plain_network(tmp_path: Path) -> None:
    """Both have learnt it: a network that has not may keep a constant state, and so a large share of nothing."""
    shares = {}
    for kind in ("LSTM", "RNN"):
        session = recalling(tasks.trained(kind), tmp_path / kind)
        chunk = states.of_batch(session, session.batch(range(session.n)), states.source_of(session, "rnn"))
        shares[kind] = kept(chunk.states, states.previous(chunk))[:, 1:]
        assert ((shares[kind] >= 0) & (shares[kind] <= 1)).all()
    assert shares["LSTM"].mean() > shares["RNN"].mean() + 0.3


@pytest.fixture(scope="module")
def recall(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    """The question about the memory, of an LSTM and of a plain network that both have learnt to recall a symbol."""
    found: dict[str, Any] = {}
    for kind in ("LSTM", "RNN"):
        model = tasks.trained(kind)
        assert tasks.accuracy(model, *tasks.recall(200, seed=3)) > 0.95
        session = recalling(model, tmp_path_factory.mktemp(kind))
        found[kind] = ask(session, "sequence_memory", **source("rnn"))
    return found


def test_the_kept_share_is_within_0_and_1_and_larger_for_the_lstm_than_for_the_plain_network(
    recall: dict[str, Told],
) -> None:
    for answer in recall.values():
        shares = [answer.value["kept"], *answer.arrays["kept"], *answer.value["survival"]]
        shares += [share for share in answer.value["kept_by_position"] if share is not None]
        shares = np.array(shares, np.float64)
        assert ((shares[~np.isnan(shares)] >= 0) & (shares[~np.isnan(shares)] <= 1 + 1e-9)).all()
    assert recall["LSTM"].value["kept"] > recall["RNN"].value["kept"] + 0.3
    assert recall["LSTM"].arrays["kept"].mean() > recall["RNN"].arrays["kept"].mean()


def test_the_half_life_of_the_lstm_is_longer(recall: dict[str, Told]) -> None:
    life = {kind: answer.value["half_life"] or np.inf for kind, answer in recall.items()}
    assert life["LSTM"] > life["RNN"]
