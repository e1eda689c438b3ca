"""Gradients of the score at many points, and noise around instances: what gradient methods share."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from captum.attr import Saliency
from numpy.typing import NDArray
from torch import Tensor

from analysis.attribution import baselines
from analysis.attribution.case import Case

ROWS = 64  # in one pass, of small instances


def at(case: Case, x: Tensor, rows: Tensor, most: int = 0) -> Tensor:
    """The gradient of each row's score (r, ...), of points (r, ...).

    Args:
        rows: (r,) int64, whose they are. most: rows in one pass, 0 for as many as suit the input.

    Raises:
        RuntimeError: the score has no gradient at the input; ``faults.in_words`` says so.
    """

    def total(some: Tensor, owners: Tensor) -> Tensor:
        # Rows do not depend on each other. Of a score for each, Captum would have autograd begin with each in turn.
        return case.score(some, owners).sum().reshape(1)

    most, captum = case.at_most(most or ROWS), Saliency(total)
    parts = []
    for start in range(0, len(x), most):
        some = x[start : start + most].detach().requires_grad_()
        owners = rows[start : start + most]
        parts.append(captum.attribute(some, abs=False, additional_forward_args=owners).detach())
    return torch.cat(parts) if len(parts) > 1 else parts[0]


@cache
def nodes(steps: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Places from 0 to 1 and weights, both (steps,), of a Gauss-Legendre quadrature. Kept: to find them costs as much
    as a few passes of a small model."""
    places, weights = np.polynomial.legendre.leggauss(steps)
    return places / 2 + 0.5, weights / 2


def per_token(case: Case, values: Tensor) -> Tensor:
    """Gradients (n, T, D) of a text's vectors as the length of each token's, divided evenly over its D numbers: their
    sum would be the slope along one direction of many. Li et al., 'Visualizing and Understanding Neural Models in NLP',
    NAACL 2016. Of other kinds, what is given."""
    if case.kind != "text" or values.dim() != 3:
        return values
    return (values.norm(dim=2, keepdim=True) / values.shape[2]).expand_as(values)


class Noise:
    """Normal noise for a case, drawn as it is needed: 0 at padding, ``stdevs`` times the range of each input.

    An instance gets the same noise on its own and within any batch, however much is drawn at once.
    """

    def __init__(self, case: Case, stdevs: float, random_state: int) -> None:
        self._inputs, self._stdevs = case.inputs, stdevs
        self._sizes = stdevs * spans(case)
        self._place = case.places[0] - 1 if case.lengths is not None and len(case.places) == 1 else None
        self._lengths = case.lengths
        self._generators = [torch.Generator().manual_seed(random_state) for _ in range(len(case))]

    def next(self, samples: int) -> Tensor:
        """(samples, n, *inputs.shape[1:])."""
        found = torch.zeros(samples, *self._inputs.shape, dtype=self._inputs.dtype)
        if not self._stdevs:
            return found.to(self._inputs.device)
        for row, generator in enumerate(self._generators):
            own = list(self._inputs.shape[1:])
            target = found[:, row]
            if self._place is not None and self._lengths is not None:
                own[self._place] = int(self._lengths[row])
                target = target.narrow(self._place + 1, 0, own[self._place])
            for one in target:
                one.copy_(torch.randn(own, generator=generator, dtype=found.dtype))
        return found.to(self._inputs.device) * self._sizes


def noise(case: Case, samples: int, stdevs: float, random_state: int) -> Tensor:
    """The first so many of ``Noise``, (samples, n, *inputs.shape[1:])."""
    return Noise(case, stdevs, random_state).next(samples)


def spans(case: Case) -> Tensor:
    """The range of values, broadcastable to ``case.inputs``: of each instance, largest minus smallest; of tables, of
    each column over instances."""
    if case.kind == "table":
        pool = baselines.of_instances(case)
        return (pool.amax(0) - pool.amin(0))[None]
    seen = case.valid().expand_as(case.inputs)
    high = case.inputs.masked_fill(~seen, -torch.inf).flatten(1).amax(1)
    low = case.inputs.masked_fill(~seen, torch.inf).flatten(1).amin(1)
    return (high - low).reshape(-1, *[1] * (case.inputs.dim() - 1))
