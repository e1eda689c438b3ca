"""States that a recurrent layer has but does not yield: lower depths and cells, from its input and its weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from analysis.recording import layout
from analysis.sequences.faults import SequenceError
from analysis.sequences.sources import Source

TOLERANCE = 1e-3  # of the largest state, by which recomputed states may differ from those the layer yields
ELSEWHERE = 1e-2  # on a GPU, whose products may be less exact
_BASES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")


@dataclass
class Seen:
    """What was read. states: (n, T, U). initial: (n, U). lengths: of packed sequences, (n,), else None."""

    states: Tensor
    initial: Any
    lengths: Tensor | None = None


def seen_in_loop(
    module: nn.Module, values: dict[str, Any], output: Any, source: Source, first: bool
) -> tuple[Tensor, Tensor | None]:
    """The state (n, U) that one call of a module yields, and before the first call the one it got, else None.

    Raises:
        SequenceError: a recurrent layer that gets more than one step in this call.
    """
    given, number = values.get("hx"), STATE_OF[source.state]
    if isinstance(module, nn.RNNBase):
        if _steps(module, values["input"]) != 1:
            raise SequenceError(
                f"The layer {source.layer!r} gets one step in one call and more in another.", "Choose another layer."
            )
        state, before = _of_depth(output[1], number, source.level), _of_depth(given, number, source.level)
    elif isinstance(module, nn.RNNCellBase):
        state = output[number] if isinstance(output, tuple) else output
        before = given[number] if isinstance(given, tuple) else given
    else:
        state, before = layout.first_tensor(output), None
    state = state.detach().clone() if state.dim() == 2 else state.detach().clone()[None]
    if not first:
        return state, None
    return state, torch.zeros_like(state) if before is None else before.detach().clone().reshape(state.shape)


STATE_OF = {"hidden": 0, "cell": 1}


def _of_depth(state: Any, number: int, level: int) -> Any:
    one = state[number] if isinstance(state, tuple) else state
    return None if one is None else one[level]


def _steps(module: nn.RNNBase, given: Any) -> int:
    if isinstance(given, PackedSequence):
        return len(given.batch_sizes)
    return int(given.shape[1 if module.batch_first and given.dim() == 3 else 0])


def seen_in_call(module: nn.RNNBase, values: dict[str, Any], output: Any, source: Source) -> Seen:
    """States of a recurrent layer from one call of it. values: its arguments 'input' and 'hx'. output: what it yields.

    Raises:
        SequenceError: recomputed states differ from what the layer yields.
    """
    given, yielded = values["input"], output[0]
    single = not isinstance(given, PackedSequence) and given.dim() == 2
    states = _states(values.get("hx"), single)
    if single:
        given, yielded = (
            given.unsqueeze(0 if module.batch_first else 1),
            yielded.unsqueeze(0 if module.batch_first else 1),
        )
    level, last = source.level, module.num_layers - 1
    hidden = yielded
    if level < last:
        hidden = _part(module, 0, level + 1)(given, _slice(module, states, 0, level + 1))[0]
        rest = _part(module, level + 1, last - level)(hidden, _slice(module, states, level + 1, last - level))[0]
        _check(_padded(module, rest)[0], *_padded(module, yielded), source)
    padded, lengths = _padded(module, hidden)
    directions = 2 if module.bidirectional else 1
    before = _initial(states, 0, level, directions, padded, padded.shape[2])
    if source.state == "cell":
        below = given if level == 0 else _part(module, 0, level)(given, _slice(module, states, 0, level))[0]
        cells = _initial(states, 1, level, directions, padded, directions * module.hidden_size)
        hiddens = _filled(padded, before, lengths, directions)
        found, rebuilt = _cells(module, level, _padded(module, below)[0], hiddens, before, cells, lengths)
        _check(rebuilt, padded, lengths, source)
        return Seen(_filled(found, cells, lengths, directions), cells, lengths)
    fresh = padded if lengths is not None else padded.clone(memory_format=torch.contiguous_format)
    return Seen(_filled(fresh, before, lengths, directions), before, lengths)


def _states(hx: Any, single: bool) -> tuple[Tensor, ...] | None:
    """Initial states as (layers x directions, n, units), hidden first; None where the layer starts from 0."""
    if hx is None:
        return None
    given = tuple(hx) if isinstance(hx, (tuple, list)) else (hx,)
    return tuple(one.detach().unsqueeze(1) if single else one.detach() for one in given)


def _slice(module: nn.RNNBase, states: tuple[Tensor, ...] | None, first: int, count: int) -> Any:
    if states is None:
        return None
    directions = 2 if module.bidirectional else 1
    own = tuple(one[first * directions : (first + count) * directions].contiguous() for one in states)
    return own if module.mode == "LSTM" else own[0]


def _initial(
    states: tuple[Tensor, ...] | None, number: int, level: int, directions: int, like: Tensor, units: int
) -> Tensor:
    """The state before the first step, (n, U), both directions side by side."""
    if states is None:
        return like.new_zeros(len(like), units)
    own = states[number][level * directions : (level + 1) * directions]
    return own.movedim(0, 1).reshape(len(like), units).to(like.dtype).clone()


def _part(module: nn.RNNBase, first: int, count: int) -> nn.RNNBase:
    """A layer that consists of some of a stacked layer's, and shares their weights."""
    kinds = {"LSTM": nn.LSTM, "GRU": nn.GRU, "RNN_TANH": nn.RNN, "RNN_RELU": nn.RNN}
    directions = 2 if module.bidirectional else 1
    width = directions * (module.proj_size or module.hidden_size)
    own = next(module.parameters())
    # Without values until the weights are put in: nothing is drawn.
    options: dict[str, Any] = {"num_layers": count, "bias": module.bias, "batch_first": module.batch_first}
    options |= {"bidirectional": module.bidirectional, "device": "meta", "dtype": own.dtype}
    if module.proj_size:
        options["proj_size"] = module.proj_size
    if module.mode == "RNN_RELU":
        options["nonlinearity"] = "relu"
    made: nn.RNNBase = kinds[module.mode](width if first else module.input_size, module.hidden_size, **options)
    for layer in range(count):
        for direction in ("", "_reverse")[:directions]:
            for base in _BASES:
                name = f"{base}_l{layer}{direction}"
                if hasattr(made, name):
                    weight = getattr(module, f"{base}_l{layer + first}{direction}").detach()
                    setattr(made, name, nn.Parameter(weight, requires_grad=False))
    return made.eval()


def _padded(module: nn.RNNBase, values: Any) -> tuple[Tensor, Tensor | None]:
    """(n, T, U), and the lengths of packed sequences."""
    if isinstance(values, PackedSequence):
        return pad_packed_sequence(values, batch_first=True)
    values = values.detach()
    return (values if module.batch_first else values.movedim(1, 0)), None


def _filled(states: Tensor, initial: Tensor, lengths: Tensor | None, directions: int) -> Tensor:
    """Behind the end of packed sequences, where the backward half starts, its initial state; so t + 1 is always the
    step before."""
    if lengths is None or directions == 1:
        return states
    half = states.shape[2] // 2
    behind = torch.arange(states.shape[1], device=states.device) >= lengths.to(states.device)[:, None]
    states[..., half:] = torch.where(behind[..., None], initial[:, None, half:], states[..., half:])
    return states


def _cells(
    module: nn.RNNBase,
    level: int,
    given: Tensor,
    hidden: Tensor,
    initial: Tensor,
    cells: Tensor,
    lengths: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Cell states of one depth (n, T, D x H), and the hidden states that follow from them (n, T, U).

    All gates at once, as the hidden states are known; only the cell itself goes step by step.
    """
    found, rebuilt = [], []
    steps, size, width = hidden.shape[1], module.hidden_size, module.proj_size or module.hidden_size
    for direction in range(2 if module.bidirectional else 1):
        suffix = f"_l{level}" + ("_reverse" if direction else "")
        weights: dict[str, Any] = {base: getattr(module, base + suffix, None) for base in _BASES}
        own = hidden[..., direction * width : (direction + 1) * width]
        first = initial[:, None, direction * width : (direction + 1) * width]
        before = torch.cat([own[:, 1:], first] if direction else [first, own[:, :-1]], 1)
        gates = nn.functional.linear(given, weights["weight_ih"], weights["bias_ih"])
        gates = gates + nn.functional.linear(before, weights["weight_hh"], weights["bias_hh"])
        taken, forgotten, new, out = gates.movedim(1, 0).chunk(4, -1)
        adds, forgotten = taken.sigmoid() * new.tanh(), forgotten.sigmoid()
        start = cell = cells[:, direction * size : (direction + 1) * size]
        line = torch.empty_like(adds)
        for step in range(steps - 1, -1, -1) if direction else range(steps):
            cell = torch.addcmul(adds[step], forgotten[step], cell)
            if direction and lengths is not None:
                cell = torch.where((step < lengths.to(cell.device))[:, None], cell, start)
            line[step] = cell
        shown = (out.sigmoid() * line.tanh()).movedim(0, 1)
        rebuilt.append(nn.functional.linear(shown, weights["weight_hr"]) if module.proj_size else shown)
        found.append(line.movedim(0, 1))
    return torch.cat(found, 2), torch.cat(rebuilt, 2)


def _check(own: Tensor, yielded: Tensor, lengths: Tensor | None, source: Source) -> None:
    """Raises SequenceError if recomputed states (n, T, U) are not those that the layer yields."""
    apart = (own - yielded).abs()
    if lengths is not None:
        behind = torch.arange(own.shape[1], device=own.device) >= lengths.to(own.device)[:, None]
        apart = apart.masked_fill(behind[..., None], 0)
    if not apart.numel() or not bool(torch.isfinite(apart.sum())):
        return  # NaN is reported with its place
    largest = yielded.abs().max()
    share = max(TOLERANCE if own.device.type == "cpu" else ELSEWHERE, 20 * torch.finfo(yielded.dtype).eps)
    if bool(apart.max() > share * largest + 1e-6):
        raise SequenceError(
            f"The {source.state} states of {source.layer!r} cannot be computed from its weights: what follows from "
            f"them differs by {float(apart.max()):.2g} from what the layer yields.",
            "Choose the hidden state of its last depth.",
        )
