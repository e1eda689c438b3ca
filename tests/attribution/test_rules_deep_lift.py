"""DeepLIFT by operations against a slow, obvious one, against Captum where that is right, and where it is not."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from captum.attr import DeepLift
from torch import Tensor, nn

from analysis.attribution import registry
from analysis.attribution.faults import AttributionError
from analysis.attribution.parameters import checked
from analysis.attribution.rules import deep_lift
from tests.attribution.conftest import drawn, labelled, opened, table_net
from tests.attribution.nets import BETWEEN, case, net, pictures, seeded


class Residual(nn.Module):
    """x + inner(x)."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.inner = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.inner(x)


def slow(layers: Sequence[nn.Module], x: Tensor, x0: Tensor) -> tuple[Tensor, Tensor, np.ndarray[Any, Any]]:
    """Results for one input and one baseline (no axis of instances), and multipliers (results, inputs), each layer by
    the definition: columns of a linear one by unit vectors, ratios of differences of an activation."""
    whole = np.eye(x.numel())
    for layer in layers:
        y, y0 = layer(x[None])[0], layer(x0[None])[0]
        dx, dy = (x - x0).flatten().numpy(), (y - y0).flatten().numpy()
        if isinstance(layer, Residual):
            own = np.eye(x.numel()) + slow(list(layer.inner), x, x0)[2]
        elif isinstance(layer, (nn.ReLU, nn.ELU, nn.Tanh, nn.Sigmoid, nn.GELU, nn.LeakyReLU)):
            own = np.diag(dy / dx)
        elif isinstance(layer, nn.MaxPool1d):
            own = _pool(layer, x, x0)
        else:
            zero = layer(torch.zeros_like(x)[None])[0].flatten()
            units = torch.eye(x.numel(), dtype=x.dtype).reshape(-1, *x.shape)
            own = torch.stack([layer(unit[None])[0].flatten() - zero for unit in units], 1).numpy()
        whole = own @ whole
        x, x0 = y, y0
    return x, x0, whole


def _pool(layer: nn.MaxPool1d, x: Tensor, x0: Tensor) -> np.ndarray[Any, Any]:
    channels, length = x.shape
    size, step = int(layer.kernel_size), int(layer.stride)
    places = range(0, length - size + 1, step)
    own = np.zeros((channels * len(places), channels * length))
    for channel in range(channels):
        for number, start in enumerate(places):
            new, old = x[channel, start : start + size], x0[channel, start : start + size]
            change = float(new.max() - old.max())
            at = start + int(new.argmax() if change >= 0 else old.argmax())
            own[channel * len(places) + number, channel * length + at] = change / float(
                x[channel, at] - x0[channel, at]
            )
    return own


STACKS = {
    "dense": lambda: [nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 6), nn.Tanh(), nn.Linear(6, 3)],
    "residual": lambda: [nn.Linear(5, 7), Residual(nn.ReLU(), nn.Linear(7, 7)), nn.ELU(), nn.Linear(7, 3)],
    "batch norm": lambda: [nn.Linear(5, 7), nn.BatchNorm1d(7), nn.GELU(), nn.Linear(7, 3)],
    "leaky": lambda: [nn.Linear(5, 7), nn.LeakyReLU(0.2), nn.Linear(7, 4), nn.Sigmoid(), nn.Linear(4, 3)],
}


@pytest.mark.parametrize("name", STACKS)
def test_it_equals_a_slow_one(name: str) -> None:
    model = seeded(lambda: nn.Sequential(*STACKS[name]())).double()
    session = opened(model, labelled(drawn(4, 5).double(), 3))
    base = drawn(4, 5, seed=9).double()
    with case(session, n=4) as own:
        found, _ = deep_lift.contributions(own, base)
    with torch.no_grad():
        for row, [target] in enumerate(own.classes):
            whole = slow(list(model), own.inputs[row], base[row])[2]
            expected = whole[target] * (own.inputs - base)[row].numpy()
            np.testing.assert_allclose(found.back[row].numpy(), expected, rtol=1e-6, atol=1e-9)


def test_max_pooling_with_overlapping_windows_equals_a_slow_one() -> None:
    layers = [nn.Conv1d(2, 4, 3), nn.Tanh(), nn.MaxPool1d(3, 2), nn.Flatten(), nn.Linear(4 * 6, 3)]
    model = seeded(lambda: nn.Sequential(*layers)).double()
    session = opened(model, labelled(drawn(4, 2, 16).double(), 3), kind="series")
    base = drawn(4, 2, 16, seed=9).double()
    with case(session, n=4) as own:
        found, _ = deep_lift.contributions(own, base)
    with torch.no_grad():
        for row, [target] in enumerate(own.classes):
            whole = slow(list(model), own.inputs[row], base[row])[2]
            expected = whole[target].reshape(2, 16) * (own.inputs - base)[row].numpy()
            np.testing.assert_allclose(found.back[row].numpy(), expected, rtol=1e-6, atol=1e-9)


FITTING = [name for name in BETWEEN if name not in ("gate", "softmax inside", "layer norm", "group norm", "detached")]
FITTING = [name for name in FITTING if name not in ("its own function", "matrix product", "a number of Python")]


@pytest.mark.parametrize(("name", "scale"), [(name, (0.01, 1.0, 10.0)[n % 3]) for n, name in enumerate(FITTING)])
def test_contributions_add_up_whatever_the_distance_of_the_baseline(name: str, scale: float) -> None:
    """Logits are float32, so that sums of small differences are good to a few digits only."""
    session = pictures(net(name, len(name)))
    with case(session) as own:
        for seed in range(4):
            base = own.inputs - scale * drawn(*own.inputs.shape, seed=seed).double()
            found, known = deep_lift.contributions(own, base)
            change = (own.scores(own.inputs) - own.scores(base)).double()
            torch.testing.assert_close(known.score, own.scores(base))
            torch.testing.assert_close(found.back.flatten(1).sum(1), change, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["gelu", "residual", "largest of a row"])
def test_close_to_the_instance_it_becomes_the_gradient(name: str) -> None:
    """Also where differences are so small that ratios of them are rounding, and where there is none at all."""
    session = pictures(net(name))
    with case(session) as own:
        x = own.inputs.clone().requires_grad_()
        [gradient] = torch.autograd.grad(own.score(x).sum(), x)
        step = drawn(*own.inputs.shape, seed=5).double()
        step[:, :, :4] = 0
        for size in (1e-6, 1e-9):
            found, _ = deep_lift.contributions(own, own.inputs - size * step)
            torch.testing.assert_close(found.back / size, gradient * step, rtol=1e-3, atol=1e-4)


def captum(session: Any, base: Tensor) -> tuple[Tensor, Tensor]:
    with case(session) as own, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found, delta = DeepLift(own.module).attribute(
            own.inputs, base, additional_forward_args=own.rows, return_convergence_delta=True
        )
        return found.detach(), delta.detach()


def by_operations(session: Any, base: Tensor) -> Tensor:
    with case(session) as own:
        return deep_lift.contributions(own, base)[0].back


MODULES = {
    "relu": lambda: [nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10), nn.ReLU(), nn.Linear(10, 3)],
    "norm and others": lambda: [
        *(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ELU(), nn.AvgPool2d(2)),
        *(nn.Flatten(), nn.Linear(16, 10), nn.Tanh(), nn.Linear(10, 3)),
    ],
    "pool": lambda: [nn.Conv2d(2, 4, 3), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 9), nn.Tanh(), nn.Linear(9, 3)],
}


@pytest.mark.parametrize("name", MODULES)
def test_it_equals_captum_where_captum_is_right(name: str) -> None:
    session = pictures(seeded(lambda: nn.Sequential(*MODULES[name]()), scale=1.5))
    base = drawn(3, 2, 8, 8, seed=9).double()
    expected, delta = captum(session, base)
    assert float(delta.abs().max()) < 1e-6
    torch.testing.assert_close(by_operations(session, base), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", ["functional relu", "functional pool", "in place"])
def test_captum_is_silently_wrong_on_functional_calls_and_this_is_not(name: str) -> None:
    session = pictures(net(name))
    base = drawn(3, 2, 8, 8, seed=9).double()
    wrong, delta = captum(session, base)
    assert float(delta.abs().max()) > 1e-2
    assert not torch.allclose(by_operations(session, base), wrong, atol=1e-3)


POOLS = {
    "behind an activation": lambda: [nn.Conv2d(2, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 3)],
    "with overlapping windows": lambda: [nn.Conv2d(2, 4, 3), nn.MaxPool2d(3, 1), nn.Flatten(), nn.Linear(64, 3)],
}


@pytest.mark.parametrize("name", POOLS)
def test_captum_is_wrong_on_pooling_and_this_is_not(name: str) -> None:
    session = pictures(seeded(lambda: nn.Sequential(*POOLS[name]()), scale=1.5))
    base = drawn(3, 2, 8, 8, seed=9).double()
    assert float(captum(session, base)[1].abs().max()) > 1e-2
    with case(session) as own:
        found, known = deep_lift.contributions(own, base)
        torch.testing.assert_close(
            found.back.flatten(1).sum(1), (found.score - known.score).double(), rtol=1e-4, atol=1e-5
        )


def test_captum_raises_on_a_reused_module_and_this_does_not() -> None:
    session = pictures(net("reused"))
    base = torch.zeros(3, 2, 8, 8, dtype=torch.float64)
    with pytest.raises(RuntimeError, match="used more than once"):
        captum(session, base)
    assert by_operations(session, base).abs().sum() > 0


class Functional(nn.Module):
    """What ``nn.Sequential`` of its parts computes, with functional calls."""

    def __init__(self, inner: nn.Sequential) -> None:
        super().__init__()
        self.first, self.second, self.last = inner[0], inner[3], inner[6]

    def forward(self, x: Tensor) -> Tensor:
        x = torch.max_pool2d(torch.relu(self.first(x)), 2)
        x = self.second(x).clamp_min(0)
        return self.last(x.reshape(len(x), -1))


def test_a_functional_net_gets_what_its_twin_of_modules_gets() -> None:
    layers = [nn.Conv2d(2, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 2), nn.ReLU(), nn.Flatten()]
    twin = seeded(lambda: nn.Sequential(*layers, nn.Linear(16, 3)), scale=1.5)
    base = drawn(3, 2, 8, 8, seed=9).double()
    expected = by_operations(pictures(twin), base)
    assert isinstance(twin, nn.Sequential)
    torch.testing.assert_close(by_operations(pictures(Functional(twin)), base), expected)


def test_time_first_is_no_trap() -> None:
    """Captum halves the first axis, which holds steps here."""

    class TimeFirst(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.head = nn.Linear(2, 6), nn.Linear(6, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(F.relu(self.inner(x.permute(2, 0, 1))).mean(0))

    session = opened(seeded(TimeFirst).double(), labelled(drawn(4, 2, 16).double(), 3), kind="series")
    base = drawn(3, 2, 16, seed=9).double()
    with case(session) as own:
        found, known = deep_lift.contributions(own, base)
        torch.testing.assert_close(found.back.flatten(1).sum(1), (found.score - known.score).double())


def test_a_baseline_that_was_seen_need_not_be_run_again() -> None:
    session = pictures(net("residual"))
    with case(session) as own:
        base = torch.zeros_like(own.inputs)
        first, known = deep_lift.contributions(own, base)
        second, _ = deep_lift.contributions(own, base, known=known)
        torch.testing.assert_close(first.back, second.back, rtol=0, atol=0)


def test_a_baseline_is_run_again_where_anything_changed_that_it_depends_on() -> None:
    session = pictures(net("residual"))
    model, weight = session.model, session.model.inner.weight
    passes: list[int] = []
    handle = model.register_forward_hook(lambda _module, inputs, _output: passes.append(len(inputs[0])))

    def after(**options: Any) -> int:
        with case(session, options.pop("target", "0"), options.pop("unit", ""), n=1) as own:
            before = len(passes)
            found = run("deep_lift", own, **options)
            change = own.scores(own.inputs) - found.baseline
            torch.testing.assert_close(found.values.flatten(1).sum(1).float(), change, rtol=1e-4, atol=1e-5)
            return len(passes) - before - 1  # one to compare

    assert after() == 2
    assert after() == 1
    assert after(target="1") == 2
    assert after(target="1", baselines="mean") == 2
    assert after() == 2
    with torch.no_grad():
        weight.mul_(1.5)
    assert after() == 2
    assert after() == 1
    assert after(unit="conv:1") == 2
    handle.remove()


def test_a_model_that_goes_another_way_for_the_baseline_is_refused() -> None:
    class Fork(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = table_net().double()

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(x) if bool(x.any()) else self.inner[2](self.inner[0](x).tanh())

    session = opened(Fork(), labelled(drawn(4, 5).double(), 3))
    with case(session) as own, pytest.raises(AttributionError, match="another way for the baseline"):
        deep_lift.contributions(own, torch.zeros_like(own.inputs))


def run(name: str, own: Any, **parameters: Any) -> Any:
    method = registry.get(name)
    return method.run(own, lambda *_told: None, **checked(method.parameters, parameters))


def test_the_mean_over_baselines_is_the_mean_of_single_ones() -> None:
    from analysis.attribution import baselines

    session = pictures(net("residual"))
    with case(session) as own:
        several = baselines.several(own, 4, 7, "instances")
        single = [deep_lift.contributions(own, base.expand_as(own.inputs))[0].back for base in several]
        found = run("deep_lift_shap", own, n_baselines=4, random_state=7)
        torch.testing.assert_close(found.values, torch.stack(single).mean(0))
        torch.testing.assert_close(found.spread, torch.stack(single).std(0) / 2, rtol=1e-5, atol=1e-7)
        change = own.scores(own.inputs) - found.baseline
        torch.testing.assert_close(found.values.flatten(1).sum(1).to(change), change, rtol=1e-5, atol=1e-5)


def test_of_a_linear_model_it_is_the_exact_shapley_value() -> None:
    session = opened(seeded(lambda: nn.Linear(5, 3)).double(), labelled(drawn(6, 5).double(), 3))
    with case(session) as own:
        found = run("deep_lift", own, baselines="mean")
        weight = session.model.weight[[classes[0] for classes in own.classes]]
        torch.testing.assert_close(found.values, weight.detach() * (own.inputs - drawn(6, 5).double().mean(0)))
