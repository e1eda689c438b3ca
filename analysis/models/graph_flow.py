"""Which node of a computation graph made a tensor: told by identity, and by memory where tensors share it. Needs torch.

A tensor that is overwritten in place belongs to what wrote it; so does everything that views the same memory.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

_DEPTH = 6  # of structures in which tensors are looked for


@dataclass
class Node:
    """A call, or where a tensor comes from or goes to.

    id: unique. name: dotted name of the module, of the parameter, or of the input; '' for functions. op: plain name of
    what is done. type: the class. kind: 'input', 'module', 'function', 'parameter' or 'output'. parent: dotted name of
    the module it belongs to. call: from 0. shape, dtype: of the first tensor it yields. tensors: how many it yields.
    flops: of the whole batch, None if not counted. seconds: as measured, of the batch. sources: nodes whose values it
    takes, in order. uses: parameters, each once. from_data: whether it depends on an input. read: whether Python read
    its values.
    """

    id: str
    name: str
    op: str
    type: str
    kind: str
    parent: str
    call: int = 0
    shape: list[int] | None = None
    dtype: str = ""
    tensors: int = 0
    flops: int | None = 0
    seconds: float | None = None
    sources: dict[str, None] = field(default_factory=dict)
    uses: list[nn.Parameter] = field(default_factory=list)
    from_data: bool = False
    read: bool = False


def named_tensors(value: Any, name: str = "", depth: int = _DEPTH) -> Iterator[tuple[str, Tensor]]:
    """Tensors in arguments or results with their places: '' for the value itself, 'logits', '0', 'state.1'."""
    if isinstance(value, Tensor):
        yield name, value
        return
    if not depth:
        return
    parts: Any = ()
    if isinstance(value, Mapping):
        parts = [(str(key), item) for key, item in value.items()]
    elif isinstance(value, (tuple, list)):
        parts = [(str(place), item) for place, item in enumerate(value)]
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = [(entry.name, getattr(value, entry.name, None)) for entry in dataclasses.fields(value)]
    for key, item in parts:
        yield from named_tensors(item, f"{name}.{key}" if name else key, depth - 1)


def tensors_of(value: Any) -> list[Tensor]:
    """Tensors in arguments or results."""
    return [tensor for _, tensor in named_tensors(value)]


def version(tensor: Tensor) -> int:
    """How often a tensor's memory was written to; 0 where torch does not count."""
    try:
        return tensor._version
    except RuntimeError:  # of inference tensors
        return 0


def memory(tensor: Tensor) -> int | None:
    """The same for tensors that share memory; None for those without memory of the usual kind (sparse)."""
    try:
        return int(tensor.untyped_storage()._cdata)
    except (NotImplementedError, RuntimeError):
        return None


class Flow:
    """The makers of tensors. Tensors are kept alive: an identity holds only as long as the object lives."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self._made: dict[int, tuple[Tensor, str, int]] = {}
        self._written: dict[int, tuple[str, int]] = {}  # by memory: who wrote last in place
        self._first: dict[int, str] = {}  # by memory: who made it
        self._clock = 0

    def yields(self, node: Node, tensors: list[Tensor]) -> None:
        """A node made these tensors."""
        self._clock += 1
        for tensor in tensors:
            self._made[id(tensor)] = (tensor, node.id, self._clock)
            place = memory(tensor)
            if place is not None:
                self._first.setdefault(place, node.id)

    def writes(self, node: Node, tensor: Tensor) -> None:
        """A node overwrote a tensor, or a part of what it views."""
        self.yields(node, [tensor])
        place = memory(tensor)
        if place is not None:
            self._written[place] = (node.id, self._clock)

    def knows(self, tensor: Tensor) -> bool:
        """Whether the maker of a tensor is known."""
        return id(tensor) in self._made or memory(tensor) in self._first

    def makers(self, tensor: Tensor) -> list[str]:
        """Ids of the nodes that a tensor's values come from; empty where none is known."""
        place = memory(tensor)
        own = self._made.get(id(tensor))
        last = None if place is None else self._written.get(place)
        if own is None:
            found = last[0] if last else self._first.get(place or 0)
            return [found] if found else []
        if last is None or last[1] <= own[2]:
            return [own[1]]
        return [last[0]] if self._leads(own[1], last[0]) else [own[1], last[0]]

    def _leads(self, start: str, end: str) -> bool:
        """Whether values of one node go into another."""
        waiting, seen = [end], {end}
        while waiting:
            here = waiting.pop()
            if here == start:
                return True
            for before in self.nodes[here].sources:
                if before not in seen:
                    seen.add(before)
                    waiting.append(before)
        return False
