"""Guided backpropagation and deconvolution: equal to Captum on modules, and the same however a ReLU is written."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from captum.attr import Deconvolution, GuidedBackprop
from torch import Tensor, nn

from analysis.attribution import registry
from analysis.attribution.faults import AttributionError
from analysis.attribution.rules import guided
from analysis.attribution.structure import look
from tests.attribution.conftest import drawn, explained, labelled, opened
from tests.attribution.nets import case, net, pictures, seeded
from tests.models import zoo

METHODS = {guided.GUIDED: GuidedBackprop, guided.DECONVOLUTION: Deconvolution}


def captum(session: Any, rule: str) -> Tensor:
    with case(session) as own, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return METHODS[rule](own.module).attribute(own.inputs, additional_forward_args=own.rows).detach()


def ours(session: Any, rule: str) -> Tensor:
    with case(session) as own:
        return guided.gradient(own, rule)[0]


def deep() -> nn.Module:
    layers = [nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 2), nn.ReLU()]
    return seeded(lambda: nn.Sequential(*layers, nn.Flatten(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 3)), scale=1.5)


@pytest.mark.parametrize("rule", METHODS)
def test_it_equals_captum_on_modules(rule: str) -> None:
    session = pictures(deep())
    found = ours(session, rule)
    torch.testing.assert_close(found, captum(session, rule))
    assert bool(found.any())


@pytest.mark.parametrize("rule", METHODS)
@pytest.mark.parametrize("name", ["functional relu", "clamp"])
def test_however_a_relu_is_written_the_result_is_the_same(rule: str, name: str) -> None:
    twin, other = pictures(net("module relu")), pictures(net(name))
    torch.testing.assert_close(ours(other, rule), ours(twin, rule))
    torch.testing.assert_close(ours(twin, rule), captum(twin, rule))
    assert not torch.allclose(captum(other, rule), captum(twin, rule), atol=1e-4)  # for Captum it is the gradient


@pytest.mark.parametrize("rule", METHODS)
def test_in_place_relus_equal_those_that_are_not(rule: str) -> None:
    written = opened(zoo.inplace_relu(), labelled(drawn(4, 1, 10, 10), 3))
    model = zoo.inplace_relu()
    for module in model.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    plain = opened(model, labelled(drawn(4, 1, 10, 10), 3))
    torch.testing.assert_close(ours(written, rule), ours(plain, rule))


def test_a_reused_relu_counts_each_time() -> None:
    session = pictures(net("reused"))
    with case(session) as own:
        x = own.inputs.clone().requires_grad_()
        [gradient] = torch.autograd.grad(own.score(x).sum(), x)
        found, _ = guided.gradient(own)
    assert not torch.allclose(found, gradient, atol=1e-4)


def test_by_hand() -> None:
    """One ReLU, weights 2 and -3 behind it: only the positive one comes back, and only where the ReLU was open."""
    model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.ReLU(), nn.Linear(2, 2, bias=False)).eval()
    with torch.no_grad():
        model[0].weight.copy_(torch.eye(2))
        model[2].weight.copy_(torch.tensor([[2.0, -3.0], [2.0, -3.0]]))
    session = opened(model, labelled(torch.tensor([[1.0, 1.0], [-1.0, 1.0]]), 2))
    with case(session, "0", n=2) as own:
        assert guided.gradient(own)[0].tolist() == [[2.0, 0.0], [0.0, 0.0]]
        assert guided.gradient(own, guided.DECONVOLUTION)[0].tolist() == [[2.0, 0.0], [2.0, 0.0]]


def test_relu6_lets_back_only_where_it_follows_its_input() -> None:
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.ReLU6(), nn.Linear(1, 2)).eval()
    with torch.no_grad():
        model[0].weight.fill_(1.0)
        model[2].weight.fill_(1.0)
    session = opened(model, labelled(torch.tensor([[-1.0], [3.0], [8.0]]), 2))
    with case(session, "0") as own:
        assert guided.gradient(own)[0].flatten().tolist() == [0.0, 1.0, 0.0]


def test_without_a_relu_on_the_way_it_is_refused() -> None:
    with case(pictures(net("gelu"))) as own, pytest.raises(AttributionError, match="uses no ReLU"):
        guided.gradient(own)


class Own(torch.autograd.Function):
    """A ReLU that torch does not know."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.clamp_min(0)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        return gradient * (ctx.saved_tensors[0] > 0)


def masked(x: Tensor) -> Tensor:
    x = x.clone()
    x[x < 0] = 0
    return x


def between(function: Callable[[Tensor], Tensor]) -> Any:
    """A session of a net with some function, and a ReLU behind it."""

    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.head = nn.Linear(6, 12), nn.Linear(12, 12), nn.Linear(12, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(F.relu(self.second(function(self.first(x)))))

    return opened(seeded(Two), labelled(drawn(6, 6), 3), kind="table")


HIDDEN: dict[str, Callable[[Tensor], Tensor]] = {
    "a function of its own": Own.apply,
    "a product with a mask": lambda x: x * (x > 0),
    "where": lambda x: torch.where(x > 0, x, torch.zeros(())),
    "masked fill": lambda x: x.masked_fill(x < 0, 0.0),
    "a mask that is written to": masked,
}


@pytest.mark.parametrize("name", HIDDEN)
@pytest.mark.parametrize("method", ["guided_backprop", "deconvolution"])
def test_what_may_hide_a_relu_is_refused(method: str, name: str) -> None:
    session = between(HIDDEN[name])
    assert "has no rule for that" in registry.get(method).applies(look(session))
    with case(session) as own, pytest.raises(AttributionError, match="has no rule for that"):
        registry.get(method).run(own, lambda *_told: None)


@pytest.mark.parametrize("name", ["sort", "cumprod", "nan_to_num"])
def test_what_hides_nothing_keeps_its_gradient(name: str) -> None:
    functions: dict[str, Callable[[Tensor], Tensor]] = {
        "sort": lambda x: x.sort(1).values,
        "cumprod": lambda x: x.cumprod(1),
        "nan_to_num": lambda x: x.nan_to_num(),
    }
    assert registry.get("guided_backprop").applies(look(between(functions[name]))) == ""


def test_activations_that_are_no_relu_are_noted() -> None:
    session = between(lambda x: F.leaky_relu(x, 0.0))
    for method in ("guided_backprop", "deconvolution"):
        [note] = explained(session, method)[0]["notes"]
        assert "keep their gradient: leaky_relu in the model itself (Two)" in note
        assert registry.get(method).notes(look(session)) == [note]
    assert explained(between(torch.relu), "guided_backprop")[0]["notes"] == []
