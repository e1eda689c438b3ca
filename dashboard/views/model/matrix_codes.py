"""The matrix as bytes: what assets/matrix.js draws. No dash.

A file of a block is the values that code 0 and code 254 of each neuron stand for (2 x F float32, little endian), then
R x F codes of a byte, row by row in the given order; 255 is a cell without a value.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.neurons.matrix import encode, limits


def packed(means: NDArray[Any], signed: bool) -> bytes:
    """The file of means (R, F). signed: gradient x activation, whose middle code is 0."""
    low, high = limits(means, "neuron", signed)
    ends = np.stack([low, high]).astype("<f4")
    return bytes(ends.tobytes() + encode(means, low, high).tobytes())


def ends(means: NDArray[Any], signed: bool) -> tuple[float, float]:
    """The values of the ends of a scale that all neurons of a layer share."""
    low, high = limits(means, "layer", signed)
    return (float(low[0]), float(high[0])) if len(low) else (0.0, 1.0)
