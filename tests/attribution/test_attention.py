"""Attention weights: against a computation by hand, and without changing what the model computes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from analysis.attribution.case import Case
from analysis.attribution.method import Found
from analysis.attribution.methods import attention
from analysis.errors import NotFound
from analysis.subject.session import Session
from tests.attribution import conftest

LENGTHS = [7, 4, 9, 1, 5, 6]


def found(session: Session, layer: str = "", rows: range = range(6)) -> Found:
    with Case(session, session.batch(rows)) as case:
        return attention.run(case, lambda *_told: None, layer=layer)


def by_hand(layer: nn.MultiheadAttention, x: Tensor, mask: Tensor | None = None) -> Tensor:
    """softmax(Q K' / sqrt(d)) of each head (Vaswani et al. 2017, equation 1) for one sequence (T, E)."""
    width = layer.head_dim
    query, key, _ = (x @ layer.in_proj_weight.T + layer.in_proj_bias).chunk(3, 1)
    found = []
    for head in range(layer.num_heads):
        part = slice(head * width, (head + 1) * width)
        scores = query[:, part] @ key[:, part].T / math.sqrt(width)
        found.append((scores if mask is None else scores.masked_fill(mask, -torch.inf)).softmax(1))
    return torch.stack(found)


def test_weights_are_those_computed_by_hand_and_0_at_padding() -> None:
    session = conftest.transformer_session()
    result = found(session, "encoder.layers.0.self_attn")
    assert result.values.shape == (6, 2, 9, 9)
    for row, length in enumerate(LENGTHS):
        vectors = session.model.embedding(session.batch([row]).principal)[0]
        expected = by_hand(session.model.encoder.layers[0].self_attn, vectors)
        own = result.values[row]
        assert torch.allclose(own[:, :length, :length], expected, atol=1e-6)
        assert torch.allclose(own[:, :length].sum(2), torch.ones(2, length), atol=1e-5)
        assert not own[:, length:].any()
        assert not own[:, :, length:].any()
    assert result.extra == {"layer": "encoder.layers.0.self_attn", "heads": 2, "aligned": True}


def test_by_default_it_is_the_last_layer_and_says_what_weights_are_not() -> None:
    result = found(conftest.transformer_session())
    assert result.extra["layer"] == "encoder.layers.1.self_attn"
    assert "Jain & Wallace" in result.notes[0]
    assert "not an explanation" in attention.METHOD.summary
    assert len(result.notes) == 1


def test_outputs_are_the_same_to_the_last_bit_while_weights_are_read() -> None:
    session = conftest.transformer_session()
    batch = session.batch(range(6))
    with Case(session, batch) as case:
        before = case.logits_of(case.inputs)
        with attention.Weights(attention.attention_layers(session.model)) as weights:
            during = case.logits_of(case.inputs)
        after = case.logits_of(case.inputs)
    assert set(weights.found) == {f"encoder.layers.{n}.self_attn" for n in (0, 1)}
    assert before.equal(during)
    assert before.equal(after)
    assert all(not m._forward_hooks and not m._forward_pre_hooks for m in session.model.modules())


class Mixer(nn.Module):
    """Attention over the steps of a series (N, T, 4), in one of several forms."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self.attend = nn.MultiheadAttention(4, 2, batch_first=form != "time first")
        self.head, self.form = nn.Linear(4, 2), form
        self.token = nn.Parameter(torch.ones(1, 1, 4))

    def forward(self, x: Tensor) -> Tensor:
        forms: dict[str, Callable[[], Tensor]] = {
            "plain": lambda: self.attend(x, x, x)[0],
            "weights": lambda: self.attend(query=x, key=x, value=x, need_weights=True)[0],
            "time first": lambda: self.attend(*[x.movedim(1, 0)] * 3, need_weights=False)[0].movedim(0, 1),
            "causal": lambda: self.attend(x, x, x, attn_mask=self._causal(x), need_weights=False)[0],
            "twice": lambda: self.attend(x, self.attend(x, x, x)[0], x)[0],
            "token": lambda: self._with_token(x),
        }
        return self.head(forms[self.form]().mean(1))

    def _causal(self, x: Tensor) -> Tensor:
        return torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)

    def _with_token(self, x: Tensor) -> Tensor:
        x = torch.cat([self.token.expand(len(x), 1, 4), x], 1)
        return self.attend(x, x, x)[0]


def mixer(form: str) -> Session:
    torch.manual_seed(0)
    data: Any = conftest.labelled(conftest.drawn(6, 8, 4))
    return conftest.opened(Mixer(form), data, kind="series")


@pytest.mark.parametrize("form", ["plain", "weights", "time first", "causal"])
def test_weights_of_every_way_to_call_the_layer(form: str) -> None:
    session = mixer(form)
    result = found(session)
    mask = torch.ones(8, 8, dtype=torch.bool).triu(1) if form == "causal" else None
    for row in range(6):
        expected = by_hand(session.model.attend, session.batch([row]).principal[0], mask)
        assert torch.allclose(result.values[row], expected, atol=1e-6)


def test_calls_of_one_layer_are_told_apart() -> None:
    session = mixer("twice")
    first, second = found(session, "attend#1"), found(session)
    assert second.extra["layer"] == "attend#2"
    assert not torch.allclose(first.values, second.values, atol=1e-3)
    assert torch.allclose(first.values[0], by_hand(session.model.attend, session.batch([0]).principal[0]), atol=1e-6)
    with pytest.raises(NotFound, match="no attention layer 'attend#3'"):
        found(session, "attend#3")


def test_positions_that_are_not_the_inputs_are_said_to_be_others() -> None:
    result = found(mixer("token"))
    assert result.values.shape == (6, 2, 9, 9)
    assert result.extra["aligned"] is False
    assert "9 positions, the input 8" in result.notes[1]


class Unmasked(nn.Module):
    """Attends to padding as if it were text."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 4, padding_idx=0)
        self.attend, self.head = nn.MultiheadAttention(4, 2, batch_first=True), nn.Linear(4, 2)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embedding(ids)
        return self.head(self.attend(x, x, x)[0].mean(1))


def test_attention_to_padding_is_said() -> None:
    torch.manual_seed(0)
    session = conftest.opened(Unmasked(), conftest.labelled(conftest.ids()), decode=conftest.WORDS)
    result = found(session)
    assert any("go to padding" in note for note in result.notes)
    assert not result.values[1, :, :, 4:].any()
    assert "padding" not in " ".join(found(session, rows=range(1)).notes)
