"""Grad-CAM: where a layer's filters that speak for the score are active."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from analysis.attribution import layer_choice
from analysis.attribution.case import Case
from analysis.attribution.layer_pass import LayerPass
from analysis.attribution.method import Found, Method, Result, Told
from analysis.attribution.parameters import Parameter
from analysis.attribution.structure import Structure, gradient_flows
from analysis.layerinfo import LayerInfo

LAYER = Parameter("layer", "layer", "", "The layer whose filters are looked at; by default the last convolution.")
PARAMETERS = (
    LAYER,
    Parameter("relu_attributions", "flag", True, "Only what speaks for the score, as in the paper."),
)
_RECURRENT = ("lstm", "gru", "rnn_tanh", "rnn_relu")  # layers that yield all steps
_MODES = {1: "linear", 2: "bilinear", 3: "trilinear"}


def class_map(case: Case, info: LayerInfo, relu: bool = True, notes: list[str] | None = None) -> Tensor:
    """The weighted sum of a layer's activations, (n, *places) of the layer (Selvaraju et al. 2017, equations 1, 2).

    Weights are the gradient of the score, averaged over (valid) positions. Nothing is computed backward below the
    layer. Activations are those before they are rectified. notes: gets what was not seen. Raises as ``LayerPass``.
    """
    with LayerPass(case, info) as layer:
        point = layer(case.inputs)
        weights = point.pooled(layer.gradient(point))
        if notes is not None:
            notes += layer.notes
    values = point.masked(point.values.detach())
    found = torch.bmm(weights[:, None], values.reshape(*weights.shape, -1)).reshape(len(weights), *values.shape[2:])
    return found.clamp_min(0) if relu else found


def upsampled(case: Case, found: Tensor) -> Tensor:
    """A map (n, *places) brought to the positions of the input by linear interpolation: the shape of ``case.inputs``
    with 1 along channels or features, 0 at padding."""
    sizes = [case.inputs.shape[axis] for axis in case.places]
    if list(found.shape[1:]) != sizes:
        found = F.interpolate(found[:, None], sizes, mode=_MODES[len(sizes)], align_corners=False)
    shape = [size if axis in (0, *case.places) else 1 for axis, size in enumerate(case.inputs.shape)]
    values = found.reshape(shape).to(case.inputs.dtype)
    return torch.where(case.valid(), values, 0.0) if case.lengths is not None else values


def run(case: Case, told: Told, **parameters: Any) -> Found:
    """The map of each instance, (n, *inputs.shape[1:]) with 1 along channels or features."""
    told(0, 1, "passes", "Grad-CAM")
    info = layer_choice.chosen_map(case, parameters["layer"])
    notes = case.vanished()
    found = class_map(case, info, parameters["relu_attributions"], notes)
    if not found.any():
        notes.append(f"No filter of {info.key} that speaks for the score is active: the map is 0.")
    extra = {"layer": info.key, "places": list(found.shape[1:])}
    return Found(upsampled(case, found), notes=notes, extra=extra)


def applies(structure: Structure) -> str:
    """Needs a layer with positions like the input's, and a gradient."""
    if structure.kind == "table":
        return "The columns of a table have no order, so a layer makes no map of them."
    if not _keys(structure) and not (structure.attention and structure.kind != "image"):
        return "The model has no convolution or recurrent layer that keeps positions, so no layer makes a map of them."
    return gradient_flows(structure)


def fit(structure: Structure, given: tuple[Parameter, ...]) -> tuple[Parameter, ...]:
    """Convolutions and recurrent layers; without any, all layers: some keep positions."""
    return layer_choice.offered(given, _keys(structure) or structure.layers)


def _keys(structure: Structure) -> list[str]:
    recurrent = {one.module for one in structure.of(*_RECURRENT)} if structure.kind != "image" else set()
    usual = {*structure.convolutions, *(key for key in structure.layers if key.partition("#")[0] in recurrent)}
    return [key for key in structure.layers if key in usual]


METHOD = Method(
    name="layer_grad_cam",
    title="Grad-CAM",
    family="layer",
    version=1,
    summary="Where the filters of a layer that speak for the score are active; as coarse as the layer.",
    source="Selvaraju et al., 'Grad-CAM', ICCV 2017, equations 1 and 2.",
    result=Result(coarse=True),
    parameters=PARAMETERS,
    run=run,
    applies=applies,
    fit=fit,
    costs="1 pass forward, and backward as far as the layer",
)
