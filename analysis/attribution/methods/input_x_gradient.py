"""Input x gradient: each value times the gradient of the score at it."""

from __future__ import annotations

from typing import Any

from analysis.attribution import gradients, structure
from analysis.attribution.case import Case
from analysis.attribution.method import Found, Method, Result, Told


def run(case: Case, told: Told, **_parameters: Any) -> Found:
    """(n, *inputs.shape[1:])."""
    told(0, 1, "passes", "Input x Gradient")
    return Found(case.inputs * gradients.at(case, case.inputs, case.rows), notes=case.vanished())


METHOD = Method(
    name="input_x_gradient",
    title="Input x Gradient",
    family="gradient",
    version=1,
    summary="Each value of the input times the gradient at it: exact where the model is linear.",
    source="Shrikumar et al., 'Not Just a Black Box', 2016 (arXiv 1605.01713).",
    result=Result(),
    parameters=(),
    run=run,
    applies=structure.gradient_flows,
    costs="1 pass forward and backward",
)
