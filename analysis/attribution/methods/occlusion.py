"""Occlusion: what the score loses when a window of the instance is covered."""

from __future__ import annotations

from typing import Any

from analysis.attribution import baselines
from analysis.attribution.case import Case
from analysis.attribution.features import CHANNELS, fitting
from analysis.attribution.masks import PER_EVAL, Engine
from analysis.attribution.method import Found, Method, Result, Told
from analysis.attribution.parameters import Parameter
from analysis.attribution.refining import stacked
from analysis.attribution.windows import windows

PARAMETERS = (
    baselines.PARAMETER,
    Parameter(
        "sliding_window_shapes",
        "int",
        0,
        "Size of the window along each axis, in pixels, steps, tokens or columns; 0: as fits the instance.",
        0,
        100_000,
    ),
    Parameter("strides", "int", 0, "From one window to the next, in the same unit; 0: half the window.", 0, 100_000),
    CHANNELS,
    PER_EVAL,
)


def run(case: Case, told: Told, **parameters: Any) -> Found:
    """Score of the instance minus the score with a window covered, the mean of the windows over each place:
    (n, *inputs.shape[1:]), 1 along axes that windows cover whole."""
    base = baselines.of(case, parameters["baselines"])
    engine = Engine(case, base, parameters["perturbations_per_eval"], told, "Occlusion")
    size, stride = parameters["sliding_window_shapes"], parameters["strides"]
    placed = [windows(case, row, base, size, stride, parameters["channels"]) for row in range(len(case))]
    falls = engine.falls([one.masks(row, case.inputs.device) for row, one in enumerate(placed)])
    values = [one.mean_of(fall) for one, fall in zip(placed, falls, strict=True)]
    if case.kind == "text":  # values of a text are summed over each token's vector
        width = case.inputs.shape[2]
        values = [one.expand(-1, width) / width for one in values]
    return Found(stacked(case, values), extra={"windows": max(len(one.live) for one in placed)})


METHOD = Method(
    name="occlusion",
    title="Occlusion",
    family="perturbation",
    version=1,
    summary="How much the score falls when a window that slides over the instance covers a place.",
    source="Zeiler & Fergus, 'Visualizing and Understanding Convolutional Networks', ECCV 2014, section 4.2.",
    result=Result(coarse=True),
    parameters=PARAMETERS,
    run=run,
    applies=lambda _structure: "",
    fit=fitting,
    costs="1 pass for each window that changes something",
)
