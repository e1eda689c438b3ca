"""Runs a model without some of its filters: the causal check beside every association.

Activations are edited on their way to the next layer, at the place where ``Taps`` reads them. Units of recurrent layers
also act inside their layer: to take them out, their rows of the weights are replaced for the duration of a call.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from analysis.errors import CutawayError, ParameterError
from analysis.layerinfo import LayerInfo
from analysis.models.watching import hookable
from analysis.recording import layout

MODES = ("zero", "mean", "merge", "identity")


class InterventionError(CutawayError):
    """The model cannot run with this change."""


@dataclass(frozen=True)
class Intervention:
    """A change to what one layer yields, in the call that ``info`` names.

    filters: which, from 0. mode:

    - 'zero': their activation is 0, as if their weights and bias (and those of the normalisation that follows) were.
    - 'mean': their activation is held at ``values``, shape (F,), one for each filter of the layer, in units of the
      activation before it is rectified. Inside a recurrent layer the units act on as before.
    - 'merge': they take the activation of the filter ``into``, as if its outgoing weights were added to its.
    - 'identity': the whole layer, with the normalisation that follows, passes its input on.
    """

    info: LayerInfo
    filters: tuple[int, ...] = ()
    mode: str = "zero"
    into: int | None = None
    values: Tensor | None = None

    def check(self) -> None:
        """Raises ParameterError: unknown mode, a filter the layer does not have, or something missing."""
        count = self.info.filters
        if self.mode not in MODES:
            raise ParameterError(f"{self.mode!r} is no way to change filters.", f"Choose of {', '.join(MODES)}.")
        if self.mode != "identity" and not self.filters:
            raise ParameterError("No filter was chosen.", "Choose at least one.")
        wrong = [i for i in (*self.filters, *(() if self.into is None else (self.into,))) if not 0 <= i < count]
        if wrong:
            raise ParameterError(f"{self.info.key} has no filter {wrong[0]}.", f"Its filters are 0 to {count - 1}.")
        if self.mode == "merge" and (self.into is None or self.into in self.filters):
            raise ParameterError("Merging needs a filter that takes over.", "Choose one that is not merged.")
        if self.mode == "mean" and (self.values is None or tuple(self.values.shape) != (count,)):
            raise ParameterError(f"The means must be {count} numbers.", "Give one for each filter of the layer.")


class Intervening:
    """What ``intervene`` yields. ``begin`` marks the start of a pass where the model itself is not called as a whole,
    or more than once in a pass; otherwise each call of the model is a pass."""

    def __init__(self, model: nn.Module, interventions: Iterable[Intervention]) -> None:
        self._edits = [_Edit(each, dict(model.named_modules())) for each in interventions]
        self._model = model
        self._manual = False
        self._passes = 0

    def begin(self) -> None:
        """A pass starts."""
        self._manual = True
        self._start()

    def _start(self) -> None:
        self._passes += 1
        for edit in self._edits:
            edit.start()

    def _root(self, _module: nn.Module, _inputs: Any) -> None:
        if not self._manual:
            self._start()

    def _attach(self) -> list[Any]:
        handles = [self._model.register_forward_pre_hook(self._root)]
        for edit in self._edits:
            handles += edit.attach()
        return handles

    def _finish(self) -> None:
        for edit in self._edits:
            edit.restore()

    def _verify(self) -> None:
        unused = [edit.info.key for edit in self._edits if not edit.applied]
        if self._passes and unused:
            raise InterventionError(
                f"The layer {unused[0]} was not called, so nothing was changed.", "Choose a layer that is reached."
            )


@contextmanager
def intervene(model: nn.Module, interventions: Intervention | Iterable[Intervention]) -> Iterator[Intervening]:
    """Inside, passes of the model are changed; afterwards the model is as it was, come what may.

    Args:
        model: not wrapped. interventions: applied in order.

    Raises:
        ParameterError: one is not possible (``Intervention.check``).
        InterventionError: on the way out, a layer was never called; during a pass, 'identity' where shapes disagree.
    """
    chosen = [interventions] if isinstance(interventions, Intervention) else list(interventions)
    for each in chosen:
        each.check()
    running = Intervening(model, chosen)
    handles: list[Any] = []
    with hookable():
        try:
            handles += running._attach()
            yield running
            running._verify()
        finally:
            for handle in handles:
                handle.remove()
            running._finish()


class _Edit:
    """The hooks of one intervention."""

    def __init__(self, change: Intervention, modules: dict[str, nn.Module]) -> None:
        self.change, self.info = change, change.info
        self.applied = False
        self._layer = modules[self.info.name]
        self._source = modules[self.info.read_after]
        self._single = self.info.key.rpartition("#")[0] != self.info.name  # called once in a pass
        self._rows = _recurrent_rows(change, self._layer)
        self._saved: list[tuple[Tensor, Tensor]] = []
        self.start()

    def start(self) -> None:
        self._calls: Counter[str] = Counter()
        self._inputs: list[Any] = []
        self._own: Any = None

    def attach(self) -> list[Any]:
        handles = [
            self._layer.register_forward_pre_hook(self._enter, with_kwargs=True),
            self._layer.register_forward_hook(self._leave, always_call=False),
        ]
        if self._source is not self._layer:
            handles.append(self._source.register_forward_hook(self._normalised))
        return handles

    def _enter(self, _module: nn.Module, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        number = self._calls["all"]
        self._calls["all"] += 1
        meant = self._single or number == self.info.call
        given = next((x for x in (*inputs, *kwargs.values()) if isinstance(x, (Tensor, PackedSequence))), None)
        self._inputs.append((meant, given if self.change.mode == "identity" else None))
        if meant:
            for parameter, rows, values in self._rows:
                self._saved.append((parameter, parameter.detach().clone()))
                parameter.data[rows] = 0 if values is None else parameter.data[values]

    def restore(self) -> None:
        """Put replaced weights back, bit by bit."""
        while self._saved:
            parameter, before = self._saved.pop()
            parameter.data.copy_(before)

    def _leave(self, module: nn.Module, _inputs: Any, output: Any) -> Any:
        meant, given = self._inputs.pop() if self._inputs else (False, None)
        self.restore()
        if not meant:
            return None
        if self._rows:
            self.applied = True
            return None
        if self._source is module:
            return self._changed(output, given)
        self._own = (layout.first_tensor(output), given)
        return None

    def _normalised(self, _module: nn.Module, inputs: tuple[Any, ...], output: Any) -> Any:
        own, given = self._own or (None, None)
        if not inputs or own is None or inputs[0] is not own:
            return None
        self._own = None
        return self._changed(output, given)

    def _changed(self, output: Any, given: Any) -> Any:
        self.applied = True
        value = layout.first_tensor(output)
        edited = self._passed_on(value, given) if self.change.mode == "identity" else self._edited(value)
        if isinstance(self._layer, nn.RNNBase) and isinstance(output, tuple) and len(output) == 2:
            return edited, _last_states(self._layer, edited, output[1])
        return _with_first(output, edited)

    def _edited(self, value: Tensor | PackedSequence) -> Tensor | PackedSequence:
        if isinstance(value, PackedSequence):
            return value._replace(data=self._filled(value.data, value.data.dim() - 1))
        seen = layout.read(self._layer, value, None)
        return self._filled(value, seen.unit - seen.values.dim() + value.dim())

    def _filled(self, value: Tensor, axis: int) -> Tensor:
        change = self.change
        index = torch.tensor(change.filters, device=value.device)
        edited = value.clone()
        if change.mode == "zero":
            return edited.index_fill_(axis, index, 0)
        if change.mode == "merge":
            taken = value.index_select(axis, torch.tensor([change.into], device=value.device))
        else:
            assert change.values is not None  # check() saw to it
            shape = [1] * value.dim()
            shape[axis] = len(change.filters)
            taken = change.values.to(value)[index].reshape(shape)
        shape = list(value.shape)
        shape[axis] = len(change.filters)
        return edited.index_copy_(axis, index, taken.expand(shape))

    def _passed_on(self, value: Any, given: Any) -> Any:
        there, here = getattr(given, "data", None), value.data
        if type(given) is not type(value) or there is None or there.shape != here.shape:
            shape = "nothing" if there is None else " x ".join(map(str, there.shape[1:]))
            raise InterventionError(
                f"The layer {self.info.key} gets {shape} for an instance and yields "
                f"{' x '.join(map(str, here.shape[1:]))}: its input cannot take the place of its output.",
                "Choose a layer that keeps the shape, or replace it by a smaller one.",
            )
        copy = there.to(here.dtype).clone()  # the next layer may write into it
        return value._replace(data=copy) if isinstance(value, PackedSequence) else copy


def _with_first(output: Any, value: Any) -> Any:
    """The output with its first tensor replaced."""
    if isinstance(output, (tuple, list)) and not isinstance(output, PackedSequence):
        parts = [_with_first(output[0], value), *output[1:]]
        return type(output)(*parts) if hasattr(output, "_fields") else type(output)(parts)
    return value


def _recurrent_rows(change: Intervention, layer: nn.Module) -> list[tuple[Tensor, list[int], list[int] | None]]:
    """Parameters of a recurrent layer, the rows of the filters in them, and the rows that replace those (None: zeros).

    A unit whose weights and biases are 0 stays 0, in every kind of cell; one with another's weights is its copy. Empty
    where the change cannot be made so.
    """
    if not isinstance(layer, nn.RNNBase) or change.mode not in ("zero", "merge"):
        return []
    width = layer.proj_size or layer.hidden_size
    if change.mode == "merge" and any(j // width != (change.into or 0) // width for j in change.filters):
        return []  # of the other direction
    found: list[tuple[Tensor, list[int], list[int] | None]] = []
    for direction in range(1 + layer.bidirectional):
        units = [j - direction * width for j in change.filters if j // width == direction]
        suffix = f"_l{layer.num_layers - 1}" + ("_reverse" if direction else "")
        names = ["weight_hr"] if layer.proj_size else ["weight_ih", "weight_hh", "bias_ih", "bias_hh"]
        for name in names if units else []:
            parameter = layer._parameters.get(name + suffix)
            if parameter is None and (layer.bias or not name.startswith("bias")):
                return []  # computed from others, as by a parametrisation
            if parameter is None:
                continue
            gates = parameter.shape[0] // width
            rows = [gate * width + unit for gate in range(gates) for unit in units]
            other = None
            if change.mode == "merge":
                into = (change.into or 0) - direction * width
                other = [gate * width + into for gate in range(gates) for _ in units]
            found.append((parameter, rows, other))
    return found


def _last_states(layer: nn.RNNBase, output: Any, states: Any) -> Any:
    """The layer's final states, those of its last layer taken from its changed output."""
    hidden = states[0] if isinstance(states, tuple) else states
    directions = 1 + layer.bidirectional
    if isinstance(output, PackedSequence):
        padded, lengths = nn.utils.rnn.pad_packed_sequence(output, batch_first=True)
    else:
        padded = output if layer.batch_first or output.dim() == 2 else output.movedim(1, 0)
        padded = padded if output.dim() == 3 else padded[None]
        lengths = torch.full((padded.shape[0],), padded.shape[1])
    rows = torch.arange(padded.shape[0], device=padded.device)
    ends = [padded[rows, lengths.to(padded.device) - 1], padded[:, 0]]
    width = padded.shape[-1] // directions
    changed = hidden.clone()
    for direction in range(directions):
        last = ends[direction][:, direction * width : (direction + 1) * width]
        changed[direction - directions] = last if hidden.dim() == 3 else last[0]
    return (changed, *states[1:]) if isinstance(states, tuple) else changed
