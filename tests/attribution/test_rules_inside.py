"""Models that normalise their input themselves get the relevance of those that are given it normalised."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from analysis.attribution.methods import lrp
from analysis.attribution.rules.composites import COMPOSITES, Composite
from analysis.attribution.rules.propagation import relevance
from analysis.attribution.rules.relevance import Settings
from analysis.subject.session import Session
from tests.attribution.conftest import drawn, labelled, opened
from tests.attribution.nets import case, seeded

MEAN, SD = torch.tensor([0.4, 0.6]).double().view(2, 1, 1), torch.tensor([0.2, -0.5]).double().view(2, 1, 1)
MEAN4, SD4 = MEAN[None], SD[None]
ALL = {**COMPOSITES, "flat": Composite("epsilon", "epsilon", "flat"), "box": Composite("epsilon", "gamma", "z_box")}


class Inside(nn.Module):
    """A normalisation and what follows it, (N, 2, 8, 8) -> (N, 3)."""

    def __init__(self, first: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.first = first
        layers = [nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU(), nn.Flatten()]
        self.inner = nn.Sequential(*layers, nn.Linear(144, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(self.first(x))


def in_place(x: Tensor) -> Tensor:
    x = x.clone()
    x -= MEAN
    return x.div_(SD)


def one_by_one(x: Tensor) -> Tensor:
    return torch.stack([(x[:, channel] - MEAN[channel, 0, 0]) / SD[channel, 0, 0] for channel in range(2)], 1)


FIRST: dict[str, Callable[[Tensor], Tensor]] = {
    "sub and div": lambda x: (x - MEAN4) / SD4,
    "mul and add": lambda x: x * (1 / SD) + (-MEAN / SD),
    "rsub and neg": lambda x: -(MEAN - x) / SD,
    "in place": in_place,
    "by channels": one_by_one,
    "batch norm": lambda x: F.batch_norm(x, MEAN.flatten(), SD.flatten() ** 2, eps=0.0) * SD.sign(),
    "as the input's type": lambda x: (x - MEAN4.type_as(x)) / SD4.to(x).expand_as(x),
}


def session_of(first: Callable[[Tensor], Tensor], data: Tensor) -> Session:
    return opened(seeded(lambda: Inside(first), scale=1.5).double(), labelled(data, 3), kind="image")


def back(session: Session, composite: Composite) -> Tensor:
    with case(session) as own:
        low, high = lrp.ends(own) if composite.first == "z_box" else (None, None)
        return relevance(own, Settings(composite, 1e-6, 0.25, low, high)).back


def data() -> Tensor:
    """Some of it is where the normalised value is 0, as in pictures of 8 bits."""
    found = drawn(4, 2, 8, 8).double().sigmoid()
    found[:, :, ::3, 1] = MEAN[:, :, 0]
    return found


@pytest.mark.parametrize("composite", ALL)
@pytest.mark.parametrize("first", ["sub and div", "batch norm"])
def test_every_composite_gives_the_map_of_the_normalised_input(first: str, composite: str) -> None:
    expected = back(session_of(lambda x: x, (data() - MEAN) / SD), ALL[composite])
    torch.testing.assert_close(back(session_of(FIRST[first], data()), ALL[composite]), expected)


@pytest.mark.parametrize("composite", ["epsilon_plus_flat", "box"])
@pytest.mark.parametrize("first", FIRST)
def test_however_a_normalisation_is_written_the_map_is_the_same(first: str, composite: str) -> None:
    expected = back(session_of(lambda x: x, (data() - MEAN) / SD), ALL[composite])
    assert bool(expected.any())
    torch.testing.assert_close(back(session_of(FIRST[first], data()), ALL[composite]), expected)


def test_a_single_channel_that_is_spread_over_several_gets_the_sum_of_them() -> None:
    grey = data()[:, :1]
    expected = back(session_of(lambda x: x, (grey - MEAN) / SD), ALL["flat"]).sum(1, keepdim=True)
    torch.testing.assert_close(back(session_of(FIRST["sub and div"], grey), ALL["flat"]), expected)


def test_what_is_multiplied_by_0_gets_no_relevance() -> None:
    mask = torch.ones(8, 8).double()
    mask[:, :3] = 0
    found = back(session_of(lambda x: x * mask, data()), ALL["flat"])
    assert not bool(found[..., :3].any())
    assert bool(found[..., 3:].all())


def test_what_is_no_normalisation_is_a_layer_as_before() -> None:
    """Behind the first layer a shift takes its share, as a bias does."""
    shifted = back(session_of(lambda x: x.cumsum(3) + 1.0, data()), ALL["epsilon"])
    plain = back(session_of(lambda x: x.cumsum(3), data()), ALL["epsilon"])
    assert not torch.allclose(shifted.sum(), plain.sum())
