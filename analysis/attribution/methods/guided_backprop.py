"""Guided backpropagation: gradients through ReLUs that let back only what is positive, where they were active."""

from __future__ import annotations

from typing import Any

from analysis.attribution.case import Case
from analysis.attribution.method import Found, Method, Result, Told
from analysis.attribution.parameters import Parameter
from analysis.attribution.rules import guided
from analysis.attribution.structure import Structure

PARAMETERS: tuple[Parameter, ...] = ()


def run(case: Case, told: Told, **_parameters: Any) -> Found:
    """What flows back to the input, (n, *inputs.shape[1:]), through ReLUs: modules, functions, in place."""
    told(0, 1, "passes", "Guided Backprop")
    values, notes = guided.gradient(case, guided.GUIDED)
    return Found(values, notes=notes)


def applies(structure: Structure) -> str:
    """Needs a ReLU, and nothing that may hide one."""
    return guided.applies(structure, guided.GUIDED)


METHOD = Method(
    name="guided_backprop",
    title="Guided Backprop",
    family="gradient",
    version=1,
    summary="The gradient, of which each ReLU lets back only what is positive, where it was active.",
    source="Springenberg et al., 'Striving for Simplicity: The All Convolutional Net', ICLR workshop 2015, section 3.",
    result=Result(),
    parameters=PARAMETERS,
    run=run,
    applies=applies,
    notes=lambda structure: guided.notes(structure.operations),
    costs="1 pass forward and backward",
)
