"""Words of series, the simple way: of each channel, into which fifth of its values a step falls."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.sequences.inputs import Lesson

BINS = 5
LEVELS = {
    2: ("low", "high"),
    3: ("low", "middle", "high"),
    4: ("very low", "low", "high", "very high"),
    5: ("very low", "low", "middle", "high", "very high"),
}


def learn(lesson: Lesson) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Edges between the bins, quantiles of each channel over all steps; equal ones count once, so that a channel which
    is mostly one value has fewer bins.

    Returns:
        {'names', 'channels'}; arrays 'edges' (C, BINS - 1) in the model's units, NaN where there are fewer; 'bins' (C,)
        their number; 'channel' (V,), 'low', 'high' (V,) the smallest and largest value of each word in shown units.
    """
    values = np.concatenate(lesson.values) if lesson.values else np.zeros((0, len(lesson.channels)), np.float32)
    shown = np.concatenate([one.T for one in lesson.shown]) if lesson.shown else values
    count = values.shape[1]
    edges = np.full((count, BINS - 1), np.nan, np.float32)
    names, channel, low, high, bins = [], [], [], [], []
    for number in range(count):
        own = values[:, number]
        finite = own[np.isfinite(own)]
        found = np.zeros(0, np.float32)
        if len(finite):
            # Edges are values that occur, and none is the smallest: so no bin is empty.
            found = np.unique(np.quantile(finite, np.arange(1, BINS) / BINS, method="inverted_cdf"))
            found = found[found > finite.min()]
        edges[number, : len(found)] = found
        bins.append(len(found) + 1)
        place = np.searchsorted(found, own, side="right")
        for level in range(len(found) + 1):
            inside = shown[(place == level) & np.isfinite(own), number]
            low.append(float(inside.min()) if len(inside) else np.nan)
            high.append(float(inside.max()) if len(inside) else np.nan)
            channel.append(number)
            word = LEVELS[bins[-1]][level] if bins[-1] > 1 else "any value"
            names.append(f"{lesson.channels[number]} {word}".strip())
    arrays: dict[str, NDArray[Any]] = {
        "edges": edges,
        "bins": np.array(bins, np.int64),
        "channel": np.array(channel, np.int64),
        "low": np.array(low, np.float32),
        "high": np.array(high, np.float32),
    }
    return {"names": names, "channels": lesson.channels, "window": 1}, arrays


def number(values: NDArray[np.float32], edges: NDArray[np.float32], bins: NDArray[np.int64]) -> NDArray[np.int64]:
    """Words of series (n, T, C): int64 (n, T, C), one of each channel; -1 where the value is NaN."""
    found = np.full(values.shape, -1, np.int64)
    first = 0
    for channel, count in enumerate(bins.tolist()):
        own = values[..., channel]
        place = first + np.searchsorted(edges[channel, : count - 1], own, side="right")
        found[..., channel] = np.where(np.isnan(own), -1, place)
        first += count
    return found
