"""What the probe's figures stand beside, and that long sequences are held in part."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from analysis.sequences import index, probe, states
from tests.layers.desk import Context, open_desk
from tests.sequences.conftest import TOKENS, labelled, opened, texts
from tests.sequences.nets import Series, Text, seeded


class _Kind:
    def __init__(self, kind: str) -> None:
        self.kind = kind


def test_what_a_smooth_series_tells_of_itself_is_shown_beside_what_the_state_tells() -> None:
    """States without a memory, copies of the input, read a smooth series far back; so does the input alone."""
    rng = np.random.default_rng(0)
    reading = probe.Probe(_Kind("series"))
    reading.channels = ["x"]
    for _ in range(40):
        x = np.sin(np.arange(60) / 20 + rng.uniform(0, 6)).astype(np.float32)[:, None]
        reading._held.append(probe._Held(np.concatenate([x, 2 * x], 1), x, np.ones(60, bool)))
    told = reading.result()
    at = told["lags"].index(4)
    assert told["score"][at] > 0.8
    np.testing.assert_allclose(told["input"], told["score"], atol=1e-3)


def test_words_that_follow_each_other_are_told_by_the_word_itself() -> None:
    reading = probe.Probe(_Kind("text"))
    rng = np.random.default_rng(0)
    for _ in range(40):
        ids = np.repeat(rng.integers(1, 5, 10), 2)
        reading._held.append(probe._Held(rng.normal(size=(20, 3)).astype(np.float32), ids, np.ones(20, bool)))
    told = reading.result()
    assert told["input"][0] == 1
    assert 0.5 < told["input"][1] < 0.75  # the same in each pair, one of four across pairs
    assert abs(told["score"][1] - told["chance"][1]) < 0.15


def test_sequences_longer_than_the_probe_can_hold_are_held_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    session = opened(seeded(Series), labelled(torch.randn(12, 100, 2), 2), kind="series")
    chunk = states.of_batch(session, session.batch(range(12)), states.source_of(session, "rnn"))
    monkeypatch.setattr(probe, "STEPS", 160)
    monkeypatch.setattr(probe, "EACH", 20)
    monkeypatch.setattr(probe, "FEWEST", 20)
    reading = probe.Probe(session)
    reading.add(chunk, 4)
    told = reading.result()
    assert told["reason"] == ""
    assert told["instances"] >= 4
    assert reading._steps <= 160


def test_the_scale_of_long_sequences_is_measured_at_some_of_their_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = open_desk(seeded(Series), labelled(torch.randn(8, 100, 2), 2), tmp_path, kind="series")
    source = states.source_of(session, "rnn")
    chunk = states.of_batch(session, session.batch(range(8)), source)
    np.testing.assert_allclose(
        index.scales(session, Context(), source), np.percentile(np.abs(chunk.states), 99, (0, 1)), rtol=1e-6
    )
    monkeypatch.setattr(index, "NUMBERS", 8 * 100 * 4 // 5)
    np.testing.assert_allclose(
        index.scales(session, Context(), source), np.percentile(np.abs(chunk.states[:, ::5]), 99, (0, 1)), rtol=1e-6
    )


def test_codes_are_those_of_all_steps_unit_by_unit() -> None:
    parts = [np.arange(6, dtype=np.int8).reshape(3, 2), np.arange(6, 10, dtype=np.int8).reshape(2, 2)]
    found = index._by_unit(list(parts), 2)
    np.testing.assert_array_equal(found, np.concatenate(parts).T)
    assert found.flags.c_contiguous


def test_the_step_of_a_state_that_is_no_number_is_told_as_the_page_counts() -> None:
    session = opened(seeded(lambda: Text("GRU")), labelled(texts()), decode=TOKENS)
    chunk = states.of_batch(session, session.batch([0]), states.source_of(session, "rnn"))
    chunk.states[0, 2, 1] = np.inf
    with pytest.raises(states.NotANumber, match=r"infinite in instance 0 at step 3 \(unit 1\)"):
        states._check_numbers(chunk, states.source_of(session, "rnn"))
