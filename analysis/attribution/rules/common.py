"""What all rules share: refusing what they have no rule for, and one pass forward and backward under them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from analysis.attribution import kinds, wording
from analysis.attribution.case import Case
from analysis.attribution.faults import AttributionError
from analysis.attribution.operations import Call, Operation, Watch
from analysis.attribution.structure import Structure

OTHER = "Choose another method: Integrated Gradients and the perturbation methods ask nothing of the layers."
_WHY = {
    kinds.PRODUCT: "{name} combines two tensors that both depend on the input",
    kinds.SOFTMAX: "{name} inside the model",
    kinds.ATTENTION: "attention ({name}) multiplies data by data",
    kinds.NORMALISATION: "{name} divides by a spread that depends on the input",
    kinds.RECURRENT: "{name} has gates inside",
    kinds.EMBEDDING: "{name} looks vectors up",
    kinds.STEP: "{name} has a gradient of 0",
    kinds.ADD: "the residual add ({name})",
}


def refusal(operation: Operation, method: str) -> str:
    """Why a method has no rule for an operation, naming the module."""
    what = _WHY.get(operation.kind, "{name} is not an operation that it knows")
    if operation.detail:
        what = f"{{name}} {operation.detail}"
    if operation.named and not operation.detail and what.startswith("{name} "):
        return f"{operation.where} {what.removeprefix('{name} ')}; {method} has no rule for that."
    return f"{operation.where}: {what.replace('{name}', operation.name)}; {method} has no rule for that."


def applies(structure: Structure, method: str, accepts: Callable[[Operation], bool]) -> str:
    """'' if gradients flow, all operations are accepted but those from a softmax at the end on, and no data become
    numbers of Python, else why not."""
    reason = followed(structure)
    if reason:
        return reason
    for operation in structure.operations[: len(structure.operations) - len(structure.ending)]:
        if not accepts(operation):
            return refusal(operation, method)
    return _read(structure.reads, method)


def followed(structure: Structure) -> str:
    """'' if gradients flow, also in a pass whose operations are watched, else why not."""
    return structure.gradient or structure.unwatched


def _read(reads: Sequence[Operation], method: str) -> str:
    if not reads:
        return ""
    return f"{reads[0].where}: {reads[0].name} turns data into a number of Python's, which {method} cannot follow."


def refuse_reads(mode: Ruled) -> None:
    """Raises AttributionError if data became numbers of Python in a pass: what they take part in is not seen."""
    reason = _read(mode.reads, mode.method)
    if reason:
        raise AttributionError(reason, OTHER)


class _Refused(torch.autograd.Function):
    """Passes values on; whatever flows back through it is an error."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, reason: str) -> Tensor:
        ctx.reason = reason
        return value.clone()

    @staticmethod
    def backward(ctx: Any, _gradient: Tensor) -> Any:
        raise AttributionError(ctx.reason, OTHER)


class Ruled(Watch):
    """A pass in which operations have rules of their own. What there is no rule for is refused if anything flows back
    through it, so not where it does not matter to what is explained."""

    method = ""
    explains_logits = True  # of a model that ends with a softmax, the score before it

    def refuse(self, call: Call) -> Any:
        """What the operation yields, so that nothing can flow back through it."""
        reason = refusal(call.operation, self.method)
        if call.in_place and call.args and isinstance(call.args[0], Tensor):
            call.run()
            call.args[0].copy_(_Refused.apply(call.args[0].clone(), reason))
            return call.args[0]
        return _guarded(call.run(), reason)

    def yields(self, call: Call, value: Tensor) -> Tensor:
        """``value`` as the result of an operation, written in place where that was asked for."""
        if not call.in_place:
            return value
        target: Tensor = call.args[0] if call.args else call.data[0]
        target.copy_(value)
        return target


def _guarded(result: Any, reason: str) -> Any:
    if isinstance(result, Tensor):
        return _Refused.apply(result, reason) if result.requires_grad else result
    if isinstance(result, (tuple, list)):
        return type(result)([_guarded(item, reason) for item in result])
    return result


@dataclass
class Flowed:
    """score: what is explained, (r,). back: what flowed back to the input, (r, ...). notes: sentences. extra: for
    ``Found``: 'score' and 'target_name', where the score is not that of the case but the one before a softmax."""

    score: Tensor
    back: Tensor
    notes: list[str]
    extra: dict[str, Any]


def scored(case: Case, mode: Ruled, given: Tensor, rows: Tensor | None) -> tuple[Tensor, list[str]]:
    """What is explained, (r,), within ``mode``: of a model that ends with a softmax, the score before it."""
    if case.unit is not None:
        return case.score(given, rows), []
    logits = case.logits_of(given, rows)
    if rows is None:
        _compare(case, logits.detach())
    before = mode.before_softmax(logits) if mode.explains_logits else None
    if before is None:
        return case.score_of(logits, case.rows if rows is None else rows), []
    note = f"The model ends with a softmax: what {mode.method} explains is the score before it."
    return case.score_of(before.float(), case.rows if rows is None else rows), [note]


def backward(
    case: Case, mode: Ruled, x: Tensor, rows: Tensor | None = None, start: Callable[[Tensor], Tensor] = torch.ones_like
) -> Flowed:
    """One pass forward and backward under rules.

    Args:
        x: rows of inputs. rows: as for ``Case.score``. start: from the scores to what flows back from them.

    Raises:
        AttributionError: there is no rule for an operation on the way, naming the module; or the score under watch is
        not the model's.
    """
    leaf = x.detach().requires_grad_()
    given = mode.start(leaf)
    with mode:
        score, notes = scored(case, mode, given, rows)
        seen, origin = mode.seen(score), mode.origin(score)
    if not score.requires_grad:
        why = "the score does not depend on the input." if origin is None else refusal(origin, mode.method)
        raise AttributionError(f"Nothing flows back: {why}", OTHER)
    if not seen:
        raise AttributionError(f"The score comes from an operation that {mode.method} cannot see.", OTHER)
    [found] = torch.autograd.grad(score, leaf, start(score.detach()))
    before = {"score": float(score[0].detach()), "target_name": _before_softmax(case)} if notes else {}
    return Flowed(score.detach(), found, notes, before)


def _before_softmax(case: Case) -> str:
    """What is explained, in words."""
    name = wording.target_name(case).replace("the log-probability of", "the score of", 1)
    return f"{name}{',' if len(case.classes[0]) > 1 else ''} before the softmax"


def _compare(case: Case, logits: Tensor) -> None:
    """Refuse if the watched pass is another than the model's own."""
    scale = float(case.logits.abs().max().clamp_min(1e-6))
    coarse = 1e-3 if case.inputs.dtype == logits.dtype else 2e-2  # sums of half precision in another order
    if not bool(((logits - case.logits).abs() <= coarse * scale).all()):
        raise AttributionError("The model yields other scores when its operations are watched.", OTHER)


def without_padding(case: Case, values: Tensor) -> Tensor:
    """Values (n, ...) with 0 at padding."""
    return torch.where(case.valid(), values, torch.zeros((), dtype=values.dtype, device=values.device))
