"""Whether instances are pictures, texts, series or rows of a table, and which of their axes is which.

Told from the shape of an instance and from the first layer that computes with it; where both leave two answers open,
the user is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd
from torch.nn.utils.rnn import PackedSequence

from analysis.data.errors import SubjectError

KINDS = ("image", "text", "series", "table")
CHANNELS = (1, 3, 4)  # of pictures: grey, colour, colour with transparency
LONG = 8  # a picture is not that many times longer than wide
_WATCHED = (_ConvNd, nn.Linear, nn.RNNBase, nn.RNNCellBase, nn.Embedding, nn.EmbeddingBag)


@dataclass(frozen=True)
class First:
    """The first layer with weights that a model calls.

    kind: 'conv1', 'conv2', 'conv3', 'linear', 'recurrent', 'embedding', or '' if there is none. name: dotted.
    size: channels or features that it takes, 0 if unknown. given: what it got, instances first; None if unknown.
    """

    kind: str = ""
    name: str = ""
    size: int = 0
    given: Tensor | None = None


@dataclass(frozen=True)
class Kind:
    """What instances are. name: one of KINDS. reason: why, in words. places: axes of the batch along which positions
    lie (height and width, or time). channels: axis of the batch with the channels, None if there is none."""

    name: str
    reason: str
    places: tuple[int, ...] = ()
    channels: int | None = None


def watch_first(model: nn.Module, run: Callable[[], Any]) -> tuple[First, Any]:
    """Run the model once; returns its first layer with weights, and what ``run`` returned."""
    found: list[First] = []

    def hook(name: str) -> Callable[..., None]:
        def seen(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            if not found:
                given = next((x for x in (*args, *kwargs.values()) if isinstance(x, (Tensor, PackedSequence))), None)
                found.append(_first(module, name, given))

        return seen

    handles = [
        module.register_forward_pre_hook(hook(name), with_kwargs=True)
        for name, module in model.named_modules()
        if isinstance(module, _WATCHED)
    ]
    try:
        output = run()
    finally:
        for handle in handles:
            handle.remove()
    return (found[0] if found else First()), output


def _first(module: nn.Module, name: str, given: Any) -> First:
    tensor = given.detach().clone() if isinstance(given, Tensor) else None
    if isinstance(module, (nn.Embedding, nn.EmbeddingBag)):
        return First("embedding", name, 0, tensor)
    if isinstance(module, _ConvNd):
        return First(f"conv{len(module.kernel_size)}", name, module.in_channels, tensor)
    if isinstance(module, nn.Linear):
        return First("linear", name, module.in_features, tensor)
    assert isinstance(module, (nn.RNNBase, nn.RNNCellBase))
    if tensor is not None and isinstance(module, nn.RNNBase) and not module.batch_first and tensor.dim() == 3:
        tensor = tensor.transpose(0, 1)
    return First("recurrent", name, module.input_size, tensor)


def infer_kind(
    x: Tensor, first: First, *, given: str | None, key: int | str | None, decodes: bool, sampled: bool
) -> Kind:
    """What a batch of instances is.

    Args:
        x: the batch, (n, ...). given: the kind that the user named. key: the argument it is passed as.
        decodes: there is a way from ids to tokens. sampled: there is a sampling rate.

    Raises:
        SubjectError: it may be one of two kinds, or cannot be the kind that was named.
    """
    if given is not None:
        return _layout(given, "you said so (kind=)", x, first)
    shape = tuple(x.shape[1:])
    whole = not x.is_floating_point()
    if whole and x.dtype != torch.uint8 and len(shape) == 1 and (decodes or key == "input_ids"):
        return _layout(
            "text", "instances are sequences of ids" + (" and there is decode=" if decodes else ""), x, first
        )
    rank = len(shape)
    answer = {1: _of_vector, 2: _of_matrix, 3: _of_volume}.get(rank, _nothing)(x, first, sampled)
    if not answer:
        choices = {1: ("table", "series", "text"), 2: ("series", "image")}.get(rank, KINDS[:1] + KINDS[2:])
        layer = f"the first layer is a {first.kind} layer" if first.kind else "no layer says what they are"
        raise SubjectError(
            f"Instances of shape {shape} may be one of: {', '.join(choices)}; {layer}.",
            f"Give kind=, for instance kind={choices[0]!r}.",
        )
    return _layout(answer[0], answer[1], x, first)


Told = tuple[str, str] | None


def _nothing(_x: Tensor, _first: First, _sampled: bool) -> Told:
    return None


def _of_vector(x: Tensor, first: First, sampled: bool) -> Told:
    if not x.is_floating_point():
        if first.kind == "embedding" and first.given is not None and first.given.shape == x.shape:
            return "text", "instances are sequences of ids that go through an embedding"
        return ("table", "instances are rows of numbers for a dense layer") if first.kind == "linear" else None
    if first.kind in ("conv1", "recurrent") or (sampled and first.kind in ("linear", "")):
        why = "there is a sampling rate" if sampled else f"the first layer is {_AS_WORDS[first.kind]}"
        return "series", f"instances are rows of numbers, and {why}"
    if first.kind == "linear":
        return "table", "instances are rows of numbers for a dense layer"
    return None


def _of_matrix(x: Tensor, first: First, sampled: bool) -> Told:
    if first.kind in ("conv1", "recurrent"):
        return "series", f"instances have two axes, and the first layer is {_AS_WORDS[first.kind]}"
    if sampled:
        return "series", "instances have two axes, and there is a sampling rate"
    if first.kind == "conv2" and not _is_long(x.shape[1], x.shape[2]):
        return "image", "instances have two axes, and the first layer is a convolution over both"
    return None


def _of_volume(x: Tensor, first: First, sampled: bool) -> Told:
    _, a, b, c = x.shape
    if sampled or first.kind in ("conv1", "conv3", "recurrent", "embedding"):
        return None
    if a in CHANNELS and not _is_long(b, c):
        return "image", f"instances have {a} channel{'s' if a > 1 else ''} of {b} x {c}"
    if c in CHANNELS and not _is_long(a, b):
        return "image", f"instances are {a} x {b} with {c} channel{'s' if c > 1 else ''}"
    if first.kind == "conv2" and not _is_long(b, c):
        return "image", f"instances have {a} channels of {b} x {c}, and the first layer is a convolution over both"
    return None


_AS_WORDS = {"conv1": "a convolution along one axis", "recurrent": "recurrent"}


def _is_long(height: int, width: int) -> bool:
    return max(height, width) >= LONG * max(min(height, width), 1)


def _layout(name: str, reason: str, x: Tensor, first: First) -> Kind:
    """Name the axes of a batch of this kind. Raises SubjectError if instances of this shape cannot be that."""
    rank = x.dim() - 1
    if name == "text":
        if rank != 1 or x.is_floating_point():
            raise _cannot(name, x, "a text is a sequence of whole numbers (token ids), one axis")
        return Kind(name, reason, (1,))
    if name == "table":
        return Kind(name, reason)
    if name == "series":
        return _series(reason, x, first)
    if rank == 3:
        return Kind(name, reason, *_picture_axes(x, first))
    if rank == 2:
        return Kind(name, reason, (1, 2))
    if rank == 1:
        return Kind(name, f"{reason}; its pixels come as one row")
    raise _cannot(name, x, "a picture has one to three axes")


def _picture_axes(x: Tensor, first: First) -> tuple[tuple[int, ...], int]:
    given = first.given
    if given is not None and given.dim() == 4:
        last = x.permute(0, 3, 1, 2)
        if _equal(given, last) and not _equal(given, x):
            return (1, 2), 3
        if _equal(given, x):
            return (2, 3), 1
    _, a, _b, c = x.shape
    return ((1, 2), 3) if c in CHANNELS and a not in CHANNELS else ((2, 3), 1)


def _series(reason: str, x: Tensor, first: First) -> Kind:
    rank = x.dim() - 1
    if rank == 1:
        return Kind("series", reason, (1,))
    if rank != 2:
        raise _cannot("series", x, "a series has the axes (channels, steps) or (steps, channels)")
    time_last = Kind("series", f"{reason}; axes (channels, steps)", (2,), 1)
    time_first = Kind("series", f"{reason}; axes (steps, channels)", (1,), 2)
    a, b = x.shape[1:]
    if first.given is not None and first.kind in ("conv1", "recurrent"):
        turned = x.transpose(1, 2)
        as_is, other = (time_last, time_first) if first.kind == "conv1" else (time_first, time_last)
        if _equal(first.given, x):
            return as_is
        if _equal(first.given, turned):
            return other
    if first.size and (a == first.size) != (b == first.size):
        return time_last if a == first.size else time_first
    if first.kind in ("conv1", "recurrent"):
        return time_last if first.kind == "conv1" else time_first
    longer = time_last if b >= a else time_first
    return Kind("series", f"{longer.reason}, taking the longer for the steps", longer.places, longer.channels)


def _equal(left: Tensor, right: Tensor) -> bool:
    if left.shape != right.shape:
        return False
    return bool(torch.allclose(left.cpu().double(), right.cpu().double(), equal_nan=True))


def _cannot(name: str, x: Tensor, what: str) -> SubjectError:
    return SubjectError(
        f"Instances of shape {tuple(x.shape[1:])} ({str(x.dtype).removeprefix('torch.')}) cannot be of kind {name!r}: "
        f"{what}.",
        f"Give another kind= ({', '.join(KINDS)}), or let the data set or collate_fn= yield that shape.",
    )
