"""GradientShap: the gradient at random places between other instances and this one."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from analysis.attribution import baselines, gradients, structure
from analysis.attribution.case import Case
from analysis.attribution.method import Found, Method, Result, Told
from analysis.attribution.parameters import RANDOM, Parameter

PARAMETERS = (
    baselines.SEVERAL,
    Parameter("n_samples", "int", 64, "Places at which the gradient is taken.", 2, 4000),
    Parameter("stdevs", "float", 0.0, "Standard deviation of noise, as a share of the input's range.", 0.0, 10.0),
    RANDOM,
)


def run(case: Case, told: Told, **parameters: Any) -> Found:
    """The mean over samples of (x + noise - x') times the gradient at x' + alpha (x + noise - x'), where x' is drawn
    from the baselines and alpha from 0 to 1: (n, *inputs.shape[1:]).

    Captum's does the same with alphas drawn independently; here one is drawn from each of n_samples equal parts of 0 to
    1, in random order, which has the same mean and less spread.
    """
    samples, n, state = parameters["n_samples"], len(case), parameters["random_state"]
    several = baselines.Several(case, samples, state, parameters["baselines"])
    alphas = _alphas(samples, state).to(case.inputs).reshape(-1, *[1] * case.inputs.dim())
    noise = gradients.Noise(case, parameters["stdevs"], state)
    at_once = max(1, case.at_most() // n)
    total, squares = torch.zeros(2, *case.inputs.shape, dtype=torch.float64)
    scores = torch.zeros(n, dtype=torch.float64)
    for first in range(0, samples, at_once):
        told(first, samples, "samples", "GradientShap")
        some = slice(first, min(first + at_once, samples))
        starts = torch.where(case.valid(), several[some].to(case.inputs)[:, None], case.inputs)
        way = case.inputs + noise.next(len(starts)) - starts
        rows = case.rows.repeat(len(way))
        found = gradients.at(case, (starts + alphas[some] * way).flatten(0, 1), rows).unflatten(0, (-1, n))
        values = (way * found).double().cpu()
        total, squares = total + values.sum(0), squares + (values**2).sum(0)
        scores += case.scores(starts.flatten(0, 1), rows).double().cpu().unflatten(0, (-1, n)).sum(0)
        done = first + len(way)
        if 2 <= done < samples:
            case.publish(_found(case, total, squares, scores, done), done, samples)
    return _found(case, total, squares, scores, samples)


def _alphas(samples: int, random_state: int) -> Tensor:
    generator = torch.Generator().manual_seed(random_state)
    order = torch.randperm(samples, generator=generator)
    return (order + torch.rand(samples, generator=generator)) / samples


def _found(case: Case, total: Tensor, squares: Tensor, scores: Tensor, samples: int) -> Found:
    mean = total / samples
    spread = ((squares / samples - mean**2).clamp_min(0) / (samples - 1)).sqrt()
    dtype = case.inputs.dtype
    baseline = (scores / samples).float()
    return Found(mean.to(dtype), baseline=baseline, spread=spread.to(dtype), notes=case.vanished())


METHOD = Method(
    name="gradient_shap",
    title="GradientShap",
    family="gradient",
    version=1,
    summary="What each value adds on the way from other instances to this one: expected gradients.",
    source="Erion et al., 'Improving performance of deep learning models with axiomatic attribution priors and "
    "expected gradients', 2021, equation 3; Lundberg & Lee, NeurIPS 2017.",
    result=Result(complete=True),
    parameters=PARAMETERS,
    run=run,
    applies=structure.gradient_flows,
    costs="n_samples passes forward and backward",
)
