"""How long states last: against loops over single states, and on states whose life is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from analysis.sequences import memory, probe, states
from analysis.sequences.kept import kept
from tests.layers.desk import Context, open_desk
from tests.sequences import tasks
from tests.sequences.conftest import TOKENS, labelled, opened, texts
from tests.sequences.nets import Series, Text, seeded
from tests.sequences.planted import asked, recalling, source


def slow(values: np.ndarray, good: np.ndarray, lag: int) -> tuple[np.ndarray, np.ndarray]:
    """Of each unit: what is there of all states ``lag`` steps later, and ``lag - 1`` steps, of those that go so far."""
    left, had = np.zeros(values.shape[2]), np.zeros(values.shape[2])
    for row in range(len(values)):
        for step in range(values.shape[1] - lag):
            if not good[row, step : step + lag + 1].all():
                continue
            for unit in range(values.shape[2]):
                path = values[row, step : step + lag + 1, unit]
                signed = path * np.sign(path[0])
                left[unit] += max(0.0, signed.min())
                had[unit] += max(0.0, signed[:-1].min())
    return left, had


def test_survival_is_what_a_loop_over_states_finds() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(0.6, 1, (3, 21, 4)).astype(np.float32)
    good = np.ones((3, 21), bool)
    good[1, 13:], good[2, :5] = False, False
    found = memory.Survival(4)
    found.add(values, good)
    for number, lag in enumerate(found.lags[:12]):
        left, had = slow(values, good, lag)
        np.testing.assert_allclose(found.left[number], left, rtol=1e-5)
        np.testing.assert_allclose(found.had[number], had, rtol=1e-5)
    lags, whole, each = found.result()
    assert lags == [*range(1, 17), 17, 19]
    assert (np.diff(whole) <= 0).all()
    assert ((each >= 0) & (each <= 1)).all()


def test_lags_that_are_apart_carry_on_from_the_lag_before() -> None:
    rng = np.random.default_rng(1)
    values = np.abs(rng.normal(1, 0.2, (1, 60, 2))).astype(np.float32)
    good = np.ones((1, 60), bool)
    found = memory.Survival(2)
    found.add(values, good)
    number = found.lags.index(29)
    before, lag = found.lags[number - 1], found.lags[number]
    starts = range(60 - lag)
    left = sum(values[0, t : t + lag + 1].min(0) for t in starts)
    had = sum(values[0, t : t + before + 1].min(0) for t in starts)
    np.testing.assert_allclose(found.left[number], left, rtol=1e-5)
    np.testing.assert_allclose(found.had[number], had, rtol=1e-5)


def test_a_state_that_halves_each_step_has_a_half_life_of_one_step() -> None:
    steps = np.arange(12)
    values = np.stack([0.5**steps, -(0.9**steps), np.ones(12), (-1.0) ** steps, np.zeros(12)], 1)[None].astype("f4")
    found = memory.Survival(5)
    found.add(values, np.ones((1, 12), bool))
    lags, _, each = found.result()
    life = memory.half_life(lags, each)
    assert life[0] == pytest.approx(1)
    assert life[1] == pytest.approx(np.log(0.5) / np.log(0.9), abs=0.05)
    assert np.isinf(life[2])
    assert life[3] == pytest.approx(0.5)  # on the line from 1 to 0
    assert found.total[4] == 0


def test_sequences_that_end_are_not_taken_for_states_that_do() -> None:
    """Long and short sequences of the same decay: the short ones must not shorten the life."""
    values = np.tile((0.8 ** np.arange(20))[None, :, None], (10, 1, 1)).astype(np.float32)
    good = np.ones((10, 20), bool)
    good[1:, 3:] = False
    found = memory.Survival(1)
    found.add(values, good)
    lags, whole, _ = found.result()
    np.testing.assert_allclose(whole, 0.8 ** np.array(lags), rtol=1e-4)


@pytest.mark.parametrize("block", [256, 3])
def test_the_backward_half_is_followed_backwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(memory, "BLOCK", block)
    session = open_desk(seeded(lambda: Text("LSTM", bidirectional=True)), labelled(texts()), tmp_path, decode=TOKENS)
    answer = asked(session, "sequence_memory", **source("rnn"))
    chunk = states.of_batch(session, session.batch(range(session.n)), states.source_of(session, "rnn"))
    good = states.valid(chunk)
    left, had = slow(chunk.states[:, ::-1, 5:], good[:, ::-1], 1)
    np.testing.assert_allclose(answer.arrays["kept"][5:], left / had, rtol=1e-4)
    left, had = slow(chunk.states[..., :5], good, 1)
    np.testing.assert_allclose(answer.arrays["kept"][:5], left / had, rtol=1e-4)
    shares = kept(chunk.states, states.previous(chunk))
    shares[~good] = np.nan
    assert answer.value["kept"] == pytest.approx(np.nanmean(shares), rel=1e-5)
    by_position = answer.value["kept_by_position"]
    np.testing.assert_allclose([share for share in by_position if share is not None], np.nanmean(shares, 0), rtol=1e-4)
    assert answer.value["steps"] == 32
    assert answer.value["longest"] == 9
    assert answer.value["probe"]["reason"]  # of 6 sentences, too few steps


def test_the_probe_reads_the_symbol_that_an_lstm_remembers(tmp_path: Path) -> None:
    """Of a network that copies the first word at the end, what is read stays readable."""
    told = asked(recalling(tasks.trained("LSTM"), tmp_path), "sequence_memory", **source("rnn")).value["probe"]
    assert told["metric"] == "accuracy"
    assert told["lags"][:3] == [0, 1, 2]
    last = told["lags"].index(6)
    assert told["score"][last] > told["chance"][last] + 0.25
    assert told["score"][last] > told["score"][last - 1] + 0.1  # six steps before, half of the words are symbols


def test_the_probe_of_states_that_hold_the_last_two_values_reads_those_and_no_others() -> None:
    rng = np.random.default_rng(0)
    reading = probe.Probe(_Kind("series"))
    reading.channels = ["x"]
    for _ in range(40):
        x = rng.normal(size=(30, 1)).astype(np.float32)
        before = np.concatenate([np.zeros((1, 1), np.float32), x[:-1]])
        reading._held.append(probe._Held(np.concatenate([x + before, x - before], 1), x, np.ones(30, bool)))
    told = reading.result()
    scores = dict(zip(told["lags"], told["score"], strict=True))
    assert scores[0] > 0.99
    assert scores[1] > 0.99
    assert abs(scores[2]) < 0.05
    assert set(told["chance"]) == {0.0}


class _Kind:
    def __init__(self, kind: str) -> None:
        self.kind = kind


def test_many_steps_are_thinned_out_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    session = opened(seeded(Series), labelled(torch.randn(20, 10, 2), 2), kind="series")
    chunk = states.of_batch(session, session.batch(range(20)), states.source_of(session, "rnn"))
    monkeypatch.setattr(probe, "STEPS", 60)
    reading = probe.Probe(session)
    reading.add(chunk, 4)
    assert reading._every == 4
    assert len(reading._held) == 5
    np.testing.assert_array_equal(reading._held[2].values, chunk.states[8])


def test_a_series_and_one_word_only(tmp_path: Path) -> None:
    session = open_desk(seeded(Series), labelled(torch.randn(40, 10, 2), 2), tmp_path / "a", kind="series")
    told: dict[str, Any] = asked(session, "sequence_memory", **source("rnn")).value["probe"]
    assert told["metric"] == "r2"
    assert told["score"][0] > 0.5
    assert told["lags"] == [0, 1, 2, 3, 4, 6]
    one = [torch.full((6,), 3) for _ in range(30)]
    session = open_desk(seeded(lambda: Text("GRU")), labelled(one), tmp_path / "b", decode=TOKENS)
    told = asked(session, "sequence_memory", **source("rnn")).value["probe"]
    assert "same word" in told["reason"]


def test_a_sequence_of_one_step_has_no_lags(tmp_path: Path) -> None:
    session = open_desk(seeded(lambda: Text("GRU")), labelled(texts((1, 1, 1))), tmp_path, decode=TOKENS)
    value, arrays = memory.sequence_memory(session, Context(), **source("rnn"))
    assert value["lags"] == []
    assert value["half_life"] is None
    assert value["at_least"] == 0
    assert np.isnan(arrays["kept"]).all()
