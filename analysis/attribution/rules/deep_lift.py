"""DeepLIFT, operation by operation: a pass of the baseline that is noted, and one of the input that is compared."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from analysis.attribution import kinds
from analysis.attribution.case import Case
from analysis.attribution.faults import AttributionError
from analysis.attribution.operations import Call, Operation
from analysis.attribution.rules import common
from analysis.attribution.rules.pooling import pooled
from analysis.attribution.rules.rescale import Picked, Scaled, multiplier, pick
from analysis.attribution.structure import Structure

ACCEPTED = (kinds.LINEAR, kinds.SHAPE, kinds.ADD, kinds.ELEMENTWISE, kinds.MAX_POOL)
METHOD = "DeepLift"


def accepts(operation: Operation) -> bool:
    """Whether there is a rule for an operation."""
    return operation.kind in ACCEPTED


def applies(structure: Structure) -> str:
    """'' if there is a rule for every operation, else the first that has none, with its module."""
    return common.applies(structure, METHOD, accepts)


@dataclass
class Noted:
    """What an operation had and yielded for the baseline. Of a pooling: flat, indices, values."""

    name: str
    module: str
    tensors: tuple[Tensor, ...]


@dataclass
class Reference:
    """A pass of the baseline: its scores (r,), and what was noted in the order of the operations."""

    score: Tensor
    noted: list[Noted] = field(default_factory=list)


class _Baseline(common.Ruled):
    """Notes what activations and poolings get and yield."""

    method = METHOD

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__(model)
        self.noted: list[Noted] = []

    def handle(self, call: Call) -> Any:
        if call.operation.kind == kinds.ELEMENTWISE:
            before = call.data[0].detach().clone()
            result = call.run()
            self._keep(call, (before, result.detach().clone()))
            return result
        if call.operation.kind == kinds.MAX_POOL:
            taken = pooled(call)
            if taken is not None:
                self._keep(call, (taken.flat.detach().clone(), taken.indices, taken.values.clone()))
        return call.run()

    def _keep(self, call: Call, tensors: tuple[Tensor, ...]) -> None:
        self.noted.append(Noted(call.name, call.operation.module, tensors))


class Lift(common.Ruled):
    """A pass in which multipliers flow back rather than gradients."""

    method = METHOD

    def __init__(self, model: torch.nn.Module, reference: Reference) -> None:
        super().__init__(model)
        self._waiting = iter(reference.noted)

    def handle(self, call: Call) -> Any:
        """The operation's result, with the rule for its kind."""
        kind = call.operation.kind
        if kind == kinds.ELEMENTWISE:
            return self._activation(call)
        if kind == kinds.MAX_POOL:
            return self._pooling(call)
        return call.run() if kind in ACCEPTED else self.refuse(call)

    def _noted(self, call: Call) -> Noted:
        noted = next(self._waiting, None)
        if noted is None or (noted.name, noted.module) != (call.name, call.operation.module):
            raise AttributionError(
                f"The model takes another way for the baseline than for the instance, from {call.operation.where} on.",
                common.OTHER,
            )
        return noted

    def _activation(self, call: Call) -> Any:
        x = call.data[0]
        inside, outside = self._noted(call).tensors
        with torch.no_grad():
            own = x.detach()
            value = call.fresh({id(x): own})
            if value.shape != own.shape or inside.shape != own.shape:
                return self.refuse(call)
            kept = {"value": value, "multiplier": multiplier(call, own, inside, value, outside)}
        return self.yields(call, Scaled.apply(x, kept))

    def _pooling(self, call: Call) -> Any:
        taken = pooled(call)
        if taken is None:
            return self.refuse(call)
        flat, indices, values = self._noted(call).tensors
        if flat.shape != taken.flat.shape:
            return self.refuse(call)
        with torch.no_grad():
            at, share = pick(taken.flat.detach(), flat, taken.indices, indices, taken.values, values)
        return taken.result(Picked.apply(taken.flat, {"at": at, "multiplier": share, "value": taken.values}))


def reference(case: Case, base: Tensor, rows: Tensor | None = None) -> Reference:
    """The pass of a baseline (r, ...). rows: as for ``Case.score``."""
    mode = _Baseline(case.session.model)
    given = mode.start(base.detach().requires_grad_())
    with mode:
        score, _ = common.scored(case, mode, given, case.rows if rows is None else rows)
    common.refuse_reads(mode)
    return Reference(score.detach(), mode.noted)


def contributions(
    case: Case, base: Tensor, x: Tensor | None = None, rows: Tensor | None = None, known: Reference | None = None
) -> tuple[common.Flowed, Reference]:
    """What each value contributes to the difference of the score from the baseline's, as ``back`` (r, ...), by the
    rescale rule.

    Inside the case's context. The sum of contributions is checked against that difference.

    Args:
        base: (r, ...), where padding is left as it is in the input. x: rows of inputs, by default ``case.inputs``.
        rows: as for ``Case.score``. known: what this returned for the same baseline.

    Raises:
        AttributionError: there is no rule for an operation on the way; data become numbers of Python; or contributions
        do not add up.
    """
    own = case.inputs if x is None else x
    known = reference(case, base, rows) if known is None else known
    mode = Lift(case.session.model, known)
    found = common.backward(case, mode, own, rows)
    common.refuse_reads(mode)
    found.back = found.back * (own - base)
    _check(found.back, found.score, known.score)
    return found, known


def _check(values: Tensor, score: Tensor, before: Tensor) -> None:
    """Refuse contributions that do not add up to the change of the score, but for rounding."""
    flat, change = values.flatten(1).double(), score.double() - before.double()
    total = flat.sum(1)
    rounding = 1e-3 * flat.abs().sum(1) + 1e-5 * torch.maximum(score.abs(), before.abs()).double()
    wrong = ~((total - change).abs() <= 1e-2 * change.abs() + rounding)  # also NaN
    if bool(wrong.any()):
        row = int(wrong.nonzero()[0])
        raise AttributionError(
            f"{METHOD}'s contributions add up to {float(total[row]):.4g}, but the score changes by "
            f"{float(change[row]):.4g}: the model does something that cannot be followed.",
            common.OTHER,
        )
