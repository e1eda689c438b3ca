"""Graphs of models that are drawn at random, so that every edge is known."""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from analysis.models.graph_answer import nodes_of
from analysis.models.graph_trace import Trace

WIDTH = 4
UNARY = ("relu", "tanh", "linear", "again", "identity", "in place")
BINARY = ("add", "mul", "cat")
Step = tuple[str, int, int]  # what is done, to which earlier values


class Drawn(nn.Module):
    """Runs a list of steps; each takes earlier values by their places, 0 being the input, and yields one."""

    def __init__(self, steps: list[Step]) -> None:
        super().__init__()
        self.steps = steps
        self.layers = nn.ModuleList([nn.Linear(WIDTH, WIDTH) for _ in steps])
        self.shared, self.same = nn.Linear(WIDTH, WIDTH), nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        values = [x]
        for number, (what, first, second) in enumerate(self.steps):
            a, b = values[first % len(values)], values[second % len(values)]
            values.append(self._do(what, self.layers[number], a, b))
        return values[-1]

    def _do(self, what: str, layer: nn.Module, a: Tensor, b: Tensor) -> Tensor:
        if what in ("relu", "tanh"):
            return getattr(torch, what)(a)
        if what == "in place":
            return (a * 1).sigmoid_()
        if what in ("linear", "again", "identity"):
            return {"linear": layer, "again": self.shared, "identity": self.same}[what](a)
        return (torch.cat([a, b], 1) if what == "cat" else getattr(torch, what)(a, b))[:, :WIDTH]


def expected(steps: list[Step]) -> tuple[list[str], set[tuple[int, int]], set[int]]:
    """What the nodes do, in order; the edges between their places; the places of those that are dead.

    Slow and obvious: from the steps alone.
    """
    operations, edges, of_value = ["input"], set(), [0]
    for what, first, second in steps:
        a, b = of_value[first % len(of_value)], of_value[second % len(of_value)]
        made = {"in place": ["mul", "sigmoid"], "again": ["linear"]}.get(what, [what])
        if what in BINARY:
            made = [what, "getitem"]
            edges.add((b, len(operations)))
        edges.add((a, len(operations)))
        for place, operation in enumerate(made):
            if place:
                edges.add((len(operations) - 1, len(operations)))
            operations.append(operation)
        of_value.append(len(operations) - 1)
    edges.add((of_value[-1], len(operations)))
    operations.append("output")
    alive = {len(operations) - 1}
    while True:
        more = alive | {a for a, b in edges if b in alive}
        if more == alive:
            break
        alive = more
    return operations, edges, set(range(len(operations))) - alive


def found(model: nn.Module, x: Tensor) -> tuple[list[str], set[tuple[int, int]], set[int], Any]:
    trace = Trace(model)
    with torch.no_grad(), trace:
        model(x)
    nodes = trace.notes.nodes
    places = {name: place for place, name in enumerate(nodes)}
    edges = {(places[source], places[node.id]) for node in nodes.values() for source in node.sources}
    dead = {places[row["id"]] for row in nodes_of(nodes, {}, {}, {}, 1) if row["dead"]}
    return [node.op for node in nodes.values()], edges, dead, nodes


STEPS = st.lists(
    st.tuples(st.sampled_from(UNARY + BINARY), st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=12
)


@settings(deadline=None, max_examples=60)
@given(steps=STEPS)
def test_nodes_edges_and_dead_branches_are_those_of_the_steps(steps: list[Step]) -> None:
    model, x = Drawn(steps).eval(), torch.randn(2, WIDTH)
    with torch.no_grad():
        value = model(x)
    operations, edges, dead, nodes = found(model, x)
    assert (operations, edges, dead) == expected(steps)
    with torch.no_grad():
        assert torch.equal(model(x), value)  # nothing is left behind
    # A layer is dead if the output has no gradient at its weights.
    model(x.requires_grad_()).sum().backward()
    alive = {node.name for node in nodes.values() if node.kind == "module" and node.uses}
    places = {name: place for place, name in enumerate(nodes)}
    for name in alive:
        calls = [node.id for node in nodes.values() if node.name == name]
        weight = dict(model.named_modules())[name].weight
        assert (weight.grad is None) == all(places[one] in dead for one in calls)
