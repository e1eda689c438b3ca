"""SmoothGrad and its kin: a method's values over noisy copies of the instance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from analysis.attribution import baselines, gradients, structure
from analysis.attribution.case import Case
from analysis.attribution.method import Found, Method, Result, Told
from analysis.attribution.parameters import RANDOM, Parameter

TYPES = ("smoothgrad", "smoothgrad_sq", "vargrad")
BASES = ("saliency", "input_x_gradient", "integrated_gradients")
PARAMETERS = (
    Parameter(
        "nt_type", "choice", TYPES[0], "Their mean, the mean of their squares, or their variance.", choices=TYPES
    ),
    Parameter("base", "choice", "saliency", "What is computed for each noisy copy.", choices=BASES),
    Parameter("nt_samples", "int", 32, "Noisy copies of the instance.", 2, 2000),
    Parameter("stdevs", "float", 0.15, "Standard deviation of the noise, as a share of the input's range.", 0.0, 10.0),
    baselines.PARAMETER.with_(help="What Integrated Gradients starts from, if that is the base."),
    Parameter("n_steps", "int", 16, "Points on the line of Integrated Gradients, if that is the base.", 2, 1000),
    RANDOM,
)
Base = Callable[[Tensor, Tensor], Tensor]


def run(case: Case, told: Told, **parameters: Any) -> Found:
    """(n, *inputs.shape[1:]), over samples of normal noise, as Captum's NoiseTunnel does it with its own noise.

    spread: the standard error, of the variance that of normal values.
    """
    samples, n, kind = parameters["nt_samples"], len(case), parameters["nt_type"]
    base = _base(case, parameters)
    noise = gradients.Noise(case, parameters["stdevs"], parameters["random_state"])
    at_once = max(1, case.at_most() // n)
    sums = torch.zeros(3, *case.inputs.shape, dtype=torch.float64)  # of values, squares and fourth powers
    for start in range(0, samples, at_once):
        told(start, samples, "samples", "SmoothGrad")
        some = noise.next(min(at_once, samples - start))
        points = (case.inputs + some).flatten(0, 1)
        values = base(points, case.rows.repeat(len(some))).unflatten(0, (len(some), n)).double().cpu()
        for power, total in zip((1, 2, 4), sums, strict=True):
            total += (values**power).sum(0)
        done = start + len(some)
        if 2 <= done < samples:
            case.publish(_found(case, kind, sums, done), done, samples)
    return _found(case, kind, sums, samples)


def _base(case: Case, parameters: dict[str, Any]) -> Base:
    if parameters["base"] == "saliency":
        return lambda points, rows: gradients.at(case, points, rows)
    if parameters["base"] == "input_x_gradient":
        return lambda points, rows: points * gradients.at(case, points, rows)
    start = baselines.of(case, parameters["baselines"])
    places, weights = gradients.nodes(parameters["n_steps"])

    def integrated(points: Tensor, rows: Tensor) -> Tensor:
        origin = start[rows.to(start.device)]
        total = torch.zeros_like(points)
        for place, weight in zip(places, weights, strict=True):
            total += gradients.at(case, origin + place * (points - origin), rows) * weight
        return total * (points - origin)

    return integrated


def _found(case: Case, kind: str, sums: Tensor, samples: int) -> Found:
    mean, square, fourth = sums / samples
    variance = (square - mean**2).clamp_min(0)
    if kind == "smoothgrad":
        values, spread = mean, variance / (samples - 1)
    elif kind == "smoothgrad_sq":
        values, spread = square, (fourth - square**2).clamp_min(0) / (samples - 1)
    else:
        values, spread = variance, 2 * variance**2 / (samples - 1)
    as_input = case.inputs.dtype
    extra = {"signed": kind == "smoothgrad"}
    return Found(values.to(as_input), spread=spread.sqrt().to(as_input), notes=case.vanished(), extra=extra)


METHOD = Method(
    name="smoothgrad",
    title="SmoothGrad",
    family="gradient",
    version=1,
    summary="Another method's values, averaged over copies of the instance with noise.",
    source="Smilkov et al., 'SmoothGrad', 2017 (arXiv 1706.03825); the squares: Hooker et al., NeurIPS 2019; VarGrad: "
    "Adebayo et al., ICLR workshop 2018.",
    result=Result(),
    parameters=PARAMETERS,
    run=run,
    applies=structure.gradient_flows,
    costs="nt_samples passes forward and backward, times n_steps for Integrated Gradients",
)
