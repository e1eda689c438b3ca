"""The straight line from a baseline to an input: points on it, doubled until the values add up to the score's change.

Evenly laid points miss what happens between them: a score that saturates, as those of recurrent nets do, changes on
short stretches of the line, and twice as many points bring the sum nearer only now and then. But of each stretch it is
known what its values have to add up to: the difference of the scores at its ends. So each doubling lays the points
where the last one missed most of that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from analysis.attribution import gradients, wording
from analysis.attribution.case import Case
from analysis.attribution.method import Told

NODES = 2  # points on a stretch
# Shares of the stretches that go where something was missed, where the score changes, and everywhere alike. The first
# time nobody knows what was missed.
SHARES, FIRST = (0.5, 0.3, 0.2), (0.0, 0.7, 0.3)
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Rule:
    """When doubling ends. tolerance: of ``Refined.gap`` and ``moved``; 0: at once. most: steps of the last run."""

    tolerance: float
    most: int


@dataclass
class Refined:
    """values: (n, *inputs.shape[1:]). Of each instance, (n,): steps: of the last run. before, gap: what the values miss
    of the score's change, as a share of it, at first and now. moved: the sum of the sizes by which the last doubling
    changed them, as a share of the sum of their sizes; NaN without one."""

    values: Tensor
    steps: NDArray[np.int64]
    before: Floats
    gap: Floats
    moved: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.moved = np.full(len(self.steps), np.nan)


def refined(
    case: Case,
    told: Told,
    values: Tensor,
    steps: int,
    base: Tensor,
    change: Tensor,
    rule: Rule,
    *,
    rows: int = 0,
    publish: Callable[[Refined], None] = lambda _found: None,
) -> Refined:
    """Double the steps of those instances whose values miss the score's change, until the rule holds for each.

    Args:
        values: (n, *inputs.shape[1:]), of a run with so many steps from ``base``, of that shape. change: of the score,
            (n,). rows: in one pass, 0 for as many as suit the input. publish: called before each doubling.
    """
    moves = change.double().cpu().numpy()
    gap = _gap(case, values, moves)
    found = Refined(values, np.full(len(case), steps), gap, gap.copy())
    which = np.flatnonzero(gap > rule.tolerance) if rule.tolerance else np.zeros(0, np.int64)
    edges = np.repeat(np.linspace(0, 1, steps + 1)[:, None], len(which), 1)
    sums: Floats | None = None
    while len(which) and 2 * steps <= rule.most:
        publish(found)
        steps *= 2
        line = Line(case, told, base, which, rows)
        changes = line.changes(edges)
        edges = laid(edges, changes, None if sums is None else changes - sums, steps // NODES)
        fresh, sums = line.summed(edges)
        at = torch.as_tensor(which, device=values.device)
        moved = _size(fresh - found.values[at]) / np.maximum(_size(fresh), wording.TINY)
        found.values = found.values.index_copy(0, at, fresh)
        found.steps[which], found.moved[which] = steps, moved
        found.gap[which] = _gap(case, found.values, moves)[which]
        still = (found.gap[which] > rule.tolerance) | (moved > rule.tolerance)
        which, edges, sums = which[still], edges[:, still], sums[:, still]
    return found


def laid(edges: Floats, changes: Floats, missed: Floats | None, count: int) -> Floats:
    """Ends (count + 1, r) of as many stretches as ``count``, from 0 to 1, denser where the shares say.

    Args:
        edges: (m + 1, r), ascending, of the stretches so far. changes: of the score over each, (m, r). missed: of that
            by the values, (m, r); of an error that falls fast with the length its root says how many parts to make.
    """
    shares = FIRST if missed is None else SHARES
    sizes = (
        np.zeros_like(changes) if missed is None else np.sqrt(np.abs(missed)),
        np.abs(changes),
        np.diff(edges, axis=0),
    )
    parts = [share * size / np.maximum(size.sum(0), 1e-300) for share, size in zip(shares, sizes, strict=True)]
    heights = np.concatenate([np.zeros((1, edges.shape[1])), np.cumsum(np.sum(parts, axis=0), axis=0)])
    even = np.linspace(0, 1, count + 1)
    found = [np.interp(even, high / high[-1], low) for high, low in zip(heights.T, edges.T, strict=True)]
    return np.stack(found, 1)


class Line:
    """The line of each of some instances of a case. which: (r,) their rows. rows: in one pass, 0: as many as suit."""

    def __init__(self, case: Case, told: Told, base: Tensor, which: NDArray[np.int64], rows: int = 0) -> None:
        self._case, self._told, self._rows = case, told, rows
        self._which = torch.as_tensor(which)
        own = self._which.to(base.device)
        self._start, self._way = base[own], (case.inputs - base)[own]
        self._seen = case.valid().expand_as(case.inputs)[own]

    def changes(self, edges: Floats) -> Floats:
        """Of the score over stretches with these ends (m + 1, r), (m, r)."""
        parts = [self._case.scores(x, rows) for _, x, rows in self._points(edges)]
        return np.diff(torch.cat(parts).double().cpu().numpy().reshape(edges.shape), axis=0)

    def summed(self, edges: Floats) -> tuple[Tensor, Floats]:
        """The values (r, ...), and what those of each stretch add up to (m, r); Gauss-Legendre on each stretch."""
        lengths = np.diff(edges, axis=0)
        places, weights = gradients.nodes(NODES)
        places = (edges[:-1, None] + lengths[:, None] * places[:, None]).reshape(-1, edges.shape[1])
        weights = (lengths[:, None] * weights[:, None]).reshape(places.shape)
        total, sums = torch.zeros_like(self._way), []
        for some, x, rows in self._points(places):
            self._told(some.start, len(places), "steps", "Integrated Gradients, more steps where the score changes")
            slopes = gradients.at(self._case, x, rows, self._rows).unflatten(0, (-1, len(self._way)))
            parts = torch.where(self._seen, slopes * self._column(weights[some]) * self._way, 0.0)
            total += parts.sum(0)
            sums.append(parts.flatten(2).sum(2).double().cpu().numpy())
        return total, np.concatenate(sums).reshape(-1, NODES, edges.shape[1]).sum(1)

    def _points(self, places: Floats) -> Iterator[tuple[slice, Tensor, Tensor]]:
        """Places (k, r) in parts: which of them, the points, whose they are."""
        r = len(self._which)
        at_once = max(1, self._case.at_most(self._rows or gradients.ROWS) // r)
        for first in range(0, len(places), at_once):
            some = slice(first, first + at_once)
            x = self._start + self._column(places[some]) * self._way
            yield some, x.flatten(0, 1), self._which.repeat(len(x))

    def _column(self, values: Floats) -> Tensor:
        """(k, r) -> (k, r, 1, ...), as the inputs."""
        like = self._way
        return torch.as_tensor(values, dtype=like.dtype, device=like.device).reshape(
            *values.shape, *[1] * (like.dim() - 1)
        )


def _gap(case: Case, values: Tensor, change: Floats) -> Floats:
    """What is missing of the change of the score, (n,), as ``wording.completeness_notes`` measures it."""
    kept = wording.without_padding(case, values)
    scale = np.maximum(np.abs(change), wording.SMALL_SHARE * _size(kept))
    return np.abs(kept.double().flatten(1).sum(1).cpu().numpy() - change) / np.maximum(scale, wording.TINY)


def _size(values: Tensor) -> Floats:
    found: Floats = values.abs().flatten(1).sum(1).double().cpu().numpy()
    return found
