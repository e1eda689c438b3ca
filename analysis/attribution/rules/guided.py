"""Guided backpropagation and deconvolution: what flows back through a ReLU, however it is written."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from analysis.attribution import kinds
from analysis.attribution.case import Case
from analysis.attribution.faults import AttributionError
from analysis.attribution.operations import Call
from analysis.attribution.rules import common
from analysis.attribution.structure import Structure

GUIDED, DECONVOLUTION = "guided", "deconvolution"
TITLES = {GUIDED: "Guided Backprop", DECONVOLUTION: "Deconvolution"}


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
        self.rule, self.method, self.met = rule, TITLES[rule], 0

    def handle(self, call: Call) -> Any:
        """The operation's result."""
        if not call.operation.rectifies:
            return call.run()
        self.met += 1
        x = call.data[0]
        with torch.no_grad():
            value = call.fresh({id(x): x.detach()})
        kept: dict[str, Any] = {"value": value, "open": None}
        if self.rule == GUIDED:
            kept["open"] = (x.detach() > 0) if call.name == "relu" else (x.detach() == value) & (x.detach() > 0)
        return self.yields(call, _Rectified.apply(x, kept))


def applies(structure: Structure, rule: str) -> str:
    """'' if gradients flow and there is a ReLU on their way, else why not."""
    if structure.gradient:
        return structure.gradient
    if any(operation.rectifies for operation in structure.operations):
        return ""
    others = [one for one in structure.operations if one.kind == kinds.ELEMENTWISE or one.kind == kinds.RECURRENT]
    if not others:
        return f"The model has no ReLU, and no other activation: {TITLES[rule]} would be the gradient."
    instead = ", ".join(dict.fromkeys(f"{one.name} in {one.where}" for one in others[:3]))
    return f"The model has no ReLU, for which alone {TITLES[rule]} has a rule, but {instead}."


def gradient(case: Case, rule: str = GUIDED) -> Tensor:
    """What flows back from the score to the input, (n, *inputs.shape[1:]), 0 at padding. Inside the case's context.

    Raises:
        AttributionError: nothing flows back.
    """
    mode = Rectifiers(case.session.model, rule)
    found = common.backward(case, mode, case.inputs).back
    if not mode.met:
        raise AttributionError(
            f"For this instance the model uses no ReLU, for which {TITLES[rule]} is made.", common.OTHER
        )
    return common.without_padding(case, found)
