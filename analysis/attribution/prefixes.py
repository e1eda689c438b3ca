"""Recurrent layers that start from the states of the unchanged instance, where a version of it is not changed yet.

A version of an instance that differs from it from step t on has its states before t. Nothing is taken for granted: a
layer starts late only for rows whose input up to there, and whose initial state, are bit by bit those that the instance
itself had in the same call. Whatever is different (layers before it that mix steps, a bidirectional layer, another
number of calls) goes through as always.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from analysis.attribution.lstm_steps import Steps, fits

LAYERS = (nn.RNN, nn.GRU, nn.LSTM)
Group = tuple[int, int, int]  # rows from, to, and the step from which on they may differ from their instances


def layers_of(model: nn.Module) -> list[nn.RNNBase]:
    """Recurrent layers that go through the steps in one direction, by torch's own code."""
    return [
        module
        for module in model.modules()
        if type(module) in LAYERS
        and isinstance(module, nn.RNNBase)
        and not module.bidirectional
        and "forward" not in vars(module)
    ]


@dataclass
class _Given:
    """What a layer gets. x: (r, T, D). state: its initial one. lengths: of packed sequences, (r,), else None. whole:
    the arguments themselves."""

    x: Tensor
    state: tuple[Tensor, ...]
    lengths: Tensor | None
    whole: tuple[Any, Any]


@dataclass
class _Kept:
    """Of a call with the unchanged instances. x: (n, T, D). out: (n, T, H). start: the initial state. states: those
    before the step that is the key, each (layers, n, H)."""

    x: Tensor
    out: Tensor
    start: tuple[Tensor, ...]
    states: dict[int, tuple[Tensor, ...]]


class Prefixes:
    """Context in which the recurrent layers of a model keep states, in the first pass, and start from them in others.

    Args:
        model: in evaluation mode, without gradients. starts: steps before which states are kept.

    Attributes:
        used: how many times a layer was begun later than with its first step.
    """

    def __init__(self, model: nn.Module, starts: list[int]) -> None:
        self._layers, self._starts = layers_of(model), sorted({start for start in starts if start > 0})
        self._kept: dict[tuple[int, int], _Kept] = {}
        self._stepped: dict[tuple[int, int], Steps] = {}
        self._firsts = torch.zeros(0, dtype=torch.int64)
        self._calls: Counter[int] = Counter()
        self._owners: Tensor | None = None
        self._groups: list[Group] = []
        self.used = 0

    def __enter__(self) -> Prefixes:
        for layer in self._layers:
            vars(layer)["forward"] = partial(self._forward, layer)
        return self

    def __exit__(self, *error: Any) -> None:
        for layer in self._layers:
            vars(layer).pop("forward", None)

    def first(self) -> None:
        """Before the pass of the unchanged instances."""
        self._calls.clear()
        self._owners = None

    def begin(self, owners: Tensor, firsts: Tensor, groups: list[Group]) -> None:
        """Before each other pass. owners: which of the instances each row is of, int64 (r,). firsts: from which step
        on each row may differ from it, int64 (r,), ascending. groups: rows that begin together."""
        self._calls.clear()
        self._owners, self._firsts, self._groups = owners, firsts, groups

    def _forward(self, layer: nn.RNNBase, input: Any, hx: Any = None) -> Any:
        number = self._calls[id(layer)]
        self._calls[id(layer)] += 1
        given = _given(layer, input, hx)
        if given is None:
            return _plain(layer, input, hx)
        if given.lengths is None and fits(layer, input):
            result = self._by_steps(layer, given, (id(layer), number))
            return _plain(layer, input, hx) if result is None else result
        if self._owners is None:
            result, kept = _first(layer, given, self._starts)
            self._kept[id(layer), number] = kept
            return result
        found = self._kept.get((id(layer), number))
        if found is None or not _fits(given, found, self._owners, self._groups):
            return _plain(layer, input, hx)
        self.used += 1
        return _resumed(layer, given, found, self._owners, self._groups)

    def _by_steps(self, layer: nn.RNNBase, given: _Given, key: tuple[int, int]) -> Any:
        """As ``Steps`` has it; None for what it cannot tell."""
        assert isinstance(layer, nn.LSTM)
        if self._owners is None:
            kept = self._stepped[key] = Steps(layer, given.x, given.state)
            out, last = kept.out.clone(), kept.last
        else:
            known = self._stepped.get(key)
            if known is None or len(given.x) != len(self._owners) or given.x.shape[1:] != known.x.shape[1:]:
                return None
            found = known.versions(given.x, given.state, self._owners, self._firsts)
            if found is None:
                return None
            self.used += 1
            out, last = found
        return (out if layer.batch_first else out.transpose(0, 1)), last


def _plain(layer: nn.RNNBase, x: Any, state: Any) -> Any:
    return type(layer).forward(layer, x, state)


def _given(layer: nn.RNNBase, x: Any, state: Any) -> _Given | None:
    """None of a form that is not taken apart, or where states are drawn at random."""
    if (layer.training and layer.dropout > 0) or torch.is_grad_enabled():
        return None
    states = () if state is None else (state,) if isinstance(state, Tensor) else tuple(state)
    if isinstance(x, PackedSequence):
        steps, lengths = pad_packed_sequence(x, batch_first=True)
        return _Given(steps, states, lengths, (x, state))
    if not isinstance(x, Tensor) or x.dim() != 3:
        return None
    return _Given(x if layer.batch_first else x.transpose(0, 1), states, None, (x, state))


def _steps(layer: nn.RNNBase, x: Tensor, states: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Output (r, t, H) and last states of a layer for steps (r, t, D)."""
    state = None if not states else states if isinstance(layer, nn.LSTM) else states[0]
    out, last = _plain(layer, x if layer.batch_first else x.transpose(0, 1), state)
    return out if layer.batch_first else out.transpose(0, 1), last if isinstance(last, tuple) else (last,)


def _first(layer: nn.RNNBase, given: _Given, starts: list[int]) -> tuple[Any, _Kept]:
    """What the layer yields for the unchanged instances, and its states on the way."""
    end = given.x.shape[1]
    kept = _Kept(given.x.clone(), given.x, tuple(one.clone() for one in given.state), {})
    stops = [start for start in starts if start < end]
    outs, states, at = [], given.state, 0
    for stop in stops if given.lengths is not None else [*stops, end]:
        out, states = _steps(layer, given.x[:, at:stop], states)
        outs.append(out)
        kept.states[stop] = states
        at = stop
    if given.lengths is not None:  # steps of short ones end earlier: their states were of no use there
        result = _plain(layer, *given.whole)
        kept.out, _ = pad_packed_sequence(result[0], batch_first=True)
        return result, kept
    kept.out = torch.cat(outs, 1)
    whole = kept.out.clone() if layer.batch_first else kept.out.transpose(0, 1).contiguous()
    copied = tuple(one.clone() for one in states)
    return (whole, copied if isinstance(layer, nn.LSTM) else copied[0]), kept


def _fits(given: _Given, kept: _Kept, owners: Tensor, groups: list[Group]) -> bool:
    """Whether the rows are the instances' own before the steps from which on they may differ."""
    if len(given.x) != len(owners) or given.x.shape[1] > kept.x.shape[1] or len(given.state) != len(kept.start):
        return False
    if any(one.shape[1] != len(owners) for one in given.state):
        return False
    for low, high, start in groups:
        of = owners[low:high]
        if not start:
            continue
        if start not in kept.states or start >= given.x.shape[1]:
            return False
        if given.lengths is not None and int(given.lengths[low:high].min()) <= start:
            return False
        if not torch.equal(given.x[low:high, :start], kept.x[of, :start]):
            return False
        if not all(
            torch.equal(own[:, low:high], first[:, of]) for own, first in zip(given.state, kept.start, strict=True)
        ):
            return False
    return True


def _resumed(layer: nn.RNNBase, given: _Given, kept: _Kept, owners: Tensor, groups: list[Group]) -> Any:
    """What the layer yields, each group begun at its own step."""
    rows, end = given.x.shape[:2]
    ahead = layer.batch_first or given.lengths is not None
    whole = given.x.new_zeros(*((rows, end) if ahead else (end, rows)), kept.out.shape[2])
    out = whole if ahead else whole.transpose(0, 1)
    lasts: list[tuple[Tensor, ...]] = []
    for low, high, start in groups:
        of, x = owners[low:high], given.x[low:high, start:]
        states = (
            tuple(one[:, of] for one in kept.states[start]) if start else tuple(s[:, low:high] for s in given.state)
        )
        if given.lengths is None:
            rest, last = _steps(layer, x, states)
        else:
            rest, last = _packed(layer, x, given.lengths[low:high] - start, states)
        out[low:high, :start] = kept.out[of, :start]
        out[low:high, start : start + rest.shape[1]] = rest
        lasts.append(last)
    ends = tuple(torch.cat(parts, 1) for parts in zip(*lasts, strict=True))
    result = whole if given.lengths is None else _as_packed(whole, given)
    return result, ends if isinstance(layer, nn.LSTM) else ends[0]


def _packed(
    layer: nn.RNNBase, x: Tensor, lengths: Tensor, states: tuple[Tensor, ...]
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """As ``_steps``, of sequences (r, t, D) with these lengths."""
    packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    state = None if not states else states if isinstance(layer, nn.LSTM) else states[0]
    out, last = _plain(layer, packed, state)
    return pad_packed_sequence(out, batch_first=True)[0], last if isinstance(last, tuple) else (last,)


def _as_packed(out: Tensor, given: _Given) -> PackedSequence:
    """Output (r, T, H) in the form in which the input came."""
    form, lengths = given.whole[0], given.lengths
    assert lengths is not None
    if form.sorted_indices is not None:
        out, lengths = out[form.sorted_indices], lengths[form.sorted_indices.cpu()]
    data = pack_padded_sequence(out, lengths, batch_first=True).data
    return PackedSequence(data, form.batch_sizes, form.sorted_indices, form.unsorted_indices)
