"""Where patches are taken: positions drawn without repetition, evenly over each row's positions."""

from __future__ import annotations

import torch
from torch import Tensor


def draw(rows: int, patches: int, generator: torch.Generator) -> Tensor:
    """Random numbers that fix the positions of ``rows`` rows at any size: shape (rows, patches + 1), in [0, 1)."""
    return torch.rand(rows, patches + 1, generator=generator, device=generator.device)


def choose(numbers: Tensor, lengths: Tensor | int) -> tuple[Tensor, Tensor | None]:
    """Flat positions for each row.

    The positions are cut into as many runs of nearly equal length as patches are wanted, one position is taken from
    each, and the whole is rotated, so that every position is equally likely and none is taken twice.

    Args:
        numbers: from ``draw``, shape (N, R + 1).
        lengths: positions of each row, shape (N,), or of every row.

    Returns:
        Positions, int64, shape (N, min(R, longest)), and which of them count (None: all): a row with fewer than R
        positions gives each of them once.
    """
    wanted = numbers.shape[1] - 1
    longest = lengths if isinstance(lengths, int) else int(lengths.max()) if len(lengths) else 0
    if longest <= 1 and isinstance(lengths, int):
        return numbers.new_zeros(len(numbers), longest, dtype=torch.int64), None
    width = min(wanted, longest)
    if width == 1 and isinstance(lengths, int):  # quicker than what follows, and as good
        return (numbers[:, :1] * lengths).long(), None
    size = torch.as_tensor(lengths, device=numbers.device).reshape(-1, 1)
    taken = torch.clamp(size, max=width)
    slot = torch.arange(width, device=numbers.device)
    start = slot * size // taken.clamp_min(1)
    end = (slot + 1) * size // taken.clamp_min(1)
    inside = (numbers[:, :width] * (end - start)).long()
    turn = (numbers[:, wanted:] * size).long()
    places = (start + inside + turn) % size.clamp_min(1)
    if isinstance(lengths, int):
        return places, None
    return places, slot < taken
