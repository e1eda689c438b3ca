"""A probability that underflows has no gradient, and that is said."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from analysis.attribution.case import Case
from analysis.subject.session import Session
from tests.attribution.conftest import N, drawn, explained, labelled, opened, table_net, table_session


class Sure(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = table_net()

    def forward(self, x: Tensor) -> Tensor:
        return (self.inner(x) * 2000).softmax(1)


def session() -> Session:
    return opened(Sure().eval(), labelled(drawn(N, 5), 3))


@pytest.mark.parametrize(
    "name", ["saliency", "input_x_gradient", "integrated_gradients", "smoothgrad", "gradient_shap", "layer_conductance"]
)
def test_a_probability_of_0_is_said_by_what_goes_by_gradients(name: str) -> None:
    one = session()
    worst = int(Case(one, one.batch([0])).logits[0].argmin())
    seen, _ = explained(one, name, target=str(worst))
    assert any("is 0 to machine precision" in note for note in seen["notes"])
    assert not any("machine precision" in note for note in explained(one, name)[0]["notes"])


def test_logits_are_never_that_small() -> None:
    one = table_session()
    case = Case(one, one.batch([0]), "1")
    case.logits = torch.full_like(case.logits, -500.0)
    assert case.vanished() == []
