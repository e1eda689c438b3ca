"""Passes of a case with one layer in hand: what it yields, and how the score depends on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from analysis.attribution.case import Case
from analysis.errors import NotFound, ParameterError
from analysis.extraction.pooling import valid_steps
from analysis.layerinfo import LayerInfo
from analysis.models.interventions import _last_states, _with_first
from analysis.models.taps import normal_form
from analysis.recording import layout


@dataclass(frozen=True)
class Point:
    """One pass.

    score: (r,). raw: what the layer yields, as it is. values: the same as (r, F, *places), float32, before it is
    rectified; with its graph. valid: bool, (r, 1, steps), where the layer's positions are padded; else None. normal:
    from the shape of ``raw`` to that of ``values``. cell: the last cell state of an LSTM.
    """

    score: Tensor
    raw: Tensor
    values: Tensor
    valid: Tensor | None
    normal: Callable[[Tensor], Tensor]
    cell: Tensor | None = None

    def masked(self, values: Tensor) -> Tensor:
        """(r, F, *places) with 0 at padding."""
        return values if self.valid is None else torch.where(self.valid, values, 0.0)

    def pooled(self, values: Tensor, pool: str = "mean") -> Tensor:
        """Mean, or 'max', over the valid positions of (r, F, *places): (r, F)."""
        if values.dim() == 2:
            return values
        if pool == "max":
            values = values if self.valid is None else torch.where(self.valid, values, -torch.inf)
            return values.flatten(2).amax(2)
        if self.valid is None:
            return values.flatten(2).mean(2)
        return self.masked(values).sum(2) / self.valid.sum(2)


class LayerPass:
    """Runs a case, with hooks on one call of one layer. A context within that of the case.

    Its output, after a normalisation that follows it at once, is passed on as a copy, so that an operation in place
    behind it changes nothing here. The last states of a recurrent layer are taken from that copy as well: what the
    score owes to them, it owes to the layer's steps. What it owes to an LSTM's cell state is not among them: ``notes``
    says so.

    Args:
        cut: no gradient below the layer is ever needed: nothing is kept for one, and ``raw`` is where graphs begin.
    """

    def __init__(self, case: Case, info: LayerInfo, *, cut: bool = True) -> None:
        self._case, self.info, self._cut = case, info, cut
        model = case.session.model
        self._layer, self._source = model.get_submodule(info.name), model.get_submodule(info.read_after)
        self._handles: list[Any] = []
        self._early = cut
        self._cell_counts = False
        self._start()

    @property
    def notes(self) -> list[str]:
        """What the gradients so far did not see, as a sentence."""
        if not self._cell_counts:
            return []
        what = "score" if self._case.unit is None else "unit"
        return [
            f"The {what} also depends on the last cell state of {self.info.name} ({type(self._layer).__name__}), which "
            "is none of the layer's outputs at its steps: what goes that way is not seen."
        ]

    def _start(self) -> None:
        self._calls = 0
        self._own: Any = None  # on its way to the normalisation
        self._cell: Tensor | None = None  # last state of an LSTM
        self._found: tuple[Any, Tensor] | None = None

    def __enter__(self) -> LayerPass:
        # In front of the other hooks: a unit that is explained may be of this very layer.
        self._handles = [self._layer.register_forward_hook(self._leave, prepend=True)]
        if self._source is not self._layer:
            self._handles.append(self._source.register_forward_hook(self._normalised, prepend=True))
        return self

    def __exit__(self, *error: Any) -> None:
        for handle in self._handles:
            handle.remove()
        self._start()

    def __call__(self, x: Tensor, rows: Tensor | None = None) -> Point:
        """A pass of rows (r, ...) of inputs; rows: as ``Case.score``. Raises NotFound if the layer is not reached."""
        score, found, cell = self._run(x, rows)
        if self._early and not score.requires_grad:
            self._early = False  # the model switches gradients on and off by itself
            score, found, cell = self._run(x, rows)
        if found is None:
            raise NotFound(f"The instance does not reach {self.info.key}.", "Choose another layer or instance.")
        first, raw = found

        def normal(values: Tensor) -> Tensor:
            value = first._replace(data=values) if isinstance(first, PackedSequence) else values
            return normal_form(self._read(value, len(x)))

        values = normal(raw)
        if raw is first and values.dtype == raw.dtype and values.shape == raw.shape and values.stride() == raw.stride():
            return Point(score, raw, values, self._valid(first, values, rows), lambda values: values, cell)
        return Point(score, raw, values, self._valid(first, values, rows), normal, cell)

    def gradient(self, point: Point, *, keep: bool = False) -> Tensor:
        """Of the score by what the layer yields, (r, F, *places). keep: the graph is needed once more.

        Raises:
            ParameterError: what is explained does not depend on the layer.
        """
        found = None
        if point.score.requires_grad:
            ends = [point.raw] if point.cell is None else [point.raw, point.cell]
            found, *cell = torch.autograd.grad(point.score.sum(), ends, allow_unused=True, retain_graph=keep)
            self._cell_counts |= any(one is not None and bool(one.any()) for one in cell)
        if found is None:
            what = "the score" if self._case.unit is None else self._case.unit.name
            what = what[0].upper() + what[1:]
            raise ParameterError(f"{what} does not depend on {self.info.key}.", "Choose another layer, before it.")
        return point.normal(found)

    def _run(self, x: Tensor, rows: Tensor | None) -> tuple[Tensor, tuple[Any, Tensor] | None, Tensor | None]:
        self._start()
        with torch.set_grad_enabled(not self._early):
            score = self._case.score(x, rows)
        found, cell = self._found, self._cell
        self._start()
        return score, found, cell

    def _read(self, value: Any, rows: int | None) -> layout.Activations:
        seen = layout.read(self._layer, value, rows, graph=True)
        if seen.per_row == 0 and len(self.info.spatial) == len(seen.places) + 1:
            return replace(seen, per_row=self.info.spatial[0])
        return seen

    def _valid(self, first: Any, values: Tensor, rows: Tensor | None) -> Tensor | None:
        """As in an extraction: packed, as many steps as the padded input, or fewer in the same proportion."""
        case, steps = self._case, tuple(values.shape[2:])
        if len(steps) != 1:
            return None
        if isinstance(first, PackedSequence):
            lengths = self._read(first, None).lengths
        elif case.lengths is None or len(case.places) != 1:
            return None
        else:
            padded = case.inputs.shape[case.places[0]]
            lengths = case.lengths if rows is None else case.lengths[rows.to("cpu")]
            if steps != (padded,):
                fewer = self.info.kind in ("conv", "recurrent")
                lengths = valid_steps(lengths, padded, steps) if fewer else None
        if lengths is None:
            return None
        lengths = lengths.to("cpu").clamp(1, steps[0])
        return (torch.arange(steps[0]) < lengths[:, None])[:, None].to(values.device)

    def _leave(self, module: nn.Module, _inputs: Any, output: Any) -> Any:
        number = self._calls
        self._calls += 1
        if number != self.info.call:
            return None
        if self._source is module:
            return self._passed_on(output)
        self._own = layout.first_tensor(output)
        return None

    def _normalised(self, _module: nn.Module, inputs: tuple[Any, ...], output: Any) -> Any:
        if not inputs or self._own is None or inputs[0] is not self._own:
            return None
        self._own = None
        return self._passed_on(output)

    def _passed_on(self, output: Any) -> Any:
        first = layout.first_tensor(output)
        raw: Tensor = first[0] if isinstance(first, PackedSequence) else first
        if not raw.is_floating_point():
            raise NotFound(f"{self.info.key} yields whole numbers, which have no gradient.", "Choose another layer.")
        if self._cut:
            raw = raw.detach().requires_grad_()
            torch.set_grad_enabled(True)  # from here on; as it was once the pass ends
        self._found = first, raw
        copy = raw.clone()
        edited = first._replace(data=copy) if isinstance(first, PackedSequence) else copy
        if isinstance(self._layer, nn.RNNBase) and isinstance(output, tuple) and len(output) == 2:
            states = _last_states(self._layer, edited, output[1])
            if isinstance(self._layer, nn.LSTM):
                cell = states[1].detach().requires_grad_() if self._cut else states[1]
                self._cell = cell if cell.requires_grad else None
                states = states[0], cell
            return edited, states
        return _with_first(output, edited)
