"""How much of a state is still there a step later, with its sign: the ruler between two steps (R6). No torch.

Ming et al., 'Understanding Hidden Memories of Recurrent Neural Networks', VAST 2017, section 5.3.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

PART = 1 << 20  # numbers that are looked at together


def kept(states: NDArray[Any], previous: NDArray[Any]) -> NDArray[np.float64]:
    """Share of the previous state that survives, in 0..1.

    Of a unit, the smaller of the two sizes survives if the signs agree, else nothing; the share is the sum over units,
    over the sum of the previous sizes.

    Args:
        states, previous: of each step and of the step before it, (..., U).

    Returns:
        (...); NaN where the previous state is 0 in all units, or not a number.
    """
    now, before = np.broadcast_arrays(np.asarray(states), np.asarray(previous))
    shape, units = now.shape[:-1], now.shape[-1]
    now, before = (one.reshape(int(np.prod(shape)), units) for one in (now, before))
    found = np.full(len(now), np.nan)
    many = max(1, PART // max(units, 1))
    for start in range(0, len(now), many):  # in parts: in float64, long sequences would take many times their memory
        part = slice(start, start + many)
        own, gone = now[part].astype(np.float64), before[part].astype(np.float64)
        total = np.abs(gone).sum(-1)
        left = survived(own, gone).sum(-1)
        np.divide(left, total, out=found[part], where=total > 0)
    return found.reshape(shape)


def survived(states: NDArray[Any], previous: NDArray[Any]) -> NDArray[Any]:
    """The part of each unit's previous size that is still there with its sign, the shape of both (..., U)."""
    size = np.minimum(np.abs(states), np.abs(previous))
    found: NDArray[Any] = np.where(np.sign(states) == np.sign(previous), size, 0)
    return found
