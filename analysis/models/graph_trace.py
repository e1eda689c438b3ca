"""Watches one pass of a model and notes its computation graph: calls of modules, functions between them, tensors.

Modules are watched by hooks, functions by a mode of torch, which also sees what a value is read for. What runs where
neither looks (functions of torch.autograd, TorchScript, extensions) is seen operation by operation below them, where
floating-point operations are counted as well. Needs torch.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from analysis.models import flops
from analysis.models.graph_flow import Node, named_tensors, tensors_of, version
from analysis.models.graph_leaves import class_of, is_leaf
from analysis.models.graph_notes import Notes

# Where values leave torch, in words.
_READS = {
    **{"__bool__": "bool()", "is_nonzero": "is_nonzero()", "equal": "equal()", "allclose": "allclose()"},
    **{"__contains__": "in", "item": "item()", "tolist": "tolist()", "numpy": "numpy()", "__array__": "numpy()"},
    **{"__float__": "float()", "__int__": "int()", "__index__": "an index or a range", "__complex__": "complex()"},
}
DECIDING = {"bool()", "is_nonzero()", "equal()", "allclose()", "in"}  # those that a path usually hangs on
_ARITHMETIC = {"add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor"}


class Trace:
    """Enter around one pass, then read ``notes``.

    Args:
        model: not wrapped. functions: whether functions and operations are watched; if not, modules alone are, and
            tensors between them are taken for what the module called before yields. counted: whether operations below
            functions are watched, and floating-point operations counted. clock: tells the time in s, to time functions.
        inputs: if given, the model is not called itself, and functions outside of it belong to the graph as well.

    Attributes:
        notes: the nodes. reads: (how, dotted module, class) of each time that Python read values that depend on the
        input. given: what the model was called with first, args and kwargs; None if it was not called. failed: the
        module that raised, in words, '' if none did.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        functions: bool = True,
        counted: bool = True,
        clock: Callable[[], float] | None = None,
        inputs: Any = None,
    ) -> None:
        self.notes = Notes(model)
        self.reads: list[tuple[str, str, str]] = []
        self.given: tuple[tuple[Any, ...], dict[str, Any]] | None = None
        self.failed = ""
        self._model, self._clock = model, clock
        self._functions, self._counted = functions, counted and functions
        self._leaves = {id(module) for module in model.modules() if is_leaf(module, model)}
        self._stack: list[nn.Module] = []
        self._leaf: tuple[nn.Module, Node, list[tuple[Tensor, int]]] | None = None
        self._doing: Node | None = None  # whose operations are being run
        self._busy = False  # with notes of our own, whose operations are not the model's
        self._below = False  # an operation is being run, which is no function of the model's
        self._everywhere = inputs is not None
        for place, tensor in named_tensors(inputs):
            self.notes.input(tensor, place)

    def __enter__(self) -> Trace:
        with ExitStack() as opened:
            for module in self._model.modules():
                # Before hooks of the model's own, so that what these compute (pruned weights) belongs to the leaf.
                entered = module.register_forward_pre_hook(self._entered, prepend=True, with_kwargs=True)
                opened.callback(entered.remove)
                left = module.register_forward_hook(self._left, always_call=True)
                opened.callback(left.remove)
            if self._counted:
                opened.enter_context(_Operations(self))
            if self._functions:
                opened.enter_context(_Functions(self))
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        self._opened.__exit__(*error)

    @property
    def outside(self) -> bool:
        """Whether functions are to be noted: the model is at work, and no leaf, and no function around them."""
        return self._at_work and self._doing is None and not self._busy and not self._below

    @property
    def _at_work(self) -> bool:
        return self._everywhere or bool(self._stack)

    @property
    def _parent(self) -> str:
        return self.notes.name_of(self._stack[-1]) if self._stack else ""

    # Modules ---------------------------------------------------------------------------------------------------------

    def _entered(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        if self._busy or self._doing is not None:
            return
        self._busy = True
        try:
            if module is self._model:
                self._inputs(args, kwargs)
            self._stack.append(module)
            if id(module) in self._leaves:
                given = tensors_of((args, kwargs))
                node = self.notes.module(module, given)
                self._leaf = module, node, [(tensor, version(tensor)) for tensor in given]
                self._doing = node
        finally:
            self._busy = False

    def _left(self, module: nn.Module, _args: Any, output: Any) -> Any:
        raised = output is None and sys.exc_info()[0] is not None
        if raised and not self.failed:
            name = self.notes.name_of(module)
            self.failed = f"{name} ({class_of(module)})" if name else f"the model itself ({class_of(module)})"
        if self._busy or not self._stack or self._stack[-1] is not module:
            return None
        if self._leaf is None and self._doing is not None:
            return None  # called by a function
        self._busy = True
        try:
            self._stack.pop()
            changed = None
            if self._leaf is not None:
                changed = None if raised else self._finish(output)
                self._leaf = self._doing = None
            if module is self._model and not self._stack and not raised:
                for place, tensor in named_tensors(output if changed is None else changed):
                    self.notes.output(tensor, place)
            return changed
        finally:
            self._busy = False

    def _finish(self, output: Any) -> Any:
        """Note what a leaf yields. A tensor that it only passes on comes back as a view, so that both can be told."""
        assert self._leaf is not None
        _, node, given = self._leaf
        found, changed = tensors_of(output), None
        same = {id(tensor) for tensor, before in given if version(tensor) == before}
        if self._functions and isinstance(output, Tensor) and id(output) in same:
            changed = output.view_as(output)
            found = [changed]
        self.notes.finish(node, found, given)
        return changed

    def _inputs(self, args: Any, kwargs: Any) -> None:
        if self.given is None:
            self.given = (tuple(args), dict(kwargs))
        for place, tensor in named_tensors([list(args), kwargs]):
            if not self.notes.flow.knows(tensor):
                number, _, name = place.partition(".")
                self.notes.input(tensor, name if number == "1" or name != "0" else "")

    # Functions -------------------------------------------------------------------------------------------------------

    def function(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run a function that the model calls outside of a leaf, and note it."""
        if getattr(func, "__name__", "") == "__iter__":
            return iter(self.function(Tensor.unbind, args, kwargs))
        given = tensors_of((args, kwargs))
        before = [version(tensor) for tensor in given]
        node = self._doing = self.notes.function(_plain(func), self._parent)
        began = self._clock() if self._clock else 0.0
        try:
            result = func(*args, **kwargs)
        finally:
            self._doing = None
        if self._clock:
            node.seconds = self._clock() - began
        self._busy = True
        try:
            self._note(node, func, given, before, result)
        finally:
            self._busy = False
        return result

    def _note(self, node: Node, func: Any, given: list[Tensor], before: list[int], result: Any) -> None:
        how = _READS.get(getattr(func, "__name__", ""))
        if how is not None:
            depends = [self.notes.read(tensor) for tensor in given]  # all are marked
            if any(depends):
                module = self._stack[-1] if self._stack else self._model
                self.reads.append((how, self.notes.name_of(module), class_of(module)))
            return
        written = [tensor for tensor, was in zip(given, before, strict=True) if version(tensor) != was]
        passed_on = {id(tensor) for tensor in given}
        found = [tensor for tensor in tensors_of(result) if id(tensor) not in passed_on]
        if found or written:  # not so where it yields a size or a type, or the same tensor again
            self.notes.add(node, given, written, found)

    def run_below(self, mode: TorchDispatchMode, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run an operation of torch's, in ``mode`` what it is made of if there is no formula for itself."""
        was, self._below = self._below, True
        try:
            if not flops.known(func):
                with mode:
                    result = func.decompose(*args, **kwargs)
                if result is not NotImplemented:
                    return result
            result = func(*args, **kwargs)
        finally:
            self._below = was
        self.operation(func, args, kwargs, result)
        return result

    def operation(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        """Count an operation of torch's; note it as a function if nobody else has."""
        if self._busy:
            return
        node = self._doing
        if node is None and self._at_work:
            node = self.notes.function(_operation_name(func), self._parent)
            self._busy = True
            try:
                given, found = tensors_of((args, kwargs)), tensors_of(result)
                passed_on = {id(tensor) for tensor in given}
                if found:
                    written = [tensor for tensor in found if id(tensor) in passed_on]
                    self.notes.add(node, given, written, [t for t in found if id(t) not in passed_on])
            finally:
                self._busy = False
        if node is not None:
            node.flops = (node.flops or 0) + flops.operations(func, args, kwargs, result)


class _Functions(TorchFunctionMode):
    def __init__(self, trace: Trace) -> None:
        super().__init__()
        self._trace = trace

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Note functions outside of leaves."""
        if not self._trace.outside:
            return func(*args, **(kwargs or {}))
        return self._trace.function(func, args, kwargs or {})


class _Operations(TorchDispatchMode):
    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """The model runs uncompiled, so torch need not import its compiler, which takes seconds."""
        return False

    def __init__(self, trace: Trace) -> None:
        super().__init__()
        self._trace = trace

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Count operations. Those made of others are taken apart first, as torch's own counter does."""
        del types
        return self._trace.run_below(self, func, args, kwargs or {})


def _plain(func: Callable[..., Any]) -> str:
    """'add' for ``torch.add``, ``Tensor.__radd__`` and ``add_``; 'T' for the attribute."""
    name = getattr(func, "__name__", "") or type(func).__name__
    if name == "__get__":
        return str(getattr(getattr(func, "__self__", None), "__name__", "attribute"))
    plain = name.partition(".")[0].strip("_")
    if name.startswith("__") and plain[1:] in _ARITHMETIC and plain[0] in "ri":
        return plain[1:]
    return plain or name


def _operation_name(func: Any) -> str:
    return str(getattr(getattr(func, "_overloadpacket", func), "__name__", func)).strip("_")
