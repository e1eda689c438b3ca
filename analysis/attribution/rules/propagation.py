"""Layer-wise relevance propagation, operation by operation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from analysis.attribution import kinds
from analysis.attribution.case import Case
from analysis.attribution.operations import Call, Operation, tensors_in
from analysis.attribution.rules import common, composites
from analysis.attribution.rules.merging import merged, of_layer
from analysis.attribution.rules.relevance import Job, Passed, Propagated, Settings, Weighted
from analysis.attribution.structure import Structure

METHOD = "LRP"
_ACCEPTED = (kinds.LINEAR, kinds.SHAPE, kinds.ADD, kinds.MAX_POOL)
_ONE_TO_ONE = {"mul", "div", "add", "sub", "rsub", "neg", "dropout", "batch_norm"}  # what comes in stays the input
Told = Callable[[Operation, Tensor, list[Tensor]], None]


def accepts(operation: Operation) -> bool:
    """Whether there is a rule for an operation."""
    if operation.kind == kinds.ELEMENTWISE:
        return operation.name in kinds.ACTIVATIONS
    return operation.kind in _ACCEPTED


def applies(structure: Structure) -> str:
    """'' if there is a rule for every operation, else the first that has none, with its module."""
    return common.applies(structure, METHOD, accepts)


@dataclass
class _Made:
    """A result that a batch normalisation may be merged with. operand: what went in, with its graph."""

    result: Tensor
    version: int
    operand: Tensor
    operand_version: int
    job: Weighted


class Relevance(common.Ruled):
    """A pass through which relevance flows back rather than gradients."""

    method = METHOD

    def __init__(self, model: torch.nn.Module, settings: Settings, told: Told | None = None) -> None:
        super().__init__(model)
        self.settings, self.told = settings, told
        self._made: dict[int, _Made] = {}
        self._raw: dict[int, tuple[Tensor, Tensor | None, Tensor | None]] = {}  # the input, shaped or scaled
        self._holding: dict[int, list[Job]] = {}  # jobs by the memory that they rely on

    def start(self, x: Tensor) -> Tensor:
        """See ``Watch.start``."""
        given = super().start(x)
        self._raw[id(given)] = (given, self.settings.low, self.settings.high)
        return given

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self._made.clear()
        self._raw.clear()
        self._holding.clear()

    def handle(self, call: Call) -> Any:
        """The operation's result, with the rule for its kind."""
        if call.in_place and call.args and isinstance(call.args[0], Tensor):
            key = call.args[0].untyped_storage()._cdata
            for job in self._holding.pop(key, []):
                job.hold({key})
        ends = self._ends(call)
        result = self._handled(call)
        if ends is not None:
            outputs = [value for value in tensors_in(result) if value.requires_grad]
            for value, (low, high) in zip(outputs, ends or [(None, None)] * len(outputs), strict=False):
                self._raw[id(value)] = (value, low, high)
        return result

    def _handled(self, call: Call) -> Any:
        kind = call.operation.kind
        if not accepts(call.operation):
            return self.refuse(call)
        if kind in (kinds.SHAPE, kinds.MAX_POOL):
            return call.run()
        if kind == kinds.ELEMENTWISE:
            return self._activation(call)
        return self._linear(call)

    def _activation(self, call: Call) -> Any:
        x = call.data[0]
        with torch.no_grad():
            value = call.fresh({id(x): x.detach()})
        if value.shape != x.shape:
            return self.refuse(call)
        return self.yields(call, Passed.apply([value], x))

    def _linear(self, call: Call) -> Any:
        operands = list({id(value): value for value in call.data}.values())
        if call.name == "batch_norm":
            made = self._made.get(id(operands[0]))
            if made is not None and self._unchanged(made, operands[0]):
                whole = merged(call, made.job)
                if whole is not None:
                    return self._result(call, whole, [made.operand])
        if self._normalises(call):
            return self._handed_on(call)
        leaves = [value.detach().requires_grad_() for value in operands]
        with torch.enable_grad():
            result = call.fresh({id(value): leaf for value, leaf in zip(operands, leaves, strict=True)})
        if not isinstance(result, Tensor) or not result.requires_grad:
            return self.refuse(call)
        values = [leaf.detach() for leaf in leaves]
        job: Job | None = None
        if len(operands) == 1:
            raw = self._raw.get(id(operands[0]))
            job = of_layer(call, leaves, values, result, self.settings, raw[1:] if raw else None)
        if job is None:
            job = Job(call.operation, leaves, values, result, result.detach())
        found = self._result(call, job, operands)
        if isinstance(job, Weighted) and not call.in_place:
            self._made[id(found)] = _Made(found, found._version, operands[0], operands[0]._version, job)
        return found

    def _normalises(self, call: Call) -> bool:
        """Whether an operation moves or scales the input itself, value by value, by what does not depend on it."""
        return call.operation.kind == kinds.LINEAR and call.name in _ONE_TO_ONE and self._raw_operand(call) is not None

    def _raw_operand(self, call: Call) -> Tensor | None:
        return call.data[0] if len(call.data) == 1 and id(call.data[0]) in self._raw else None

    def _handed_on(self, call: Call) -> Any:
        """The result of a normalisation of the input, through which relevance flows back as it is: the map is that of
        the same network with the normalisation outside. What is multiplied by 0 gets none."""
        x = call.data[0]
        leaf = x.detach().requires_grad_()
        with torch.enable_grad():
            result = call.fresh({id(x): leaf})
        [slope] = torch.autograd.grad(result.sum(), leaf)
        value = result.detach()
        if bool((slope == 0).any()):
            x = x * (slope != 0)
        return self.yields(call, Passed.apply([value], x.expand_as(value)))

    @staticmethod
    def _unchanged(made: _Made, given: Tensor) -> bool:
        same = made.result is given and given._version == made.version
        return same and made.operand._version == made.operand_version

    def _result(self, call: Call, job: Job, operands: list[Tensor]) -> Tensor:
        job.told = self.told
        if call.in_place and call.args and isinstance(call.args[0], Tensor):
            job.hold({call.args[0].untyped_storage()._cdata})
        for value in (*job.values, job.z):
            self._holding.setdefault(value.untyped_storage()._cdata, []).append(job)
        return self.yields(call, Propagated.apply(job, [job.z.detach()], *operands))

    def _ends(self, call: Call) -> list[tuple[Tensor | None, Tensor | None]] | None:
        """None unless the operation only shapes or scales the input; then lowest and highest values of what it yields,
        one pair for each tensor, none if they are not asked for."""
        raws = [self._raw.get(id(value)) for value in call.data]
        fits = call.operation.kind == kinds.SHAPE or self._normalises(call)
        if not raws or None in raws or not fits or call.name == "setitem":
            return None
        found = [raw for raw in raws if raw is not None]
        if any(low is None for _, low, _ in found):
            return []
        sides = []
        with torch.no_grad():
            for side in (1, 2):
                given = {id(value): raw[side] for value, raw in zip(call.data, found, strict=True)}
                sides.append(list(tensors_in(call.fresh(given))))
        return [
            (torch.minimum(a, b), torch.maximum(a, b)) for a, b in zip(*sides, strict=True) if a.is_floating_point()
        ]


def relevance(case: Case, settings: Settings, told: Told | None = None) -> common.Flowed:
    """Relevance of the input, as ``back``, (n, *inputs.shape[1:]), 0 at padding. Inside the case's context.

    The relevance of the score is its value. Activations pass on what they get; max pooling gives all to the largest
    value; sums, averages and residual adds divide in proportion to what each term contributes; batch normalisation is
    merged into the layer before it, and is a layer of its own under the epsilon rule where there is none. A model that
    shifts and scales the input itself gets the map of one that is given it so.

    Args:
        told: called for each linear operation, from the last to the first, with the relevance of its result and of its
            operands, before relevance from other ways joins it.

    Raises:
        AttributionError: there is no rule for an operation on the way.
    """
    mode = Relevance(case.session.model, settings, told)
    found = common.backward(case, mode, case.inputs, start=lambda score: score)
    common.refuse_reads(mode)
    found.back = common.without_padding(case, found.back)
    return found


def needs_ends(name: str) -> bool:
    """Whether a composite needs the ends of the input's values."""
    return composites.COMPOSITES[name].first == composites.BOX
