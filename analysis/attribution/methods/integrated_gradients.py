"""Integrated Gradients: the gradient along the straight line from a baseline to the input."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from analysis.attribution import baselines, gradients, line, structure
from analysis.attribution.case import Case
from analysis.attribution.method import Found, Method, Result, Told
from analysis.attribution.parameters import Parameter

PARAMETERS = (
    baselines.PARAMETER,
    Parameter("n_steps", "int", 50, "Points on the line from the baseline to the input, to begin with.", 2, 1000),
    Parameter(
        "tolerance",
        "float",
        0.05,
        "Points are doubled while the values miss more of the score's change than this share, or still move; 0: never.",
        0.0,
        1.0,
    ),
    Parameter("max_steps", "int", 400, "Points at which doubling ends.", 2, 8000),
    Parameter("internal_batch_size", "int", 0, "Rows in one pass of the model; 0: as many as suit the input.", 0, 4096),
)


def run(case: Case, told: Told, **parameters: Any) -> Found:
    """(x - x') times the mean gradient, (n, *inputs.shape[1:]), by Gauss-Legendre quadrature.

    Of instances whose values do not add up by ``tolerance``, the steps are doubled (``line``). extra 'again':
    parameters with which other inputs take no more passes than these did.
    """
    base, steps = baselines.of(case, parameters["baselines"]), parameters["n_steps"]
    rule, rows = line.Rule(parameters["tolerance"], parameters["max_steps"]), parameters["internal_batch_size"]
    values = integrated(case, told, base, steps, rows)
    start, notes = case.scores(base), case.vanished()
    if not rule.tolerance or 2 * steps > rule.most:
        return Found(values, baseline=start, notes=notes)

    def publish(found: line.Refined) -> None:
        taken = int(found.steps.max())
        case.publish(Found(found.values, baseline=start, notes=notes), taken, rule.most)

    change = case.scores(case.inputs) - start
    found = line.refined(case, told, values, steps, base, change, rule, rows=rows, publish=publish)
    taken = int(found.steps.max())
    extra: dict[str, Any] = {"again": {"max_steps": taken}}
    if taken > steps:
        extra |= {"samples": taken, "samples_planned": taken}
    return Found(found.values, baseline=start, notes=[*notes, *_refinement(found, steps, rule)], extra=extra)


def _refinement(found: line.Refined, steps: int, rule: line.Rule) -> list[str]:
    """How many steps were taken, and what is missing, of the instance that took most."""
    one = int(np.argmax(found.steps))
    if found.steps[one] == steps:
        return []
    note = (
        f"{found.steps[one]:,} steps, most of them where the score changes, as {steps} even ones missed "
        f"{100 * found.before[one]:.2g} % of its change; these miss {100 * found.gap[one]:.2g} %"
    )
    if found.moved[one] > rule.tolerance:
        note += f", and the last doubling still moved the values by {100 * found.moved[one]:.2g} %"
    return [f"{note}."]


def integrated(case: Case, told: Told, base: Tensor, steps: int, most: int = 0) -> Tensor:
    """The values (n, *inputs.shape[1:]) from baselines of that shape, as Captum's, with less memory.

    One huge batch, Captum's default, takes twice as long: it leaves the caches, and memory is fetched anew. most: rows
    in one pass, 0 for as many as suit the input.
    """
    n, way = len(case), case.inputs - base
    places, weights = gradients.nodes(steps)
    at_once = max(1, case.at_most(most or gradients.ROWS) // n)
    total = way.new_zeros(way.shape)
    for first in range(0, steps, at_once):
        told(first, steps, "steps", "Integrated Gradients")
        some = slice(first, first + at_once)
        alphas = _column(places[some], base)
        points = torch.addcmul(base, alphas, way).flatten(0, 1)
        found = gradients.at(case, points, case.rows.repeat(len(alphas)), most)
        shares = torch.as_tensor(weights[some], dtype=base.dtype, device=base.device)
        total.view(-1).addmv_(found.reshape(len(shares), -1).t(), shares)
    return total * way


def _column(values: Any, like: Tensor) -> Tensor:
    """(steps, 1, ...), one axis more than ``like`` has."""
    return torch.as_tensor(values, dtype=like.dtype, device=like.device).reshape(-1, *[1] * like.dim())


METHOD = Method(
    name="integrated_gradients",
    title="Integrated Gradients",
    family="gradient",
    version=2,
    summary="What each value of the input adds to the score on the way from the baseline.",
    source="Sundararajan et al., 'Axiomatic Attribution for Deep Networks', ICML 2017, equation 1.",
    result=Result(complete=True),
    parameters=PARAMETERS,
    run=run,
    applies=structure.gradient_flows,
    costs="n_steps passes forward and backward, up to twice max_steps where values do not add up",
)
