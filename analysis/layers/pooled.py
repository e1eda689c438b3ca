"""Instances as vectors of a layer's activations, made comparable between filters."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_BLOCK = 1 << 21  # elements of one temporary block


def standardised(values: NDArray[np.float32], least: float = 1e-6) -> NDArray[np.float32]:
    """Each column less its mean, in its standard deviations, float32; columns that do not vary are left out.

    values: finite, shape (n, d). least: standard deviation, as a share of the largest, from which a column varies.
    """
    data = np.asarray(values, dtype=np.float32)
    if not len(data):
        return data
    mean, spread = np.zeros(data.shape[1]), np.zeros(data.shape[1])
    step = max(1, _BLOCK // len(data))
    for start in range(0, data.shape[1], step):
        part = data[:, start : start + step].astype(np.float64)
        mean[start : start + step], spread[start : start + step] = part.mean(axis=0), part.std(axis=0)
    varies = spread > least * max(float(spread.max(initial=0.0)), 1e-30)
    made = data[:, varies]
    made -= mean[varies].astype(np.float32)
    made /= spread[varies].astype(np.float32)
    return made
