"""LIME: a linear model of the score near the instance."""

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
from analysis.attribution.samplers import Neighbourhood, Sampler

PARAMETERS = (
    baselines.PARAMETER,
    Parameter("n_samples", "int", 200, "Versions of the instance, with parts taken away, that are tried.", 10, 100_000),
    Parameter(
        "distance_mode",
        "choice",
        "cosine",
        "How far a version is from the instance, from 0 to 1.",
        choices=("cosine", "euclidean"),
    ),
    Parameter("kernel_width", "float", 0.25, "Distance at which a version counts 37 %.", 0.01, 100),
    Parameter(
        "interpretable_model",
        "choice",
        "ridge",
        "Linear model: ridge gives every part a value, lasso leaves few.",
        choices=("ridge", "lasso"),
    ),
    Parameter("alpha", "float", 0.005, "Penalty of the linear model on large values.", 0, 100),
    *FEATURES,
    PER_EVAL,
    RANDOM,
)
POOR = 0.5  # fidelity below which the linear model says little


def run(case: Case, told: Told, **parameters: Any) -> Found:
    """Coefficients of the features, at all of a feature's numbers: (n, *inputs.shape[1:]), 1 along axes that features
    have whole; extra: 'fidelity' and 'intercept' of the linear model."""

    def make(m: int, seed: tuple[int, ...]) -> Sampler:
        return Neighbourhood(
            m,
            parameters["n_samples"],
            seed,
            distance=parameters["distance_mode"],
            width=parameters["kernel_width"],
            alpha=parameters["alpha"],
            sparse=parameters["interpretable_model"] == "lasso",
        )

    refinement = Refinement(case, told, "LIME", parameters, make, even=False)
    found = refinement.run()
    found.notes = refinement.notes(parameters["n_samples"])
    found.notes += remarks(refinement.samplers)
    first = refinement.samplers[0]
    assert isinstance(first, Neighbourhood)
    model = first.model()
    del found.extra["exact"]
    found.extra |= {"fidelity": model.fidelity, "intercept": model.intercept}
    return found


def remarks(samplers: list[Sampler]) -> list[str]:
    """What speaks against believing the linear model of the first instance."""
    first = samplers[0]
    assert isinstance(first, Neighbourhood)
    found = []
    if first.counting() < first.m + 1:
        found.append(
            f"The kernel is so narrow that only about {first.counting():.0f} versions count, for {first.m:,} values: "
            "raise kernel_width or n_samples."
        )
    fidelity = first.model().fidelity
    if fidelity is not None and fidelity < POOR:
        found.append(
            f"The linear model explains {max(fidelity, 0):.0%} of how the score varies near the instance: its values "
            "say little."
        )
    return found


METHOD = Method(
    name="lime",
    title="LIME",
    family="perturbation",
    version=1,
    summary="The coefficients of a linear model that imitates the network near the instance.",
    source="Ribeiro et al., '\"Why Should I Trust You?\"', KDD 2016, equation 2 and algorithm 1.",
    result=Result(coarse=True),
    parameters=PARAMETERS,
    run=run,
    applies=lambda _structure: "",
    fit=fitting,
    costs="n_samples passes",
)
