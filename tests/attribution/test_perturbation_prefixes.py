"""Recurrent layers that start where a version differs from its instance, against passes of all steps."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from analysis.attribution import ablation, baselines, masks
from analysis.attribution.case import Case
from analysis.attribution.methods import feature_ablation
from analysis.attribution.prefixes import Prefixes
from analysis.attribution.refining import players_of
from analysis.subject.session import Session
from tests.attribution.conftest import drawn, ids, labelled, opened, text_session
from tests.attribution.games import case_of, run

LENGTHS = (7, 4, 9, 1, 5, 6)


class Net(nn.Module):
    """A recurrent layer in one of many forms behind an embedding, (N, T) ids -> (N, 2)."""

    def __init__(self, kind: str, layers: int, first: bool, packed: bool, **options: Any) -> None:
        super().__init__()
        self.start, self.sums, self.mixes = (options.pop(name, False) for name in ("start", "sums", "mixes"))
        self.twice = options.pop("twice", False)
        self.embedding, self.packed = nn.Embedding(20, 6, padding_idx=0), packed
        self.mix = nn.Conv1d(6, 6, 3, padding=1)
        self.rnn = getattr(nn, kind)(6, 5, num_layers=layers, batch_first=first, **options)
        width = options.get("proj_size", 0) or 5
        self.head = nn.Linear(width * (1 + self.rnn.bidirectional), 2)

    def forward(self, tokens: Tensor) -> Tensor:
        x, lengths = self.embedding(tokens), (tokens != 0).sum(1)
        if self.mixes:
            x = self.mix(x.transpose(1, 2)).transpose(1, 2)
        state = self._state(x, lengths) if self.start else None
        out = self._read(x, lengths, state)
        if self.twice:
            out = out + self._read(x.flip(1), lengths, state)
        if self.sums:
            return self.head(out.sum(1))
        return self.head(out[torch.arange(len(x)), lengths - 1])

    def _read(self, x: Tensor, lengths: Tensor, state: Any) -> Tensor:
        first = self.rnn.batch_first
        given = x if first else x.transpose(0, 1)
        if not self.packed:
            out = self.rnn(given, state)[0]
            return out if first else out.transpose(0, 1)
        found, last = self.rnn(pack_padded_sequence(given, lengths, batch_first=first, enforce_sorted=False), state)
        last = last[0] if isinstance(last, tuple) else last
        out = pad_packed_sequence(found, batch_first=True, total_length=x.shape[1])[0]
        return out + last[-1].mean(1)[:, None, None]

    def _state(self, x: Tensor, lengths: Tensor) -> Any:
        h = torch.linspace(-1, 1, 5).expand(self.rnn.num_layers, len(x), 5) * (lengths / 9)[:, None]
        return (h, -h) if isinstance(self.rnn, nn.LSTM) else h


def session_of(model: nn.Module, lengths: tuple[int, ...] = LENGTHS) -> Session:
    return opened(model, labelled(ids(lengths)), kind="text", embedding_layer="embedding")


def net(*given: Any, **options: Any) -> Session:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return session_of(Net(*given, **options).eval())


def compared(case: Case, monkeypatch: pytest.MonkeyPatch, rows: int = 6, together: int = 2) -> int:
    """How often layers began late; the scores are checked against passes of all steps."""
    for name, value in {"ROWS": together, "CALL": 0, "WORTH": 0}.items():
        monkeypatch.setattr(ablation, name, value)
    made: list[Prefixes] = []
    enter = Prefixes.__enter__
    monkeypatch.setattr(Prefixes, "__enter__", lambda self: (made.append(self), enter(self))[1])
    base = baselines.of(case, "mean")
    with case:
        before = {name: dict(vars(module)) for name, module in case.session.model.named_modules()}
        engine = masks.Engine(case, base, rows)
        versions = ablation._Versions(engine, players_of(case, base, {}, lambda *_told: None))
        found, slow = ablation._reusing(engine, versions), ablation._plainly(engine, versions)
        after = {name: dict(vars(module)) for name, module in case.session.model.named_modules()}
        assert all(before[name].keys() == after[name].keys() for name in before)
    if found is not None:
        for fast, expected in zip(found, slow, strict=True):
            np.testing.assert_allclose(fast, expected, atol=1e-6)
    return sum(one.used for one in made) if found is not None else -1


FORMS = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["LSTM", "GRU", "RNN"]),
        "layers": st.integers(1, 3),
        "first": st.booleans(),
        "packed": st.booleans(),
        "start": st.booleans(),
        "sums": st.booleans(),
        "bias": st.booleans(),
    }
)


@settings(max_examples=40, deadline=None)
@given(
    FORMS,
    st.lists(st.sampled_from(range(6)), min_size=1, max_size=5, unique=True),
    st.integers(1, 5),
    st.integers(6, 20),
)
def test_the_scores_are_those_of_whole_passes(form: dict[str, Any], which: list[int], together: int, rows: int) -> None:
    session = net(**form)
    with pytest.MonkeyPatch.context() as patch:
        used = compared(case_of(session, *which), patch, rows, together)
    longest = max(LENGTHS[one] for one in which)
    assert used > 0 or longest <= 2 * together + 1 or form["packed"]
    gc.collect(0)


@pytest.mark.parametrize(
    "options",
    [{"bidirectional": True}, {"mixes": True}, {"twice": True}, {"proj_size": 3}, {"dropout": 0.5}],
    ids=["both directions", "steps mixed before", "called twice", "projected", "dropout"],
)
@pytest.mark.parametrize("packed", [False, True])
def test_other_forms_are_right_too(options: dict[str, Any], packed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if options.get("twice") and packed:
        pytest.skip("padding would come first")
    session = net("LSTM", 2, True, packed, **options)
    used = compared(case_of(session, 0, 2, 5), monkeypatch)
    expected = {"bidirectional": -1, "mixes": 0}.get(next(iter(options)))
    assert used > 0 if expected is None else used in (expected, 0, 1)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_a_series_of_several_channels_is_right(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Series(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn, self.head = getattr(nn, kind)(3, 5, batch_first=True), nn.Linear(5, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.rnn(x)[0].mean(1))

    session = opened(Series().eval(), labelled(drawn(4, 24, 3)), kind="series")
    assert compared(case_of(session, 0, 2), monkeypatch, 12, 4) > 0


def test_the_method_finds_the_same_with_and_without(monkeypatch: pytest.MonkeyPatch) -> None:
    session = text_session(packed=True)
    plain = run(feature_ablation, case_of(session, 0, 2, 5)).values
    for name, value in {"ROWS": 2, "CALL": 0, "WORTH": 0}.items():
        monkeypatch.setattr(ablation, name, value)
    torch.testing.assert_close(run(feature_ablation, case_of(session, 0, 2, 5)).values, plain, atol=1e-6, rtol=1e-4)


def test_little_is_not_worth_it() -> None:
    case = case_of(text_session(packed=False), 2)
    base = baselines.of(case, "zero")
    with case:
        engine = masks.Engine(case, base)
        assert ablation._reusing(engine, ablation._Versions(engine, players_of(case, base, {}, print))) is None
