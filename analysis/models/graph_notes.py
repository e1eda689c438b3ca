"""Nodes of a computation graph and where their values come from, noted while a model runs. Needs torch."""

from __future__ import annotations

import sys
from collections import Counter

from torch import Tensor, nn

from analysis.models.graph_flow import Flow, Node, version
from analysis.models.graph_leaves import class_of, is_leaf, operation_of, outer


class Notes:
    """The graph of a pass as it grows.

    Args:
        model: not wrapped.

    A tensor that nobody saw being made is taken for what the last node made, unless it was there before the pass.

    Attributes:
        flow: the makers of tensors. nodes: by id, in the order of the calls. assumed: whether an edge was assumed so.
    """

    def __init__(self, model: nn.Module) -> None:
        self.flow = Flow()
        self.nodes = self.flow.nodes
        self.assumed = False
        modules = dict(model.named_modules())
        self._names = {id(module): name for name, module in modules.items()}
        self._taken = set(modules)
        self._groups = {name for name, module in modules.items() if not is_leaf(module, model)}
        self._own = {id(value): (name, value) for name, value in _parts(model)}
        self._calls: Counter[str] = Counter()
        self._before = _constants(model)
        self._last = ""  # of the nodes that compute

    def name_of(self, module: nn.Module) -> str:
        """Dotted name of a module; '' for the model itself."""
        return self._names.get(id(module), "")

    def module(self, module: nn.Module, given: list[Tensor]) -> Node:
        """A call of a leaf begins."""
        name = self.name_of(module)
        stem = name or class_of(module).lower()
        node = Node(stem, name, operation_of(module), class_of(module), "module", outer(name))
        node.call = self._calls[name]
        self._calls[name] += 1
        if node.call:
            node.id = self._free(f"{stem}#{node.call + 1}")
        node.uses = list(dict.fromkeys(module.parameters()))
        for tensor in given:
            self.take(node, tensor)
        return self._add(node)

    def function(self, op: str, parent: str) -> Node:
        """A function or an operation begins; it joins the graph with ``add``."""
        return Node("", "", op, "function", "function", parent)

    def add(self, node: Node, given: list[Tensor], written: list[Tensor], made: list[Tensor]) -> None:
        """A function took, overwrote and made tensors."""
        stem = _joined(node.parent, node.op)
        node.call = self._calls[f"{stem}()"]
        self._calls[f"{stem}()"] += 1
        node.id = self._free(f"{stem}#{node.call + 1}" if node.call else stem)
        for tensor in given:
            self.take(node, tensor)
        self._add(node)
        for tensor in written:
            self.flow.writes(node, tensor)
        self.made(node, made or written)

    def input(self, tensor: Tensor, name: str) -> None:
        """The model is given a tensor; name: of the argument, '' for the first."""
        node = self._add(Node(self._free(f"input:{name}" if name else "input"), name, "input", "Tensor", "input", ""))
        node.from_data = True
        self.made(node, [tensor])

    def output(self, tensor: Tensor, name: str) -> None:
        """The model yields a tensor; name: its place in the output, '' for the only one."""
        node = Node(self._free(f"output:{name}" if name else "output"), name, "output", "Tensor", "output", "")
        self.take(node, tensor)
        self._add(node)
        node.shape, node.dtype, node.tensors = [*map(int, tensor.shape)], _dtype(tensor), 1

    def made(self, node: Node, tensors: list[Tensor]) -> None:
        """A node yields tensors."""
        self.flow.yields(node, tensors)
        node.tensors = len(tensors)
        if tensors:
            node.shape, node.dtype = [*map(int, tensors[0].shape)], _dtype(tensors[0])

    def finish(self, node: Node, found: list[Tensor], given: list[tuple[Tensor, int]]) -> None:
        """A leaf yields ``found``; ``given``: what it took, with the versions then."""
        for tensor, before in given:
            if version(tensor) != before:
                self.flow.writes(node, tensor)
        self.made(node, found)

    def take(self, node: Node, tensor: Tensor) -> None:
        """Add where a tensor comes from to what a node takes."""
        makers = self.flow.makers(tensor)
        if not makers:
            own = self._own.get(id(tensor))
            makers = [self._part(*own) if own else self._unknown(tensor, node)]
        for maker in makers:
            if maker != node.id:
                node.sources[maker] = None
                node.from_data |= self.nodes[maker].from_data

    def read(self, tensor: Tensor) -> bool:
        """Python reads a tensor's values; whether these depend on an input."""
        makers = [self.nodes[maker] for maker in self.flow.makers(tensor)]
        for node in makers:
            node.read = True
        return any(node.from_data for node in makers)

    def _part(self, name: str, value: Tensor) -> str:
        """The node of a parameter or a buffer that a function takes."""
        kind = "parameter" if isinstance(value, nn.Parameter) else "buffer"
        parent = outer(name)
        while parent and parent not in self._groups:
            parent = outer(parent)
        node = self._add(Node(self._free(name), name, kind, type(value).__name__, "parameter", parent))
        node.uses = [value] if isinstance(value, nn.Parameter) else []
        self.made(node, [value])
        return node.id

    def _unknown(self, tensor: Tensor, node: Node) -> str:
        """The node of a tensor that came out of nowhere."""
        if self._last and id(tensor) not in self._before:
            self.assumed = True
            return self._last
        parent = node.parent
        found = self._add(Node(self._free(_joined(parent, "constant")), "", "constant", "Tensor", "parameter", parent))
        self.made(found, [tensor])
        return found.id

    def _add(self, node: Node) -> Node:
        self.nodes[node.id] = node
        if node.kind in ("module", "function", "input"):
            self._last = node.id
        return node

    def _free(self, wanted: str) -> str:
        """An id that no node has, and no module either."""
        found, number = wanted, 1
        while found in self.nodes or found in self._taken:
            number += 1
            found = f"{wanted}#{number}"
        return found


def _parts(model: nn.Module) -> list[tuple[str, Tensor]]:
    return [*model.named_parameters(), *model.named_buffers()]


def _constants(model: nn.Module) -> dict[int, Tensor]:
    """Tensors that are there before a pass: attributes of modules, and names beside the classes of somebody's own."""
    found = [value for module in model.modules() for value in vars(module).values()]
    for name in {type(module).__module__ for module in model.modules()}:
        if not name.startswith("torch."):
            found += vars(sys.modules[name]).values() if name in sys.modules else []
    return {id(value): value for value in found if isinstance(value, Tensor)}


def _joined(parent: str, name: str) -> str:
    return f"{parent}/{name}" if parent else name


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
