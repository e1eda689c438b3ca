"""Deconvolution: gradients through ReLUs that let back only what is positive."""

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
    told(0, 1, "passes", "Deconvolution")
    values, notes = guided.gradient(case, guided.DECONVOLUTION)
    return Found(values, notes=notes)


def applies(structure: Structure) -> str:
    """Needs a ReLU, and nothing that may hide one."""
    return guided.applies(structure, guided.DECONVOLUTION)


METHOD = Method(
    name="deconvolution",
    title="Deconvolution",
    family="gradient",
    version=1,
    summary="The gradient, of which each ReLU lets back what is positive, whether or not it was active.",
    source="Zeiler and Fergus, 'Visualizing and Understanding Convolutional Networks', ECCV 2014, section 2.1.",
    result=Result(),
    parameters=PARAMETERS,
    run=run,
    applies=applies,
    notes=lambda structure: guided.notes(structure.operations),
    costs="1 pass forward and backward",
)
