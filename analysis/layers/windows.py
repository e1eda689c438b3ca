"""What a layer gets at one of its positions: the neuronal receptive field of a patch (DeepEyes, D5)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from analysis.models.taps import Tap


@dataclass(frozen=True)
class Windows:
    """values: (P, d) float32. shape: of one of them before it was flattened. what: 'window' of a convolution, 'vector'
    at the position, 'pooled' over all positions, or 'output' where a layer's input cannot be read."""

    values: Tensor
    shape: tuple[int, ...]
    what: str


def windows(module: nn.Module, tap: Tap, rows: Tensor, places: list[Tensor]) -> Windows:
    """What the layer got at these positions.

    Args:
        module: the layer. tap: with its input. rows: of the instances, (P,). places: index along each axis of
            positions, (P,) each.
    """
    given, spatial = tap.input, tap.values.shape[2:]
    if given is None:
        return _vectors(tap.values, rows, places, "output")
    if isinstance(module, _ConvNd) and not isinstance(module, _ConvTransposeNd):
        kernel = len(module.kernel_size)
        if given.dim() - 2 == len(spatial) and len(spatial) >= kernel:
            folded = len(spatial) - kernel
            return _kernel(module, given, rows, places[:folded], places[folded:])
    if given.shape[2:] == spatial:
        return _vectors(given, rows, places, "vector")
    if given.dim() == 2:
        return _vectors(given, rows, [], "vector")
    return Windows(given.float().flatten(2).mean(2)[rows], (given.shape[1],), "pooled")


def _vectors(values: Tensor, rows: Tensor, places: list[Tensor], what: str) -> Windows:
    chosen = values.movedim(1, -1)[(rows, *places)].float()
    return Windows(chosen, (chosen.shape[1],), what)


def _kernel(module: _ConvNd, given: Tensor, rows: Tensor, folded: list[Tensor], places: list[Tensor]) -> Windows:
    """The kernel's window at each position, all channels of the input, also those of other groups: (P, C * prod(k))."""
    dims = len(module.kernel_size)
    pads = [int(p) for p in module._reversed_padding_repeated_twice]
    before = [pads[2 * (dims - 1 - axis)] for axis in range(dims)]
    if folded:
        given = given.movedim(1, 1 + len(folded))[(rows, *folded)]  # (P, C, *S)
        rows = torch.arange(len(given), device=given.device)
    if module.padding_mode != "zeros":
        given = nn.functional.pad(given, pads, mode=module.padding_mode)
        before = [0] * dims
    index: list[Tensor] = []
    inside = torch.ones((), dtype=torch.bool, device=given.device)
    for axis in range(dims):
        size = given.shape[2 + axis]
        offsets = torch.arange(module.kernel_size[axis], device=given.device) * module.dilation[axis]
        at = (places[axis] * module.stride[axis] - before[axis])[:, None] + offsets  # (P, k)
        shape = [len(at)] + [1] * dims
        shape[1 + axis] = at.shape[1]
        inside = inside & ((at >= 0) & (at < size)).reshape(shape)
        index.append(at.clamp(0, max(size - 1, 0)).reshape(shape))
    first = rows.reshape([-1] + [1] * dims)
    values = given.movedim(1, -1)[(first, *index)]  # (P, *k, C)
    values = (values * inside[..., None]).movedim(-1, 1).float()
    return Windows(values.flatten(1), tuple(values.shape[1:]), "window")
