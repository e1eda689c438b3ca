"""DeepLIFT averaged over several baselines: an approximation of Shapley values."""

from __future__ import annotations

from typing import Any

import torch

from analysis.attribution import baselines
from analysis.attribution.case import Case
from analysis.attribution.method import Found, Method, Result, Told
from analysis.attribution.parameters import Parameter
from analysis.attribution.rules import common, deep_lift

PARAMETERS = (
    baselines.SEVERAL,
    Parameter("n_baselines", "int", 10, "How many baselines the contributions are averaged over.", 2, 500),
    Parameter("random_state", "int", 0, "Number that the draw of baselines depends on.", 0, 2**31 - 1),
)


def run(case: Case, told: Told, **parameters: Any) -> Found:
    """Mean contributions (n, *inputs.shape[1:]), their standard error over baselines as ``spread``, and the mean score
    of the baselines. Padding stays as it is in the input."""
    k, n = parameters["n_baselines"], len(case)
    bases = baselines.several(case, k, parameters["random_state"], parameters["baselines"])
    valid = case.valid().expand_as(case.inputs)
    total, squares = torch.zeros_like(case.inputs), torch.zeros_like(case.inputs)
    scores = torch.zeros(n, dtype=case.inputs.dtype, device=case.inputs.device)
    pairs = torch.arange(n * k)  # baseline by baseline, so that a part has few instances twice
    most = case.at_most(32)
    notes: list[str] = []
    extra: dict[str, Any] = {}
    for start in range(0, n * k, most):
        told(start, n * k, "baselines", "DeepLiftShap")
        part = pairs[start : start + most]
        rows = part % n
        x = case.inputs[rows]
        base = torch.where(valid[rows], bases[part // n].to(x), x)
        found, known = deep_lift.contributions(case, base, x, rows)
        notes, extra = found.notes, extra or found.extra
        total.index_add_(0, rows.to(total.device), found.back)
        squares.index_add_(0, rows.to(total.device), found.back**2)
        scores.index_add_(0, rows.to(scores.device), known.score.to(scores))
    mean = total / k
    spread = ((squares / k - mean**2).clamp_min(0) / (k - 1)).sqrt()
    return Found(common.without_padding(case, mean), baseline=scores / k, spread=spread, notes=notes, extra=extra)


METHOD = Method(
    name="deep_lift_shap",
    title="DeepLiftShap",
    family="gradient",
    version=1,
    summary="DeepLift's contributions, averaged over baselines that are instances: approximate Shapley values.",
    source="Lundberg and Lee, 'A Unified Approach to Interpreting Model Predictions', NeurIPS 2017, section 4.2.",
    result=Result(complete=True),
    parameters=PARAMETERS,
    run=run,
    applies=deep_lift.applies,
    costs="2 passes forward and 1 backward for each baseline",
)
