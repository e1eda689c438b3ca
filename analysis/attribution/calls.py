"""One operation of torch: what it is, and how to run it again with other operands."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from torch import Tensor, nn


@dataclass(frozen=True)
class Operation:
    """One operation on data that depend on the input.

    name: 'relu'. kind: see ``kinds``. module: dotted name of the innermost module it ran in, '' for the model itself.
    type: class of that module. inputs: operands that depend on the input. in_place: it overwrites its operand.
    built_in: the module is one of torch's own, so not code that calls a function. rectifies: it is max(x, 0), perhaps
    with an upper end. detail: what else decides the kind.
    """

    name: str
    kind: str
    module: str
    type: str
    inputs: int = 1
    in_place: bool = False
    built_in: bool = False
    rectifies: bool = False
    detail: str = ""

    @property
    def where(self) -> str:
        """'features.3 (Gate)'."""
        return f"{self.module} ({self.type})" if self.module else f"the model itself ({self.type})"

    @property
    def named(self) -> bool:
        """Whether the module's class says what the operation is, as 'lstm (LSTM)' does."""
        plain = self.name.replace("_", "").rstrip("0123456789d")
        return self.built_in and self.type.lower().rstrip("0123456789d") == plain

    @property
    def form(self) -> str:
        """'module' or 'functional', and 'in place'."""
        return ("module" if self.built_in else "functional") + (", in place" if self.in_place else "")


@dataclass
class Call:
    """An operation under way. name: plain. data: operands that depend on the input, each as often as it is given."""

    func: Callable[..., Any]
    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    data: list[Tensor]
    in_place: bool
    operation: Operation

    def run(self) -> Any:
        """As the model asked for it."""
        return self.func(*self.args, **self.kwargs)

    def argument(self, name: str, position: int, default: Any = None) -> Any:
        """An argument by name or position."""
        if name in self.kwargs:
            return self.kwargs[name]
        return self.args[position] if position < len(self.args) else default

    def fresh(self, replaced: dict[int, Any] | None = None) -> Any:
        """The same without overwriting anything; operands with these ids replaced."""
        args, kwargs = self.args, dict(self.kwargs)
        if replaced:
            args = tuple(_put(value, replaced) for value in args)
            kwargs = {name: _put(value, replaced) for name, value in kwargs.items()}
        if not self.in_place:
            return self.func(*args, **kwargs)
        place = in_place_argument(self.func)
        if place is not None:
            kwargs["inplace"] = False
            return self.func(*args[:place], **kwargs)
        if not args:
            args = (kwargs.pop("input"),)
        function = _out_of_place(self.name)
        if function is not None:
            return function(*args, **kwargs)
        return self.func(args[0].clone(), *args[1:], **kwargs)


def _put(value: Any, replaced: dict[int, Any]) -> Any:
    if isinstance(value, Tensor):
        return replaced.get(id(value), value)
    if isinstance(value, (tuple, list)) and not hasattr(value, "_fields"):
        return type(value)(_put(item, replaced) for item in value)
    return value


@cache
def in_place_argument(func: Callable[..., Any]) -> int | None:
    """Where a function of torch.nn.functional takes ``inplace``."""
    try:
        return list(inspect.signature(func).parameters).index("inplace")
    except (ValueError, TypeError):
        return None


def _out_of_place(name: str) -> Callable[..., Any] | None:
    if name in ("setitem", "copy"):
        return None
    found: Callable[..., Any] | None = getattr(Tensor, name, None) or getattr(nn.functional, name, None)
    return found


def tensors_in(value: Any, depth: int = 3) -> Iterator[Tensor]:
    """Tensors in arguments or results."""
    if isinstance(value, Tensor):
        yield value
    elif depth and isinstance(value, (tuple, list)):
        for item in value:
            yield from tensors_in(item, depth - 1)
    elif depth and isinstance(value, dict):
        for item in value.values():
            yield from tensors_in(item, depth - 1)


def is_rectifier(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether an operation is max(x, 0), perhaps with an upper end: ReLU, ReLU6, ``clamp(min=0)``. name: plain."""
    if name in ("relu", "relu6"):
        return True
    low = {"clamp": "min", "clamp_min": "min", "threshold": "threshold", "hardtanh": "min_val", "maximum": "other"}
    if name not in low:
        return False
    value = kwargs.get(low[name], args[1] if len(args) > 1 else None)
    if name == "threshold" and kwargs.get("value", args[2] if len(args) > 2 else None) != 0:
        return False
    if name == "maximum" and isinstance(value, Tensor) and value.requires_grad:
        value = args[0] if args else kwargs.get("input")  # the other way round
    if isinstance(value, Tensor):
        return not value.requires_grad and not bool(value.any())
    return value is not None and value == 0
