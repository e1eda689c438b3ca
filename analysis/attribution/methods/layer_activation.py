"""Layer activation: how active each filter of a layer is."""

from __future__ import annotations

from typing import Any

from analysis.attribution import layer_choice
from analysis.attribution.case import Case
from analysis.attribution.layer_pass import LayerPass
from analysis.attribution.method import Found, Method, Result, Told
from analysis.attribution.parameters import Parameter
from analysis.attribution.structure import Structure
from analysis.attribution.targets import POOLS

LAYER = Parameter("layer", "layer", "", "The layer whose filters are shown; by default the last before the output.")
POOL = Parameter("pool", "choice", "mean", "How the positions of a filter are brought together.", choices=POOLS)
PARAMETERS = (LAYER, POOL)


def run(case: Case, told: Told, **parameters: Any) -> Found:
    """The activation of each filter before it is rectified, (n, F): mean or largest over its valid positions."""
    told(0, 1, "passes", "Layer activation")
    info = layer_choice.chosen(case, parameters["layer"])
    with LayerPass(case, info) as layer:
        point = layer(case.inputs)
    found = point.pooled(point.values.detach(), parameters["pool"])
    return Found(found, notes=["Activations are the same whatever is explained."], extra={"layer": info.key})


def applies(structure: Structure) -> str:
    """Needs a layer."""
    return "" if structure.layers else "No layer of this model can be read."


def fit(structure: Structure, given: tuple[Parameter, ...]) -> tuple[Parameter, ...]:
    """All layers that can be read."""
    return layer_choice.offered(given, structure.layers)


METHOD = Method(
    name="layer_activation",
    title="Layer activation",
    family="layer",
    version=1,
    summary="How active each filter of a layer is for this instance. It says nothing of what the score owes to it.",
    source="The layer's own output; mean or maximum over positions.",
    result=Result(form="filters"),
    parameters=PARAMETERS,
    run=run,
    applies=applies,
    fit=fit,
    costs="1 pass forward",
)
