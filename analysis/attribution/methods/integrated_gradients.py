"""Integrated Gradients: the gradient along the straight line from a baseline to the input."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from analysis.attribution import baselines, gradients, structure
from analysis.attribution.case import Case
from analysis.attribution.method import Found, Method, Result, Told
from analysis.attribution.parameters import Parameter

PARAMETERS = (
    baselines.PARAMETER,
    Parameter("n_steps", "int", 50, "Points on the line from the baseline to the input.", 2, 1000),
    Parameter("internal_batch_size", "int", 0, "Rows in one pass of the model; 0: as many as suit the input.", 0, 4096),
)


def run(case: Case, told: Told, **parameters: Any) -> Found:
    """(x - x') times the mean gradient, (n, *inputs.shape[1:]), by Gauss-Legendre quadrature."""
    base = baselines.of(case, parameters["baselines"])
    values = integrated(case, told, base, parameters["n_steps"], parameters["internal_batch_size"])
    return Found(values, baseline=case.scores(base), notes=case.vanished())


def integrated(case: Case, told: Told, base: Tensor, steps: int, most: int = 0) -> Tensor:
    """The values (n, *inputs.shape[1:]) from baselines of that shape, as Captum's, with less memory.

    One huge batch, Captum's default, takes twice as long: it leaves the caches, and memory is fetched anew. most: rows
    in one pass, 0 for as many as suit the input.
    """
    n, way = len(case), case.inputs - base
    places, weights = gradients.nodes(steps)
    at_once = max(1, case.at_most(most or gradients.ROWS) // n)
    total = torch.zeros_like(base)
    for first in range(0, steps, at_once):
        told(first, steps, "steps", "Integrated Gradients")
        some = slice(first, first + at_once)
        alphas = _column(places[some], base)
        found = gradients.at(case, (base + alphas * way).flatten(0, 1), case.rows.repeat(len(alphas)), most)
        total += (found.unflatten(0, (-1, n)) * _column(weights[some], base)).sum(0)
    return total * way


def _column(values: Any, like: Tensor) -> Tensor:
    """(steps, 1, ...), one axis more than ``like`` has."""
    return torch.as_tensor(values, dtype=like.dtype, device=like.device).reshape(-1, *[1] * like.dim())


METHOD = Method(
    name="integrated_gradients",
    title="Integrated Gradients",
    family="gradient",
    version=1,
    summary="What each value of the input adds to the score on the way from the baseline.",
    source="Sundararajan et al., 'Axiomatic Attribution for Deep Networks', ICML 2017, equation 1.",
    result=Result(complete=True),
    parameters=PARAMETERS,
    run=run,
    applies=structure.gradient_flows,
    costs="n_steps passes forward and backward",
)
