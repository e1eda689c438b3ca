"""Neuron gradient: the gradient of one filter or hidden unit at the input."""

from __future__ import annotations

from typing import Any

import torch

from analysis.attribution import layer_choice
from analysis.attribution.case import Case
from analysis.attribution.layer_pass import LayerPass
from analysis.attribution.method import Found, Method, Result, Told
from analysis.attribution.methods.layer_activation import POOL, fit
from analysis.attribution.methods.layer_conductance import applies
from analysis.attribution.parameters import Parameter
from analysis.errors import ParameterError

LAYER = Parameter("layer", "layer", "", "The layer of the filter or unit; by default the last before the output.")
NEURON = Parameter("neuron", "int", 0, "Number of the filter or unit in its layer, from 0.", 0, 1_000_000)
PARAMETERS = (LAYER, NEURON, POOL)


def chosen(case: Case, parameters: dict[str, Any]) -> tuple[Any, int]:
    """Layer and number of the neuron. Raises NotFound as ``layer_choice.chosen``, ParameterError if there is none."""
    info = layer_choice.chosen(case, parameters["layer"])
    if parameters["neuron"] >= info.filters:
        raise ParameterError(
            f"There is no filter {parameters['neuron']:,} in {info.key}: it has {info.filters:,}.",
            f"Choose one from 0 to {info.filters - 1:,}.",
        )
    return info, parameters["neuron"]


def run(case: Case, told: Told, **parameters: Any) -> Found:
    """The gradient of the unit's activation, mean or largest over its positions, (n, *inputs.shape[1:])."""
    told(0, 1, "passes", "Neuron gradient")
    info, number = chosen(case, parameters)
    x = case.inputs.clone().requires_grad_()
    with LayerPass(case, info, cut=False) as layer:
        point = layer(x)
    score = point.pooled(point.values, parameters["pool"])[:, number]
    found = torch.autograd.grad(score.sum(), x, allow_unused=True)[0] if score.requires_grad else None
    if found is None:
        raise ParameterError(f"{info.key} has no gradient at the input.", "Choose another layer.")
    notes = [f"Filter {number} of {info.key} is explained, whatever the target."]
    return Found(found, notes=notes, extra={"layer": info.key, "neuron": number})


METHOD = Method(
    name="neuron_gradient",
    title="Neuron gradient",
    family="layer",
    version=1,
    summary="How much one filter or hidden unit changes with a small change of each value of the input.",
    source="Simonyan et al., 'Deep Inside Convolutional Networks', ICLR workshop 2014, of a hidden unit.",
    result=Result(),
    parameters=PARAMETERS,
    run=run,
    applies=applies,
    fit=fit,
    costs="1 pass forward and backward",
)
