"""Layer conductance: what each filter of a layer passes on of the score's change from a baseline to the input."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from analysis.attribution import baselines, layer_choice
from analysis.attribution.case import Case
from analysis.attribution.layer_pass import LayerPass
from analysis.attribution.method import Found, Method, Result, Told
from analysis.attribution.methods.layer_activation import fit
from analysis.attribution.parameters import Parameter
from analysis.attribution.structure import Structure, gradient_flows
from analysis.layerinfo import LayerInfo

PARAMETERS = (
    Parameter("layer", "layer", "", "The layer whose filters are credited; by default the last before the output."),
    baselines.PARAMETER,
    Parameter("n_steps", "int", 50, "Stretches of the line from the baseline to the input.", 2, 1000),
    Parameter("internal_batch_size", "int", 0, "Rows in one pass of the model; 0: as many as suit the input.", 0, 4096),
)
ROWS = 64  # in one pass
MISSING = 0.05  # share of the change that does not pass through the layer, from which on it is said


def conductance(
    case: Case, told: Told, info: LayerInfo, base: Tensor, steps: int, rows: int, notes: list[str] | None = None
) -> Tensor:
    """(n, F): along the line, the sum over stretches of (mean gradient of the score by the filter at both ends) times
    (change of the filter), and over positions (Dhamdhere et al. 2019, equation 3, by the trapezoidal rule).

    Captum takes the gradient at the first end, which needs more steps for the same error, keeps positions apart, and
    cannot read recurrent layers. Nothing below the layer is differentiated.

    Args:
        base: as the inputs. rows: in one pass, at least n; 0 for as many as suit the input. notes: gets what was not
        seen.
    """
    n, alphas = len(case), torch.linspace(0, 1, steps + 1, dtype=torch.float64).tolist()
    at_once = max(1, case.at_most(rows or ROWS) // n)
    total: Tensor | None = None
    before: tuple[Tensor, Tensor] | None = None
    with LayerPass(case, info) as layer:
        for start in range(0, steps + 1, at_once):
            told(start, steps + 1, "steps", "Layer conductance")
            some = alphas[start : start + at_once]
            x = torch.cat([base + alpha * (case.inputs - base) for alpha in some])
            point = layer(x, case.rows.repeat(len(some)))
            gradients = point.masked(layer.gradient(point)).unflatten(0, (len(some), n))
            values = point.masked(point.values.detach()).unflatten(0, (len(some), n))
            if before is not None:
                gradients, values = torch.cat([before[0], gradients]), torch.cat([before[1], values])
            passed = ((gradients[1:] + gradients[:-1]) / 2 * (values[1:] - values[:-1])).sum(0)
            passed = passed.flatten(2).sum(2) if passed.dim() > 2 else passed
            total = passed if total is None else total + passed
            before = gradients[-1:], values[-1:]
        if notes is not None:
            notes += layer.notes
    assert total is not None
    return total


def run(case: Case, told: Told, **parameters: Any) -> Found:
    """What each filter contributes to the change of the score from the baseline, (n, F)."""
    info = layer_choice.chosen(case, parameters["layer"])
    base = baselines.of(case, parameters["baselines"])
    unseen = case.vanished()
    values = conductance(case, told, info, base, parameters["n_steps"], parameters["internal_batch_size"], unseen)
    start = case.scores(base)
    change = case.scores(case.inputs) - start
    total = values.sum(1).to(change)
    missing = (change - total).abs() > MISSING * change.abs().clamp_min(1e-12)
    notes = [
        f"The filters add up to {float(one):.3g}, but the score changes by {float(other):.3g} from the baseline: the "
        f"rest goes around {info.key}, or needs more steps."
        for one, other in zip(total[missing], change[missing], strict=True)
    ]
    return Found(values, baseline=start, notes=[*notes[:1], *unseen], extra={"layer": info.key})


def applies(structure: Structure) -> str:
    """Needs a layer, and a gradient."""
    return gradient_flows(structure) if structure.layers else "No layer of this model can be read."


METHOD = Method(
    name="layer_conductance",
    title="Layer conductance",
    family="layer",
    version=1,
    summary="What each filter of a layer passes on of the score's change from the baseline to the input.",
    source="Dhamdhere et al., 'How Important Is a Neuron?', ICLR 2019, equation 3.",
    result=Result(form="filters", complete=True),
    parameters=PARAMETERS,
    run=run,
    applies=applies,
    fit=fit,
    costs="n_steps passes forward, and backward as far as the layer",
)
