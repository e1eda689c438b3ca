"""Expected responses against the definition: one sequence at a time, one list for each word."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from analysis.errors import ParameterError
from analysis.sequences import responses
from analysis.sequences.faults import SequenceError
from analysis.sequences.responses import sequence_responses
from analysis.sequences.states import Chunk
from analysis.sequences.tally import Tally
from analysis.subject.session import Session
from tests.layers.desk import Context, open_desk
from tests.sequences.conftest import TOKENS, labelled, texts
from tests.sequences.nets import Text, one_by_one, seeded

MANY = (7, 4, 9, 1, 5, 6, 2, 3, 8, 9, 4, 5, 1, 7)


def desk_of(home: Path, model: nn.Module, data: Any = None, **options: Any) -> Session:
    data = labelled(texts(MANY)) if data is None else data
    return open_desk(model, data, home, **({"decode": TOKENS, "batch_size": 4} | options))


def ask(session: Session, **options: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    told: dict[str, Any] = {"layer": "rnn", "state": "hidden", "depth": -1, "words": "tokens"}
    return sequence_responses(session, Context(), **(told | options))


@torch.no_grad()
def by_hand(model: Any, data: list[Tensor], state: str, level: int) -> dict[int, list[np.ndarray]]:
    """The changes at every occurrence of every word."""
    found: dict[int, list[np.ndarray]] = defaultdict(list)
    for ids in data:
        hidden, cell = one_by_one(model.rnn, model.embedding(ids), level)
        own = (hidden if state == "hidden" else cell).double().numpy()
        half = own.shape[1] // (1 + model.rnn.bidirectional)
        for step, word in enumerate(ids.tolist()):
            forward = own[step, :half] - (own[step - 1, :half] if step else 0)
            after = own[step + 1, half:] if step + 1 < len(ids) else 0
            found[word].append(np.concatenate([forward, own[step, half:] - after]))
    return found


@pytest.mark.parametrize(
    ("kind", "state", "depth", "bidirectional"),
    [("RNN", "hidden", -1, False), ("GRU", "hidden", 0, True), ("LSTM", "hidden", -1, True), ("LSTM", "cell", 0, True)],
)
def test_responses_are_means_over_lists_of_changes(
    tmp_path: Path, kind: str, state: str, depth: int, bidirectional: bool
) -> None:
    model = seeded(lambda: Text(kind, num_layers=2, bidirectional=bidirectional))
    data = texts(MANY)
    value, arrays = ask(desk_of(tmp_path, model), state=state, depth=depth)
    slow = by_hand(model, data, state, depth % 2)
    assert sorted(arrays["id"].tolist()) == sorted(slow)
    assert value["steps"] == sum(MANY)
    assert value["sequences"] == len(MANY)
    assert (np.diff(arrays["count"]) <= 0).all()
    for row, word in enumerate(arrays["id"].tolist()):
        mean = np.mean(slow[word], axis=0)
        np.testing.assert_allclose(arrays["mean"][row], mean, atol=2e-6)
        assert arrays["count"][row] == len(slow[word])
        assert arrays["norm"][row] == pytest.approx(np.linalg.norm(mean), abs=1e-5)
        held = [number for number, ids in enumerate(data) if word in ids]
        assert arrays["sequences"][row] == len(held)
        assert arrays["by_class"][row].tolist() == [sum(n % 3 == label for n in held) for label in range(3)]
        assert value["names"][row] == TOKENS[word]
    assert arrays["class_n"].tolist() == [5, 5, 4]
    assert (arrays["by_predicted"].sum(1) == arrays["sequences"]).all()


def test_responses_do_not_depend_on_the_batches(tmp_path: Path) -> None:
    model = seeded(lambda: Text("LSTM", bidirectional=True))
    first = ask(desk_of(tmp_path / "a", model, batch_size=3))[1]
    second = ask(desk_of(tmp_path / "b", model, batch_size=14))[1]
    for name in ("id", "count", "sequences", "by_class"):
        np.testing.assert_array_equal(first[name], second[name])
    np.testing.assert_allclose(first["mean"], second["mean"], atol=1e-6)


def test_random_weights_answer_otherwise_and_leave_no_trace(tmp_path: Path) -> None:
    session = desk_of(tmp_path, seeded(lambda: Text("GRU")))
    own = ask(session)[1]
    other, again = ask(session, weights="untrained")[1], ask(session, weights="untrained")[1]
    np.testing.assert_array_equal(other["mean"], again["mean"])
    assert np.abs(own["mean"] - other["mean"]).max() > 0.05
    np.testing.assert_array_equal(ask(session)[1]["mean"], own["mean"])
    with pytest.raises(ParameterError, match="no weights 'none'"):
        ask(session, weights="none")


def test_only_the_most_frequent_words_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = seeded(lambda: Text("GRU"))
    session = desk_of(tmp_path, model)
    whole = ask(session)[1]
    monkeypatch.setattr(responses, "MOST", 5)
    value, few = ask(session)
    assert value["left_out"] == len(whole["id"]) - 5
    assert few["count"].tolist() == whole["count"][:5].tolist()
    np.testing.assert_allclose(few["mean"], whole["mean"][[whole["id"].tolist().index(i) for i in few["id"]]])
    assert value["steps"] == sum(MANY)


def test_one_word_only_and_words_that_are_unknown(tmp_path: Path) -> None:
    data = [(torch.full((3,), 1), 0), (torch.full((2,), 1), 1)]
    value, arrays = ask(desk_of(tmp_path, seeded(lambda: Text("GRU")), data))
    assert value["names"] == ["<unk>"]
    assert arrays["count"].tolist() == [5]
    assert arrays["sequences"].tolist() == [2]


def test_a_sample_that_is_all_padding_is_refused(tmp_path: Path) -> None:
    data = [(torch.zeros(4, dtype=torch.int64), 0)] * 3
    with pytest.raises(SequenceError, match="No step of the sample holds a word"):
        ask(desk_of(tmp_path, seeded(lambda: Text("GRU")), data))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 4), st.integers(0, 6), st.integers(1, 3), st.booleans(), st.integers(0, 99), st.integers(1, 3))
def test_sums_of_any_chunks_are_those_of_loops(
    n: int, steps: int, kinds: int, both: bool, seed: int, room: int
) -> None:
    generator = np.random.default_rng(seed)
    units, classes = 4, 2
    tally = Tally(units, classes, None, room)
    slow: dict[int, list[np.ndarray]] = defaultdict(list)
    held: dict[int, set[tuple[int, int]]] = defaultdict(set)
    direction = np.array([1, 1, -1, -1] if both else [1] * 4, np.int8)
    for number in range(3):
        states = generator.normal(size=(n, steps, units)).astype(np.float32)
        initial = generator.normal(size=(n, units)).astype(np.float32)
        lengths = generator.integers(0, steps + 1, n)
        words = generator.integers(-1, 7, (n, steps, kinds))
        words[np.arange(steps) >= lengths[:, None]] = -1
        labels = generator.integers(-1, classes, n)
        chunk = Chunk(states, initial, lengths, direction, np.arange(n), None, np.zeros((n, 2), np.float32))  # type: ignore[arg-type]
        tally.add(chunk, words, labels, np.zeros(n, np.int64))
        for row in range(n):
            for step in range(lengths[row]):
                back = states[row, step - 1] if step else initial[row]
                ahead = states[row, step + 1] if step + 1 < steps else initial[row]
                before = np.where(direction > 0, back, ahead)
                for word in words[row, step][words[row, step] >= 0].tolist():
                    slow[word].append(states[row, step] - before)
                    held[word].add((number, row))
    found = tally.result()
    assert sorted(found["id"].tolist()) == sorted(slow)
    for row, word in enumerate(found["id"].tolist()):
        np.testing.assert_allclose(found["mean"][row], np.mean(slow[word], axis=0), atol=1e-5)
        assert found["count"][row] == len(slow[word])
        assert found["sequences"][row] == len(held[word])
