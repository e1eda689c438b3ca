"""Runs samplers on the features of instances, and shows what they have found while they go on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from analysis.attribution import baselines, features
from analysis.attribution.case import Case
from analysis.attribution.masks import Engine, Players
from analysis.attribution.method import Found, Told
from analysis.attribution.samplers import Sampler

PASSES = 4  # between two looks at the clock
PAUSE = 0.4  # seconds between two answers that are shown

Make = Callable[[int, tuple[int, ...]], Sampler]


class Refinement:
    """One run of a sampling method.

    Args:
        parameters: of the method: baselines, segments, feature_mask, channels, perturbations_per_eval, random_state.
        make: a sampler for m features and a seed. even: values of a feature are shared out among its numbers.

    Attributes: players, samplers: of each instance.
    """

    def __init__(
        self, case: Case, told: Told, title: str, parameters: Mapping[str, Any], make: Make, *, even: bool
    ) -> None:
        self.case, self._even = case, even
        self.players = players_of(case, baselines.of(case, parameters["baselines"]), parameters, told)
        seeds = [(int(parameters["random_state"]), int(index)) for index in case.batch.indices]
        self.samplers = [make(one.count, seed) for one, seed in zip(self.players, seeds, strict=True)]
        base = baselines.of(case, parameters["baselines"])
        self._engine = Engine(case, base, parameters["perturbations_per_eval"], told, title)
        self._engine.total = sum(sampler.versions for sampler in self.samplers)

    def run(self) -> Found:
        """All samples; publishes what there is every ``PAUSE`` seconds."""
        shown = time.monotonic()
        while going := [row for row, sampler in enumerate(self.samplers) if sampler.taken < sampler.planned]:
            most = max(PASSES * self._engine.rows // len(going), 1)
            masks = [self.players[row].masks(self.samplers[row].draw(most)) for row in going]
            for row, scores in zip(going, self._engine.scores(masks), strict=True):
                self.samplers[row].take(scores)
            if time.monotonic() - shown >= PAUSE and any(s.taken < s.planned for s in self.samplers):
                found = self.found()
                if found is not None:
                    self.case.publish(found, found.extra["samples"], found.extra["samples_planned"])
                shown = time.monotonic()
        found = self.found()
        assert found is not None
        return found

    def found(self) -> Found | None:
        """What the samples say so far; None while they say nothing of some instance."""
        estimates = [sampler.estimate() for sampler in self.samplers]
        values, spread = [], []
        for one, sampler, estimate in zip(self.players, self.samplers, estimates, strict=True):
            if estimate is None:
                return None
            errors = estimate[1]
            values.append(one.laid(estimate[0], even=self._even))
            if errors is None and sampler.exact:
                errors = np.zeros(one.count)
            spread.append(None if errors is None else one.laid_errors(errors, even=self._even))
        known = [errors for errors in spread if errors is not None]
        uncertain = len(known) == len(spread) and not all(sampler.exact for sampler in self.samplers)
        extra = {
            "samples": min(sampler.taken for sampler in self.samplers),
            "samples_planned": max(sampler.planned for sampler in self.samplers),
            "features": max(one.features.count for one in self.players),
            "exact": all(sampler.exact for sampler in self.samplers),
        }
        return Found(stacked(self.case, values), spread=stacked(self.case, known) if uncertain else None, extra=extra)

    def empty(self) -> torch.Tensor:
        """The score of each instance without any of its features, (n,), after ``run``."""
        return torch.tensor([sampler.empty for sampler in self.samplers])

    def notes(self, asked: int = 0) -> list[str]:
        """What was done, in sentences. asked: samples that the user wanted."""
        first = self.samplers[0]
        found = [f"Parts that were switched on and off: {self.players[0].note}."]
        if first.exact:
            found.append(f"All {first.planned:,} subsets of the parts were tried: the values are exact.")
        elif asked and first.planned > asked + 1:
            found.append(f"{asked:,} samples would not determine so many values: {first.planned:,} were taken.")
        return found


def players_of(case: Case, base: torch.Tensor, parameters: Mapping[str, Any], told: Told) -> list[Players]:
    """The features of each instance, as a method's parameters say. told: called while pictures are cut; it ends the
    work if that was asked for."""

    def cutting() -> None:
        told(0, 0, "", "Cutting the picture")

    how = {name: parameters[name] for name in ("segments", "feature_mask", "channels") if name in parameters}
    return [Players(case, row, base, features.groups(case, row, told=cutting, **how)) for row in range(len(case))]


def stacked(case: Case, values: Sequence[torch.Tensor]) -> torch.Tensor:
    """Values of each instance as one tensor on the inputs' device."""
    return torch.stack(list(values)).to(case.inputs.device, case.inputs.dtype)
