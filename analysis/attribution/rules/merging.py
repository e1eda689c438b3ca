"""Layers with weights as relevance sees them, with a batch normalisation merged in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from analysis.attribution import kinds
from analysis.attribution.operations import Call
from analysis.attribution.rules import composites
from analysis.attribution.rules.relevance import Linear, Settings, Weighted

_NORM = ("input", "running_mean", "running_var", "weight", "bias", "training", "momentum", "eps")
_LAYERS = kinds.CONVOLUTIONS | kinds.TRANSPOSED | {"linear"}


def of_layer(
    call: Call, leaves: list[Tensor], values: list[Tensor], result: Tensor, settings: Settings, raw: Any
) -> Weighted | None:
    """The job of an operation with weights; None for one without.

    Args:
        raw: None unless what goes in is the input; then its lowest and highest values.
    """
    weight, bias = _weights(call)
    if weight is None:
        return None
    convolution = call.name in kinds.CONVOLUTIONS | kinds.TRANSPOSED
    layer = composites.CONVOLUTION if convolution else composites.DENSE
    rule = settings.composite.rule(layer, raw is not None)
    if call.name == "einsum" or (rule == composites.BOX and (raw is None or raw[0] is None)):
        rule = composites.EPSILON
    job = Weighted(
        call.operation,
        leaves,
        values,
        result,
        result.detach(),
        epsilon=settings.epsilon,
        rule=rule,
        layer=layer,
        gamma=settings.gamma,
        linear=_linear(call, weight, bias),
        weight=weight.detach(),
        bias=None if bias is None else bias.detach(),
    )
    if rule == composites.BOX and raw is not None:
        job.box = (raw[0].expand_as(values[0]), raw[1].expand_as(values[0]))
    if rule == composites.FLAT:
        job.spread = _spread(call, weight, values[0])
    return job


def _weights(call: Call) -> tuple[Tensor | None, Tensor | None]:
    """Weight and bias of an operation, None where it has none."""
    x = call.data[0]
    if call.name in _LAYERS:
        weight, bias = call.argument("weight", 1), call.argument("bias", 2)
        return (weight, bias) if call.argument("input", 0) is x else (None, None)
    if call.name not in kinds.PRODUCTS:
        return None, None
    others = [value for value in (*call.args, *call.kwargs.values()) if isinstance(value, Tensor) and value is not x]
    if call.name in ("addmm", "baddbmm", "addmv"):
        if len(others) != 2 or call.argument("input", 0) is x:
            return None, None
        return others[1], others[0]
    return (others[0], None) if len(others) == 1 and others[0].is_floating_point() else (None, None)


def _linear(call: Call, weight: Tensor, bias: Tensor | None) -> Linear:
    """The operation as a function of input, weight and bias; a bias that it has not of its own lies along axis 1."""
    x = call.data[0]

    def linear(given: Tensor, weights: Tensor, offset: Tensor | None) -> Tensor:
        replaced: dict[int, Any] = {id(x): given, id(weight): weights}
        if bias is not None:
            replaced[id(bias)] = torch.zeros_like(bias) if offset is None else offset
        found: Tensor = call.fresh(replaced)
        if bias is None and offset is not None:
            found = found + _along(offset, found)
        return found

    return linear


def _along(values: Tensor, like: Tensor) -> Tensor:
    """(C,) in a shape that fits (N, C, ...)."""
    return values.reshape(1, -1, *[1] * (like.dim() - 2))


def _spread(call: Call, weight: Tensor, x: Tensor) -> Callable[[Tensor], Tensor] | None:
    """The flat rule of a convolution without groups, all channels at once; None for anything else."""
    if call.name not in kinds.CONVOLUTIONS or call.argument("groups", 6, 1) != 1 or x.dim() != weight.dim():
        return None
    given = dict(zip(("stride", "padding", "dilation"), call.args[3:6], strict=False))
    given |= {name: call.kwargs[name] for name in ("stride", "padding", "dilation") if name in call.kwargs}
    function = getattr(torch.nn.functional, call.name)
    one = torch.ones(1, 1, *weight.shape[2:], dtype=x.dtype, device=x.device)

    def spread(relevance: Tensor) -> Tensor:
        leaf = torch.ones_like(x[:, :1]).requires_grad_()
        count = function(leaf, one, **given)
        share = relevance.sum(1, keepdim=True) / count.detach().clamp(min=1)
        [found] = torch.autograd.grad(count, leaf, share)
        return (found / x.shape[1]).expand_as(x)

    return spread


def merged(call: Call, before: Weighted) -> Weighted | None:
    """A layer and the batch normalisation behind it as one layer; None where their axes do not fit.

    Source: Guillemot et al., 'Breaking Batch Normalization for better explainability of Deep Neural Networks through
    Layer-wise Relevance Propagation', 2020.
    """
    given = {**dict(zip(_NORM, call.args, strict=False)), **call.kwargs}
    x, mean, variance = given["input"], given["running_mean"], given["running_var"]
    if before.weight is None or before.wide is not None or before.linear is None:
        return None
    scale = (variance + given.get("eps", 1e-5)).rsqrt()
    if given.get("weight") is not None:
        scale = scale * given["weight"].detach()
    shift = -mean * scale
    if given.get("bias") is not None:
        shift = shift + given["bias"].detach()
    name, weight = before.operation.name, before.weight
    if name == "linear" and x.dim() == 2:
        wide = scale[:, None]
    elif name in kinds.CONVOLUTIONS and x.dim() == weight.dim():
        wide = scale.reshape(-1, *[1] * (weight.dim() - 1))
    elif name in kinds.TRANSPOSED and x.dim() == weight.dim() and weight.shape[1] == len(scale):
        wide = scale.reshape(1, -1, *[1] * (weight.dim() - 2))
    else:
        return None
    with torch.no_grad():
        value = call.fresh({id(x): x.detach()})
    return Weighted(
        call.operation,
        before.leaves,
        before.values,
        before.result,
        value,
        epsilon=before.epsilon,
        rule=before.rule,
        layer=before.layer,
        gamma=before.gamma,
        linear=before.linear,
        weight=weight * wide,
        bias=shift if before.bias is None else before.bias * scale + shift,
        wide=_along(scale, x),
        box=before.box,
        spread=before.spread,
    )
