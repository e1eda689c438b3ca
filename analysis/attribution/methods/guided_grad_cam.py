"""Guided Grad-CAM: guided backpropagation, where Grad-CAM is not 0."""

from __future__ import annotations

from typing import Any

from analysis.attribution import layer_choice
from analysis.attribution.case import Case
from analysis.attribution.method import Found, Method, Result, Told
from analysis.attribution.methods import layer_grad_cam
from analysis.attribution.rules import guided
from analysis.attribution.structure import Structure

PARAMETERS = (layer_grad_cam.LAYER,)


def run(case: Case, told: Told, **parameters: Any) -> Found:
    """The product of both, (n, *inputs.shape[1:])."""
    info = layer_choice.chosen_map(case, parameters["layer"])
    told(0, 2, "passes", "Guided Grad-CAM")
    where = layer_grad_cam.upsampled(case, layer_grad_cam.class_map(case, info))
    told(1, 2, "passes", "Guided Grad-CAM")
    notes = [] if where.any() else [f"No filter of {info.key} that speaks for the score is active: the map is 0."]
    values, more = guided.gradient(case)
    return Found(where * values, notes=[*notes, *more], extra={"layer": info.key})


def applies(structure: Structure) -> str:
    """Needs both."""
    return layer_grad_cam.applies(structure) or guided.applies(structure, guided.GUIDED)


METHOD = Method(
    name="guided_grad_cam",
    title="Guided Grad-CAM",
    family="layer",
    version=1,
    summary="Guided backpropagation, kept only where the filters of a layer speak for the score.",
    source="Selvaraju et al., 'Grad-CAM', ICCV 2017, section 3.2.",
    result=Result(),
    parameters=PARAMETERS,
    run=run,
    applies=applies,
    fit=layer_grad_cam.fit,
    notes=lambda structure: guided.notes(structure.operations),
    costs="2 passes forward and backward",
)
