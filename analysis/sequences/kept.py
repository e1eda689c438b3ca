"""How much of a state is still there a step later, with its sign: the ruler between two steps (R6). No torch.

Ming et al., 'Understanding Hidden Memories of Recurrent Neural Networks', VAST 2017, section 5.3.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def kept(states: NDArray[Any], previous: NDArray[Any]) -> NDArray[np.float64]:
    """Share of the previous state that survives, in 0..1.

    Of a unit, the smaller of the two sizes survives if the signs agree, else nothing; the share is the sum over units,
    over the sum of the previous sizes.

    Args:
        states, previous: of each step and of the step before it, (..., U).

    Returns:
        (...); NaN where the previous state is 0 in all units, or not a number.
    """
    now, before = np.asarray(states, np.float64), np.asarray(previous, np.float64)
    total = np.abs(before).sum(-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        share: NDArray[np.float64] = survived(now, before).sum(-1) / total
    return np.where(total > 0, share, np.nan)


def survived(states: NDArray[Any], previous: NDArray[Any]) -> NDArray[Any]:
    """The part of each unit's previous size that is still there with its sign, the shape of both (..., U)."""
    size = np.minimum(np.abs(states), np.abs(previous))
    found: NDArray[Any] = np.where(np.sign(states) == np.sign(previous), size, 0)
    return found
