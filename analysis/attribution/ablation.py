"""Features taken away one by one: how much the score falls, with recurrent layers begun where a version differs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from analysis.attribution.case import Case
from analysis.attribution.masks import Engine, Players
from analysis.attribution.prefixes import Group, Prefixes, layers_of

ROWS = 128  # that begin a recurrent layer together: enough to fill the processor, and few steps are done in vain
CALL = 100  # of a recurrent layer costs, besides its steps, as much as so many steps of one row
WORTH = 2  # times what it costs has to be saved
AGREES = 1e-4  # of the scores, as far as the same pass in parts may be off


def falls(engine: Engine, players: Sequence[Players]) -> list[NDArray[np.float64]]:
    """Score of each instance minus that without one feature, float64 (count,), one for each of the case's instances.

    Raises:
        AttributionError: a score is NaN or infinite.
    """
    versions = _Versions(engine, players)
    engine.total = max(engine.total, engine.done + len(versions.owner) + len(players))
    found = _reusing(engine, versions) if len(players) <= engine.rows else None
    scores, whole = _plainly(engine, versions) if found is None else found
    counts = [one.count for one in players]
    return [full - part for part, full in zip(np.split(scores, np.cumsum(counts)[:-1]), whole, strict=True)]


class _Versions:
    """Versions of the instances without one feature each, instance by instance.

    Attributes:
        owner, number: of each version, int64 (v,): which instance, and which of its features that differ is gone.
    """

    def __init__(self, engine: Engine, players: Sequence[Players]) -> None:
        self.case, self._base, self._players = engine.case, engine.base, players
        counts = torch.tensor([one.count for one in players])
        self.owner = torch.repeat_interleave(torch.arange(len(players)), counts)
        self.number = torch.cat([torch.arange(one.count) for one in players])
        self._columns = torch.stack([one.column for one in players])  # (n, ...), of each value the feature that it is
        self._device = self._columns.device

    def made(self, owner: Tensor, number: Tensor) -> Tensor:
        """Inputs (r, *inputs.shape[1:]). number: -1 for the instance itself."""
        at, inputs, base = owner.to(self._device), self.case.inputs, self._base
        gone = number.to(self._device).reshape(-1, *[1] * (inputs.dim() - 1))
        if len(inputs) == 1:
            return torch.where(self._columns == gone, base, inputs).expand(len(at), *inputs.shape[1:])
        lost = self._columns.index_select(0, at) == gone
        x = inputs.index_select(0, at)
        if lost[0].numel() > lost.shape[1]:
            return torch.where(lost, base[at], x)
        which, steps = lost.flatten(1).nonzero().unbind(1)  # a token each: little is written
        x[which, steps] = base[at[which], steps]
        return x

    def firsts(self) -> Tensor | None:
        """The step from which on each version may differ from its instance, int64 (v,); None if there are no steps."""
        if len(self.case.places) != 1:
            return None
        axis = self.case.places[0]
        others = [place for place in range(1, self._columns.dim()) if place != axis]
        at = self._columns.movedim(axis, 1).flatten(2) if others else self._columns[..., None]  # (n, T, others)
        steps = torch.arange(at.shape[1], device=self._device)[None, :, None].expand_as(at)
        most = max(one.count for one in self._players) + 1
        found = torch.full((len(at), most), at.shape[1], device=self._device)
        found.scatter_reduce_(1, at.flatten(1), steps.flatten(1), "amin")
        return found.cpu()[self.owner, self.number]


def _plainly(engine: Engine, versions: _Versions) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scores of all versions, and of the instances themselves."""
    n = len(engine.case)
    owner = torch.cat([versions.owner, torch.arange(n)])
    number = torch.cat([versions.number, torch.full((n,), -1)])

    def passes() -> Iterator[tuple[Tensor, Tensor]]:
        for some, gone in zip(owner.split(engine.rows), number.split(engine.rows), strict=True):
            yield versions.made(some, gone), some

    found = engine.of_passes(passes())
    return found[:-n], found[-n:]


def _reusing(engine: Engine, versions: _Versions) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """The same with ``Prefixes``; None where they would save little, or the model does not go along."""
    case = engine.case
    firsts = versions.firsts() if case.unit is None and layers_of(case.session.model) else None
    if firsts is None or not len(firsts):
        return None
    firsts, order = firsts.sort(stable=True)
    together = min(ROWS, engine.rows)
    starts = firsts[::together].tolist()
    saved = sum(starts) * together
    if saved < WORTH * (len(case) * case.inputs.shape[case.places[0]] + CALL * 2 * len(starts)):
        return None
    with Prefixes(case.session.model, starts) as prefixes:
        prefixes.first()
        whole = engine.of_passes([(case.inputs, case.rows)])
        if not _agree(case, whole):
            return None

        def passes() -> Iterator[tuple[Tensor, Tensor]]:
            at_once = engine.rows // together * together
            for begin in range(0, len(order), at_once):
                some = order[begin : begin + at_once]
                groups: list[Group] = []
                for low in range(0, len(some), together):
                    groups.append((low, min(low + together, len(some)), starts[(begin + low) // together]))
                prefixes.begin(versions.owner[some], firsts[begin : begin + at_once], groups)
                yield versions.made(versions.owner[some], versions.number[some]), versions.owner[some]

        found = engine.of_passes(passes())
    scores = np.empty_like(found)
    scores[order.numpy()] = found
    return scores, whole


def _agree(case: Case, whole: NDArray[np.float64]) -> bool:
    """Whether the pass that kept states found the scores of the model's own pass."""
    direct = case.score_of(case.logits, case.rows).double().cpu().numpy()
    scale = case.logits.abs().amax(1).double().cpu().numpy() + 1e-6
    return bool((np.abs(whole - direct) <= AGREES * scale).all())
