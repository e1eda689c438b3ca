"""Floating-point operations of what torch executes, by operation. Needs torch.

The formulas are those of ``torch.utils.flop_counter``; those that it lacks and a model's layers need are added here: on
CPUs it counts neither recurrent layers (oneDNN's kernel) nor fused attention, and nowhere products with vectors.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch.utils.flop_counter import flop_registry, sdpa_flop_count

CONVENTION = (
    "A multiply-add counts as 2 operations. Counted are convolutions, matrix and vector products, recurrent layers "
    "(their matrix products) and attention; normalisations, activations, pooling, sums and look-ups count as 0."
)


def operations(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> int:
    """Floating-point operations of one operation of torch, a multiply-add being 2.

    Args:
        func: as ``__torch_dispatch__`` gets it (an ``OpOverload``). args, kwargs, result: of this call.

    Returns:
        The number by the formula of the operation; 0 where it has none (see ``CONVENTION``).
    """
    packet = getattr(func, "_overloadpacket", func)
    own = _OWN.get(packet)
    if own is not None:
        return own(args, kwargs, result)
    formula = flop_registry.get(packet)
    return 0 if formula is None else int(formula(*args, **kwargs, out_val=result))


def known(func: Any) -> bool:
    """Whether there is a formula for an operation, so that it must not be decomposed."""
    packet = getattr(func, "_overloadpacket", func)
    return packet in _OWN or packet in flop_registry


def _onednn_rnn(args: tuple[Any, ...], _kwargs: dict[str, Any], _result: Any) -> int:
    """One depth and direction: weights (gates x units, inputs) and (gates x units, units), once for each step."""
    value, inputs, hidden = args[:3]
    return 2 * (value.numel() // max(value.shape[-1], 1)) * (inputs.numel() + hidden.numel())


def _cudnn_rnn(args: tuple[Any, ...], _kwargs: dict[str, Any], _result: Any) -> int:
    """All depths and directions: each matrix once for each step of each instance (vectors are biases)."""
    value, weights = args[0], args[1]
    rows = value.numel() // max(value.shape[-1], 1)  # of a packed sequence (steps of all, inputs)
    return 2 * rows * sum(weight.numel() for weight in weights if weight.dim() == 2)


def _attention(args: tuple[Any, ...], _kwargs: dict[str, Any], _result: Any) -> int:
    return int(sdpa_flop_count(args[0].shape, args[1].shape, args[2].shape))


def _vector(args: tuple[Any, ...], _kwargs: dict[str, Any], _result: Any) -> int:
    return 2 * int(args[0].numel())


def _added_vector(args: tuple[Any, ...], _kwargs: dict[str, Any], _result: Any) -> int:
    return 2 * int(args[1].numel())


def _batches(args: tuple[Any, ...], _kwargs: dict[str, Any], _result: Any) -> int:
    """addbmm: (b, n, m) by (b, m, p)."""
    first, second = args[1], args[2]
    return 2 * int(first.numel()) * int(second.shape[2])


def _trilinear(args: tuple[Any, ...], _kwargs: dict[str, Any], _result: Any) -> int:
    """Sum over products of three: two multiplications and a sum, counted as two multiply-adds."""
    shapes = []
    for value, added in zip(args[:3], args[3:6], strict=True):
        shape: list[int] = list(value.shape)
        for axis in sorted(added):
            shape.insert(axis, 1)
        shapes.append(shape)
    return 4 * math.prod(max(sizes) for sizes in zip(*shapes, strict=True))


def _found(**formulas: Callable[[tuple[Any, ...], dict[str, Any], Any], int]) -> dict[Any, Any]:
    """By operation, those that this build of torch has."""
    return {
        packet: formula
        for name, formula in formulas.items()
        if (packet := getattr(torch.ops.aten, name, None)) is not None
    }


_OWN = _found(
    mkldnn_rnn_layer=_onednn_rnn,
    _cudnn_rnn=_cudnn_rnn,
    miopen_rnn=_cudnn_rnn,
    _scaled_dot_product_flash_attention_for_cpu=_attention,
    _scaled_dot_product_fused_attention_overrideable=_attention,
    mv=_vector,
    dot=_vector,
    vdot=_vector,
    addmv=_added_vector,
    addbmm=_batches,
    _trilinear=_trilinear,
)
