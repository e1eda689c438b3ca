"""Answers ``sequence_memory``: how long a state lasts, by unit and over all, and what can be read from it later."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.sequences import probe, states
from analysis.sequences.faults import SequenceError
from analysis.sequences.kept import kept
from analysis.sequences.states import Chunk

DENSE, BY_OCTAVE, LONGEST = 16, 8, 8192  # lags: all up to 16, then 8 in each doubling
BLOCK = 256  # units that are followed at once
POSITIONS = 512  # of which the mean share kept is told


def schedule(longest: int = LONGEST) -> list[int]:
    """The lags that are looked at, in steps, from 1 up to ``longest``."""
    found = list(range(1, DENSE + 1))
    while found[-1] < longest:
        found.append(max(found[-1] + 1, round(found[-1] * 2 ** (1 / BY_OCTAVE))))
    return [lag for lag in found if lag <= longest]


class Survival:
    """How much of the states is still there after each lag, added up over sequences, by unit.

    Of a unit's state at t, what is still there at t + lag is the smallest size on the way, as long as the sign stays;
    so it never grows again. Sequences end before long lags: as in survival analysis (Kaplan and Meier, J. Am. Stat.
    Assoc. 1958), each step from one lag to the next is judged by the states that can be followed that far, and the
    shares are multiplied. Where all sequences are long enough, that is the plain share.
    """

    def __init__(self, units: int) -> None:
        self.lags = schedule()
        self.total = np.zeros(units)  # sizes of all states
        self.had = np.zeros((len(self.lags), units))  # what was there at the lag before, of those that go on
        self.left = np.zeros((len(self.lags), units))  # what of it is there at this lag
        self.followed = np.zeros(len(self.lags), np.int64)  # steps that can be followed so far

    def add(self, values: NDArray[np.float32], good: NDArray[np.bool_], units: slice = slice(None)) -> None:
        """States (n, T, u) in the order in which they were made, of these units. good: (n, T), which are no padding."""
        steps, width = values.shape[1:]
        up = np.maximum(values, 0) * good[..., None]
        down = np.maximum(-values, 0) * good[..., None]
        windows, size = good, 1
        before = up + down
        self.total[units] += good.reshape(-1).astype(np.float32) @ before.reshape(-1, width)
        for number, lag in enumerate(self.lags):
            if lag >= steps:
                break
            # Smallest of a window from two windows of half its size or more, which overlap.
            while 2 * size <= lag + 1:
                up, down = np.minimum(up[:, :-size], up[:, size:]), np.minimum(down[:, :-size], down[:, size:])
                windows = windows[:, :-size] & windows[:, size:]
                size *= 2
            here, far = slice(0, steps - lag), slice(lag + 1 - size, lag + 1 - size + steps - lag)
            now = np.minimum(up[:, here], up[:, far]) + np.minimum(down[:, here], down[:, far])
            follows = (windows[:, here] & windows[:, far]).reshape(-1)
            weight = follows.astype(np.float32)
            self.left[number, units] += weight @ now.reshape(-1, width)
            self.had[number, units] += weight @ before[:, here].reshape(-1, width)
            if units.start in (None, 0):
                self.followed[number] += int(follows.sum())
            before = now

    def result(self) -> tuple[list[int], NDArray[np.float64], NDArray[np.float64]]:
        """The lags that some sequence reaches; shares there of all units (lags,), and of each (lags, U)."""
        reached = int((self.followed > 0).sum())
        had, left = self.had[:reached], self.left[:reached]
        return self.lags[:reached], _product(had.sum(1), left.sum(1)), _product(had, left)


def _blocks(forward: int, units: int) -> Iterator[tuple[slice, int]]:
    """Units in blocks of one direction, so that no large array is copied at once; 1, or -1 to go backwards."""
    for first, end, turn in ((0, forward, 1), (forward, units, -1)):
        for start in range(first, end, BLOCK):
            yield slice(start, min(end, start + BLOCK)), turn


def _product(had: NDArray[np.float64], left: NDArray[np.float64]) -> NDArray[np.float64]:
    factor = np.divide(left, had, out=np.ones_like(had), where=had > 0)
    found: NDArray[np.float64] = np.cumprod(np.clip(factor, 0, 1), 0)
    return found


def half_life(lags: list[int], survival: NDArray[np.float64]) -> NDArray[np.float64]:
    """Steps until half is left, (U,), on the straight line between two lags; inf where sequences end before.

    survival: (lags, U), falling.
    """
    at = np.array([0, *lags], np.float64)
    shares = np.concatenate([np.ones((1, survival.shape[1])), survival])
    below = shares <= 0.5
    first = np.where(below.any(0), below.argmax(0), 0)
    units = np.arange(shares.shape[1])
    before = np.maximum(first - 1, 0)
    drop = shares[before, units] - shares[first, units]
    part = np.divide(shares[before, units] - 0.5, drop, out=np.zeros_like(drop), where=drop > 0)
    return np.where(below.any(0), at[before] + part * (at[first] - at[before]), np.inf)


class _Ruler:
    """The share kept at each step, over all steps and by position."""

    def __init__(self) -> None:
        self.sum, self.count = np.zeros(POSITIONS), np.zeros(POSITIONS, np.int64)
        self.total, self.steps = 0.0, 0

    def add(self, chunk: Chunk) -> None:
        shares = kept(chunk.states, states.previous(chunk))
        shares[~states.valid(chunk)] = np.nan
        known = ~np.isnan(shares)
        self.total += float(shares[known].sum())
        self.steps += int(known.sum())
        shown = min(POSITIONS, shares.shape[1])
        self.sum[:shown] += np.where(known, shares, 0)[:, :shown].sum(0)
        self.count[:shown] += known[:, :shown].sum(0)

    def by_position(self) -> list[float | None]:
        last = int(np.flatnonzero(self.count)[-1]) + 1 if self.count.any() else 0
        pairs = zip(self.sum[:last].tolist(), self.count[:last].tolist(), strict=True)
        return [share / count if count else None for share, count in pairs]


def sequence_memory(
    session: Any, context: Any, *, layer: str, state: str, depth: int
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """How long the states of a layer last, over the sample.

    The share kept is that of Ming et al., 'Understanding Hidden Memories of Recurrent Neural Networks' (VAST 2017,
    section 5.3), from each step to the next; survival carries it on over several steps, see ``Survival``. Of a
    bidirectional layer, the backward half is followed backwards.

    Args:
        layer, state, depth: of the source.

    Returns:
        {'units', 'steps', 'sequences', 'longest': steps of the longest sequence, 'recurrent', 'lags': in steps, from 1,
        'followed': steps that can be followed so far, 'survival': share of the states that is still there, with its
        sign and never more than before, 'half_life': steps, or None if the sequences end before, 'at_least': then, the
        longest lag, 'kept': mean share per step or None, 'kept_by_position': the same by position in the sequence,
        'probe': see ``probe.Probe.result``}; arrays 'half_life' (U,) in steps, inf where sequences end before, NaN of
        units that are always 0, 'kept' (U,): share of a unit's size that is there a step later, NaN likewise,
        'survival' (lags, U) float32, 'direction' (U,).

    Raises:
        NotFound, ParameterError: no such layer, state or depth. SequenceError: as ``states.of_batch``, or there are no
            steps.
    """
    source = states.source_of(session, layer, state, depth)
    reading = probe.Probe(session)
    ruler, lasting = _Ruler(), Survival(0)
    direction = np.ones(source.units, np.int8)
    steps = sequences = longest = 0
    for chunk in states.read(session, context, source, "Following states"):
        if not sequences:
            lasting, direction = Survival(chunk.states.shape[2]), chunk.direction
        good = states.valid(chunk)
        forward = int((direction > 0).sum())
        for units, turn in _blocks(forward, len(direction)):
            lasting.add(chunk.states[:, ::turn, units], good[:, ::turn], units)
        ruler.add(chunk)
        reading.add(chunk, forward)
        steps, sequences = steps + int(good.sum()), sequences + len(chunk)
        longest = max(longest, int(good.sum(1).max(initial=0)))
    if not steps:
        raise SequenceError("No instance of the sample has a step: all are empty or padding.", "Choose a larger one.")
    lags, whole, each = lasting.result()
    alive = lasting.total > 0
    life = np.where(alive, half_life(lags, each), np.nan)
    layers = float(half_life(lags, whole[:, None])[0])
    one = np.divide(lasting.left[0], lasting.had[0], out=np.full(len(alive), np.nan), where=lasting.had[0] > 0)
    value = {
        "units": len(alive),
        "steps": steps,
        "sequences": sequences,
        "longest": longest,
        "recurrent": source.recurrent,
        "lags": lags,
        "followed": lasting.followed[: len(lags)].tolist(),
        "survival": whole.tolist(),
        "half_life": layers if np.isfinite(layers) else None,
        "at_least": None if np.isfinite(layers) else (lags[-1] if lags else 0),
        "kept": ruler.total / ruler.steps if ruler.steps else None,
        "kept_by_position": ruler.by_position(),
        "probe": reading.result(),
    }
    return value, {"half_life": life, "kept": one, "survival": each.astype(np.float32), "direction": direction}
