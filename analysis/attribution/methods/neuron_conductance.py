"""Neuron conductance: what the input adds to the score by way of one filter or hidden unit."""

from __future__ import annotations

from typing import Any

import torch

from analysis.attribution import baselines, gradients
from analysis.attribution.case import Case
from analysis.attribution.layer_pass import LayerPass
from analysis.attribution.method import Found, Method, Result, Told
from analysis.attribution.methods.layer_activation import fit
from analysis.attribution.methods.layer_conductance import ROWS, applies
from analysis.attribution.methods.neuron_gradient import LAYER, NEURON, chosen
from analysis.attribution.parameters import Parameter

PARAMETERS = (
    LAYER,
    NEURON,
    baselines.PARAMETER,
    Parameter("n_steps", "int", 50, "Points on the line from the baseline to the input.", 2, 1000),
    Parameter("internal_batch_size", "int", 0, "Rows in one pass of the model; 0: as many as suit the input.", 0, 4096),
)


def run(case: Case, told: Told, **parameters: Any) -> Found:
    """(x - x') times the mean, along the line, of the score's gradient through the unit, (n, *inputs.shape[1:]).

    All positions of the unit count, so that the values add up to the unit's layer conductance; by Gauss-Legendre
    quadrature (Dhamdhere et al. 2019, equation 2). Captum's takes one position of a unit, and no recurrent layer.
    """
    info, number = chosen(case, parameters)
    base = baselines.of(case, parameters["baselines"])
    n, steps = len(case), parameters["n_steps"]
    nodes, weights = gradients.nodes(steps)
    at_once = max(1, case.at_most(parameters["internal_batch_size"] or ROWS) // n)
    total = torch.zeros_like(case.inputs)
    with LayerPass(case, info, cut=False) as layer:
        for start in range(0, steps, at_once):
            told(start, steps, "steps", "Neuron conductance")
            some = slice(start, start + at_once)
            x = torch.cat([base + node * (case.inputs - base) for node in nodes[some].tolist()])
            point = layer(x.requires_grad_(), case.rows.repeat(len(nodes[some])))
            by_unit = point.masked(layer.gradient(point, keep=True))[:, number].detach()
            through = (by_unit * point.values[:, number]).sum()
            [found] = torch.autograd.grad(through, x)
            parts = found.unflatten(0, (-1, n))
            total += torch.einsum("k,k...->...", torch.tensor(weights[some]).to(parts), parts)
    values, extra = total * (case.inputs - base), {"layer": info.key, "neuron": number}
    return Found(values, baseline=case.scores(base), notes=[*case.vanished(), *layer.notes], extra=extra)


METHOD = Method(
    name="neuron_conductance",
    title="Neuron conductance",
    family="layer",
    version=1,
    summary="What each value of the input adds to the score by way of one filter or hidden unit.",
    source="Dhamdhere et al., 'How Important Is a Neuron?', ICLR 2019, equation 2.",
    result=Result(),
    parameters=PARAMETERS,
    run=run,
    applies=applies,
    fit=fit,
    costs="n_steps passes forward and backward",
)
