"""Which outputs of an operation depend on which inputs, computed by the operation itself: NaN means 'depends'.

Convolution algorithms spread NaN to neighbours (Winograd, FFT), fast activations swallow it, and a sweep over hundreds
of columns must be cheap. So the usual operations are replaced while ``Structure`` is entered: convolutions and linear
layers pass on *whether* anything in their window is NaN, whatever the weights; activations pass NaN on as it is. As all
filters of a convolution then have the same value, it is stored once and expanded.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

_UNARY = {
    *("relu", "relu6", "hardtanh", "elu", "selu", "celu", "leaky_relu", "prelu", "rrelu", "gelu", "silu", "mish"),
    *("softplus", "softsign", "tanh", "sigmoid", "hardsigmoid", "hardswish", "hardshrink", "softshrink", "tanhshrink"),
    *("threshold", "logsigmoid", "clamp", "clip", "clamp_min", "clamp_max", "nan_to_num", "abs", "neg", "negative"),
    *("exp", "log", "log1p", "sqrt", "rsqrt", "square", "pow", "reciprocal", "erf", "sin", "cos", "round", "floor"),
    *("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout", "__pow__", "__neg__"),
    *("hardtanh", "expm1", "sign", "ceil"),
}
_BINARY = {
    *("add", "sub", "subtract", "mul", "multiply", "div", "divide", "true_divide", "maximum", "minimum", "rsub"),
    *("__add__", "__radd__", "__iadd__", "__sub__", "__rsub__", "__isub__", "__mul__", "__rmul__", "__imul__"),
    *("__truediv__", "__rtruediv__", "__itruediv__", "__div__", "__rdiv__", "__idiv__"),
}
_IN_PLACE = {"__iadd__", "__isub__", "__imul__", "__itruediv__", "__idiv__", "__setitem__", "__ipow__", "__ior__"}
_POOLS = {f"{kind}pool{n}d" for kind in ("max_", "avg_", "adaptive_avg_", "adaptive_max_", "lp_") for n in (1, 2, 3)}
_CONVOLUTIONS = {f"conv{n}d" for n in (1, 2, 3)}
_TRANSPOSED = {f"conv_transpose{n}d" for n in (1, 2, 3)}
_CONV_NAMES = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
_TRANSPOSED_NAMES = ("input", "weight", "bias", "stride", "padding", "output_padding", "groups", "dilation")
_NORM_NAMES = ("input", "running_mean", "running_var", "weight", "bias", "training")
_RESAMPLED = 1e-6  # weights of neighbours below this are rounding


class Structure(TorchFunctionMode):
    """Inside, operations pass NaN on exactly to what depends on it; values mean nothing else."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run the replacement of ``func`` if it has one, else ``func``."""
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        plain = name if name.startswith("__") else name.rstrip("_")
        in_place = name in _IN_PLACE or (name.endswith("_") and not name.startswith("__"))
        handler = _HANDLERS.get(plain)
        if handler is not None:
            result = handler(func, plain, args, kwargs)
            if result is not None:
                if in_place and isinstance(args[0], Tensor) and args[0].shape == result.shape:
                    args[0].data = result.to(args[0].dtype)
                    return args[0]
                return result
        if in_place:
            for value in args:
                _make_dense(value)
        try:
            return func(*args, **kwargs)
        except RuntimeError:  # an expanded tensor cannot be viewed in every way that the true one can
            if not any(_make_dense(value) for value in args):
                raise
            return func(*args, **kwargs)


def _make_dense(value: Any) -> bool:
    """Give an expanded tensor memory of its own; whether it was one."""
    if isinstance(value, Tensor) and any(s == 0 and n > 1 for s, n in zip(value.stride(), value.shape, strict=True)):
        value.data = value.clone(memory_format=torch.contiguous_format)
        return True
    return False


def is_thin(value: Tensor, axis: int = 1) -> bool:
    """Whether all entries along an axis are one and the same number in memory."""
    return value.dim() > axis and (value.shape[axis] == 1 or value.stride(axis) == 0)


def _marked(mask: Tensor, like: Tensor) -> Tensor:
    """NaN where ``mask``, else 1: a value that neither division nor a logarithm turns into NaN."""
    one = torch.ones((), dtype=like.dtype, device=like.device)
    return torch.where(mask, one * torch.nan, one)


def _reduced(value: Tensor, axis: int) -> Tensor:
    """Whether anything along an axis is NaN, the axis kept with one entry."""
    if is_thin(value, axis):
        return value.narrow(axis, 0, 1).isnan()
    return value.isnan().any(axis, keepdim=True)


def _named(names: tuple[str, ...], args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    return {**dict(zip(names, args, strict=False)), **kwargs}


def _unary(_func: Any, _name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor | None:
    value = args[0] if args else kwargs.get("input")
    if not isinstance(value, Tensor) or not value.is_floating_point():
        return None
    # Not the same memory, or an in-place operation on one would change the other; expanded ones are given their own.
    return value.detach() if any(s == 0 for s in value.stride()) else value.clone()


def _binary(func: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor | None:
    if len(args) < 2 or "out" in kwargs:
        return None
    tensors = [value for value in args[:2] if isinstance(value, Tensor)]
    if len(tensors) == 1:
        return _unary(func, name, (tensors[0],), {})
    if len(tensors) < 2 or not any(value.is_floating_point() for value in tensors):
        return None
    a, b = tensors
    like = a if a.is_floating_point() else b
    if a.dim() == b.dim() and a.dim() > 2 and is_thin(a) and is_thin(b):
        both = _marked(a[:, :1].isnan() | b[:, :1].isnan(), like)
        return both.expand(-1, max(a.shape[1], b.shape[1]), *both.shape[2:])
    return _marked(a.isnan() | b.isnan(), like)


def _convolution(func: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor | None:
    transposed = name in _TRANSPOSED
    given = _named(_TRANSPOSED_NAMES if transposed else _CONV_NAMES, args, kwargs)
    value, weight, groups = given["input"], given["weight"], given.get("groups", 1)
    outputs = weight.shape[1] * groups if transposed else weight.shape[0]
    batched = value.dim() == weight.dim()
    if not batched:
        value = value[None]
    if groups == 1 or is_thin(value):
        mask, groups = _reduced(value, 1), 1
    else:
        mask = value.isnan().unflatten(1, (groups, -1)).any(2)
    ones = torch.ones(groups, 1, *weight.shape[2:], device=value.device)
    given |= {"input": mask.float(), "weight": ones, "bias": None, "groups": groups}
    seen = _marked(func(**given) > 0.5, value)
    if groups > 1:
        seen = seen.repeat_interleave(outputs // groups, 1)
    else:
        seen = seen.expand(-1, outputs, *seen.shape[2:])
    return seen if batched else seen[0]


def _linear(_func: Any, _name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor | None:
    given = _named(("input", "weight", "bias"), args, kwargs)
    value = given["input"]
    return _marked(_reduced(value, value.dim() - 1), value).expand(*value.shape[:-1], given["weight"].shape[0])


def _batch_norm(func: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor | None:
    given = _named(_NORM_NAMES, args, kwargs)
    fixed = not given.get("training", False) and given.get("running_mean") is not None
    return _unary(func, name, (given["input"],), {}) if fixed else None


def _pool(func: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor | None:
    value, rest = (args[0], args[1:]) if args else (kwargs["input"], ())
    kwargs = {key: item for key, item in kwargs.items() if key != "input"}
    thin = value.dim() == int(name[-2]) + 2 and is_thin(value)
    result = func((value[:, :1] if thin else value).isnan().float(), *rest, **kwargs)
    if not isinstance(result, Tensor):
        return None
    seen = _marked(result > 0, value)
    return seen.expand(-1, value.shape[1], *seen.shape[2:]) if thin else seen


def _interpolate(func: Any, _name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor | None:
    bound = inspect.signature(F.interpolate).bind(*args, **kwargs).arguments
    value = bound.pop("input")
    seen = _marked(
        func(value[:, :1].isnan().float() if is_thin(value) else value.isnan().float(), **bound).abs() > _RESAMPLED,
        value,
    )
    return seen.expand(-1, value.shape[1], *seen.shape[2:]) if is_thin(value) else seen


def _pad(func: Any, _name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor | None:
    value, rest = (args[0], args[1:]) if args else (kwargs["input"], ())
    kwargs = {key: item for key, item in kwargs.items() if key != "input"}
    widths = rest[0] if rest else kwargs.get("pad", ())
    if value.dim() < 3 or not is_thin(value) or len(widths) > 2 * (value.dim() - 2):
        return None
    padded = func(value[:, :1], *rest, **kwargs)
    return padded.expand(-1, value.shape[1], *padded.shape[2:])


_HANDLERS: dict[str, Callable[..., Tensor | None]] = {
    **dict.fromkeys(_UNARY, _unary),
    **dict.fromkeys(_BINARY, _binary),
    **dict.fromkeys(_CONVOLUTIONS | _TRANSPOSED, _convolution),
    **dict.fromkeys(_POOLS, _pool),
    "linear": _linear,
    "batch_norm": _batch_norm,
    "interpolate": _interpolate,
    "pad": _pad,
}
