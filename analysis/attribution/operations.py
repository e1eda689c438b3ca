"""Watches a pass operation by operation: what is done to data that depend on the input, and in which module.

A functional call and a module look alike here: ``F.relu`` and ``nn.ReLU`` both arrive as 'relu'. Data are told by
``requires_grad``: within ``Watch`` no parameter requires gradients, so only what depends on the input does.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from analysis.attribution import kinds
from analysis.attribution.calls import Call, Operation, in_place_argument, is_rectifier, tensors_in

__all__ = ["Call", "Operation", "Watch", "tensors_in"]

# Attributes and calls that say nothing of a tensor's values.
_NEUTRAL = {
    *("dim", "size", "numel", "nelement", "stride", "is_contiguous", "is_floating_point", "is_complex", "get_device"),
    *("element_size", "storage_offset", "data_ptr", "__len__", "is_same_size", "zeros_like", "ones_like", "empty_like"),
    *(
        "full_like",
        "rand_like",
        "randn_like",
        "new_zeros",
        "new_ones",
        "new_empty",
        "new_full",
        "new_tensor",
        "ndimension",
    ),
    *("_set_grad_enabled", "is_tensor", "result_type", "can_cast", "broadcast_shapes", "__hash__", "is_pinned"),
    *("is_set_to", "_is_view", "untyped_storage", "storage", "__repr__", "__format__", "register_hook", "retain_grad"),
}
# Where values leave torch.
_READ = {
    **{"item": "item()", "tolist": "tolist()", "numpy": "numpy()", "__array__": "numpy()"},
    **{"__float__": "float()", "__int__": "int()", "__index__": "int()"},
}
_GETTERS = {"T", "mT", "H", "mH", "data", "real", "imag", "values", "indices"}
_TAIL = {"to", "float", "double", "clone", "clamp", "clamp_min", "log"}  # what may follow a softmax that ends a model
_LIKE = {"to", "type_as", "expand_as", "view_as", "reshape_as"}  # of the other tensor they read no values
_PLAIN_INTEGERS = {"pack_padded_sequence", "pad_packed_sequence"}  # yield numbers that the lengths alone decide


class Watch(TorchFunctionMode):
    """Context in which ``handle`` gets every operation on data that depend on the input.

    The input must require gradients and must not be a leaf that the model overwrites. Afterwards the model's hooks and
    its parameters' ``requires_grad`` are as before. Operations within an operation are not seen.

    Attributes:
        cuts: operations that yield something without a gradient from data that have one. reads: those that turn such
        data into Python numbers. calls: how often each module was called.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self._model = model
        self._names = {id(module): name for name, module in model.named_modules()}
        self._stack: list[nn.Module] = []
        self._handles: list[Any] = []
        self._frozen: list[nn.Parameter] = []
        self._dependent: dict[int, tuple[Tensor, Operation]] = {}  # without a gradient; kept alive, so that ids hold
        self._softmaxed: dict[int, tuple[Tensor, Tensor]] = {}  # what a softmax yields, and what it got
        self._nodes: dict[int, Any] = {}  # of the graph, made by operations that were seen; kept, so that ids hold
        self.cuts: list[Operation] = []
        self.reads: list[Operation] = []
        self.calls: Counter[str] = Counter()

    def __enter__(self) -> Watch:
        self._frozen = [parameter for parameter in self._model.parameters() if parameter.requires_grad]
        for parameter in self._frozen:
            parameter.requires_grad_(False)
        for module in self._model.modules():
            self._handles.append(module.register_forward_pre_hook(self._entered))
            self._handles.append(module.register_forward_hook(self._left, always_call=True))
        super().__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        for handle in self._handles:
            handle.remove()
        for parameter in self._frozen:
            parameter.requires_grad_(True)
        self._handles, self._frozen = [], []
        self._stack.clear()
        self._dependent.clear()
        self._softmaxed.clear()
        self._nodes.clear()

    def _entered(self, module: nn.Module, _inputs: Any) -> None:
        self._stack.append(module)
        self.calls[self._names[id(module)]] += 1

    def _left(self, module: nn.Module, _inputs: Any, _output: Any) -> None:
        while self._stack and self._stack.pop() is not module:
            pass

    def start(self, x: Tensor) -> Tensor:
        """The input (n, ...), with a graph back to ``x``, which requires gradients. Before the context is entered."""
        given = x.clone()
        self._note(given)
        return given

    def handle(self, call: Call) -> Any:
        """What an operation yields; here what the model asked for."""
        return call.run()

    def before_softmax(self, value: Tensor) -> Tensor | None:
        """Of scores (r, C) that come out of a softmax over classes, those before it; None if there is none."""
        found = self._softmaxed.get(id(value))
        return None if found is None or found[1].shape != value.shape else found[1]

    def seen(self, value: Tensor) -> bool:
        """Whether the operation that made a tensor was seen: not so in functions of torch.autograd or TorchScript."""
        return not value.requires_grad or id(value.grad_fn) in self._nodes

    def _note(self, value: Tensor) -> None:
        node = value.grad_fn
        if node is not None:
            self._nodes[id(node)] = node

    def origin(self, value: Tensor) -> Operation | None:
        """The operation at which a tensor that depends on the input lost its gradient; None if it did not."""
        found = self._dependent.get(id(value))
        return None if found is None else found[1]

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Pass on to ``handle`` what concerns it, and follow what depends on the input without a gradient."""
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name == "__get__":
            owner = getattr(getattr(func, "__self__", None), "__name__", "")
            if owner not in _GETTERS:
                return func(*args, **kwargs)
            name = f".{owner}"
        elif name == "__iter__":
            return iter(self.__torch_function__(Tensor.unbind, types, args, kwargs))
        elif name in _NEUTRAL:
            return func(*args, **kwargs)
        operands = [*tensors_in(args[:1])] if name in _LIKE else [*tensors_in(args), *tensors_in(kwargs)]
        data = [value for value in operands if value.requires_grad]
        lost = next((found for value in operands if (found := self.origin(value)) is not None), None)
        if not data and lost is None:
            return func(*args, **kwargs)
        call = self._call(func, name, args, kwargs, data, lost)
        if name == "__set__":
            self._dependent[id(args[0])] = (args[0], call.operation)  # written behind the graph's back
            return func(*args, **kwargs)
        if name in _READ:
            self.reads.append(replace(call.operation, name=_READ[name]))
        if not data:
            result = func(*args, **kwargs)
        else:
            result = self.handle(call)
        self._follow(call, result, lost)
        return result

    def _call(
        self,
        func: Callable[..., Any],
        name: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        data: list[Tensor],
        lost: Operation | None,
    ) -> Call:
        plain = kinds.plain(name)
        if plain in ("max", "min") and len(args) > 1 and isinstance(args[1], Tensor):
            plain += "imum"
        if plain == "div" and not kinds.first_is_data(args, kwargs):
            plain = "rdiv"
        kind = kinds.kind_of(plain, len(data), args, kwargs)
        detail = ""
        if data and lost is not None:
            kind, detail = kinds.PRODUCT, f"with what {lost.name} yields in {lost.where}, which has no gradient"
        hidden = next((value for value in data if not self.seen(value)), None)
        if hidden is not None:
            made = type(hidden.grad_fn).__name__.removesuffix("Backward") if hidden.grad_fn is not None else ""
            kind, detail = kinds.UNKNOWN, f"after {made or 'a tensor of its own'}, which is none of torch's operations"
        module = self._stack[-1] if self._stack else self._model
        in_place = kinds.writes(name) or kwargs.get("inplace") is True
        if not in_place and "inplace" not in kwargs and inspect.isfunction(func):
            place = in_place_argument(func)
            in_place = place is not None and place < len(args) and args[place] is True
        if plain.startswith("dropout") or plain.endswith("dropout"):
            in_place = False  # nothing is dropped, so nothing is written
        operation = Operation(
            plain,
            kind,
            self._names[id(module)],
            type(module).__name__,
            len(data),
            in_place,
            type(module).__module__.startswith("torch.nn.") and next(module.children(), None) is None,
            kind == kinds.ELEMENTWISE and is_rectifier(plain, args, kwargs),
            detail,
        )
        return Call(func, plain, args, kwargs, data, in_place, operation)

    def _follow(self, call: Call, result: Any, lost: Operation | None) -> None:
        """Mark what depends on the input and has no gradient, and what comes out of a softmax."""
        if isinstance(result, Tensor) and call.data:
            given = call.data[0]
            if call.name in ("softmax", "log_softmax") and given.dim() == 2 and call.argument("dim", 1) in (1, -1):
                self._softmaxed[id(result)] = (result, given)
            elif call.name in _TAIL and id(given) in self._softmaxed and not call.in_place:
                self._softmaxed[id(result)] = (result, self._softmaxed[id(given)][1])
        found = list(tensors_in(result))
        if call.name in _PLAIN_INTEGERS:
            found = [value for value in found if value.is_floating_point()]
        if call.in_place and call.args and isinstance(call.args[0], Tensor):
            found.append(call.args[0])
            if call.args[0]._base is not None:
                self._note(call.args[0]._base)
        for value in found:
            if value.requires_grad:
                self._note(value)
                self._dependent.pop(id(value), None)
            elif id(value) not in self._dependent:
                origin = lost
                if origin is None:
                    origin = call.operation
                    if not torch.is_grad_enabled():
                        origin = _without_gradients(origin)
                    self.cuts.append(origin)
                self._dependent[id(value)] = (value, origin)


def _without_gradients(operation: Operation) -> Operation:
    return replace(operation, detail="gradients are switched off there")
