"""Means of explanations over many instances, by the kind of data. No torch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.attribution.subsets.shares import BINS, COARSE, SIDE, Features, One, edges, roots, stretched, summed

LISTED = 50  # token types
SEEN = 3  # instances that a token has to be in
FEW = 10  # with fewer instances, one is enough
TYPES, POSITIONS = 50, 8  # of what a text's explanations are compared by
Arrays = dict[str, NDArray[Any]]
Summary = tuple[Arrays, dict[str, Any], Features]


def image(ones: Sequence[One]) -> Summary:
    """'mean_absolute', 'mean' (H, W), where all pictures have one size; 'regions' (R, S): mean share of each region of
    a grid of at most 7 x 7 over each picture."""
    flat = [(np.abs(one.shares).sum(0), one.shares.sum(0)) for one in ones]
    sizes = {part[0].shape for part in flat}
    smallest = tuple(min(size[axis] for size in sizes) for axis in (0, 1))
    grid = tuple(min(SIDE, side) for side in smallest)

    def regions(picture: NDArray[np.float64]) -> NDArray[np.float64]:
        down, across = (edges(side, most) for side, most in zip(picture.shape, grid, strict=True))
        return summed(summed(picture, down, 0), across, 1)

    shares = np.stack([regions(part[0]) for part in flat])
    arrays: Arrays = {"regions": shares.mean(0).astype(np.float32)}
    if len(sizes) == 1:
        arrays["mean_absolute"] = np.mean([part[0] for part in flat], axis=0).astype(np.float32)
        arrays["mean"] = np.mean([part[1] for part in flat], axis=0).astype(np.float32)
    shape = next(iter(sizes)) if len(sizes) == 1 else None
    names = [_region(row, column, grid, shape) for row in range(grid[0]) for column in range(grid[1])]
    places = [[row, column] for row in range(grid[0]) for column in range(grid[1])]
    table = shares.reshape(len(ones), -1)
    return arrays, {"grid": list(grid)}, Features(table, names, roots(table), places, "region")


def blocks(cells: Features, grid: Sequence[int], shape: tuple[int, ...] | None) -> Features | None:
    """The same in overlapping blocks of 2 x 2 regions: a mark that lies across the grid's lines is whole in one of
    them. None where the grid has less than three regions along an axis. shape: of all pictures, None if they differ."""
    rows, columns = grid
    if min(rows, columns) < 3:
        return None
    table = cells.shares.reshape(-1, rows, columns)
    summed_up = table[:, :-1, :-1] + table[:, 1:, :-1] + table[:, :-1, 1:] + table[:, 1:, 1:]
    places = [[row, column] for row in range(rows - 1) for column in range(columns - 1)]
    names = [_region(row, column, (rows, columns), shape, 2) for row, column in places]
    shares = summed_up.reshape(len(table), -1)
    return Features(shares, names, roots(shares), places, "region")


def _region(row: int, column: int, grid: tuple[int, ...], shape: tuple[int, ...] | None, span: int = 1) -> str:
    vertical = {0: "top", grid[0] - span: "bottom"}.get(row, "")
    across = {0: "left", grid[1] - span: "right"}.get(column, "")
    where = f"the {vertical} {across} corner" if vertical and across else "the region"
    if shape is None:
        return f"{where} (row {row + 1} of {grid[0]}, column {column + 1} of {grid[1]})"
    down, right = edges(shape[0], grid[0]), edges(shape[1], grid[1])
    return f"{where} (x {right[column]} to {right[column + span]}, y {down[row]} to {down[row + span]})"


def series(ones: Sequence[One], names: Sequence[str] = (), rate: float | None = None) -> Summary:
    """'mean_absolute', 'mean' (channels, bins): mean share in each bin of time; of relative time where lengths differ;
    (1, bins) where maps do not tell channels apart. JSON: 'axis': {'name', 'ends'}, 'channels': [{'channel', 'name',
    'mean_absolute', 'share'}], empty without channels. rate: steps a second."""
    lengths = {one.shares.shape[1] for one in ones}
    steps = lengths.pop() if len(lengths) == 1 else None
    bins = min(BINS, steps) if steps else BINS // 2
    few = min(COARSE, bins)
    joined = ones[0].joined
    sizes = np.stack([_binned(np.abs(one.shares), bins, steps) for one in ones])
    signed = np.stack([_binned(one.shares, bins, steps) for one in ones])
    coarse = np.stack([_binned(np.abs(one.shares), few, steps) for one in ones])
    count = sizes.shape[1]
    called = [names[at] if at < len(names) else f"channel {at}" for at in range(count)]
    axis: dict[str, Any] = {"name": "share of the length", "ends": [0.0, 1.0]}
    if steps:
        axis = {"name": "time (s)" if rate else "step", "ends": [0.0, steps / rate if rate else float(steps)]}
    by_channel = [] if joined else sizes.sum(2).mean(0).tolist()
    channels = [
        {"channel": at, "name": called[at], "mean_absolute": share, "share": share}
        for at, share in enumerate(by_channel)
    ]
    spans = _spans(few, steps, rate, joined)
    phrases = spans if joined else [f"{called[at]}, {span}" for at in range(count) for span in spans]
    places = [[at, span] for at in range(count) for span in range(few)]
    table = coarse.reshape(len(ones), -1)
    arrays: Arrays = {"mean_absolute": sizes.mean(0).astype(np.float32), "mean": signed.mean(0).astype(np.float32)}
    features = Features(table, phrases, roots(table), places, "span" if joined else "channel and span")
    return arrays, {"axis": axis, "channels": channels}, features


def _spans(count: int, steps: int | None, rate: float | None, alone: bool) -> list[str]:
    """Of time, in words. alone: without a channel before it."""
    bounds = edges(steps, count) / (rate or 1) if steps else np.linspace(0, 100, count + 1)
    pairs = [f"{start:.3g} to {end:.3g}" for start, end in pairwise(bounds.tolist())]
    if steps and not rate:
        pairs = [f"{start:.0f} to {end:.0f}" for start, end in pairwise(bounds.tolist())]
    if not steps:
        return [f"{pair} % of the length" if alone else f"{pair} %" for pair in pairs]
    if rate:
        return [f"seconds {pair}" if alone else f"{pair} s" for pair in pairs]
    return [f"steps {pair}" if alone else f"{pair} (steps)" for pair in pairs]


def _binned(values: NDArray[np.float64], bins: int, steps: int | None) -> NDArray[np.float64]:
    return stretched(values, bins) if steps is None else summed(values, edges(steps, bins), 1)


def table(ones: Sequence[One], names: Sequence[str] = ()) -> Summary:
    """'mean_absolute', 'mean' (columns,): mean share of each column."""
    signed = np.stack([one.shares.ravel() for one in ones])
    sizes = np.abs(signed)
    called = [names[at] if at < len(names) else f"column {at}" for at in range(signed.shape[1])]
    arrays: Arrays = {"mean_absolute": sizes.mean(0).astype(np.float32), "mean": signed.mean(0).astype(np.float32)}
    return arrays, {}, Features(sizes, called, roots(signed), [[at] for at in range(len(called))], "column", signed)


def text(ones: Sequence[One]) -> Summary:
    """JSON 'tokens': [{'token', 'count': how often, 'instances', 'leads': in how many it has the largest size,
    'mean_absolute', 'mean'}], the 50 with the largest mean size of those in at least 3 instances (1 where there are
    fewer than 10). Sizes here are times the even share, 1 / tokens of the text: 1 is what an average token of its text
    has, so that short texts do not lead.
    """
    listed = _types(ones)
    least = SEEN if len(ones) >= FEW else 1
    ranked = sorted(
        (one for one in listed.values() if one["instances"] >= least),
        key=lambda one: (-one["mean_absolute"], one["token"]),
    )
    kept = sorted(listed.values(), key=lambda one: (-one["total"], one["token"]))[:TYPES]
    column = {one["token"]: at for at, one in enumerate(kept)}
    shares = np.zeros((len(ones), len(kept)))
    positions = np.zeros((len(ones), POSITIONS))
    for row, one in enumerate(ones):
        sizes = np.abs(one.shares)
        positions[row] = stretched(sizes[None], POSITIONS)[0]
        for token, size in zip(one.tokens, sizes.tolist(), strict=False):
            if token in column:
                shares[row, column[token]] += size
    names = [f"{token!r}" for token in column]
    vectors = roots(np.concatenate([shares, positions / 2], axis=1))
    shown = [{name: value for name, value in one.items() if name != "total"} for one in ranked[:LISTED]]
    return {}, {"tokens": shown}, Features(shares, names, vectors, [[at] for at in range(len(names))], "token")


def _types(ones: Sequence[One]) -> dict[str, dict[str, Any]]:
    """Figures of each token type."""
    sizes: dict[str, list[float]] = defaultdict(list)
    signed: dict[str, list[float]] = defaultdict(list)
    within: dict[str, int] = defaultdict(int)
    leads: dict[str, int] = defaultdict(int)
    total: dict[str, float] = defaultdict(float)
    for one in ones:
        count = min(len(one.tokens), len(one.shares))
        for token, share in zip(one.tokens, one.shares.tolist(), strict=False):
            sizes[token].append(abs(share) * count)
            signed[token].append(share * count)
            total[token] += abs(share)
        for token in set(one.tokens[:count]):
            within[token] += 1
        if count:
            leads[one.tokens[int(np.abs(one.shares[:count]).argmax())]] += 1
    return {
        token: {
            "token": token,
            "count": len(found),
            "instances": within[token],
            "leads": leads[token],
            "mean_absolute": float(np.mean(found)),
            "mean": float(np.mean(signed[token])),
            "total": total[token],
        }
        for token, found in sizes.items()
    }
