"""Layer-wise relevance propagation (LRP): the score is handed back, layer by layer, to what it was made of."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from analysis.attribution import baselines
from analysis.attribution.case import Case
from analysis.attribution.method import Found, Method, Result, Told
from analysis.attribution.parameters import Parameter
from analysis.attribution.rules import propagation
from analysis.attribution.rules.composites import COMPOSITES
from analysis.attribution.rules.relevance import Settings
from analysis.attribution.structure import Structure
from analysis.errors import ParameterError

_BOXED = ("image", "table")  # whose values have ends
PARAMETERS = (
    Parameter(
        "composite",
        "choice",
        "epsilon_plus",
        "Rules by layer type: 'epsilon' for dense layers; for convolutions 'plus' (alpha 1, beta 0), 'gamma' or "
        "'alpha2_beta1'; for the first layer 'flat' or 'box'.",
        choices=tuple(COMPOSITES),
    ),
    Parameter("epsilon", "float", 1e-6, "Added to each sum that is divided by: more damps weak contributions.", 0, 1e3),
    Parameter("gamma", "float", 0.25, "How much the gamma rule favours positive contributions.", 0, 1e3),
)


def run(case: Case, told: Told, **parameters: Any) -> Found:
    """Relevance (n, *inputs.shape[1:]). It adds up to the score but for what biases absorb, and epsilon.

    A pass goes by operations, so that functional calls, modules that are used several times and residual adds are
    followed; Captum's LRP takes the latter for nothing, and Captum's alpha1_beta0 keeps negative biases.
    """
    told(0, 1, "passes", "LRP")
    name = parameters["composite"]
    low, high = ends(case) if propagation.needs_ends(name) else (None, None)
    settings = Settings(COMPOSITES[name], parameters["epsilon"], parameters["gamma"], low, high)
    found = propagation.relevance(case, settings)
    return Found(found.back, notes=found.notes, extra=found.extra)


def ends(case: Case) -> tuple[Tensor, Tensor]:
    """Lowest and highest values of each channel or column, in up to 64 instances and this one, (1, ...) both.

    Raises:
        ParameterError: the input has no ends, as vectors of words have none.
    """
    if case.kind not in _BOXED:
        raise ParameterError(f"The z-box rule is for pictures and tables, not for {case.kind}.", "Choose another one.")
    seen = torch.cat([baselines.of_instances(case), case.inputs])
    axes = [axis for axis in range(seen.dim()) if axis == 0 or axis in case.places]
    return seen.amin(axes, keepdim=True).expand_as(case.inputs), seen.amax(axes, keepdim=True).expand_as(case.inputs)


def fit(structure: Structure, given: tuple[Parameter, ...]) -> tuple[Parameter, ...]:
    """Without composites that this kind of data has no use for."""
    kept = tuple(name for name in COMPOSITES if structure.kind in _BOXED or not propagation.needs_ends(name))
    return tuple(one.with_(choices=kept) if one.name == "composite" else one for one in given)


METHOD = Method(
    name="lrp",
    title="LRP",
    family="propagation",
    version=1,
    summary="The score is handed back layer by layer, to each value in proportion to what it contributed.",
    source="Bach et al., 'On Pixel-Wise Explanations for Non-Linear Classifier Decisions by Layer-Wise Relevance "
    "Propagation', PLoS ONE 2015, equations 58 and 60; Montavon et al., 'Layer-Wise Relevance Propagation: An "
    "Overview', 2019.",
    result=Result(),
    parameters=PARAMETERS,
    run=run,
    applies=propagation.applies,
    fit=fit,
    costs="1 to 2 passes forward and backward",
)
