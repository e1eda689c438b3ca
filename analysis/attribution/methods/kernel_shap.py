"""KernelSHAP: Shapley values by a regression of the score on which parts of the instance are there."""

from __future__ import annotations

from typing import Any

from analysis.attribution import baselines
from analysis.attribution.case import Case
from analysis.attribution.features import PARAMETERS as FEATURES
from analysis.attribution.features import fitting
from analysis.attribution.masks import PER_EVAL
from analysis.attribution.method import Found, Method, Result, Told
from analysis.attribution.parameters import RANDOM, Parameter
from analysis.attribution.refining import Refinement
from analysis.attribution.samplers import Sampler, Subsets, exact_within

PARAMETERS = (
    baselines.PARAMETER,
    Parameter("n_samples", "int", 200, "Subsets of the parts that are tried.", 10, 1_000_000),
    *FEATURES,
    PER_EVAL,
    RANDOM,
)


def run(case: Case, told: Told, **parameters: Any) -> Found:
    """Coefficients that add up to the change of the score, shared out evenly among each feature's numbers:
    (n, *inputs.shape[1:]), with standard errors. Exact where all subsets are no more than n_samples."""
    samples = parameters["n_samples"]

    def make(m: int, seed: tuple[int, ...]) -> Sampler:
        return exact_within(m, samples + 2) or Subsets(m, samples, seed)

    refinement = Refinement(case, told, "KernelSHAP", parameters, make, even=True)
    found = refinement.run()
    found.baseline = refinement.empty()
    found.notes = refinement.notes(samples)
    return found


METHOD = Method(
    name="kernel_shap",
    title="KernelSHAP",
    family="perturbation",
    version=1,
    summary="Shapley values, estimated by a linear regression of the score on which parts are there.",
    source="Lundberg & Lee, 'A Unified Approach to Interpreting Model Predictions', NeurIPS 2017, theorem 2; pairs and "
    "errors: Covert & Lee, 'Improving KernelSHAP', AISTATS 2021, section 4.",
    result=Result(complete=True, coarse=True),
    parameters=PARAMETERS,
    run=run,
    applies=lambda _structure: "",
    fit=fitting,
    costs="n_samples passes",
)
