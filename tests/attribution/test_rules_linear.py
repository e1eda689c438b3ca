"""What counts as linear is linear, and in which of its operands; what only borrows a shape hands no values on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from analysis.attribution import kinds, registry
from analysis.attribution.operations import Call, Watch
from analysis.attribution.structure import look
from tests.attribution.conftest import drawn, explained, labelled, opened
from tests.attribution.nets import seeded

Function = Callable[[Tensor], Any]
SHAPE = (2, 3, 4, 6)
W = drawn(*SHAPE, seed=1).double().abs() + 0.5
GRID = drawn(2, 4, 6, 2, seed=2).double().tanh()
SQUARE = drawn(6, 6, seed=3).double()
FIRST, LAST = W[0, 0, 0], W[0, 0]  # (6,), (4, 6)


def flat(x: Tensor) -> Tensor:
    """(24, 6)."""
    return x.reshape(-1, 6)


def thick(x: Tensor) -> Tensor:
    """(2, 3, 2, 2, 6), for three axes."""
    return x.reshape(2, 3, 2, 2, 6)


def kernel(axes: int, transposed: bool = False) -> Tensor:
    return drawn(*((3, 2) if transposed else (2, 3)), *[2] * axes, seed=4).double()


# For each name in the table of linear operations, calls that arrive under this name.
CALLS: dict[str, list[Function]] = {
    "conv1d": [lambda x: F.conv1d(x[..., 0], kernel(1), W[0, 0, 0, :2])],
    "conv2d": [lambda x: F.conv2d(x, kernel(2)), lambda x: F.conv2d(W, x[:, :, :2, :2])],
    "conv3d": [lambda x: F.conv3d(thick(x), kernel(3))],
    "conv_transpose1d": [lambda x: F.conv_transpose1d(x[..., 0], kernel(1, True))],
    "conv_transpose2d": [lambda x: F.conv_transpose2d(x, kernel(2, True))],
    "conv_transpose3d": [lambda x: F.conv_transpose3d(thick(x), kernel(3, True))],
    "matmul": [lambda x: x @ SQUARE, lambda x: SQUARE[:, :4] @ x],
    "mm": [lambda x: torch.mm(flat(x), SQUARE)],
    "bmm": [lambda x: torch.bmm(x[0], W[1].transpose(1, 2))],
    "mv": [lambda x: torch.mv(flat(x), FIRST), lambda x: torch.mv(SQUARE, x[0, 0, 0])],
    "addmm": [lambda x: torch.addmm(FIRST, flat(x), SQUARE), lambda x: torch.addmm(x[0, 0, 0], SQUARE, SQUARE)],
    "baddbmm": [lambda x: torch.baddbmm(W[0, :, :, :4], x[0], W[1].transpose(1, 2))],
    "addmv": [lambda x: torch.addmv(W[0, 0, 0], SQUARE, x[0, 0, 0])],
    "einsum": [lambda x: torch.einsum("abcd,ed->abce", x, SQUARE)],
    "tensordot": [lambda x: torch.tensordot(x, SQUARE, dims=1)],
    "dot": [lambda x: torch.dot(x[0, 0, 0], FIRST)],
    "outer": [lambda x: torch.outer(x[0, 0, 0], FIRST), lambda x: torch.outer(FIRST, x[0, 0, 0])],
    "rmatmul": [],
    "avg_pool1d": [lambda x: F.avg_pool1d(x[..., 0], 2)],
    "avg_pool2d": [lambda x: F.avg_pool2d(x, 2)],
    "avg_pool3d": [lambda x: F.avg_pool3d(thick(x), 2)],
    "adaptive_avg_pool1d": [lambda x: F.adaptive_avg_pool1d(x[..., 0], 3)],
    "adaptive_avg_pool2d": [lambda x: F.adaptive_avg_pool2d(x, 3)],
    "adaptive_avg_pool3d": [lambda x: F.adaptive_avg_pool3d(thick(x), 2)],
    "linear": [lambda x: F.linear(x, SQUARE, FIRST), lambda x: F.linear(W, x[0, 0])],
    "mean": [lambda x: x.mean(1)],
    "sum": [lambda x: x.sum((1, 2))],
    "mul": [lambda x: x * W, lambda x: W * x, lambda x: 2 * x, lambda x: x.clone().mul_(W)],
    "div": [lambda x: x / W, lambda x: torch.div(x, 3), lambda x: x.clone().div_(W)],
    "neg": [lambda x: -x],
    "add": [lambda x: x + W, lambda x: torch.add(W, x, alpha=3)],
    "sub": [lambda x: x - W, lambda x: torch.sub(W, x, alpha=3)],
    "rsub": [lambda x: 1 - x, lambda x: torch.rsub(x, W)],
    "interpolate": [lambda x: F.interpolate(x, scale_factor=2, mode="bicubic")],
    "upsample": [],
    "cumsum": [lambda x: x.cumsum(2)],
    "fold": [lambda x: F.fold(x.reshape(2, 12, 6), (6, 3), (2, 2), stride=(2, 1))],
    "grid_sample": [lambda x: F.grid_sample(x, GRID, align_corners=False)],
    "dropout": [lambda x: F.dropout(x, training=False)],
    "dropout1d": [lambda x: F.dropout1d(x[..., 0], training=False)],
    "dropout2d": [lambda x: F.dropout2d(x, training=False)],
    "dropout3d": [lambda x: F.dropout3d(thick(x), training=False)],
    "alpha_dropout": [lambda x: F.alpha_dropout(x, training=False)],
    "feature_alpha_dropout": [lambda x: F.feature_alpha_dropout(x, training=False)],
    "diff": [lambda x: x.diff(dim=2)],
    "lerp": [lambda x: torch.lerp(x, W, 0.3), lambda x: torch.lerp(W, 2 * W, x), lambda x: torch.lerp(W, x, W)],
    "addcmul": [lambda x: torch.addcmul(x, W, W), lambda x: torch.addcmul(W, W, x)],
    "batch_norm": [lambda x: F.batch_norm(x, W[0, :, 0, 0], W[1, :, 0, 0])],
}
CURVED: dict[str, Function] = {
    "constant over data": lambda x: W / (x + 9),
    "constant over data, as a function": lambda x: torch.div(W, x + 9),
    "number over data": lambda x: 2 / (x + 9),
    "rounded quotient": lambda x: torch.div(x, W, rounding_mode="floor"),
    "quotient cut off": lambda x: torch.div(x, 0.1, rounding_mode="trunc"),
    "whole quotient": lambda x: x // 0.1,
    "remainder": lambda x: x % 0.3,
    "fmod": lambda x: torch.fmod(x, 0.3),
    "data as exponent": lambda x: torch.pow(W, x),
    "number to data": lambda x: 2**x,
    "where to sample": lambda x: F.grid_sample(W, x.permute(0, 2, 3, 1)[..., :2].tanh(), align_corners=False),
    "data as variance": lambda x: F.batch_norm(W, W[0, :, 0, 0], x[0, :, 0, 0] ** 2 + 1),
    "data as divisor of a product": lambda x: torch.addcdiv(W, W, x + 9),
}


class Noted(Watch):
    """Notes the kinds of the operations."""

    def __init__(self) -> None:
        super().__init__(nn.Identity())
        self.noted: list[tuple[str, str]] = []

    def handle(self, call: Call) -> Any:
        self.noted.append((call.name, call.operation.kind))
        return call.run()


def noted(function: Function) -> list[tuple[str, str]]:
    mode = Noted()
    given = mode.start(drawn(*SHAPE).double().requires_grad_())
    with mode:
        function(given)
    return mode.noted


@pytest.mark.parametrize("name", CALLS)
def test_what_counts_as_linear_is_affine_in_the_operand_that_depends_on_the_input(name: str) -> None:
    for function in CALLS[name]:
        kind = {found for called, found in noted(function) if called == name}
        assert kind == {kinds.LINEAR}, name
        a, b = drawn(*SHAPE, seed=5).double(), drawn(*SHAPE, seed=6).double()
        zero = function(torch.zeros(SHAPE).double())
        torch.testing.assert_close(function(a + b) + zero, function(a) + function(b), rtol=1e-9, atol=1e-9)


def test_the_table_has_a_call_for_each_linear_operation() -> None:
    assert set(CALLS) == kinds._LINEAR | {"batch_norm"}


@pytest.mark.parametrize("name", CURVED)
def test_what_is_not_linear_does_not_count_as_linear(name: str) -> None:
    session = table(lambda x: CURVED[name](x.reshape(1, 1, 4, 6).expand(SHAPE))[:1, 0].reshape(1, -1)[:, :24])
    reason = registry.get("lrp").applies(look(session))
    assert reason


def table(function: Function) -> Any:
    """A session of a model that does something with a row of 24 numbers."""

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(24, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(torch.cat([function(row[None]) for row in x])) + self.head(x)

    return opened(seeded(Model).double(), labelled(drawn(4, 24).double(), 3), kind="table")


@pytest.mark.parametrize("name", ["constant over data", "number over data", "data as exponent", "number to data"])
def test_deep_lift_takes_a_curve_of_one_value_by_its_differences(name: str) -> None:
    session = table(lambda x: CURVED[name](x.reshape(1, 1, 4, 6).expand(SHAPE))[:1, 0].reshape(1, -1))
    value, _ = explained(session, "deep_lift")
    assert value["sum"] == pytest.approx(value["score"] - value["baseline"], rel=1e-4)


LIKE: dict[str, Function] = {
    "type_as": lambda x: x - torch.ones(24).type_as(x),
    "to": lambda x: x * torch.full((24,), 2.0).to(x),
    "expand_as": lambda x: torch.lerp(x, torch.ones(24).double().expand_as(x), 0.3),
    "view_as": lambda x: x + torch.ones(24).double().view_as(x),
    "reshape_as": lambda x: x + torch.ones(4, 6).double().reshape_as(x),
    "data like a constant": lambda x: x.view_as(torch.ones(1, 24).double()).to(torch.ones(1).double()),
}


@pytest.mark.parametrize("name", LIKE)
def test_what_borrows_a_shape_or_a_type_of_data_does_not_depend_on_them(name: str) -> None:
    structure = look(table(LIKE[name]))
    for method in ("deep_lift", "lrp"):
        assert registry.get(method).applies(structure) == ""
    assert not structure.cuts


def test_the_larger_of_0_and_data_is_a_relu_whichever_comes_first() -> None:
    zero = torch.zeros(24).double()
    for function in (lambda x: torch.maximum(x, zero), lambda x: torch.maximum(zero, x)):
        assert [one.rectifies for one in look(table(function)).of("maximum")] == [True] * 4
