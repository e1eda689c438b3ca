"""Words of series, the way of a codebook: the typical shapes of a short window that ends at the step.

A codebook by k-means (Lloyd, IEEE Trans. Inf. Theory 28, 1982) over windows at random places, each channel scaled to
deviation 1. Means of overlapping windows say little about how often a shape recurs (Keogh and Lin, 'Clustering of
time-series subsequences is meaningless', ICDM 2003); they are used here as what they are: a coarse name for what the
model has just seen.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from analysis.sequences.inputs import Lesson

MOTIFS = 24
WINDOWS = 8_192  # from which they are learnt, at most
SHORTEST, LONGEST = 4, 32  # steps of a window
SHARE = 8  # of a sequence's length that a window has, as a divisor
RESTARTS = 4
SEED = 0
PART = 1 << 24  # numbers of an intermediate result


def learn(lesson: Lesson, motifs: int = MOTIFS) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Motifs of some series, most frequent first.

    Returns:
        {'names', 'channels', 'window': steps}; arrays 'centres' (V, C, window) of scaled values, 'mean', 'scale' (C,)
        of each channel; 'picture' (V, C, window), the mean of the motif's windows in shown units.
    """
    from sklearn.cluster import KMeans

    window = window_of([len(one) for one in lesson.values])
    values = np.concatenate(lesson.values) if lesson.values else np.zeros((0, len(lesson.channels)), np.float32)
    finite = np.isfinite(values)
    mean = np.where(finite, values, 0).sum(0, dtype=np.float64) / np.maximum(finite.sum(0), 1)
    spread = np.sqrt(np.where(finite, (values - mean) ** 2, 0).sum(0) / np.maximum(finite.sum(0), 1))
    scale = np.where(spread > 0, spread, 1.0)
    found, shown = _windows(lesson, window)
    scaled = (found - mean[:, None]) / scale[:, None]
    flat = scaled.reshape(len(scaled), scaled.shape[1] * window)
    count = min(motifs, len(np.unique(flat.round(6), axis=0))) if len(flat) else 0
    centres = np.zeros((0, values.shape[1], window), np.float32)
    pictures = centres
    if count:
        fitted = KMeans(count, n_init=RESTARTS, random_state=SEED).fit(flat)
        sizes = np.bincount(fitted.labels_, minlength=count)
        order = np.argsort(-sizes, kind="stable")
        order = order[sizes[order] > 0]
        centres = fitted.cluster_centers_[order].reshape(len(order), *scaled.shape[1:]).astype(np.float32)
        pictures = np.stack([shown[fitted.labels_ == one].mean(0) for one in order]).astype(np.float32)
    names = [f"motif {place}: {_words(one, lesson.channels)}" for place, one in enumerate(centres, 1)]
    arrays = {"centres": centres, "mean": mean.astype(np.float32), "scale": scale.astype(np.float32)}
    return {"names": names, "channels": lesson.channels, "window": window}, arrays | {"picture": pictures}


def window_of(lengths: list[int]) -> int:
    """Steps of a window: an eighth of the median length, from 4 to 32, never more than half of it (at least 1)."""
    median = int(np.median(lengths)) if lengths else 0
    return max(1, min(max(SHORTEST, median // SHARE), LONGEST, median // 2))


def _windows(lesson: Lesson, window: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Windows at random places, in the model's units and in shown ones, (W, C, window) each."""
    places = [max(0, len(one) - window + 1) for one in lesson.values]
    total = sum(places)
    chosen = np.sort(np.random.default_rng(SEED).permutation(total)[:WINDOWS])
    ends = np.cumsum(places)
    found: list[NDArray[np.float32]] = []
    shown: list[NDArray[np.float32]] = []
    for number, (values, picture) in enumerate(zip(lesson.values, lesson.shown, strict=True)):
        own = chosen[(chosen >= ends[number] - places[number]) & (chosen < ends[number])]
        if len(own):
            at = own - (ends[number] - places[number])
            windows = sliding_window_view(values, window, 0)[at]
            good = np.isfinite(windows).all((1, 2))
            found.append(windows[good])
            shown.append(sliding_window_view(picture, window, 1)[:, at].transpose(1, 0, 2)[good])
    if not found:
        empty = np.zeros((0, len(lesson.channels), window), np.float32)
        return empty, empty
    return np.concatenate(found), np.concatenate(shown)


def _words(centre: NDArray[np.float32], channels: list[str]) -> str:
    """What is most seen in a motif (C, window) of scaled values."""
    spans = np.ptp(centre, axis=1)
    channel = int(spans.argmax())
    line, name = centre[channel], channels[channel]
    if spans[channel] < 0.5:  # of a deviation
        channel = int(np.abs(centre.mean(1)).argmax())
        level, name = float(centre[channel].mean()), channels[channel]
        kind = "even, high" if level > 0.5 else "even, low" if level < -0.5 else "even"
    else:
        moved = float(line[-1] - line[0])
        if abs(moved) > 0.6 * spans[channel]:
            kind = "rises" if moved > 0 else "falls"
        else:
            middle = (line[0] + line[-1]) / 2
            kind = "peak" if line.max() - middle > middle - line.min() else "dip"
    return f"{name} {kind}".strip()


def number(values: NDArray[np.float32], good: NDArray[np.bool_], arrays: dict[str, NDArray[Any]]) -> NDArray[np.int64]:
    """Words of series (n, T, C): int64 (n, T, 1), the motif nearest to the window that ends at each step.

    -1 where the window is not whole, or not all of it is ``good`` (n, T). Distances of all windows at once: |c|^2 / 2
    less the correlation with each centre, which is a convolution.
    """
    centres = torch.from_numpy(arrays["centres"])
    count, _, window = centres.shape
    n, steps = values.shape[:2]
    found = np.full((n, steps, 1), -1, np.int64)
    if not count or steps < window:
        return found
    usable: NDArray[np.bool_] = good & np.isfinite(values).all(2)
    scaled = np.where(usable[..., None], (values - arrays["mean"]) / arrays["scale"], 0).astype(np.float32)
    half = (centres.double() ** 2).sum((1, 2)).float() / 2
    whole: NDArray[np.bool_] = np.asarray(sliding_window_view(usable, window, 1).all(2))
    many = max(1, PART // (count * steps))
    for start in range(0, n, many):
        part = torch.from_numpy(scaled[start : start + many]).transpose(1, 2)
        with torch.no_grad():
            nearest = (torch.nn.functional.conv1d(part, centres) - half[:, None]).argmax(1).numpy()
        found[start : start + many, window - 1 :, 0] = np.where(whole[start : start + many], nearest, -1)
    return found
