"""DeepLIFT's multipliers: (y - y') / (x - x') for an activation, and for max pooling which input is its reason."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from analysis.attribution.operations import Call

# Below these shares of the larger of |x|, |x'| a difference says more of rounding than of the function, and the
# derivative half-way between both takes its place. Functions without kinks allow more.
_SMOOTH = {
    *("sigmoid", "tanh", "softplus", "gelu", "silu", "mish", "logsigmoid", "softsign", "tanhshrink", "exp", "exp2"),
    *("expm1", "log", "log1p", "log2", "log10", "erf", "sin", "cos", "atan", "asinh", "sinh", "cosh", "square"),
}
_NEAR, _NEAR_SMOOTH = 1e-4, 3e-3


class Scaled(torch.autograd.Function):
    """An operation with one operand of the result's shape through which a multiplier flows back."""

    @staticmethod
    def forward(ctx: Any, _x: Tensor, kept: dict[str, Tensor]) -> Tensor:
        ctx.multiplier = kept.pop("multiplier")
        return kept.pop("value")

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        return ctx.multiplier.mul_(gradient), None  # it is of no further use: the pass goes back once


class Picked(torch.autograd.Function):
    """A pooling through which what flows back goes to one position of each window, times a multiplier."""

    @staticmethod
    def forward(ctx: Any, flat: Tensor, kept: dict[str, Tensor]) -> Tensor:
        ctx.at, ctx.multiplier, ctx.shape = kept.pop("at"), kept.pop("multiplier"), flat.shape
        return kept.pop("value")

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        found = gradient.new_zeros(ctx.shape)
        return found.scatter_add_(-1, ctx.at, gradient * ctx.multiplier), None


def multiplier(call: Call, x: Tensor, x0: Tensor, y: Tensor, y0: Tensor) -> Tensor:
    """What a change of an activation's input does to its result, all of one shape, without a graph.

    Source: Shrikumar et al., 'Learning Important Features Through Propagating Activation Differences', ICML 2017,
    section 3.5.1 (rescale rule).
    """
    change = x - x0
    if call.name == "relu":  # exact wherever the difference is not 0
        ratio = (y - y0).div_(change)
        if bool(ratio.sum().isfinite()):  # no 0 / 0
            return ratio
        return torch.where(change == 0, (x > 0).to(x.dtype), ratio)
    share = _NEAR_SMOOTH if call.name in _SMOOTH else _NEAR
    near = change.abs() <= share * torch.maximum(x.abs(), x0.abs())
    ratio = (y - y0) / change
    if not bool(near.any()):
        return ratio
    with torch.enable_grad():
        middle = ((x + x0) / 2).requires_grad_()
        [slope] = torch.autograd.grad(call.fresh({id(call.data[0]): middle}).sum(), middle)
    return torch.where(near, slope, ratio)


def pick(
    flat: Tensor, flat0: Tensor, indices: Tensor, indices0: Tensor, values: Tensor, values0: Tensor
) -> tuple[Tensor, Tensor]:
    """Of each window the position that is the reason for its change, and the multiplier there, (..., K) both.

    If the largest value rose, it is the position of the new one, else that of the old one: at either the input changed
    at least as much as the result, so that the contribution of the window is all of its change. As in Captum and SHAP.

    Args:
        flat, flat0: inputs (..., L). indices, values: (..., K), of the largest of each window.
    """
    at = torch.where(values >= values0, indices, indices0)
    change = flat.gather(-1, at) - flat0.gather(-1, at)
    ratio = (values - values0) / change
    return at, torch.where(change == 0, torch.ones_like(ratio), ratio).clamp_(0, 1)
