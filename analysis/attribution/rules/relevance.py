"""Rules of layer-wise relevance propagation for one linear operation: from relevance of its result to its operands'.

Notation: contributions c_jk = x_j w_jk of operand j to result k, z_k their sum with the bias b_k, R_k relevance; a
superscript + or - keeps positive or negative ones. Of biases: they take part in each denominator, so that their share
of the relevance is absorbed; flat and z-box leave them out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from analysis.attribution.operations import Operation
from analysis.attribution.rules import composites

TINY = 1e-9  # keeps denominators of operations without a rule of their own from 0
Linear = Callable[[Tensor, Tensor, Tensor | None], Tensor]  # input, weight, bias -> result


@dataclass
class Settings:
    """epsilon, gamma: of the rules. low, high: ends of what the input can be, for the z-box, of the input's shape."""

    composite: composites.Composite
    epsilon: float = 1e-6
    gamma: float = 0.25
    low: Tensor | None = None
    high: Tensor | None = None


def stabilised(z: Tensor, epsilon: float) -> Tensor:
    """z moved away from 0 by epsilon."""
    return z + torch.copysign(torch.full_like(z, epsilon), z)


@dataclass
class Job:
    """One operation, as long as relevance has not come back through it.

    operation: it. leaves: operands that depend on the input, detached. values: their values, which stay as they were.
    result: computed from the leaves, with a graph. z: values of what the model got. epsilon: of the denominator.
    """

    operation: Operation
    leaves: list[Tensor]
    values: list[Tensor]
    result: Tensor
    z: Tensor
    epsilon: float = TINY
    told: Callable[..., None] | None = None

    def back(self, relevance: Tensor) -> list[Tensor]:
        """Relevance of the operands, by R_j = sum over k of c_jk R_k / (z_k + epsilon sign z_k).

        Source: Bach et al., 'On Pixel-Wise Explanations ...', PLoS ONE 2015, equation 58.
        """
        share = self._scaled(relevance / stabilised(self.z, self.epsilon))
        slopes = torch.autograd.grad(self.result, self.leaves, share, retain_graph=True)
        return [value * slope for value, slope in zip(self.values, slopes, strict=True)]

    def _scaled(self, share: Tensor) -> Tensor:
        return share

    def hold(self, storages: set[int]) -> None:
        """Copy what lies in a memory that is about to be written."""
        self.values = [v.clone() if v.untyped_storage()._cdata in storages else v for v in self.values]
        if self.z.untyped_storage()._cdata in storages:
            self.z = self.z.clone()


@dataclass
class Weighted(Job):
    """A layer with weights. linear: the operation as a function of input, weight and bias. scale: of its result, by a
    batch normalisation that is merged into it, in a shape that fits the weight; wide: in one that fits the result."""

    rule: str = composites.EPSILON
    layer: str = composites.DENSE
    gamma: float = 0.0
    linear: Linear | None = None
    weight: Tensor | None = None
    bias: Tensor | None = None
    wide: Tensor | None = None
    box: tuple[Tensor, Tensor] | None = None
    spread: Callable[[Tensor], Tensor] | None = field(default=None)

    def _scaled(self, share: Tensor) -> Tensor:
        return share if self.wide is None else share * self.wide

    def back(self, relevance: Tensor) -> list[Tensor]:
        """Relevance of the input by the layer's rule."""
        if self.rule == composites.EPSILON:
            return super().back(relevance)
        with torch.enable_grad():
            return [_RULES[self.rule](self, self.values[0], relevance)]

    def run(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        """The layer with another input and weights, and how something flows back to that input."""
        assert self.linear is not None
        leaf = x.detach().requires_grad_()
        z = self.linear(leaf, weight, bias)

        def flows(share: Tensor) -> Tensor:
            return torch.autograd.grad(z, leaf, share)[0]

        return z.detach(), flows


def _signed(job: Weighted, x: Tensor, positive: bool) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """Sum of the positive (or negative) contributions and the bias' part, and each input's share of a share."""
    assert job.weight is not None
    one, other = job.weight.clamp(min=0), job.weight.clamp(max=0)
    if not positive:
        one, other = other, one
    bias = None if job.bias is None else (job.bias.clamp(min=0) if positive else job.bias.clamp(max=0))
    up = x.clamp(min=0)
    z, flow = job.run(up, one, bias)
    if bool((x >= 0).all()):
        return z, lambda share: up * flow(share)
    down = x.clamp(max=0)
    rest, back = job.run(down, other, None)
    return z + rest, lambda share: up * flow(share) + down * back(share)


def _gamma(job: Weighted, x: Tensor, relevance: Tensor) -> Tensor:
    """R_j = sum over k of (c + gamma c+)_jk R_k / sum over j of (c + gamma c+)_jk: Montavon et al. 2019, equation in
    section 10.2.1; where inputs are negative, positive contributions are meant, as weights are there."""
    assert job.weight is not None
    if bool((x >= 0).all()):
        weight = job.weight + job.gamma * job.weight.clamp(min=0)
        bias = None if job.bias is None else job.bias + job.gamma * job.bias.clamp(min=0)
        z, flow = job.run(x, weight, bias)
        return x * flow(relevance / stabilised(z, job.epsilon))
    plus, flow = _signed(job, x, True)
    share = relevance / stabilised(job.z + job.gamma * plus, job.epsilon)
    [slope] = torch.autograd.grad(job.result, job.leaves, job._scaled(share), retain_graph=True)
    return x * slope + job.gamma * flow(share)


def _alpha1(job: Weighted, x: Tensor, relevance: Tensor) -> Tensor:
    """R_j = sum over k of c+_jk R_k / z+_k: Bach et al. 2015, equation 60, with alpha = 1, beta = 0 (the z+ rule)."""
    plus, flow = _signed(job, x, True)
    return flow(relevance / stabilised(plus, job.epsilon))


def _alpha2(job: Weighted, x: Tensor, relevance: Tensor) -> Tensor:
    """R_j = sum over k of (2 c+_jk / z+_k - c-_jk / z-_k) R_k: Bach et al. 2015, equation 60."""
    plus, flow = _signed(job, x, True)
    minus, back = _signed(job, x, False)
    return 2 * flow(relevance / stabilised(plus, job.epsilon)) - back(relevance / stabilised(minus, job.epsilon))


def _flat(job: Weighted, x: Tensor, relevance: Tensor) -> Tensor:
    """R_j: that of each result in equal parts to all inputs that it sees; Lapuschkin et al., 'Unmasking Clever Hans
    Predictors', Nature Communications 2019 (w = 1, x = 1)."""
    assert job.weight is not None
    if job.spread is not None:
        return job.spread(relevance)
    z, flow = job.run(torch.ones_like(x), torch.ones_like(job.weight), None)
    return flow(relevance / z.clamp(min=1))


def _box(job: Weighted, x: Tensor, relevance: Tensor) -> Tensor:
    """R_j = sum over k of (x w - l w+ - h w-)_jk R_k / its sum over j: Montavon et al., 'Explaining Nonlinear
    Classification Decisions with Deep Taylor Decomposition', Pattern Recognition 2017, z^B rule."""
    assert job.weight is not None
    assert job.box is not None
    low, high = job.box
    own, flow = job.run(x, job.weight, None)
    below, back_below = job.run(low, job.weight.clamp(min=0), None)
    above, back_above = job.run(high, job.weight.clamp(max=0), None)
    share = relevance / stabilised(own - below - above, job.epsilon)
    return x * flow(share) - low * back_below(share) - high * back_above(share)


_RULES: dict[str, Callable[[Weighted, Tensor, Tensor], Tensor]] = {
    composites.GAMMA: _gamma,
    composites.ALPHA1: _alpha1,
    composites.ALPHA2: _alpha2,
    composites.FLAT: _flat,
    composites.BOX: _box,
}


class Propagated(torch.autograd.Function):
    """The result of a job, through which relevance flows back to the operands."""

    @staticmethod
    def forward(ctx: Any, job: Job, value: list[Tensor], *operands: Tensor) -> Tensor:
        ctx.job, ctx.count = job, len(operands)
        return value.pop()

    @staticmethod
    def backward(ctx: Any, relevance: Tensor) -> Any:
        found = ctx.job.back(relevance)
        if ctx.job.told is not None:
            ctx.job.told(ctx.job.operation, relevance, found)
        return None, None, *found


class Passed(torch.autograd.Function):
    """The result of an activation, through which relevance flows back as it is."""

    @staticmethod
    def forward(_ctx: Any, value: list[Tensor], _operand: Tensor) -> Tensor:
        return value.pop()

    @staticmethod
    def backward(_ctx: Any, relevance: Tensor) -> Any:
        return None, relevance
