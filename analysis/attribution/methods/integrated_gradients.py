"""Integrated Gradients: the gradient along the straight line from a baseline to the input."""

from __future__ import annotations

from typing import Any

from captum.attr import IntegratedGradients

from analysis.attribution import baselines, structure
from analysis.attribution.case import Case
from analysis.attribution.method import Found, Method, Result, Told
from analysis.attribution.parameters import Parameter

PARAMETERS = (
    baselines.PARAMETER,
    Parameter("n_steps", "int", 50, "Points on the line from the baseline to the input.", 2, 1000),
    Parameter("internal_batch_size", "int", 64, "Rows in one pass of the model.", 1, 4096),
)


def run(case: Case, told: Told, **parameters: Any) -> Found:
    """(x - x') times the mean gradient, (n, *inputs.shape[1:]), by Gauss-Legendre quadrature."""
    told(0, 1, "passes", "Integrated Gradients")
    base = baselines.of(case, parameters["baselines"])
    values = IntegratedGradients(case.module).attribute(
        case.inputs,
        base,
        additional_forward_args=case.rows,
        n_steps=parameters["n_steps"],
        internal_batch_size=max(parameters["internal_batch_size"], len(case)),
    )
    return Found(values.to(case.inputs.dtype), baseline=case.scores(base))


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
