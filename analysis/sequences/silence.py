"""Takes units out of a recurrent layer, or holds them at a value, exactly and inside: the units beside them, the next
step and the layers above get nothing else.

- zero: the rows of the units in the layer's weights and biases are 0 for the time of a call, and so is their initial
  state; then state and cell stay 0 in every kind of layer.
- clamp, hidden: what others take from a unit that is always v is a constant: its columns in the weights are 0, and the
  biases hold v times what was there; what the layer yields is v too.
- clamp, cell: the forget gate is 1, the input gate 0, and the cell begins at v.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from analysis.errors import ParameterError
from analysis.models.interventions import Intervention, intervene
from analysis.models.watching import hookable
from analysis.sequences.faults import SequenceError
from analysis.sequences.sources import Source

MODES = ("zero", "clamp")
SURE = 1e3  # of a gate before its sigmoid, which is then exactly 0 or 1


class Silence:
    """What ``silenced`` yields: ``begin`` before each pass of the model."""

    def __init__(self) -> None:
        self.calls = 0

    def begin(self) -> None:
        """A pass starts."""
        self.calls = 0


def checked(units: list[int], count: int, mode: str, value: float, name: str) -> tuple[int, ...]:
    """The units, ascending. Raises ParameterError: none, one that the layer does not have, mode or value."""
    if mode not in MODES:
        raise ParameterError(f"Units cannot be tested by {str(mode)[:40]!r}.", f"Choose of: {', '.join(MODES)}.")
    if not math.isfinite(value):
        raise ParameterError("Units cannot be held at a value that is no number.", "Give a number, such as 0.")
    chosen = tuple(sorted({int(unit) for unit in units}))
    if not chosen:
        raise ParameterError("No unit was chosen.", "Choose a unit, or a cluster of units.")
    wrong = [unit for unit in chosen if not 0 <= unit < count]
    if wrong:
        raise ParameterError(f"{name} has no unit {wrong[0]:,}.", f"Its units are 0 to {count - 1:,}.")
    return chosen


@contextmanager
def silenced(
    session: Any, source: Source, units: tuple[int, ...], mode: str = "zero", value: float = 0.0
) -> Iterator[Any]:
    """Inside, the units of a source are silent, or held at ``value`` (units of the state) in passes of the model.

    Weights are changed within calls of the layer only, and are put back bit by bit. ``begin`` of what is yielded is to
    be called before each pass.

    Raises:
        SequenceError: its weights are computed from others; a layer without biases cannot be clamped; the layer was not
            called. ParameterError: as ``checked``.
    """
    units = checked(list(units), source.units, mode, value, source.layer)
    held = value if mode == "clamp" else 0.0
    if source.form == "layer":
        assert source.info is not None  # of this form
        values = torch.full((source.info.filters,), held)
        with intervene(session.model, Intervention(source.info, units, "mean", None, values)) as running:
            yield running
        return
    module = dict(session.model.named_modules(remove_duplicate=False))[source.name]
    recurrent = isinstance(module, (nn.RNNBase, nn.RNNCellBase))
    hooks = _Inside(module, source, units, mode, held) if recurrent else _Outside(units, held)
    with hookable(), ExitStack() as stack:
        stack.callback(hooks.restore)
        for handle in hooks.attach(module):
            stack.callback(handle.remove)
        yield hooks.silence
        if not hooks.applied:
            raise SequenceError(
                f"The layer {source.layer!r} was not called, so nothing was changed.", "Choose a layer that is reached."
            )


class _Outside:
    """Of a module without memory that is called once a step: what it yields."""

    def __init__(self, units: tuple[int, ...], value: float) -> None:
        self.silence, self.applied = Silence(), False
        self._units, self._value = list(units), value

    def attach(self, module: nn.Module) -> list[Any]:
        return [module.register_forward_hook(self._leave)]

    def restore(self) -> None:
        """Nothing was changed."""

    def _leave(self, _module: nn.Module, _inputs: Any, output: Any) -> Any:
        self.applied = True
        if isinstance(output, tuple):
            return (_held(output[0], self._units, self._value), *output[1:])
        return _held(output, self._units, self._value)


class _Inside:
    """Of a recurrent layer or cell: weights, initial states and what it yields."""

    def __init__(self, module: Any, source: Source, units: tuple[int, ...], mode: str, value: float) -> None:
        self.silence, self.applied = Silence(), False
        self._source, self._value = source, value
        self._module, self._whole = module, isinstance(module, nn.RNNBase)
        self._level = source.level
        self._cell = source.state == "cell"
        self._clamped = mode == "clamp"
        self._lstm = module.mode == "LSTM" if self._whole else isinstance(module, nn.LSTMCell)
        projected = getattr(module, "proj_size", 0)
        self._projected = bool(projected) and not self._cell
        width = module.hidden_size if self._cell else projected or module.hidden_size
        self._width, self._units = width, units
        self._by_direction = [
            [unit - direction * width for unit in units if unit // width == direction]
            for direction in range(2 if self._whole and module.bidirectional else 1)
        ]
        self._saved: list[tuple[Tensor, Tensor]] = []
        self._meant: list[bool] = []
        if self._clamped and not module.bias and (self._whole or self._cell):
            raise SequenceError(f"{source.layer!r} has no biases, so units cannot be held at a value.", "Choose zero.")

    def attach(self, module: nn.Module) -> list[Any]:
        return [
            module.register_forward_pre_hook(self._enter, with_kwargs=True),
            module.register_forward_hook(self._leave),
        ]

    def restore(self) -> None:
        """Put weights back, bit by bit."""
        while self._saved:
            parameter, before = self._saved.pop()
            parameter.data.copy_(before)

    # Weights ------------------------------------------------------------------------------------------------------

    def _parameter(self, base: str, level: int, direction: int) -> Tensor | None:
        """A parameter that may be written to, noted as it was; None if there are no biases."""
        name = f"{base}_l{level}" + ("_reverse" if direction else "") if self._whole else base
        found = self._module._parameters.get(name)
        if found is None:
            if base.startswith("bias") and not self._module.bias:
                return None
            raise SequenceError(
                f"The weights of {self._source.layer!r} are computed from others in each pass, so that its units "
                "cannot be taken out.",
                "Choose another layer.",
            )
        self._saved.append((found, found.detach().clone()))
        return found.data

    def _change(self) -> None:
        with torch.no_grad():
            for direction, units in enumerate(self._by_direction):
                if not units:
                    continue
                if not self._clamped:
                    self._zero_rows(direction, units)
                elif self._cell:
                    self._hold_cell(direction, units)
                elif self._whole:
                    self._fold("weight_hh", "bias_hh", self._level, direction, units)
            if self._clamped and not self._cell and self._whole and self._level < self._module.num_layers - 1:
                for direction in range(len(self._by_direction)):
                    self._fold("weight_ih", "bias_ih", self._level + 1, direction, list(self._units))

    def _zero_rows(self, direction: int, units: list[int]) -> None:
        bases = ("weight_hr",) if self._projected else ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        for base in bases:
            weight = self._parameter(base, self._level, direction)
            if weight is not None:
                weight.view(-1, self._width, *weight.shape[1:])[:, units] = 0

    def _hold_cell(self, direction: int, units: list[int]) -> None:
        for base in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            weight = self._parameter(base, self._level, direction)
            assert weight is not None  # there are biases
            gates = weight.view(4, self._width, *weight.shape[1:])  # input, forget, new, output
            gates[:2, units] = 0
            if base == "bias_ih":
                gates[0, units], gates[1, units] = -SURE, SURE

    def _fold(self, weight: str, bias: str, level: int, direction: int, units: list[int]) -> None:
        columns = self._parameter(weight, level, direction)
        constant = self._parameter(bias, level, direction)
        assert columns is not None
        assert constant is not None  # there are biases
        constant += self._value * columns[:, units].sum(1)
        columns[:, units] = 0

    # Calls --------------------------------------------------------------------------------------------------------

    def _enter(self, _module: nn.Module, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        number = self.silence.calls
        self.silence.calls += 1
        meant = self._source.form == "loop" or number == self._source.call
        self._meant.append(meant)
        if not meant:
            return None
        self._change()
        given = inputs[0] if inputs else kwargs["input"]
        before = inputs[1] if len(inputs) > 1 else kwargs.get("hx")
        changed = self._initial(before, given)
        if changed is None:
            return None
        if len(inputs) > 1:
            return (inputs[0], changed, *inputs[2:]), kwargs
        return inputs, {**kwargs, "hx": changed}

    def _initial(self, before: Any, given: Any) -> Any:
        """The state before the first step, changed; None to leave it."""
        if before is None:
            if not self._clamped or self._value == 0 or (self._whole and not self._cell):
                return None
            before = self._zeros(given)
        hidden, cell = before if isinstance(before, tuple) else (before, None)
        value = self._value
        if not self._cell and (not self._clamped or not self._whole):
            hidden = self._at_level(hidden, value)
        if cell is not None and (self._cell or (not self._clamped and not self._projected)):
            cell = self._at_level(cell, value)
        return hidden if cell is None else (hidden, cell)

    def _zeros(self, given: Any) -> Any:
        module = self._module
        if isinstance(given, PackedSequence):
            like, rows = given.data, [int(given.batch_sizes[0])]
        else:
            like = given
            batch = given.shape[:1] if not self._whole or module.batch_first else given.shape[1:2]
            single = given.dim() < (3 if self._whole else 2)
            rows = [] if single else [int(batch[0])]
        layers = [module.num_layers * len(self._by_direction)] if self._whole else []
        hidden = like.new_zeros(*layers, *rows, getattr(module, "proj_size", 0) or module.hidden_size)
        return (hidden, like.new_zeros(*layers, *rows, module.hidden_size)) if self._lstm else hidden

    def _at_level(self, state: Tensor, value: float) -> Tensor:
        """(layers x directions, [n,] H) of a layer, or ([n,] H) of a cell, with the units at a value."""
        if not self._whole:
            return _held(state, self._by_direction[0], value)
        changed = state.clone()
        for direction, units in enumerate(self._by_direction):
            changed[self._level * len(self._by_direction) + direction][..., units] = value
        return changed

    def _leave(self, _module: nn.Module, _inputs: Any, output: Any) -> Any:
        if not self._meant.pop():
            return None
        self.applied = True
        self.restore()
        if not self._clamped or self._cell:
            return None
        units = list(self._units)
        if not self._whole:
            hidden = output[0] if isinstance(output, tuple) else output
            changed = _held(hidden, units, self._value)
            return (changed, *output[1:]) if isinstance(output, tuple) else changed
        sequence, final = output
        if self._level == self._module.num_layers - 1:
            if isinstance(sequence, PackedSequence):
                sequence = sequence._replace(data=_held(sequence.data, units, self._value))
            else:
                sequence = _held(sequence, units, self._value)
        if isinstance(final, tuple):
            return sequence, (self._at_level(final[0], self._value), *final[1:])
        return sequence, self._at_level(final, self._value)


def _held(values: Tensor, units: list[int], value: float) -> Tensor:
    """A copy with units of the last axis at a value."""
    changed = values.clone()
    changed[..., units] = value
    return changed
