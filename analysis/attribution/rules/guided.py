"""Guided backpropagation and deconvolution: what flows back through a ReLU, however it is written."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from analysis.attribution import kinds
from analysis.attribution.case import Case
from analysis.attribution.faults import AttributionError
from analysis.attribution.operations import Call, Operation
from analysis.attribution.rules import common
from analysis.attribution.structure import Structure

GUIDED, DECONVOLUTION = "guided", "deconvolution"
TITLES = {GUIDED: "Guided Backprop", DECONVOLUTION: "Deconvolution"}
# Of no kind, but no activations either.
_PLAIN = {
    *("sort", "topk", "kthvalue", "median", "min", "amin", "max", "prod", "cumprod", "bilinear", "addcdiv", "stft"),
    *("nan_to_num", "nansum", "glu", "logit", "logaddexp", "cdist", "tril", "triu", "broadcast_tensors"),
    *("fft_fft", "fft_rfft", "fft_fft2", "fft_rfft2", "view_as_real", "remainder", "fmod"),
}
_GATES = {"mul", "where", "masked_fill", "masked_scatter", "setitem", "index_put"}  # by which a ReLU can be written


class _Rectified(torch.autograd.Function):
    """A ReLU through which only what is positive flows back; ``guided``: and only where the ReLU passed its input."""

    @staticmethod
    def forward(ctx: Any, _x: Tensor, kept: dict[str, Any]) -> Tensor:
        ctx.open = kept.pop("open")
        found: Tensor = kept.pop("value")
        return found

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        flowing = gradient.clamp_min(0)
        return (flowing if ctx.open is None else flowing * ctx.open), None


class Rectifiers(common.Ruled):
    """A pass whose ReLUs follow the rule 'guided' or 'deconvolution'; all else has its gradient."""

    explains_logits = False

    def __init__(self, model: torch.nn.Module, rule: str) -> None:
        super().__init__(model)
        self.rule, self.method = rule, TITLES[rule]
        self.met: list[Operation] = []

    def handle(self, call: Call) -> Any:
        """The operation's result."""
        self.met.append(call.operation)
        if hides(call.operation):
            return self.refuse(call)
        if not call.operation.rectifies:
            return call.run()
        x = call.data[0]
        with torch.no_grad():
            value = call.fresh({id(x): x.detach()})
        kept: dict[str, Any] = {"value": value, "open": None}
        if self.rule == GUIDED:
            kept["open"] = (x.detach() > 0) if call.name == "relu" else (x.detach() == value) & (x.detach() > 0)
        return self.yields(call, _Rectified.apply(x, kept))


def hides(operation: Operation) -> bool:
    """Whether an operation may be a ReLU that cannot be seen: a function of its own, or a product of data with what
    was decided by them, as in h * (h > 0)."""
    if operation.kind == kinds.UNKNOWN:
        return bool(operation.detail) or operation.name not in _PLAIN
    return operation.kind == kinds.PRODUCT and bool(operation.detail) and operation.name in _GATES


def applies(structure: Structure, rule: str) -> str:
    """'' if gradients flow, and there is a ReLU on their way and nothing that may hide one, else why not."""
    reason = common.followed(structure)
    if reason:
        return reason
    if any(operation.rectifies for operation in structure.operations):
        hiding = next((one for one in structure.operations if hides(one)), None)
        return "" if hiding is None else common.refusal(hiding, TITLES[rule])
    others = [one for one in structure.operations if one.kind == kinds.ELEMENTWISE or one.kind == kinds.RECURRENT]
    if not others:
        return f"The model has no ReLU, and no other activation: {TITLES[rule]} would be the gradient."
    return f"The model has no ReLU, for which alone {TITLES[rule]} has a rule, but {_listed(others)}."


def notes(operations: Iterable[Operation]) -> list[str]:
    """A sentence if there are activations that are no ReLU."""
    others = [one for one in operations if one.name in kinds.ACTIVATIONS and one.kind == kinds.ELEMENTWISE]
    others = [one for one in others if not one.rectifies]
    return [f"The rule is for ReLUs alone; others keep their gradient: {_listed(others)}."] if others else []


def _listed(operations: Iterable[Operation], most: int = 3) -> str:
    names = list(dict.fromkeys(one.where if one.named else f"{one.name} in {one.where}" for one in operations))
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def gradient(case: Case, rule: str = GUIDED) -> tuple[Tensor, list[str]]:
    """What flows back from the score to the input, (n, *inputs.shape[1:]), 0 at padding, and notes. Inside the case's
    context.

    Raises:
        AttributionError: nothing flows back, or it would through what may hide a ReLU.
    """
    mode = Rectifiers(case.session.model, rule)
    found = common.backward(case, mode, case.inputs).back
    if not any(one.rectifies for one in mode.met):
        raise AttributionError(
            f"For this instance the model uses no ReLU, for which {TITLES[rule]} is made.", common.OTHER
        )
    return common.without_padding(case, found), notes(mode.met)
