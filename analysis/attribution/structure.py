"""What a model is made of, as far as methods depend on it: one pass, watched operation by operation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from analysis.attribution import kinds
from analysis.attribution.case import Case
from analysis.attribution.operations import Call, Operation, Watch, tensors_in
from analysis.errors import CutawayError
from analysis.jobs.calls import is_memory

LOOKED_AT = 4  # instances in the pass
_FAILURES = (RuntimeError, TypeError, ValueError, NotImplementedError)


@dataclass(frozen=True)
class Structure:
    """Facts about a model, found in one pass with gradients. Of a unit, only what its activation depends on counts.

    Attributes:
        kind: of the data: 'image', 'text', 'series' or 'table'. gradient: '' if the score has a finite gradient at the
        input that is not 0 everywhere, else why not. unwatched: why the gradient fails in a pass whose operations are
        watched, so that rules for operations do not fit; '' if it does not. layers: keys of the layers that can be
        read. operations: what is done to data that depend on the input, in order. ending: the last of them, from a
        softmax over classes on, if the model ends with one. cuts: operations that yield something without a gradient.
        reads: operations that turn data into Python numbers. reused: names of modules that are called more than once.
        attention: names of the ``nn.MultiheadAttention`` layers. convolutions: keys of convolutions with positions, in
        the order of their calls. embedding: name of the layer that turns ids into vectors, '' if there is none.
    """

    kind: str = ""
    gradient: str = ""
    unwatched: str = ""
    layers: tuple[str, ...] = ()
    operations: tuple[Operation, ...] = ()
    ending: tuple[Operation, ...] = ()
    cuts: tuple[Operation, ...] = ()
    reads: tuple[Operation, ...] = ()
    reused: tuple[str, ...] = ()
    attention: tuple[str, ...] = ()
    convolutions: tuple[str, ...] = ()
    embedding: str = ""

    def of(self, *names: str) -> tuple[Operation, ...]:
        """Operations of these kinds or names, in order."""
        return tuple(one for one in self.operations if one.kind in names or one.name in names)


def gradient_flows(structure: Structure) -> str:
    """For methods that need nothing but the gradient at the input."""
    return structure.gradient


def look(session: Any, unit: str = "") -> Structure:
    """Run the model on a few instances and note what it does. Leaves no trace on the model.

    Args:
        unit: explained instead of an output, see ``targets``.

    Raises:
        NotFound: there is no such unit.
    """
    keys = tuple(info.key for info in session.layers if not info.reason)
    facts: dict[str, Any] = {"kind": session.kind, "layers": keys, "embedding": session.opened.embedding}
    if not session.n:
        return Structure(gradient="The data set has no instances.", **facts)
    case, failure = _case(session, unit)
    if case is None:
        return Structure(gradient=failure, **facts)
    watch = _Recorder(session.model)
    operations: tuple[Operation, ...] = ()
    softmax, unwatched = False, ""
    with case:
        x = case.inputs.clone().requires_grad_()
        given = watch.start(x)
        try:
            with watch:
                out = case.score(given) if unit else case.logits_of(given)
                operations = watch.on_the_way(out)
                origin, softmax = watch.origin(out), watch.before_softmax(out) is not None
            gradient = _why_cut(origin) if not out.requires_grad else _why_none(out, x, operations)
        except _FAILURES as error:
            unwatched, gradient = _told(error), _plainly(case, unit, operations)
    if unwatched and gradient:
        return Structure(gradient=gradient, **facts)
    modules = dict(session.model.named_modules())
    touched = {operation.module for operation in operations}
    if unwatched and not operations:
        touched = set(modules)
    return Structure(
        gradient=gradient,
        unwatched=unwatched,
        operations=operations,
        ending=_from_softmax(operations) if softmax else (),
        cuts=tuple(dict.fromkeys(watch.cuts)),
        reads=tuple(dict.fromkeys(watch.reads)),
        reused=tuple(name for name, count in watch.calls.items() if count > 1 and name),
        attention=tuple(name for name in watch.calls if isinstance(modules[name], nn.MultiheadAttention)),
        convolutions=tuple(
            info.key
            for info in sorted(session.layers, key=lambda info: info.order)
            if info.kind == "conv" and info.spatial and not info.reason and info.name in touched
        ),
        **facts,
    )


def _plainly(case: Case, unit: str, operations: tuple[Operation, ...]) -> str:
    """Why a pass that nobody watches gives no gradient, '' if it does. Inside the case's context."""
    x = case.inputs.clone().requires_grad_()
    try:
        out = case.score(x) if unit else case.logits_of(x)
        return (
            _why_none(out, x, operations) if out.requires_grad else "The score does not depend on the input's values."
        )
    except _FAILURES as error:
        _told(error)
        return f"A pass with gradients fails: {_first(error)}"


def _told(error: Exception) -> str:
    """Why a pass that is watched fails. A lack of memory is raised: it says nothing of the model."""
    if is_memory(error):
        raise error
    if "torch.utils.checkpoint" in str(error):
        return "torch.utils.checkpoint computes parts of the model again on the way back, which rules cannot follow."
    return f"A pass whose operations are watched fails: {_first(error)}"


def _first(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _case(session: Any, unit: str) -> tuple[Case | None, str]:
    """A few instances that can be explained, else why none can."""
    indices = [int(index) for index in session.opened.sample.indices[: 4 * LOOKED_AT]]
    reason = "No instance can be read."
    for wanted in (indices[:LOOKED_AT], *([index] for index in indices)):
        batch = session.batch(wanted)
        if not len(batch):
            continue
        try:
            return Case(session, batch, "predicted", unit), ""
        except CutawayError as error:
            reason = error.message
    return None, reason


class _Recorder(Watch):
    """Notes each operation with the nodes of the graph that it made."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)
        self._made: list[tuple[Operation, tuple[Any, ...]]] = []

    def handle(self, call: Call) -> Any:
        result = call.run()
        found = list(tensors_in(result))
        if call.in_place and call.args and isinstance(call.args[0], Tensor):
            found.append(call.args[0])
            if call.args[0]._base is not None:  # of a view, the graph is rebuilt behind what it is a view of
                found.append(call.args[0]._base)
        nodes = tuple(value.grad_fn for value in found if value.grad_fn is not None)
        if nodes:
            self._made.append((call.operation, nodes))
        return result

    def on_the_way(self, out: Tensor) -> tuple[Operation, ...]:
        """Those operations that ``out`` depends on, and at last one of kind 'unknown' if it came out of nowhere."""
        waiting, reached = [out.grad_fn], set()
        while waiting:
            node = waiting.pop()
            if node is not None and node not in reached:
                reached.add(node)
                waiting.extend(before for before, _ in node.next_functions)
        found = [operation for operation, nodes in self._made if any(node in reached for node in nodes)]
        if out.grad_fn is not None and not self.seen(out):
            name = type(out.grad_fn).__name__.removesuffix("Backward")
            found.append(Operation(name, kinds.UNKNOWN, "", type(self._model).__name__))
        return tuple(found)


def _from_softmax(operations: tuple[Operation, ...]) -> tuple[Operation, ...]:
    last = max(place for place, operation in enumerate(operations) if operation.kind == kinds.SOFTMAX)
    return operations[last:]


def _why_cut(origin: Operation | None) -> str:
    if origin is None:
        return "The score does not depend on the input's values."
    return f"{origin.where}: {origin.name} has no gradient{f' ({origin.detail})' if origin.detail else ''}."


def _why_none(out: Tensor, x: Tensor, operations: tuple[Operation, ...]) -> str:
    """Why the gradient of ``out`` at ``x`` says nothing, '' if it does."""
    weights = torch.cos(torch.arange(out.numel(), device=out.device, dtype=out.dtype)).reshape(out.shape)
    [gradient] = torch.autograd.grad(out, x, weights, allow_unused=True)
    if gradient is None:
        return "The score does not depend on the input's values."
    if not bool(gradient.isfinite().all()):
        return "The gradient of the score at the input is not finite."
    if bool(gradient.any()):
        return ""
    for operation in operations:
        if operation.kind == kinds.STEP:
            return f"{operation.where}: {operation.name} has a gradient of 0 everywhere."
    return "The gradient of the score at the input is 0 everywhere."
