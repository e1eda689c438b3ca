"""Texts that are padded in front: what is padding is told by their mask."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from analysis.attribution import baselines
from analysis.attribution.case import Case
from analysis.attribution.methods import attention
from analysis.subject.session import Session
from tests.attribution.conftest import WORDS, ids, opened

LENGTHS = (7, 2, 3, 2, 4, 2)


class Front(nn.Module):
    """Looks at the last position, and does not mask what is in front."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.out = nn.Embedding(20, 8), nn.Linear(8, 2)
        self.inner = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        del attention_mask
        found = self.first(input_ids)
        return self.out(self.inner(found, found, found)[0][:, -1])


def session() -> Session:
    data = []
    for number, one in enumerate(ids(LENGTHS)):
        empty = torch.zeros(7 - len(one), dtype=torch.int64)
        mask = torch.cat([empty, torch.ones_like(one)])
        data.append(({"input_ids": torch.cat([empty, one]), "attention_mask": mask}, number % 2))
    return opened(Front().eval(), data, kind="text", decode=WORDS)


def test_baselines_are_made_of_words_only() -> None:
    subject = session()
    case, table = Case(subject, subject.batch([0])), subject.model.first.weight.detach()
    mean = table[torch.cat(ids(LENGTHS))].mean(0)
    assert torch.allclose(baselines.of(case, "mean")[0], mean.expand(7, 8), atol=1e-5)
    drawn = baselines.several(case, 200, 0)
    assert drawn.shape == (200, 7, 8)
    assert float((drawn - table[0]).abs().amax(2).min()) > 1e-3


def test_weights_of_and_to_padding_are_0_and_it_is_said() -> None:
    subject = session()
    with Case(subject, subject.batch(range(6))) as case:
        result = attention.run(case, lambda *_told: None, layer="")
    for own, length in zip(result.values, LENGTHS, strict=True):
        assert not own[:, : 7 - length].any()
        assert not own[:, :, : 7 - length].any()
        assert own[:, 7 - length :, 7 - length :].all()
    assert "go to padding" in result.notes[1]
