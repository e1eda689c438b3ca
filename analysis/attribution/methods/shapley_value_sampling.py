"""Shapley values, from orders in which the parts of the instance come in."""

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
from analysis.attribution.samplers import Permutations, Sampler, exact_within

PARAMETERS = (
    baselines.PARAMETER,
    Parameter(
        "n_samples",
        "int",
        32,
        "Orders in which parts come in, each with its reverse; an odd number counts one more.",
        2,
        100_000,
    ),
    *FEATURES,
    PER_EVAL,
    RANDOM,
)


def run(case: Case, told: Told, **parameters: Any) -> Found:
    """The mean gain of the score when a feature comes in, shared out evenly among its numbers: (n, *inputs.shape[1:]),
    with standard errors. Exact where all subsets are no more than the versions that orders would need."""
    samples = parameters["n_samples"]

    def make(m: int, seed: tuple[int, ...]) -> Sampler:
        return exact_within(m, samples * m) or Permutations(m, samples, seed)

    refinement = Refinement(case, told, "Shapley values", parameters, make, even=True)
    found = refinement.run()
    found.baseline = refinement.empty()
    found.notes = refinement.notes()
    return found


METHOD = Method(
    name="shapley_value_sampling",
    title="Shapley values",
    family="perturbation",
    version=1,
    summary="What each part adds to the score on average, over all orders in which the parts may come in.",
    source="Castro et al., 'Polynomial calculation of the Shapley value based on sampling', 2009; orders with their "
    "reverse: Mitchell et al., 'Sampling Permutations for Shapley Value Estimation', JMLR 2022, section 4.2.",
    result=Result(complete=True, coarse=True),
    parameters=PARAMETERS,
    run=run,
    applies=lambda _structure: "",
    fit=fitting,
    costs="n_samples times the number of parts passes",
)
