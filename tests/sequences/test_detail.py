"""Percentiles of responses: exact where all occurrences are kept, within the stated error where not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from analysis.errors import ParameterError
from analysis.sequences import detail
from analysis.sequences.detail import PERCENTILES, Reservoir, sequence_words
from analysis.subject.session import Session
from tests.layers.desk import Context
from tests.sequences.conftest import labelled, texts
from tests.sequences.nets import Text, seeded
from tests.sequences.test_responses import MANY, ask, by_hand, desk_of


def words_of(session: Session, chosen: list[int], **options: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    told: dict[str, Any] = {"layer": "rnn", "state": "hidden", "depth": -1, "words": "tokens", "chosen": chosen}
    return sequence_words(session, Context(), **(told | options))


def test_percentiles_are_numpys_of_all_occurrences(tmp_path: Path) -> None:
    model = seeded(lambda: Text("LSTM", bidirectional=True))
    session = desk_of(tmp_path, model)
    value, arrays = words_of(session, [5, 9, 0])
    slow = by_hand(model, texts(MANY), "hidden", 0)
    whole = ask(session)[1]
    for row, word in enumerate([5, 9]):
        np.testing.assert_allclose(
            arrays["percentiles"][row], np.percentile(slow[word], PERCENTILES, axis=0), atol=2e-6
        )
        np.testing.assert_allclose(arrays["mean"][row], whole["mean"][whole["id"].tolist().index(word)], atol=1e-7)
        assert value["words"][row]["count"] == value["words"][row]["sampled"] == len(slow[word])
        assert value["words"][row]["error"] == 0
        data = texts(MANY)
        for place, (instance, step) in enumerate(value["occurrences"][row]):
            assert int(data[instance][step]) == word
            own = arrays["occurrence"][row, place]
            assert np.abs(np.array(slow[word]) - own).max(1).min() < 2e-6
    # A word that the sample does not hold has no percentiles.
    assert value["words"][2]["count"] == 0
    assert np.isnan(arrays["mean"][2]).all()
    assert np.isnan(arrays["percentiles"][2]).all()
    assert value["occurrences"][2] == []


def test_batches_without_the_words_are_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = [torch.full((3,), 4), torch.full((3,), 5), torch.full((3,), 6)]
    session = desk_of(tmp_path, seeded(lambda: Text("GRU")), labelled(data), batch_size=1)
    session.extraction()
    calls = []
    forward = session.forward
    monkeypatch.setattr(session, "forward", lambda batch: calls.append(1) or forward(batch))
    assert words_of(session, [5])[0]["words"][0]["count"] == 3
    assert len(calls) == 1


def test_bands_from_some_occurrences_cover_82_percent_of_others() -> None:
    generator = np.random.default_rng(0)
    scale = np.array([0.1, 1.0, 30.0])

    def drawn(count: int) -> np.ndarray:
        return (generator.standard_t(3, (count, 3)) * scale).astype(np.float32)

    held = Reservoir(7, 3, 4096)
    for start in range(0, 40_000, 500):
        places = np.arange(start, start + 500)
        held.add(drawn(500), places // 20, places % 20)
    low, _, _, _, high = held.percentiles()
    others = drawn(20_000)
    inside = ((others >= low) & (others <= high)).mean(0)
    assert np.abs(inside - 0.82).max() < 0.05
    assert held.count == 40_000
    assert len(held.keys) == 4096
    assert held.error == pytest.approx(0.0212, abs=1e-3)


def test_a_sample_of_occurrences_is_fair_and_the_same_whatever_the_batches() -> None:
    places = np.arange(10_000)
    changes = places[:, None].astype(np.float32)
    held = []
    for size in (7, 1000):
        one = Reservoir(3, 1, 500)
        for start in range(0, len(places), size):
            part = slice(start, start + size)
            one.add(changes[part], places[part] // 25, places[part] % 25)
        held.append(one)
    assert sorted(held[0].changes[:, 0]) == sorted(held[1].changes[:, 0])
    assert held[0].mean() == pytest.approx(4999.5)
    parts = np.bincount((held[0].changes[:, 0] // 1000).astype(int), minlength=10)
    assert ((parts - 50) ** 2 / 50).sum() < 27.9  # chi squared with 9 degrees of freedom, 0.1 %
    steps = np.bincount(held[0].places[:, 1], minlength=25)
    assert ((steps - 20) ** 2 / 20).sum() < 51.2  # 24 degrees


def test_percentiles_of_a_sample_lie_within_the_stated_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = seeded(lambda: Text("GRU"))
    data = texts((9,) * 200, vocabulary=5)
    monkeypatch.setattr(detail, "FEWEST", 60)
    monkeypatch.setattr(detail, "KEPT", 60)
    session = desk_of(tmp_path, model, labelled(data), batch_size=40)
    value, arrays = words_of(session, [2])
    [told] = value["words"]
    assert told["sampled"] == 60 < told["count"]
    slow = np.array(by_hand(model, data, "hidden", 0)[2])
    ranks = (slow[None] <= arrays["percentiles"][0][:, None]).mean(1)
    assert np.abs(ranks - np.array(PERCENTILES)[:, None] / 100).max() < told["error"]


@pytest.mark.parametrize("chosen", [[], list(range(1, 15))])
def test_none_and_too_many_words_are_refused(tmp_path: Path, chosen: list[int]) -> None:
    session = desk_of(tmp_path, nn.Module.eval(seeded(lambda: Text("GRU"))))
    with pytest.raises(ParameterError, match="words were chosen"):
        words_of(session, chosen)
