"""Curves of any length as a bounded number of points, from a pyramid of extremes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from analysis.errors import NotFound, ParameterError
from analysis.records import Damage
from analysis.store.curvecache import CurveCache
from analysis.store.logfile import ScalarFile
from analysis.store.pyramid import Pyramid
from analysis.store.reader import Run, make_cursor
from analysis.store.series import Points, Series, join, points_of, series_of

__all__ = ["Curve", "CurveCache", "curve", "export_csv"]

LISTED = 200
_EPOCHS = 200_000  # records of the epoch tag read one by one
_ROWS = 50_000  # rows exported at once
_SHARED = CurveCache()

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """A line of m points; every value is finite but for gaps.

    x: steps, epochs or wall times (seconds since the epoch), shape (m,). y: raw values, shape (m,), NaN where the line
    has to break because a listed value is not finite. segments: segment of every point, shape (m,).
    smooth_x, smooth_y: the moving average, empty without smoothing. nonfinite_x, nonfinite_kind: where values are
    'nan', '+inf' or '-inf', at most 200 of the nonfinite_count. total: records in range. exact: nothing was thinned.
    cursor: that of ``Run.scalars``; it changes when there is more to draw. smooth_segments: as segments.
    """

    x: Floats
    y: Floats
    smooth_x: Floats
    smooth_y: Floats
    nonfinite_x: Floats
    nonfinite_kind: list[str]
    nonfinite_count: int
    total: int
    segments: NDArray[np.int64]
    exact: bool
    cursor: str
    damage: tuple[Damage, ...]
    smooth_segments: NDArray[np.int64]


@dataclass(frozen=True)
class _Part:
    """What one segment contributes."""

    number: int
    line: Points
    smooth: Points
    bad: Points
    bad_count: int
    total: int
    exact: bool
    epochs: Points | None


def curve(
    run: Run,
    tag: str,
    *,
    axis: Literal["step", "epoch", "wall"] = "step",
    lo: float | None = None,
    hi: float | None = None,
    points: int = 2000,
    smoothing: float = 0.0,
    cache: CurveCache | None = None,
) -> Curve:
    """The values of a tag between lo and hi (inclusive, in units of the axis), at most about ``points`` of them.

    Smallest and largest finite values of every share of the range survive. Points come segment by segment, within one
    by step, whatever the clocks said: on the wall axis x may go back. Epochs are interpolated between the steps where
    the tag 'epoch' was recorded in the same segment, and constant outside.

    The average (weight 0..0.999, debiased as TensorBoard's) is taken over every finite record of a segment while the
    range has at most 200,000 of them, with enough before it to be independent of lo; above, over the means of blocks of
    64 or 1,024 records with weight**block.

    Raises NotFound for an unknown tag, ParameterError for values outside what is accepted or without epochs.
    """
    low, high = _check(axis, lo, hi, points, smoothing)
    cache = cache or _SHARED
    files = run.scalar_files(tag, lambda number, file: cache.prepare(run.uid, number, file))
    # Other threads refresh the same files: what is drawn and what the cursor says must be the same records.
    cursor, counts = make_cursor(tag, files), [file.count for _, file in files]
    prepared = _prepare(run, files, counts, axis, low, high, cache)
    whole = sum(total for *_, total in prepared)
    parts = [
        _part(number, series, known, total, max(points * total // max(whole, 1), 4), LISTED // len(prepared), smoothing)
        for number, series, known, total in prepared
        if total
    ]
    return _join(parts, axis, cursor, tuple(file.damage for _, file in files if file.damage))


def _prepare(
    run: Run,
    files: list[tuple[int, ScalarFile]],
    counts: list[int],
    axis: str,
    low: float,
    high: float,
    cache: CurveCache,
) -> list[tuple[int, Series, Points | None, int]]:
    """(segment, series restricted to the range, epochs of that segment, records in range) of every file."""
    epochs = _epochs(run, cache) if axis == "epoch" else {}
    prepared: list[tuple[int, Series, Points | None, int]] = []
    for (number, file), count in zip(files, counts, strict=True):
        known = epochs.get(number)
        if axis == "epoch" and known is None:
            continue
        series = series_of(file, cache.pyramid(run.uid, number, file), "wall" if axis == "wall" else "step", count)
        bounds = _steps(known, low, high) if known is not None else (low, high)
        prepared.append((number, series, known, series.select("wall" if axis == "wall" else "step", *bounds)))
    return prepared


def _check(axis: str, lo: float | None, hi: float | None, points: int, smoothing: float) -> tuple[float, float]:
    if axis not in ("step", "epoch", "wall"):
        raise ParameterError(f"There is no axis {str(axis)[:40]!r}.", "Choose step, epoch or wall.")
    low, high = -math.inf if lo is None else float(lo), math.inf if hi is None else float(hi)
    if math.isnan(low) or math.isnan(high) or low > high:
        raise ParameterError("The range of the curve is empty.", "Give a lower bound below the upper one.")
    if not 10 <= points <= 100_000:
        raise ParameterError(f"{points} points cannot be drawn.", "Choose 10 to 100,000.")
    if not 0 <= smoothing <= 0.999:
        raise ParameterError(f"The smoothing {smoothing} is out of range.", "Choose 0 to 0.999.")
    return low, high


def _part(
    number: int, series: Series, epochs: Points | None, total: int, room: int, listed: int, smoothing: float
) -> _Part:
    """One segment's share: ``room`` points, of which gaps take some."""
    bad_count, bad = series.nonfinite(max(min(listed, room // 2), 1))
    line, exact = series.line(max(room - len(bad.value), 4))
    if len(bad.value):
        line = _with_gaps(line, bad)
    smooth = series.average(smoothing, room) if smoothing > 0 else join([])
    return _Part(number, line, smooth, bad, bad_count, total, exact, epochs)


def _with_gaps(line: Points, bad: Points) -> Points:
    """The line with NaN at the values that are not finite, ordered by step."""
    gaps = Points(bad.step, bad.wall, np.full(len(bad.value), np.nan))
    both = join([line, gaps])
    return both.take(np.argsort(both.step, kind="stable"))


def _join(parts: list[_Part], axis: str, cursor: str, damage: tuple[Damage, ...]) -> Curve:
    def x_of(points: Points, epochs: Points | None) -> Floats:
        if axis == "wall":
            return points.wall
        if epochs is None:
            return points.step.astype(np.float64)
        return np.interp(points.step, epochs.step, epochs.value)

    def all_x(name: str) -> Floats:
        return np.concatenate([np.zeros(0), *(x_of(getattr(p, name), p.epochs) for p in parts)])

    def numbers(name: str) -> NDArray[np.int64]:
        return np.repeat(np.array([p.number for p in parts], np.int64), [len(getattr(p, name).value) for p in parts])

    bad = join([part.bad for part in parts]).value[:LISTED]
    return Curve(
        x=all_x("line"),
        y=join([part.line for part in parts]).value,
        smooth_x=all_x("smooth"),
        smooth_y=join([part.smooth for part in parts]).value,
        nonfinite_x=all_x("bad")[:LISTED],
        nonfinite_kind=["nan" if math.isnan(v) else "+inf" if v > 0 else "-inf" for v in bad.tolist()],
        nonfinite_count=sum(part.bad_count for part in parts),
        total=sum(part.total for part in parts),
        segments=numbers("line"),
        exact=all(part.exact for part in parts),
        cursor=cursor,
        damage=damage,
        smooth_segments=numbers("smooth"),
    )


def _epochs(run: Run, cache: CurveCache) -> dict[int, Points]:
    """Finite values of the tag 'epoch' by step, per segment."""
    try:
        files = run.scalar_files("epoch", lambda number, file: cache.prepare(run.uid, number, file))
    except NotFound as error:
        raise ParameterError("This run has no tag 'epoch'.", "Log the epoch as a scalar named 'epoch'.") from error
    found = {}
    for number, file in files:
        points = _epoch_points(file, cache.pyramid(run.uid, number, file))
        points = points.take(np.argsort(points.step, kind="stable"))
        points = points.take(np.isfinite(points.value))
        if len(points.value):
            found[number] = points
    return found


def _epoch_points(file: ScalarFile, pyramid: Pyramid) -> Points:
    """All records of a file, or of a very long one the first and last of every block: epochs rise steadily."""
    if file.count <= _EPOCHS:
        return points_of(file.read(0, file.count))
    base = pyramid.levels[0]
    blocks = Points(*(base[name].ravel() for name in ("step", "wall", "value")))
    return join([blocks, points_of(file.read(pyramid.count, file.count))])


def _steps(epochs: Points, low: float, high: float) -> tuple[float, float]:
    """The steps between which the epoch lies in low..high (epochs that fall back are taken at their highest)."""
    rising = np.maximum.accumulate(epochs.value)
    steps = epochs.step.astype(np.float64)

    def step_at(epoch: float, side: Literal["left", "right"]) -> float:
        at = int(np.searchsorted(rising, epoch, side))
        if at == 0 or at == len(rising):
            return -math.inf if at == 0 else math.inf
        share = (epoch - rising[at - 1]) / (rising[at] - rising[at - 1])
        return float(steps[at - 1] + share * (steps[at] - steps[at - 1]))

    if low > rising[-1] or high < rising[0]:
        return math.inf, math.inf  # nothing lies there
    first = -math.inf if low <= rising[0] else step_at(low, "left")
    return math.ceil(first) if math.isfinite(first) else first, step_at(high, "right")


def defused(text: str) -> str:
    """Text that a spreadsheet would take for a formula, with an apostrophe before it; other text as it is."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def csv_cell(text: str) -> str:
    """A text cell that no spreadsheet takes for a formula."""
    text = defused(text)
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\r\n') else text


def export_csv(run: Run, tag: str) -> Iterator[bytes]:
    """Every record of a tag as CSV, in the order written, some thousand rows at a time.

    Numbers are written so that reading them gives the same bits; NaN as 'nan', infinities as 'inf' and '-inf'.
    Raises NotFound for an unknown tag (when the first part is asked for).
    """
    yield ",".join(map(csv_cell, ("step", "wall_time", "value", "segment"))).encode() + b"\n"
    for number, file in run.scalar_files(tag):
        for start in range(0, file.count, _ROWS):
            records = file.read(start, start + _ROWS)
            columns = (records[name].tolist() for name in ("step", "wall", "value"))
            yield "".join(f"{s},{w!r},{v!r},{number}\n" for s, w, v in zip(*columns, strict=True)).encode()
