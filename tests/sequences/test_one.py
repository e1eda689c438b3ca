"""One sequence, step by step; texts that are typed; answers for the beginning of a sequence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from analysis.errors import CutawayError, ParameterError
from analysis.sequences import prefixes, states, typed
from analysis.sequences.kept import kept
from analysis.sequences.one import sequence_states
from analysis.subject.session import Session
from tests.layers.desk import Context, open_desk
from tests.sequences.conftest import TOKENS, labelled, opened, texts
from tests.sequences.nets import Loop, Series, Text, one_by_one, seeded


def asked(session: Session, **options: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    told: dict[str, Any] = {"layer": "rnn", "state": "hidden", "depth": -1, "words": "tokens"}
    return sequence_states(session, Context(), **(told | options))


def text_session(**options: Any) -> Session:
    model = options.pop("model", None) or seeded(lambda: Text("LSTM", bidirectional=True))
    return opened(model, labelled(texts()), **({"decode": TOKENS} | options))


def test_one_instance_has_states_changes_and_shares_kept() -> None:
    session = text_session()
    value, arrays = asked(session, instance=1)
    ids = texts()[1]
    assert value["tokens"] == [TOKENS[number] for number in ids.tolist()]
    assert value["label"] == 1
    with torch.no_grad():
        own, _ = one_by_one(session.model.rnn, session.model.embedding(ids), 0)
    np.testing.assert_allclose(arrays["states"], own.numpy(), atol=2e-6)
    np.testing.assert_allclose(arrays["previous"] + arrays["changes"], arrays["states"], atol=1e-6)
    np.testing.assert_allclose(arrays["kept"], kept(arrays["states"], arrays["previous"]), rtol=1e-6)
    assert np.nanmin(arrays["kept"]) >= 0
    assert np.nanmax(arrays["kept"]) <= 1
    assert arrays["word"][:, 0].tolist() == ids.tolist()
    assert arrays["direction"].tolist() == [1] * 5 + [-1] * 5
    assert sum(value["scores"]) == pytest.approx(1)


@pytest.mark.parametrize("packed", [False, True])
def test_answers_for_the_beginning_are_those_of_separate_passes(packed: bool) -> None:
    session = text_session(model=seeded(lambda: Text("GRU", packed=packed)))
    value, arrays = asked(session, instance=2)
    ids = texts()[2]
    assert value["prefix_reason"] == ""
    with torch.no_grad():
        for step in range(len(ids)):
            answer = session.model(ids[None, : step + 1]).softmax(1)[0]
            np.testing.assert_allclose(arrays["prefix"][step], answer.numpy(), atol=1e-6)
    np.testing.assert_allclose(arrays["prefix"][-1], value["scores"], atol=1e-6)


def test_long_sequences_have_answers_at_evenly_spaced_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefixes, "MOST", 5)
    session = opened(seeded(Series), labelled(torch.randn(3, 21, 2), 2), kind="series")
    found, why = prefixes.of(session, session.batch([0]), 21)
    assert why == ""
    assert found is not None
    assert np.flatnonzero(~np.isnan(found[:, 0])).tolist() == [0, 5, 10, 15, 20]


class Fixed(Series):
    """Takes 12 steps and no others."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(12 * 4, 2)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.last(self.rnn(x)[0].flatten(1))
        return found


def test_a_model_of_one_length_has_no_answers_for_beginnings_and_says_why(tmp_path: Path) -> None:
    session = open_desk(seeded(Fixed), labelled(torch.randn(6, 12, 2), 2), tmp_path, kind="series", sampling_rate=25.0)
    value, arrays = asked(session, instance=4, words="quantiles")
    assert "one length only" in value["prefix_reason"]
    assert "prefix" not in arrays
    assert arrays["display"].shape == (2, 12)
    assert arrays["word"].shape == (12, 2)
    assert value["channels"] == ["channel 0", "channel 1"]
    assert value["sampling_rate"] == 25


def test_a_text_is_looked_up_in_the_vocabulary_and_what_is_unknown_is_said() -> None:
    session = text_session()
    value, arrays = asked(session, text="w5 W7, nonsense w3")
    assert value["instance"] is None
    assert value["tokens"] == ["w5", "w7", ",", "nonsense", "w3"]
    assert value["unknown"] == [2, 3]
    assert arrays["word"][:, 0].tolist() == [5, 7, 1, 1, 3]
    assert value["label"] == -1
    with torch.no_grad():
        own, _ = one_by_one(session.model.rnn, session.model.embedding(torch.tensor([5, 7, 1, 1, 3])), 0)
    np.testing.assert_allclose(arrays["states"], own.numpy(), atol=2e-6)


def test_a_typed_text_has_the_states_of_the_same_instance() -> None:
    session = text_session()
    ids = texts()[0].tolist()
    typed_one = asked(session, text=" ".join(TOKENS[number] for number in ids))
    read = asked(session, instance=0)
    for name in ("states", "changes", "prefix"):
        np.testing.assert_allclose(typed_one[1][name], read[1][name], atol=1e-6)


@pytest.mark.parametrize(
    "decode", [TOKENS, dict(enumerate(TOKENS)), {token: number for number, token in enumerate(TOKENS)}]
)
def test_lists_and_dictionaries_are_looked_up_either_way(decode: Any) -> None:
    assert typed.read(text_session(decode=decode), "w4 w9").ids == [4, 9]


def test_letters_are_looked_up_one_by_one() -> None:
    letters = ["<pad>", *"abcdefgh ijklmnopqr"]
    session = text_session(decode=letters)
    assert typed.read(session, "a bad cab").ids == [letters.index(letter) for letter in "a bad cab"]


class Tokenizer:
    unk_token_id = 1

    def convert_ids_to_tokens(self, ids: list[int]) -> list[str]:
        return [TOKENS[number] for number in ids]

    def encode(self, text: str) -> list[int]:
        return [len(word) for word in text.split()]


def test_encode_comes_before_the_tokenizer_of_decode() -> None:
    session = text_session(decode=Tokenizer())
    assert asked(session, text="one a three")[0]["unknown"] == [1]
    assert typed.read(session, "one a three").ids == [3, 1, 5]
    session = text_session(decode=Tokenizer(), encode=lambda text: torch.tensor([7] * len(text)))
    assert typed.read(session, "abc").ids == [7, 7, 7]


@pytest.mark.parametrize(
    ("options", "text", "message"),
    [
        ({}, "   ", "text is empty"),
        ({"decode": None, "kind": "text"}, "w3", "there is no decode="),
        ({"decode": Tokenizer().convert_ids_to_tokens}, "w3", "no list and no dictionary"),
        ({"decode": ["<pad>", *TOKENS[2:], "other"]}, "w3 nowhere", "no 'nowhere', and no token for unknown words"),
        ({"encode": lambda _text: [3, 99]}, "w3", "the id 99, but the model knows 20"),
        ({"encode": lambda _text: [0.5]}, "w3", "yields float"),
        ({"encode": lambda text: text.missing}, "w3", "encode= fails"),
        ({"encode": lambda _text: []}, "w3", "No token was found"),
        ({}, "w3 " * 2001, "2,001 tokens"),
    ],
)
def test_texts_that_cannot_be_read_are_refused_in_words(options: dict[str, Any], text: str, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        asked(text_session(**options), text=text) if text.strip() else typed.read(text_session(**options), text)


def test_series_cannot_be_typed_and_something_must_be_chosen() -> None:
    session = opened(seeded(Series), labelled(torch.randn(4, 9, 2), 2), kind="series")
    with pytest.raises(ParameterError, match="Only texts can be typed"):
        typed.read(session, "w3")
    assert typed.reason(session) == "instances are no texts"
    assert typed.reason(text_session()) == ""
    assert "encode=" in typed.reason(text_session(decode=None, kind="text"))
    with pytest.raises(ParameterError, match="Neither an instance nor a text"):
        asked(text_session())


def test_a_model_that_gets_lengths_and_masks_is_told_them() -> None:
    class Told(Text):
        def forward(self, ids: Tensor, lengths: Tensor, attention_mask: Tensor) -> Tensor:  # type: ignore[override]
            assert attention_mask.shape == ids.shape
            assert lengths.tolist() == attention_mask.sum(1).tolist()
            return super().forward(ids, lengths)

    session = text_session(model=Told("GRU").eval())
    value, arrays = asked(session, text="w5 w6 w7")
    assert arrays["states"].shape == (3, 5)
    assert arrays["prefix"].shape == (3, 3)
    assert value["prefix_reason"] == ""


def test_instances_of_one_length_are_filled_up_for_a_typed_text() -> None:
    data = torch.zeros(6, 8, dtype=torch.int64)
    for row, one in enumerate(texts((7, 4, 8, 1, 5, 6))):
        data[row, : len(one)] = one
    session = opened(seeded(lambda: Text("GRU")), labelled(data), decode=TOKENS)
    value, arrays = asked(session, text="w5 w6 w7")
    assert arrays["states"].shape == (3, 5)
    assert len(value["tokens"]) == 3


def test_a_sequence_of_padding_only_and_one_that_cannot_be_read_are_refused() -> None:
    data = [*texts((5, 3)), torch.zeros(4, dtype=torch.int64), torch.zeros(0, dtype=torch.int64)]
    session = opened(seeded(lambda: Text("GRU")), labelled(data), decode=TOKENS)
    with pytest.raises(CutawayError, match="Instance 2 has no steps but padding"):
        asked(session, instance=2)
    with pytest.raises(CutawayError, match="Instance 3 cannot be read: it is an empty sequence"):
        asked(session, instance=3)
    with pytest.raises(CutawayError, match="no instance 9"):
        asked(session, instance=9)


def test_cells_in_a_loop_have_answers_for_beginnings_too() -> None:
    session = text_session(model=seeded(lambda: Loop("LSTM")))
    value, arrays = asked(session, instance=0, layer="cell", state="cell")
    assert arrays["states"].shape == (7, 5)
    assert value["prefix_reason"] == ""
    source = states.source_of(session, "cell")
    assert source.form == "loop"
