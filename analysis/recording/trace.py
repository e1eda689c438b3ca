"""Watches one forward pass to learn where each layer's activations are best read, and how they become non-negative.

A convolution in front of a normalisation has no meaningful sign yet, so it is read after it. Tensors are followed by
identity, through operations that move values but do not change them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.overrides import TorchFunctionMode

from analysis.recording import layout
from analysis.recording.selection import kind_of

_NORMALISATIONS = (_NormBase, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm)
_MOVING = {
    *("view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze", "permute", "transpose", "contiguous", "clone"),
    *("movedim", "swapaxes", "__getitem__", "__get__", "to", "float", "type_as", "chunk", "split", "unbind"),
}
_SIGNED = {"tanh", "sigmoid", "hardsigmoid", "softsign", "logsigmoid", "tanhshrink", "erf", "atan", "sin", "cos"}
_CLASSES = {"softmax", "log_softmax"}


@dataclasses.dataclass(frozen=True)
class Reading:
    """How a watched layer is read.

    name: its dotted name. layer: the module. source: the module whose output is read; read_after: its dotted name.
    rectifier, output, order: as in LayerMeta. shape: the output's axes in the traced pass; None if it was not called.
    """

    name: str
    layer: nn.Module
    source: nn.Module
    read_after: str
    rectifier: str
    output: bool = False
    order: int = -1
    filters: int = 0
    spatial: tuple[int, ...] = ()


class Trace(TorchFunctionMode):
    """Enter around one forward pass of the model, then ask for ``readings``.

    Args:
        layers: watched modules by dotted name. model: the model they are part of.
        instances: number of instances in the pass, None if unknown.
    """

    def __init__(self, layers: Mapping[str, nn.Module], model: nn.Module, instances: int | None) -> None:
        super().__init__()
        self._layers = dict(layers)
        self._instances = instances
        self._outputs: dict[str, list[Any]] = {}  # a watched layer's outputs, in order of calls
        self._versions: dict[int, int] = {}  # tensors followed, and their version when they were made
        self._users: dict[int, list[tuple[str, Any]]] = {}  # what was computed from each of them
        self._entered: dict[int, list[str]] = {}  # normalisations it went into
        self._normalised: dict[str, list[Any]] = {}  # their outputs
        self._kept: list[Any] = []  # an identity holds only as long as the object lives
        self._norms = {name: m for name, m in model.named_modules() if isinstance(m, _NORMALISATIONS)}
        self._handles: list[Any] = []

    def __enter__(self) -> Trace:
        for name, module in self._layers.items():
            self._handles.append(module.register_forward_hook(self._layer_hook(name)))
        for name, module in self._norms.items():
            self._handles.append(module.register_forward_pre_hook(self._norm_entry(name)))
            self._handles.append(module.register_forward_hook(self._norm_exit(name)))
        super().__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run ``func``; note it with the followed tensors it was given."""
        result = func(*args, **(kwargs or {}))
        if self._versions and _tensors(result):
            name = getattr(func, "__name__", "").rstrip("_") or "__get__"
            for given in args[:2]:
                if isinstance(given, Tensor) and id(given) in self._versions:
                    self._users.setdefault(id(given), []).append((_plain_name(func, name), result))
                    self._follow(result)
        return result

    def _follow(self, value: Any) -> None:
        for tensor in _tensors(value):
            if id(tensor) not in self._versions:
                self._versions[id(tensor)] = tensor._version
                self._kept.append(tensor)

    def _layer_hook(self, name: str) -> Callable[..., None]:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            self._outputs.setdefault(name, []).append(output)
            self._follow(output)

        return hook

    def _norm_entry(self, name: str) -> Callable[..., None]:
        def hook(_module: nn.Module, inputs: tuple[Any, ...]) -> None:
            if inputs and id(inputs[0]) in self._versions:
                self._entered.setdefault(id(inputs[0]), []).append(name)

        return hook

    def _norm_exit(self, name: str) -> Callable[..., None]:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            self._normalised.setdefault(name, []).append(output)
            self._follow(output)

        return hook

    def readings(self, model_output: Any) -> list[Reading]:
        """How to read each watched layer, those that were called first, in the order of their first call.

        Args:
            model_output: what the traced pass yielded; of several tensors, the one named 'logits' or the first counts.

        Raises:
            layout.Unreadable: a layer yields no activations; the message names it.
        """
        final = _final(model_output)
        called = [self._reading(name, order, final) for order, name in enumerate(self._outputs)]
        absent = [name for name in self._layers if name not in self._outputs]
        return called + [default_reading(name, self._layers[name]) for name in absent]

    def _reading(self, name: str, order: int, final: Any) -> Reading:
        layer, outputs = self._layers[name], self._outputs[name]
        try:
            shape = layout.read(layer, outputs[0], self._instances)
        except layout.Unreadable as error:
            raise layout.Unreadable(f"The layer {name!r} cannot be watched: {error}.") from None
        own = layout.first_tensor(outputs[0])
        after, value = self._normalisation(own) if len(outputs) == 1 else ("", own)
        reached, activations = self._consequences(value)
        is_output = final is not None and id(final) in reached
        return Reading(
            name=name,
            layer=layer,
            source=self._norms[after] if after else layer,
            read_after=after or name,
            rectifier=_rectifier(layer, shape.filters, is_output, activations),
            output=is_output,
            order=order,
            filters=shape.filters,
            spatial=shape.spatial,
        )

    def _normalisation(self, own: Any) -> tuple[str, Any]:
        """The one normalisation that ``own`` goes into and nothing else does, and its output; or ('', own)."""
        names = self._entered.get(id(own), [])
        if len(names) != 1 or len(self._users.get(id(own), [])) != 1 or names[0] in self._layers:
            return "", own
        outputs = self._normalised.get(names[0], [])
        if len(outputs) != 1 or not isinstance(outputs[0], Tensor) or outputs[0].shape != own.shape:
            return "", own
        return names[0], outputs[0]

    def _consequences(self, value: Any) -> tuple[set[int], set[str]]:
        """Tensors with the values of ``value`` (also as class shares), and the functions applied to those values."""
        reached: set[int] = set()
        applied: set[str] = set()
        waiting = [value]
        while waiting:
            tensor = waiting.pop()
            if id(tensor) in reached:
                continue
            users = self._users.get(id(tensor), [])
            overwritten = isinstance(tensor, Tensor) and tensor._version != self._versions.get(id(tensor))
            if not overwritten:
                reached.add(id(tensor))
            for function, result in users:
                moving = function in _MOVING or "dropout" in function or "pool" in function
                if not moving:
                    applied.add(function)
                if (moving or function in _CLASSES) and not overwritten:
                    waiting.extend(_tensors(result))
        return reached, applied


def default_reading(name: str, layer: nn.Module) -> Reading:
    """How to read a layer of which nothing is known but its type."""
    return Reading(name, layer, layer, name, _rectifier(layer, 0, False, set()))


def _rectifier(layer: nn.Module, filters: int, is_output: bool, applied: set[str]) -> str:
    if kind_of(layer) == "recurrent":
        return "abs"
    if filters > 1 and (is_output or (applied and applied <= _CLASSES)):
        return "softmax"
    # One output unit would have the constant share 1.
    return "abs" if is_output or applied & _SIGNED else "relu"


def _plain_name(func: Callable[..., Any], name: str) -> str:
    return "__get__" if getattr(func, "__name__", "") == "__get__" else name


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, (tuple, list)):
        return [item for item in value if isinstance(item, Tensor)]
    return []


def _final(output: Any) -> Any:
    """The tensor that stands for the model's output: the one named 'logits', else the first."""
    if dataclasses.is_dataclass(output) and not isinstance(output, (type, Mapping)):
        output = {f.name: getattr(output, f.name) for f in dataclasses.fields(output)}
    if isinstance(output, Mapping):
        candidates = [output[key] for key in ("logits", *output) if key in output]
    elif isinstance(output, (tuple, list)):
        candidates = list(output)
    else:
        return output if isinstance(output, Tensor) else None
    return next((found for found in map(_final, candidates) if found is not None), None)
