"""Reads activations while a model runs, in one form whatever the layer: (N, F, *places), float32."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from analysis.layerinfo import LayerInfo
from analysis.models.watching import hookable
from analysis.recording import layout


@dataclass(frozen=True)
class Tap:
    """What one layer yielded in a pass.

    values: (N, F, *places) float32, before it is rectified. lengths: valid positions of each instance, (N,) int64,
    where sequences are padded, else None. input: what the layer got, in the same form (N, F_in, *places), if asked for
    and floating point.
    """

    values: Tensor
    lengths: Tensor | None = None
    input: Tensor | None = None


def rectify(values: Tensor, rectifier: str) -> Tensor:
    """Activations made non-negative, the same shape: 'relu', 'abs', or 'softmax' over the filters (axis 1)."""
    if rectifier == "abs":
        return values.abs()
    if rectifier == "softmax":
        return values.softmax(1)
    return values.clamp_min(0)


class Taps:
    """Context manager with hooks on layers; between passes call ``take``.

    ``begin`` before each pass says how many instances it has. It is needed only where a model puts time before the
    instances, folds positions into the instances, or pads without packing; without it, what ``infos`` says counts.

    Args:
        model: not wrapped. infos: layers to read; those with a reason are passed over.
        inputs: also keep what the layers get.
        reduce: called inside the hook with the layer and its ``Tap``, whose tensors may be views of the model's own and
            change once it returns; what it returns is kept in place of the tap. So nothing large is held or copied.
            Without it, tensors are copies.
        graph: values keep what gradients need; what layers get does not.
    """

    def __init__(
        self,
        model: nn.Module,
        infos: Iterable[LayerInfo],
        *,
        inputs: bool = False,
        reduce: Callable[[LayerInfo, Tap], Any] | None = None,
        graph: bool = False,
    ) -> None:
        self._graph = graph
        self._infos = [info for info in infos if not info.reason]
        self._modules = dict(model.named_modules())
        self._inputs = inputs
        self._reduce = reduce
        self._handles: list[Any] = []
        self._stack = contextlib.ExitStack()
        self._wanted = {(info.name, info.call): info for info in self._infos}
        self._instances: int | None = None
        self._lengths: Tensor | None = None
        self._padded = 0
        self._clear()

    def _clear(self) -> None:
        self._found: dict[str, Any] = {}
        self._calls: Counter[str] = Counter()
        self._given: dict[str, list[Tensor | PackedSequence | None]] = {}  # inputs of the calls under way
        self._pending: dict[int, tuple[LayerInfo, Any, Tensor | None]] = {}  # outputs on the way to a normalisation

    def begin(self, instances: int | None = None, lengths: Tensor | None = None, padded: int | None = None) -> None:
        """Forget what an interrupted pass left, and describe the next.

        Args:
            instances: N. lengths: valid steps of each instance, (N,), where the data are padded but not packed.
            padded: steps with the padding, by default the largest length; layers with as many positions are padded.
        """
        self._clear()
        self._instances = instances
        self._lengths = None if lengths is None else lengths.to(torch.int64)
        self._padded = padded or (int(lengths.max()) if lengths is not None and len(lengths) else 0)

    def take(self) -> dict[str, Any]:
        """Taps (or what ``reduce`` made of them) by layer key; layers that were not called are missing."""
        found = self._found
        self._clear()
        return found

    def __enter__(self) -> Taps:
        self._clear()
        self._stack.enter_context(hookable())
        for name in dict.fromkeys(info.name for info in self._infos):
            module = self._modules[name]
            if self._inputs:
                self._handles.append(module.register_forward_pre_hook(self._entry(name), with_kwargs=True))
            self._handles.append(module.register_forward_hook(self._exit(name)))
        for name in dict.fromkeys(info.read_after for info in self._infos if info.read_after != info.name):
            self._handles.append(self._modules[name].register_forward_hook(self._normalised))
        return self

    def __exit__(self, *error: Any) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self._clear()
        self._stack.close()

    def _entry(self, name: str) -> Callable[..., None]:
        def hook(_module: nn.Module, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            given = next((x for x in (*inputs, *kwargs.values()) if isinstance(x, (Tensor, PackedSequence))), None)
            self._given.setdefault(name, []).append(given)

        return hook

    def _exit(self, name: str) -> Callable[..., None]:
        def hook(module: nn.Module, _inputs: Any, output: Any) -> None:
            info = self._wanted.get((name, self._calls[name]))
            self._calls[name] += 1
            waiting = self._given.get(name)
            given = waiting.pop() if waiting else None
            if info is None:
                return
            with contextlib.nullcontext() if self._graph else torch.no_grad():
                taken = None if given is None else self._input(info, module, given)
                if info.read_after == name:
                    self._keep(info, output, taken)
                else:
                    own = layout.first_tensor(output)
                    self._pending[id(own)] = (info, own, taken)

        return hook

    def _normalised(self, _module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        info, own, taken = self._pending.pop(id(inputs[0]), (None, None, None)) if inputs else (None, None, None)
        if info is not None and own is inputs[0]:
            with contextlib.nullcontext() if self._graph else torch.no_grad():
                self._keep(info, output, taken)

    def _keep(self, info: LayerInfo, output: Any, taken: Tensor | None) -> None:
        seen = layout.read(self._modules[info.name], output, self._instances, graph=self._graph)
        values = self._normal(info, seen)
        lengths = seen.lengths
        if lengths is None and self._lengths is not None and tuple(values.shape[2:]) == (self._padded,):
            lengths = self._lengths
        tap = Tap(values, lengths, taken)
        self._found[info.key] = tap if self._reduce is None else self._reduce(info, tap)

    def _input(self, info: LayerInfo, module: nn.Module, given: Tensor | PackedSequence) -> Tensor | None:
        data = given.data if isinstance(given, PackedSequence) else given
        if not data.is_floating_point() or data.dim() == 0:
            return None
        try:
            return self._normal(info, layout.read(module, given, self._instances))
        except layout.Unreadable:
            return None

    def _normal(self, info: LayerInfo, seen: layout.Activations) -> Tensor:
        per_row = seen.per_row
        if self._instances is None and len(info.spatial) == len(seen.places) + 1:
            per_row = info.spatial[0]
        values = normal_form(replace(seen, per_row=per_row))
        # A copy in any case: an in-place operation behind the layer would change what is kept.
        return values if self._reduce else values.clone(memory_format=torch.contiguous_format)


def normal_form(seen: layout.Activations) -> Tensor:
    """A layer's output as (N, F, *places) float32; a view where possible.

    Raises:
        layout.Unreadable: its rows are no multiple of the instances.
    """
    if seen.per_row == 0 or seen.rows % seen.per_row:
        raise layout.Unreadable(f"it yields {seen.rows} rows, no multiple of the instances")
    values = seen.values.to(torch.float32).movedim((seen.row, seen.unit), (0, 1))
    if seen.per_row > 1:
        values = values.unflatten(0, (-1, seen.per_row)).movedim(1, 2)
    return values
