"""From single instances to a batch: stacking, and padding along the one axis that may vary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from analysis.data.errors import SubjectError, Unreadable

USUAL = 0.75  # share of instances that, having one shape, make the others the faulty ones


@dataclass(frozen=True)
class LeafForm:
    """What one input of an instance looks like. shape: None for the axis that may vary. floating: real numbers.

    pad: value that fills up short instances.
    """

    shape: tuple[int | None, ...]
    floating: bool
    pad: float = 0

    @property
    def free(self) -> int | None:
        """The axis that may vary."""
        return self.shape.index(None) if None in self.shape else None

    def check(self, value: Tensor) -> None:
        """Raises Unreadable if an instance does not look like that."""
        shape = tuple(value.shape)
        if value.dtype.is_floating_point != self.floating:
            raise Unreadable(f"it holds {value.dtype}, unlike the other instances")
        fits = len(shape) == len(self.shape) and all(
            b is None or a == b for a, b in zip(shape, self.shape, strict=True)
        )
        if not fits:
            usual = ", ".join("any" if size is None else str(size) for size in self.shape)
            raise Unreadable(f"its shape is {shape}, that of the others ({usual})")
        if self.free is not None and shape[self.free] == 0:
            raise Unreadable("it is an empty sequence")

    def freed(self, axis: int) -> LeafForm:
        """The same, with an axis that may vary."""
        return replace(self, shape=tuple(None if n == axis else size for n, size in enumerate(self.shape)))


def form_of(name: str, values: Sequence[Tensor]) -> LeafForm:
    """What an input looks like, told from several instances.

    Most have one shape: then that is it. Otherwise one axis may vary, of sequences (one or two axes).

    Raises:
        SubjectError: more varies than padding can make up for.
    """
    kinds = Counter(value.dtype.is_floating_point for value in values)
    floating = kinds.most_common(1)[0][0]
    shapes = Counter(tuple(value.shape) for value in values)
    shape, count = shapes.most_common(1)[0]
    if count >= USUAL * len(values):
        return LeafForm(shape, floating)
    ranks = {len(shape) for shape in shapes}
    varying = [axis for axis in range(len(shape)) if len({s[axis] for s in shapes}) > 1] if len(ranks) == 1 else []
    if len(varying) != 1 or len(shape) > 2:
        listed = ", ".join(str(tuple(s)) for s, _ in shapes.most_common(4))
        raise SubjectError(
            f"Instances have different shapes ({name}: {listed}), so they cannot be put into one batch.",
            "Bring them to one size in the data set (resize pictures), or give collate_fn=.",
        )
    return LeafForm(shape, floating).freed(varying[0])


def stack(values: Sequence[Tensor], form: LeafForm) -> tuple[Tensor, Tensor | None]:
    """A batch, and the length of each instance along the free axis (int64, (n,)); None if there is no free axis."""
    dtype = values[0].dtype
    for value in values[1:]:
        dtype = torch.promote_types(dtype, value.dtype)
    axis = form.free
    if axis is None:
        return torch.stack([value.to(dtype) for value in values]), None
    lengths = torch.tensor([value.shape[axis] for value in values])
    shape = list(values[0].shape)
    shape[axis] = int(lengths.max())
    whole = torch.full((len(values), *shape), form.pad, dtype=dtype)
    for row, value in zip(whole, values, strict=True):
        row.narrow(axis, 0, value.shape[axis]).copy_(value)
    return whole, lengths


def valid_lengths(mask: Tensor) -> Tensor | None:
    """Length of each row of a mask (n, T) that is 1 first and 0 afterwards; None for any other mask."""
    if mask.dim() != 2:
        return None
    valid = mask != 0
    lengths = valid.sum(1)
    places = torch.arange(mask.shape[1], device=mask.device)
    return lengths if bool((valid == (places < lengths[:, None])).all()) else None
