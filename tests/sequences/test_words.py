"""Words of series: bins and motifs that are planted are found, with their pictures in shown units."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from analysis.errors import ParameterError
from analysis.sequences import inputs, motifs, quantiles, states, tagging, words
from analysis.sequences.inputs import Lesson
from analysis.sequences.responses import sequence_responses
from analysis.subject.session import Session
from tests.layers.desk import Context, open_desk
from tests.sequences.conftest import TOKENS, labelled, opened, texts
from tests.sequences.nets import Series, Text, seeded

STEPS, WINDOW = 64, 8
BUMP = np.sin(np.linspace(0, np.pi, WINDOW)).astype(np.float32)


def planted(count: int = 60) -> tuple[Tensor, list[list[int]]]:
    """Quiet series (count, STEPS, 2) with bumps in channel 1, and the steps at which bumps end."""
    generator = np.random.default_rng(0)
    series = generator.normal(0, 0.05, (count, STEPS, 2)).astype(np.float32)
    ends = []
    for row in range(count):
        starts = generator.choice(np.arange(0, STEPS - 2 * WINDOW, 2 * WINDOW), 2, replace=False)
        for start in starts.tolist():
            series[row, start : start + WINDOW, 1] += 3 * BUMP
        ends.append([start + WINDOW - 1 for start in starts.tolist()])
    return torch.from_numpy(series), ends


def undo(series: Tensor) -> Tensor:
    return 10 * series + 5


def desk_of(home: Path, series: Tensor, **options: Any) -> Session:
    told: dict[str, Any] = {"kind": "series", "inverse_transform": undo, "feature_names": ["a", "b"], "batch_size": 16}
    return open_desk(seeded(Series), labelled(series, 2), home, **(told | options))


def chunk_of(session: Session, n: int = 16) -> states.Chunk:
    return states.of_batch(session, session.batch(range(n)), states.source_of(session, "rnn"))


def test_bins_are_fifths_of_each_channel(tmp_path: Path) -> None:
    series = torch.randn(80, 30, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 100.0])
    session = desk_of(tmp_path, series)
    vocabulary = words.learn(session, Context(), "quantiles")
    found = vocabulary.of(chunk_of(session, 80))
    assert found.shape == (80, 30, 2)
    assert np.abs(np.bincount(found.ravel(), minlength=10) / found[..., 0].size - 0.2).max() < 0.01
    flat = series.numpy().reshape(-1, 2)
    for channel in range(2):
        for level in range(5):
            inside = 10 * flat[found[..., channel].ravel() == 5 * channel + level, channel] + 5
            number = 5 * channel + level
            assert vocabulary.arrays["low"][number] == pytest.approx(inside.min(), rel=1e-4)
            assert vocabulary.arrays["high"][number] == pytest.approx(inside.max(), rel=1e-4)
    assert vocabulary.names([0, 9]) == ["a very low", "b very high"]
    assert vocabulary.arrays["channel"].tolist() == [0] * 5 + [1] * 5


def test_a_channel_that_is_mostly_one_value_has_fewer_bins_and_nan_has_none() -> None:
    values = np.zeros((100, 3), np.float32)
    values[:30, 0] = np.arange(1, 31)
    values[:, 2] = np.nan
    value, arrays = quantiles.learn(Lesson([values], [values.T], ["a", "b", "c"]))
    assert arrays["bins"].tolist() == [2, 1, 1]
    found = quantiles.number(values[None], arrays["edges"], arrays["bins"])
    assert set(found[0, 30:, 0].tolist()) == {0}
    assert found[0, 29, 0] == 1
    assert (found[0, :, 1] == 2).all()
    assert (found[0, :, 2] == -1).all()
    assert value["names"] == ["a low", "a high", "b any value", "c any value"]


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 3), st.integers(1, 40), st.integers(0, 99), st.booleans())
def test_every_step_has_one_bin_of_each_channel(channels: int, steps: int, seed: int, ties: bool) -> None:
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(steps, channels)).astype(np.float32)
    values = values.round() if ties else values
    value, arrays = quantiles.learn(Lesson([values], [values.T], [str(c) for c in range(channels)]))
    found = quantiles.number(values[None], arrays["edges"], arrays["bins"])[0]
    assert len(value["names"]) == arrays["bins"].sum() == len(arrays["channel"])
    first = np.cumsum(arrays["bins"]) - arrays["bins"]
    assert ((found >= first) & (found < first + arrays["bins"])).all()
    for channel in range(channels):  # larger values never have lower bins
        order = np.argsort(values[:, channel], kind="stable")
        assert (np.diff(found[order, channel]) >= 0).all()
    assert len(np.unique(found)) == arrays["bins"].sum()  # no bin is empty


def test_a_planted_motif_is_found_where_it_is(tmp_path: Path) -> None:
    series, ends = planted()
    session = desk_of(tmp_path, series)
    vocabulary = words.learn(session, Context(), "motifs")
    assert vocabulary.window == WINDOW
    assert vocabulary.pictures is not None
    assert vocabulary.pictures.shape == (24, 2, WINDOW)
    found = vocabulary.of(chunk_of(session, 60))[..., 0]
    assert (found[:, : WINDOW - 1] == -1).all()
    at_bumps = np.concatenate([found[row, steps] for row, steps in enumerate(ends)])
    named, counts = np.unique(at_bumps, return_counts=True)
    bump = int(named[counts.argmax()])
    assert len(named) <= 2  # noise may divide them, not more
    assert counts.max() > 0.5 * len(at_bumps)
    at_them = np.argwhere(np.isin(found, named))
    assert not [step for row, step in at_them if min(abs(step - np.array(ends[row]))) > 1]
    # Its picture is the bump, in the units that are shown; another motif may hold the step beside it.
    np.testing.assert_allclose(vocabulary.pictures[bump, 1], 5 + 30 * BUMP, atol=3)
    np.testing.assert_allclose(vocabulary.pictures[bump, 0], 5, atol=1)
    assert vocabulary.names([bump])[0].endswith("b peak")


def test_motifs_are_the_nearest_centres_and_padding_has_none() -> None:
    generator = np.random.default_rng(0)
    values = generator.normal(size=(3, 20, 2)).astype(np.float32)
    values[1, 12] = np.nan
    lesson = Lesson(list(values[[0, 2]]), [one.T for one in values[[0, 2]]], ["a", "b"])
    value, arrays = motifs.learn(lesson, 5)
    window = value["window"]
    good = np.arange(20) < np.array([20, 20, 9])[:, None]
    found = motifs.number(values, good, arrays)[..., 0]
    for row in range(3):
        for step in range(20):
            part = values[row, step - window + 1 : step + 1] if step >= window - 1 else None
            if part is None or not good[row, step] or np.isnan(part).any():
                assert found[row, step] == -1
            else:
                scaled = ((part - arrays["mean"]) / arrays["scale"]).T
                apart = ((arrays["centres"] - scaled) ** 2).sum((1, 2))
                assert apart[found[row, step]] <= apart.min() + 1e-4


def test_series_that_are_shorter_than_a_window_or_constant_have_motifs_too() -> None:
    assert [motifs.window_of([n]) for n in (0, 1, 3, 10, 100, 10_000)] == [1, 1, 1, 4, 12, 32]
    still = np.ones((12, 1), np.float32)
    value, arrays = motifs.learn(Lesson([still], [still.T], [""]))
    assert value["names"] == ["motif 1: even"]
    assert motifs.number(still[None], np.ones((1, 12), bool), arrays)[0, 5:, 0].tolist() == [0] * 7
    value, _ = motifs.learn(Lesson([], [], [""]))
    assert value["names"] == []


def test_learnt_words_are_kept_and_the_same_in_another_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    series, _ = planted(20)
    first = words.learn(desk_of(tmp_path, series), Context(), "motifs")
    monkeypatch.setattr(motifs, "learn", None)  # nothing is learnt any more
    second = words.learn(desk_of(tmp_path, series), Context(), "motifs")
    np.testing.assert_array_equal(first.arrays["centres"], second.arrays["centres"])
    assert first.known == second.known


def test_series_have_responses_by_bin_and_by_motif(tmp_path: Path) -> None:
    series, _ = planted(20)
    session = desk_of(tmp_path, series, sampling_rate=50.0)
    for name, shown in (("quantiles", ("channel", "low", "high")), ("motifs", ("picture",))):
        value, arrays = sequence_responses(session, Context(), layer="rnn", state="hidden", depth=-1, words=name)
        assert value["channels"] == ["a", "b"]
        assert value["sampling_rate"] == 50
        assert arrays["count"].sum() == (2 * 20 * STEPS if name == "quantiles" else 20 * (STEPS - WINDOW + 1))
        assert all(len(arrays[one]) == len(arrays["id"]) for one in shown)
        source = states.source_of(session, "rnn")
        chunk = states.of_batch(session, session.batch(range(20)), source)
        found, moved = words.learn(session, Context(), name).of(chunk), states.changes(chunk)
        word = int(arrays["id"][1])
        np.testing.assert_allclose(arrays["mean"][1], moved[(found == word).any(2)].mean(0), atol=1e-6)


def test_vocabularies_that_do_not_fit_the_data_are_refused(tmp_path: Path) -> None:
    session = opened(seeded(lambda: Text("GRU")), labelled(texts()), decode=TOKENS)
    with pytest.raises(ParameterError, match="their words are the tokens"):
        words.learn(session, Context(), "motifs")
    with pytest.raises(ParameterError, match="no vocabulary 'letters'"):
        words.learn(session, Context(), "letters")
    with pytest.raises(ParameterError, match="have no tokens"):
        words.learn(desk_of(tmp_path, planted(3)[0]), Context(), "tokens")


def test_parts_of_speech_are_those_of_the_lexicon_or_absent_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    session = opened(seeded(lambda: Text("GRU")), labelled(texts()), decode=TOKENS)
    if tagging.lexicon():
        found = tagging.parts_of(["film", "boring", "quickly", "the", "she", "was", "...", "1,000", "qzxv"])
        named = [tagging.NAMES[part] if part >= 0 else "" for part in found]
        assert named[:1] + named[2:] == [
            "noun",
            "adverb",
            "function word",
            "pronoun",
            "verb",
            "punctuation",
            "number",
            "",
        ]
        assert named[1] in ("adjective", "verb")
        assert "0 % of the words" in tagging.reason(session, 20)
    assert "no texts" in tagging.reason(opened(seeded(Series), labelled(torch.randn(4, 9, 2), 2), kind="series"), 0)
    monkeypatch.setattr(tagging, "lexicon", dict)
    assert "not installed" in tagging.reason(session, 20)


def test_padding_in_front_of_series_is_no_value_of_theirs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Told by a mask: neither bins nor motifs are learnt from it."""
    series = torch.rand(20, 30, 2, generator=torch.Generator().manual_seed(0)) + 5
    series[:, :20] = 0
    session = desk_of(tmp_path, series)

    def behind(_session: Session, batch: Any) -> np.ndarray:
        good = np.ones(batch.principal.shape[:2], bool)
        good[:, :20] = False
        return good

    monkeypatch.setattr(inputs, "valid_input", behind)
    told = words.learn(session, Context(), "quantiles")
    assert told.known == tuple(f"{channel} {level}" for channel in "ab" for level in quantiles.LEVELS[5])
    assert told.arrays["edges"].min() > 5
    assert words.learn(session, Context(), "motifs").arrays["centres"].std() < 2
    assert words.learn(session, Context(), "motifs").arrays["mean"].min() > 5
