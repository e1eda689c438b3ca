"""What all measures share: a map computed anew, passes that are counted and can be cancelled, altered inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from analysis.attribution import baselines
from analysis.attribution.case import Case
from analysis.attribution.faults import AttributionError
from analysis.attribution.method import Found, Method
from analysis.jobs.context import Cancelled

ROWS = 64  # in one pass, at most
# Methods whose values are slopes: their sign says which way to change the input, not whether it is for or against.
SLOPES = frozenset({"saliency", "guided_backprop", "deconvolution", "neuron_gradient"})


class Count:
    """Counts the rows of a case that go through the model, reports them, and ends the job when it is cancelled.

    Attributes: passes: rows so far. planned: in all, 0 while unknown. doing: what they are for.
    """

    def __init__(self, case: Case, context: Any) -> None:
        self._context, self._answer = context, case.logits_of
        self.passes = self.planned = 0
        self.doing = ""
        vars(case)["logits_of"] = self.logits_of  # in the place of the method, for this case alone

    def logits_of(self, x: Tensor, rows: Tensor | None = None) -> Tensor:
        """As ``Case.logits_of``. Raises Cancelled if somebody asked for that."""
        if getattr(self._context, "cancelled", False):
            raise Cancelled
        found = self._answer(x, rows)
        self.passes += len(found)
        self.say()
        return found

    def say(self) -> None:
        """Report how far it is."""
        total = max(self.planned, self.passes) if self.planned else 0
        self._context.progress(self.passes, total, "passes", self.doing)


@dataclass
class Scored:
    """What the model says of altered inputs. score: what is explained, (r,). shares: probabilities of all classes
    (r, C), of a single logit (r, 1); None where a unit is explained."""

    score: NDArray[np.float64]
    shares: NDArray[np.float64] | None


class Work:
    """One method, its parameters and one instance. Inside the case's context.

    Attributes: original: the map of the instance as it is, see ``map``. found: what the method returned. cost: passes
    that one map takes. baseline: the input that stands for nothing, (1, ...): the method's own, or 0; of methods that
    take many of them, the mean of instances.
    """

    def __init__(self, case: Case, method: Method, params: Mapping[str, Any], context: Any) -> None:
        self.case, self.method, self.params = case, method, dict(params)
        self.count = Count(case, context)
        self.count.doing = f"Computing {method.title}"
        self.found = self._run()
        self.original = self._checked(self.found)
        self.cost = max(1, self.count.passes)
        self.baseline = _baseline(case, self.params)

    @property
    def form(self) -> str:
        """'input', 'filters' or 'attention'."""
        return self.method.result.form

    @property
    def slopes(self) -> bool:
        """Whether the map's values are slopes of the score rather than shares in it."""
        base = self.params.get("base", self.params.get("method", ""))
        kind = str(self.params.get("kind", self.params.get("nt_type", "smoothgrad")))
        if self.method.name == "smoothgrad":
            return str(base) in SLOPES and kind == "smoothgrad"
        return self.method.name in SLOPES

    @property
    def signed(self) -> bool:
        """Whether values below 0 speak against the target."""
        return bool(self.found.extra.get("signed", self.method.result.signed))

    def map(self, inputs: Tensor | None = None) -> Tensor:
        """The map (1, *inputs.shape[1:]), of other inputs of that shape if given; padding is 0. Of another form than
        'input', the method's values as they are. Raises AttributionError if values are not finite."""
        case = self.case
        own = case.inputs, case.logits
        case.inputs = own[0] if inputs is None else inputs
        try:
            with torch.no_grad():
                case.logits = case.logits_of(case.inputs).detach()  # other weights, or inputs, give others
            # As many steps at most: otherwise a map would cost more than it was planned with.
            return self._checked(self._run(self.found.extra.get("again")))
        finally:
            case.inputs, case.logits = own

    def flat(self, values: Tensor) -> NDArray[np.float32]:
        """A map as it is shown, without padding; see ``Case.natural``."""
        if self.form != "input":
            return values[0].detach().to("cpu", torch.float32).numpy()
        return self.case.natural(values, 0)

    def scored(self, inputs: Tensor) -> Scored:
        """The model's answer to altered inputs (r, ...) of the instance, without gradients."""
        case = self.case
        most = case.at_most(ROWS)
        scores, shares = [], []
        with torch.no_grad():
            for part in inputs.split(most):
                rows = torch.zeros(len(part), dtype=torch.int64)
                if case.unit is not None:
                    scores.append(case.score(part, rows).double().cpu().numpy())
                    continue
                logits = case.logits_of(part, rows).double()
                scores.append(case.score_of(logits, rows).cpu().numpy())
                shares.append((logits.sigmoid() if logits.shape[1] == 1 else logits.softmax(1)).cpu().numpy())
        return Scored(np.concatenate(scores), np.concatenate(shares) if shares else None)

    def without(self, masks: Tensor) -> Tensor:
        """The instance with the baseline where masks (r, *inputs.shape[1:]) are true, (r, ...)."""
        return torch.where(masks, self.baseline, self.case.inputs)

    def _run(self, again: Mapping[str, Any] | None = None) -> Found:
        told: Callable[..., None] = lambda *_told, **_named: self.count.say()  # noqa: E731
        return self.method.run(self.case, told, **{**self.params, **(again or {})})

    def _checked(self, found: Found) -> Tensor:
        values = found.values.detach()
        if not bool(values.isfinite().all()):
            raise AttributionError(
                f"{self.method.title} gives values that are NaN or infinite.", "Choose another method or instance."
            )
        if self.form != "input":
            return values
        return torch.where(self.case.valid(), values.expand_as(self.case.inputs), 0.0)


def _baseline(case: Case, params: Mapping[str, Any]) -> Tensor:
    name = str(params.get("baselines", "zero"))
    known = name if name in baselines.CHOICES else "mean"
    return baselines.of(case, known).detach()


def moved(scored: Scored, other: Scored) -> float | None:
    """How far the model's answer moves at most: total variation distance of each row of ``other`` to the first of
    ``scored``, 0 to 1. None where a unit is explained."""
    if scored.shares is None or other.shares is None:
        return None
    apart = np.abs(other.shares - scored.shares[:1]).sum(1)
    return float((apart if scored.shares.shape[1] == 1 else apart / 2).max())
