"""Saliency: the gradient of the score at the input."""

from __future__ import annotations

from typing import Any

from analysis.attribution import gradients, structure
from analysis.attribution.case import Case
from analysis.attribution.method import Found, Method, Result, Told
from analysis.attribution.parameters import Parameter

PARAMETERS = (Parameter("abs", "flag", False, "Sizes only: without the sign of the gradient."),)


def run(case: Case, told: Told, **parameters: Any) -> Found:
    """The gradient, (n, *inputs.shape[1:]); its size with ``abs``, and of texts always, by token."""
    told(0, 1, "passes", "Saliency")
    values = gradients.at(case, case.inputs, case.rows)
    sizes = gradients.per_token(case, values)
    unsigned = parameters["abs"] or sizes is not values
    return Found(sizes.abs() if unsigned else values, notes=case.vanished(), extra={"signed": not unsigned})


METHOD = Method(
    name="saliency",
    title="Saliency",
    family="gradient",
    version=1,
    summary="How much the score changes with a small change of each value of the input.",
    source="Simonyan et al., 'Deep Inside Convolutional Networks', ICLR workshop 2014.",
    result=Result(),
    parameters=PARAMETERS,
    run=run,
    applies=structure.gradient_flows,
    costs="1 pass forward and backward",
)
