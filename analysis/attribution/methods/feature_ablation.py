"""Feature ablation: what the score loses when one part of the instance is replaced by the baseline."""

from __future__ import annotations

from typing import Any

from analysis.attribution import ablation, baselines
from analysis.attribution.case import Case
from analysis.attribution.features import PARAMETERS as FEATURES
from analysis.attribution.features import fitting
from analysis.attribution.masks import PER_EVAL, Engine
from analysis.attribution.method import Found, Method, Result, Told
from analysis.attribution.refining import players_of, stacked

PARAMETERS = (baselines.PARAMETER, *FEATURES, PER_EVAL)


def run(case: Case, told: Told, **parameters: Any) -> Found:
    """Score of the instance minus the score without a feature, at all of the feature's numbers:
    (n, *inputs.shape[1:]), 1 along axes that features have whole."""
    base = baselines.of(case, parameters["baselines"])
    engine = Engine(case, base, parameters["perturbations_per_eval"], told, "Feature ablation")
    players = players_of(case, base, parameters, told)
    values = [one.laid(fall) for one, fall in zip(players, ablation.falls(engine, players), strict=True)]
    return Found(
        stacked(case, values),
        notes=[f"Parts that were taken away one by one: {players[0].note}."],
        extra={"features": max(one.features.count for one in players)},
    )


METHOD = Method(
    name="feature_ablation",
    title="Feature ablation",
    family="perturbation",
    version=1,
    summary="How much the score falls when one part alone is replaced by the baseline.",
    source="Zeiler & Fergus, ECCV 2014, section 4.2; Li et al., 'Understanding Neural Networks through Representation "
    "Erasure', 2016, equation 1, as a difference.",
    result=Result(coarse=True),
    parameters=PARAMETERS,
    run=run,
    applies=lambda _structure: "",
    fit=fitting,
    costs="1 pass for each part",
)
