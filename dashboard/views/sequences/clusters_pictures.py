"""Small pictures of the words of series: a motif's curve of each channel, or the range of a level."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.results import Answer

POINTS = 24  # of a curve
LANES = 6  # channels that have one
LEVELS = 99  # heights within a lane


def pictures(responses: Answer, at: NDArray[np.int64]) -> dict[str, Any] | None:
    """What is drawn of some words, by rows of ``sequence_responses``; None of tokens.

    Returns:
        of motifs {'form': 'curve', 'channels': names of those drawn, 'left_out': how many are not, 'curves': [word]
        [channel] heights 0 to 99 of the channel's range over all motifs, 'ends': [[low, high]] of each channel}; of
        levels {'form': 'range', 'spans': [word] [channel, low, high] as shares of the channel's range, 'ends'}. In
        shown units, as the subject gives them.
    """
    said = responses.json
    if "picture" in responses.names():
        return _curves(np.asarray(responses.array("picture"), np.float64), at, list(said["channels"]))
    if "channel" not in responses.names():
        return None
    channel = np.asarray(responses.array("channel"))
    low, high = np.asarray(responses.array("low"), np.float64), np.asarray(responses.array("high"), np.float64)
    ends = {int(one): _ends(np.concatenate([low[channel == one], high[channel == one]])) for one in np.unique(channel)}
    spans = []
    for row in at:
        start, stop = ends[int(channel[row])]
        share = [(value - start) / (stop - start) for value in (low[row], high[row])]
        spans.append([int(channel[row]), *(round(float(np.nan_to_num(value)), 3) for value in share)])
    names = list(said["channels"])
    return {
        "form": "range",
        "channels": names,
        "spans": spans,
        "values": [[_digits(low[row]), _digits(high[row])] for row in at],
        "ends": [[_digits(end) for end in ends.get(one, (0.0, 1.0))] for one in range(len(names))],
    }


def _curves(picture: NDArray[np.float64], at: NDArray[np.int64], channels: list[str]) -> dict[str, Any]:
    shown = picture[:, :LANES]
    places = np.unique(np.linspace(0, picture.shape[2] - 1, min(POINTS, picture.shape[2])).round().astype(int))
    curves = []
    ends = [_ends(shown[:, lane]) for lane in range(shown.shape[1])]
    for row in at:
        lanes = []
        for lane, (start, stop) in enumerate(ends):
            heights = LEVELS * (shown[row, lane, places] - start) / (stop - start)
            lanes.append(np.nan_to_num(np.clip(heights, 0, LEVELS)).round().astype(int).tolist())
        curves.append(lanes)
    return {
        "form": "curve",
        "channels": channels[:LANES],
        "left_out": max(0, picture.shape[1] - LANES),
        "curves": curves,
        "ends": [[_digits(end) for end in pair] for pair in ends],
    }


def _ends(values: NDArray[np.float64]) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    if not len(finite):
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def _digits(value: float) -> float:
    return float(f"{np.nan_to_num(value):.3g}")
