"""Relevance propagation: rules against loops over neurons, conservation, merged normalisation, equality with Captum."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from captum.attr import LRP
from captum.attr._utils.lrp_rules import Alpha1_Beta0_Rule, EpsilonRule, GammaRule
from numpy.typing import NDArray
from torch import Tensor, nn

from analysis.attribution import registry
from analysis.attribution.methods import lrp
from analysis.attribution.parameters import checked
from analysis.attribution.rules.composites import COMPOSITES, Composite
from analysis.attribution.rules.propagation import relevance
from analysis.attribution.rules.relevance import Settings
from analysis.errors import ParameterError
from tests.attribution.conftest import drawn, labelled, opened
from tests.attribution.nets import OTHERS, Net, case, net, pictures, seeded

Array = NDArray[np.float64]
EPSILON, GAMMA = 1e-2, 0.3


def back(session: Any, composite: Composite, epsilon: float = EPSILON, **options: Any) -> Tensor:
    told = options.pop("told", None)
    with case(session, **options) as own:
        low, high = lrp.ends(own) if composite.first == "z_box" else (None, None)
        return relevance(own, Settings(composite, epsilon, GAMMA, low, high), told).back


# ---- loops over neurons


def matrix(layer: nn.Module, x: Tensor) -> tuple[Array, Array, Array]:
    """Weights (results, inputs), bias (results,) of a layer without groups, and which inputs a result sees."""
    zero = layer(torch.zeros_like(x)[None])[0].flatten()
    units = torch.eye(x.numel(), dtype=x.dtype).reshape(-1, *x.shape)
    weight = torch.stack([layer(unit[None])[0].flatten() - zero for unit in units], 1)
    return weight.numpy(), zero.numpy(), (weight != 0).numpy()


def by_neurons(rule: str, layer: nn.Module, x: Tensor, given: Array, low: Array, high: Array) -> Array:
    """Relevance (inputs,) of one layer, one neuron after the other."""
    weight, bias, sees = matrix(layer, x)
    values = x.flatten().numpy()
    found = np.zeros(len(values))
    for k in range(len(weight)):
        c, b = values * weight[k], bias[k]
        if rule == "epsilon":
            z = c.sum() + b
            found += c / (z + EPSILON * (1 if z >= 0 else -1)) * given[k]
        elif rule == "gamma":
            favoured = c + GAMMA * np.maximum(c, 0)
            z = favoured.sum() + b + GAMMA * max(b, 0)
            found += favoured / (z + EPSILON * (1 if z >= 0 else -1)) * given[k]
        elif rule in ("alpha1_beta0", "alpha2_beta1"):
            alpha = 1 if rule == "alpha1_beta0" else 2
            plus, minus = np.maximum(c, 0), np.minimum(c, 0)
            found += alpha * plus / (plus.sum() + max(b, 0) + EPSILON) * given[k]
            if alpha == 2:
                found -= minus / (minus.sum() + min(b, 0) - EPSILON) * given[k]
        elif rule == "flat":
            found += sees[k] / sees[k].sum() * given[k]
        else:
            box = c - low * np.maximum(weight[k], 0) - high * np.minimum(weight[k], 0)
            found += box / (box.sum() + EPSILON) * given[k]
    return found


def slow(layers: Sequence[nn.Module], x: Tensor, target: int, composite: Composite, low: Array, high: Array) -> Array:
    """Relevance of one instance, (inputs,). Dropping everything but layers with weights and what passes it on."""
    seen = [x]
    for layer in layers:
        seen.append(layer(seen[-1][None])[0])
    found = np.zeros(seen[-1].numel())
    found[target] = float(seen[-1][target])
    for number in range(len(layers) - 1, -1, -1):
        layer, given = layers[number], seen[number]
        if isinstance(layer, (nn.Linear, nn.Conv1d, nn.Conv2d)):
            kind = "dense" if isinstance(layer, nn.Linear) else "convolution"
            found = by_neurons(composite.rule(kind, number == 0), layer, given, found, low, high)
        elif isinstance(layer, (nn.AvgPool2d, nn.AvgPool1d)):
            weight, _, _ = matrix(layer, given)
            c = given.flatten().numpy() * weight
            found = (c / (c.sum(1, keepdims=True) + 1e-30) * found[:, None]).sum(0)
        elif isinstance(layer, nn.MaxPool2d):
            _, places = F.max_pool2d(given[None], layer.kernel_size, layer.stride, return_indices=True)
            handed = np.zeros((given.shape[0], given[0].numel()))
            for channel in range(given.shape[0]):
                for place, amount in zip(
                    places[0, channel].flatten().tolist(), found.reshape(given.shape[0], -1)[channel], strict=True
                ):
                    handed[channel, place] += amount
            found = handed.flatten()
    return found


DENSE = [nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 6), nn.Tanh(), nn.Linear(6, 3)]
PICTURE = [
    *(nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2, 2), nn.Conv2d(4, 3, 2), nn.ReLU()),
    *(nn.AvgPool2d(2, 1), nn.Flatten(), nn.Linear(12, 3)),
]
ALL = {
    **COMPOSITES,
    "gamma_box": Composite("gamma", "gamma", "z_box"),
    "dense_flat": Composite("epsilon", "gamma", "flat"),
}


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("kind", ["table", "image"])
def test_each_rule_equals_loops_over_neurons(name: str, kind: str) -> None:
    layers, shape = (DENSE, (5,)) if kind == "table" else (PICTURE, (2, 8, 8))
    model = seeded(lambda: nn.Sequential(*layers), scale=1.3).double()
    session = opened(model, labelled(drawn(4, *shape).double(), 3), kind=kind)
    found = back(session, ALL[name], n=2)
    with case(session, n=2) as own, torch.no_grad():
        low, high = (side.flatten(1).numpy() for side in lrp.ends(own))
        for row, [target] in enumerate(own.classes):
            expected = slow(list(model), own.inputs[row], target, ALL[name], low[row], high[row])
            scale = np.abs(expected).max()
            np.testing.assert_allclose(found[row].flatten().numpy(), expected, rtol=1e-5, atol=1e-6 * scale)


# ---- what must hold


@pytest.mark.parametrize("name", ["module relu", "residual", "reused", "in place", "largest of a row"])
def test_without_biases_and_epsilon_it_is_gradient_times_input(name: str) -> None:
    session = pictures(without_biases(net(name)))
    found = back(session, COMPOSITES["epsilon"], 1e-12)
    with case(session) as own:
        x = own.inputs.clone().requires_grad_()
        [gradient] = torch.autograd.grad(own.score(x).sum(), x)
        torch.testing.assert_close(found, gradient * own.inputs, rtol=1e-5, atol=1e-6)


def without_biases(model: nn.Module) -> nn.Module:
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if key.endswith("bias"):
                parameter.zero_()
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.zero_()
    return model


@pytest.mark.parametrize("composite", ["epsilon", "epsilon_plus", "epsilon_plus_flat", "epsilon_gamma_box", "gamma"])
@pytest.mark.parametrize("name", ["residual", "batch norm", "batch norm alone", "reused", "functional pool"])
def test_relevance_is_conserved_at_each_operation(name: str, composite: str) -> None:
    """Without biases no rule may lose or make relevance, but for results that are 0."""
    session = pictures(without_biases(net(name)), positive=True)
    told: list[tuple[str, float, float]] = []
    found = back(
        session,
        COMPOSITES[composite],
        1e-12,
        told=lambda operation, result, operands: told.append(
            (operation.name, float(result.sum()), float(sum(value.sum() for value in operands)))
        ),
    )
    assert len(told) >= 2
    for operation, before, after in told:
        assert after == pytest.approx(before, rel=1e-4, abs=1e-6), operation
    with case(session) as own:
        score = own.scores(own.inputs).double()
    torch.testing.assert_close(found.flatten(1).sum(1), score, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("composite", list(COMPOSITES))
def test_a_merged_normalisation_equals_the_folded_net(composite: str) -> None:
    model = net("batch norm")
    folded = net("module relu")
    folded.load_state_dict({key: value for key, value in model.state_dict().items() if not key.startswith("bn")})
    with torch.no_grad():
        scale = model.bn.weight / (model.bn.running_var + model.bn.eps).sqrt()
        folded.conv.weight.mul_(scale[:, None, None, None])
        folded.conv.bias.copy_((model.conv.bias - model.bn.running_mean) * scale + model.bn.bias)
    found, expected = (back(pictures(one), COMPOSITES[composite]) for one in (model, folded))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)


def test_a_functional_net_gets_what_its_twin_of_modules_gets() -> None:
    names = ("module relu", "functional relu", "clamp")
    first, *others = (back(pictures(net(name)), COMPOSITES["epsilon_plus"]) for name in names)
    for other in others:
        torch.testing.assert_close(other, first)


@pytest.mark.parametrize(
    ("composite", "rule"),
    [("epsilon", EpsilonRule), ("gamma", GammaRule), ("alpha1_beta0", Alpha1_Beta0_Rule)],
)
def test_it_equals_captum_on_sequential_nets(composite: str, rule: Any) -> None:
    """Without biases: Captum's gamma rule leaves them as they are, its other one keeps negative ones in a sum of
    positive contributions. With an input that is not negative, as Captum looks at weights alone."""
    layers = [nn.Conv2d(2, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 2), nn.ReLU(), nn.Flatten()]
    model = without_biases(seeded(lambda: nn.Sequential(*layers, nn.Linear(16, 3)), scale=1.5))
    session = pictures(model, positive=True)
    found = back(session, Composite(composite, composite), 1e-9)
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            module.rule = rule(GAMMA) if rule is GammaRule else rule()
        elif isinstance(module, (nn.Flatten, nn.MaxPool2d)):
            module.rule = EpsilonRule()  # Captum has none for Flatten
    with case(session) as own, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        inputs, target = own.inputs.clone(), torch.tensor([classes[0] for classes in own.classes])
    expected = LRP(model).attribute(inputs, target=target)
    torch.testing.assert_close(found, expected.detach(), rtol=1e-4, atol=1e-7)


def test_captum_gets_a_residual_add_wrong_and_this_does_not() -> None:
    """Captum follows the gradient through the add, so that relevance is made or lost there."""

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.act, self.inner = nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 6)
            self.head = nn.Linear(6, 3)

        def forward(self, x: Tensor) -> Tensor:
            x = self.act(self.first(x))
            return self.head(x + self.inner(x))

    model = without_biases(seeded(Block).double())
    session = opened(model, labelled(drawn(4, 5).double(), 3))
    with case(session) as own:
        score = own.scores(own.inputs).double()
        inputs, target = own.inputs.clone(), torch.tensor([classes[0] for classes in own.classes])
    torch.testing.assert_close(back(session, COMPOSITES["epsilon"], 1e-12).sum(1), score, rtol=1e-4, atol=1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wrong = LRP(model).attribute(inputs, target=target).detach()
    assert not torch.allclose(wrong.sum(1), score, rtol=1e-2)


def test_a_contrast_is_the_difference_of_two_classes() -> None:
    session = pictures(net("residual"))
    first, second, both = (back(session, COMPOSITES["epsilon"], 1e-12, target=target) for target in ("0", "1", "0-1"))
    torch.testing.assert_close(both, first - second, rtol=1e-4, atol=1e-6)


def test_a_unit_can_be_explained() -> None:
    session = pictures(without_biases(net("residual")))
    with case(session, unit="inner:1") as own:
        found = relevance(own, Settings(COMPOSITES["epsilon"], 1e-12)).back
        torch.testing.assert_close(found.flatten(1).sum(1), own.scores(own.inputs).double(), rtol=1e-4, atol=1e-6)


def test_what_comes_later_does_not_change_what_was_kept() -> None:
    """In-place operations write into what rules rely on; the same net without them is the oracle."""

    class Plain(Net):
        def forward(self, x: Tensor) -> Tensor:
            x = F.relu(self.conv(x))
            return self.head(F.relu(self.inner(x) + x).flatten(1))

    written = net("in place")
    plain = Plain(lambda _net, x: x).double()
    plain.load_state_dict(written.state_dict())
    for composite in ("epsilon", "epsilon_gamma", "epsilon_alpha2_beta1"):
        found, expected = (back(pictures(one), COMPOSITES[composite]) for one in (written, plain))
        torch.testing.assert_close(found, expected)


def test_the_box_is_for_pictures_and_tables_and_not_offered_for_words() -> None:
    method = registry.get("lrp")
    session = OTHERS["words"]()
    with case(session) as own, pytest.raises(ParameterError, match="z-box"):
        method.run(own, lambda *_told: None, **checked(method.parameters, {"composite": "epsilon_gamma_box"}))
    from analysis.attribution.structure import look

    offered = {one.name: one.choices for one in method.fit(look(session), method.parameters)}
    assert "epsilon_gamma_box" not in offered["composite"]
    assert "epsilon_gamma_box" in method.parameters[0].choices


def test_padding_gets_no_relevance() -> None:
    method = registry.get("lrp")
    with case(OTHERS["words"](), n=6) as own:
        found = method.run(own, lambda *_told: None, **checked(method.parameters, {"composite": "epsilon_plus_flat"}))
        assert not bool(found.values.masked_select(~own.valid().expand_as(found.values)).any())
        assert bool(found.values.any())
