"""An LSTM step by step, for versions of instances that are unchanged up to a step of their own.

What the instances' inputs give to the gates is computed once for all their versions; each version joins at the step at
which it is changed for the first time, with the states of its instance. The hyperbolic tangent is computed as
1 - 2 sigmoid(-2 x), which torch does three times as fast. So that nothing has to be scaled on the way, the rows of the
candidate are doubled in the weights, and the cell state c is kept as -2 c; factors of two round nothing.

Source of the equations: Hochreiter & Schmidhuber 1997 with forget gates (Gers et al. 2000), as in ``nn.LSTM``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

SCALE = -2.0  # of cell states, as they are kept


@dataclass
class _Weights:
    """Of one layer, transposed, with the rows of the candidate (the third gate) doubled: (D, 4H), (H, 4H), (4H,)."""

    inner: Tensor
    recurrent: Tensor
    bias: Tensor


class Steps:
    """The call of an LSTM with unchanged instances, kept so that their versions need not repeat it.

    Args:
        layer: one that ``fits``. x: (n, T, D). state: (h, c), (layers, n, H) each, or () for zeros.

    Attributes:
        x: a copy of what was given. out: (n, T, H). last: the states at the end.
    """

    def __init__(self, layer: nn.LSTM, x: Tensor, state: tuple[Tensor, ...]) -> None:
        self._weights = [_weights(layer, number) for number in range(layer.num_layers)]
        n, steps = x.shape[:2]
        self.x, self._size = x.clone(), layer.hidden_size
        first = self._weights[0]
        self._given = torch.addmm(first.bias, self.x.transpose(0, 1).reshape(n * steps, -1), first.inner)
        self._given = self._given.reshape(steps, n, -1)
        self._h = [x.new_zeros(steps + 1, n, self._size) for _ in self._weights]  # before each step, and at the end
        self._c = [x.new_zeros(steps + 1, n, self._size) for _ in self._weights]
        for number, (h, c) in enumerate(zip(self._h, self._c, strict=True)):
            if state:
                h[0] = state[0][number]
                torch.mul(state[1][number], SCALE, out=c[0])
        buffers, inner = _Buffers(n, self._size, x), self._given
        for number, weights in enumerate(self._weights):
            h, c = self._h[number], self._c[number]
            if number:
                inner = torch.addmm(weights.bias, self._h[number - 1][1:].flatten(0, 1), weights.inner)
                inner = inner.reshape(steps, n, -1)
            hs, cs = h.unbind(0), c.unbind(0)
            for step, given in enumerate(inner.unbind(0)):
                torch.addmm(given, hs[step], weights.recurrent, out=buffers.gates)
                buffers.step(n, cs[step], cs[step + 1], hs[step + 1])
        self.out = self._h[-1][1:].transpose(0, 1)
        self.last = torch.stack([h[-1] for h in self._h]), torch.stack([c[-1] for c in self._c]).div_(SCALE)
        self.start = tuple(one.clone() for one in state)

    def versions(
        self, x: Tensor, state: tuple[Tensor, ...], owners: Tensor, firsts: Tensor
    ) -> tuple[Tensor, tuple[Tensor, Tensor]] | None:
        """Output (r, T, H) and last states for versions (r, T, D); None if they are changed before their steps.

        Args:
            state: as given to the layer. owners: whose versions, int64 (r,). firsts: from which step on each may
                differ, int64 (r,), ascending.
        """
        rows, steps = x.shape[:2]
        begin = int(firsts[0])
        if not self._begins_alike(state, owners):
            return None
        which, at = _differing(x, self.x if len(self.x) == 1 else self.x.index_select(0, owners))
        if bool((at < firsts[which]).any()):
            return None
        at, order = at.sort(stable=True)
        which, weights = which[order], self._weights[0]
        anew = torch.addmm(weights.bias, x[which, at], weights.inner)
        ends = torch.bincount(at, minlength=steps).cumsum(0).tolist()
        there = torch.searchsorted(firsts, torch.arange(steps), right=True).tolist()  # how many joined by each step
        out = x.new_empty(steps, rows, self._size)
        torch.index_select(self._h[-1][1 : begin + 1], 1, owners, out=out[:begin])
        h = [x.new_empty(rows, self._size) for _ in self._weights[1:]]  # of all layers but the last
        h.append(out[begin - 1] if begin else self._h[-1][0].index_select(0, owners))
        c = [x.new_empty(rows, self._size) for _ in self._weights]
        buffers, before, changes = _Buffers(rows, self._size, x), 0, 0
        for step in range(begin, steps):
            k = there[step]
            if k > before:
                new = owners[before:k]
                for own, kept in (*zip(h[:-1], self._h, strict=False), *zip(c, self._c, strict=True)):
                    torch.index_select(kept[step], 0, new, out=own[before:k])
            if k < rows:
                torch.index_select(self._h[-1][step + 1], 0, owners[k:], out=out[step, k:])
            gates = buffers.of(k)
            torch.index_select(self._given[step], 0, owners[:k], out=gates)
            if ends[step] > changes:
                gates.index_copy_(0, which[changes : ends[step]], anew[changes : ends[step]])
            for number, weights in enumerate(self._weights):
                if number:
                    torch.addmm(weights.bias, h[number - 1][:k], weights.inner, out=gates)
                result = (out[step] if number == len(h) - 1 else h[number])[:k]
                gates.addmm_(h[number][:k], weights.recurrent)
                cell = c[number][:k]
                buffers.step(k, cell, cell, result)
            h[-1] = out[step]
            before, changes = k, ends[step]
        return out.transpose(0, 1), (torch.stack(h), torch.stack(c).div_(SCALE))

    def _begins_alike(self, state: tuple[Tensor, ...], owners: Tensor) -> bool:
        if len(state) != len(self.start):
            return False
        alike = zip(state, self.start, strict=True)
        return all(own.shape[1] == len(owners) and torch.equal(own, first[:, owners]) for own, first in alike)


def fits(layer: nn.Module, x: Any) -> bool:
    """Whether an LSTM is one that is known here, on the CPU, in full precision."""
    return (
        type(layer) is nn.LSTM
        and not layer.bidirectional
        and layer.proj_size == 0
        and isinstance(x, Tensor)
        and x.device.type == "cpu"
        and x.dtype in (torch.float32, torch.float64)
        and layer.weight_hh_l0.dtype == x.dtype
    )


class _Buffers:
    """What is written anew at each step: gates (rows, 4H), and room for (rows, H)."""

    def __init__(self, rows: int, size: int, like: Tensor) -> None:
        self.gates, self._all, self._size = like.new_empty(rows, 4 * size), like.new_empty(rows, size), size
        self._rows = -1

    def of(self, k: int) -> Tensor:
        """The gates of the first k rows."""
        if k != self._rows:
            self._rows, self._some, self._room = k, self.gates[:k], self._all[:k]
            self._parts = self._some.view(k, 4, self._size).unbind(1)
        return self._some

    def step(self, k: int, before: Tensor, after: Tensor, out: Tensor) -> None:
        """One step of the first k rows, whose gates hold what input and state give: the cell states before it are those
        after it then, which may be the same memory, and the new h is out."""
        self.of(k).sigmoid_()
        opened, kept, candidate, shown = self._parts
        # -2 (f c + i tanh(g)), with tanh(g) = 2 sigmoid(2 g) - 1
        torch.mul(before, kept, out=after).addcmul_(opened, candidate.sub_(0.5), value=2 * SCALE)
        torch.addcmul(shown, shown, torch.sigmoid(after, out=self._room), value=-2, out=out)


def _differing(x: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
    """Rows and steps (m,) at which (r, T, D) are not the same; in NumPy, which is several times as fast."""
    found = (x.numpy() != own.numpy()).reshape(-1).nonzero()[0] // x.shape[2]
    if not len(found):
        return torch.zeros(0, dtype=torch.int64), torch.zeros(0, dtype=torch.int64)
    found = torch.unique_consecutive(torch.from_numpy(found))
    return found // x.shape[1], found % x.shape[1]


def _weights(layer: nn.LSTM, number: int) -> _Weights:
    inner, recurrent = (getattr(layer, f"weight_{kind}_l{number}") for kind in ("ih", "hh"))
    bias = getattr(layer, f"bias_ih_l{number}") + getattr(layer, f"bias_hh_l{number}") if layer.bias else None
    if bias is None:
        bias = inner.new_zeros(len(inner))
    scale = inner.new_ones(4, layer.hidden_size, 1)
    scale[2] = 2
    scale = scale.reshape(-1, 1)
    return _Weights((inner * scale).t().contiguous(), (recurrent * scale).t().contiguous(), bias * scale[:, 0])
