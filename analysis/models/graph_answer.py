"""From the notes of a pass to the answer of ``computation_graph``: plain values. Needs torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from analysis.models.graph_flow import Node
from analysis.models.graph_leaves import HOLDERS, class_of, inside_leaves, is_leaf, outer
from analysis.models.graph_times import Times


def nodes_of(
    nodes: Mapping[str, Node],
    keys: Mapping[tuple[str, int], str],
    times: Times,
    functions: Mapping[str, float],
    instances: int,
) -> list[dict[str, Any]]:
    """The nodes as plain values, in the order of the calls.

    Args:
        nodes: by id. keys: of layers, by (dotted name, call from 0). times: seconds of a pass by the same. functions:
            seconds of a pass by node. instances: in that pass.

    Returns:
        For each: 'id', 'name', 'op', 'type', 'kind', 'parent', 'call' (from 0), 'order', 'shape' (of the first tensor,
        with the instances; None if it yields none), 'dtype', 'tensors' (how many it yields), 'parameters' and
        'trainable' (numbers that no node before it has, so that tied weights count once), 'uses' (numbers it works
        with, tied ones too), 'owner' (dotted name of the module whose parameters these are), 'shared' (dotted name of
        the node that had them before, '' if none had), 'frozen' (it works with parameters, none of which is trained),
        'flops' and 'seconds' (per instance; None where they were not counted or measured), 'layer' (its key in the
        subject's layers, or None), 'dead' (nothing it yields reaches the output).
    """
    alive = _alive(nodes)
    owners: dict[int, str] = {}
    found = []
    for order, node in enumerate(nodes.values()):
        sized = [value for value in node.uses if not nn.parameter.is_lazy(value)]
        new = [value for value in sized if id(value) not in owners]
        tied = [owners[id(value)] for value in sized if id(value) in owners]
        owner = node.name if node.kind == "module" else outer(node.name)
        for value in new:
            owners[id(value)] = owner
        seconds = functions.get(node.id) if node.kind == "function" else times.get((node.name, node.call))
        measured = node.kind in ("function", "module") and seconds is not None
        found.append(
            {
                "id": node.id,
                "name": node.name,
                "op": node.op,
                "type": node.type,
                "kind": node.kind,
                "parent": node.parent,
                "call": node.call,
                "order": order,
                "shape": node.shape,
                "dtype": node.dtype,
                "tensors": node.tensors,
                "parameters": sum(value.numel() for value in new),
                "trainable": sum(value.numel() for value in new if value.requires_grad),
                "uses": sum(value.numel() for value in sized),
                "owner": owner if sized else "",
                "shared": tied[0] if tied else "",
                "frozen": bool(sized) and not any(value.requires_grad for value in sized),
                "flops": None if node.flops is None else round(node.flops / instances),
                "seconds": seconds / instances if measured and seconds is not None else None,
                "layer": keys.get((node.name, node.call)) if node.kind == "module" else None,
                "dead": node.id not in alive,
            }
        )
    return found


def _alive(nodes: Mapping[str, Node]) -> set[str]:
    """Nodes whose values reach an output, or were read by Python: what is read may decide the path."""
    waiting = [node.id for node in nodes.values() if node.kind == "output" or node.read]
    alive = set(waiting)
    while waiting:
        for source in nodes[waiting.pop()].sources:
            if source not in alive:
                alive.add(source)
                waiting.append(source)
    return alive


def modules_of(
    model: nn.Module, nodes: list[dict[str, Any]], keys: Mapping[tuple[str, int], str], times: Times, instances: int
) -> list[dict[str, Any]]:
    """The groups that nodes belong to, outer ones first: the model itself has the name ''.

    Returns:
        For each: 'name', 'type', 'parent' (None for the model itself), 'depth' (0 for it), 'parameters' and 'trainable'
        (tied weights once), 'frozen', 'flops' and 'seconds' (per instance, of all its calls; seconds None where it was
        not called), 'calls', 'nodes' (how many are inside, at any depth), 'layer' (key of its first call, where the
        subject names the group as a layer, else None).
    """
    hidden = inside_leaves(model)
    counts: dict[str, tuple[int, int]] = {}
    for node in nodes:
        place = node["parent"]
        while True:
            number, work = counts.get(place, (0, 0))
            counts[place] = number + 1, work + (node["flops"] or 0)
            if not place:
                break
            place = outer(place)
    counted = all(node["flops"] is not None for node in nodes)
    found = []
    for name, module in model.named_modules():
        if name and (name in hidden or is_leaf(module, model)):
            continue
        sized = [value for value in module.parameters() if not nn.parameter.is_lazy(value)]
        measured = [seconds for (called, _), seconds in times.items() if called == name]
        inside, work = counts.get(name, (0, 0))
        if not inside and not sized:
            continue
        found.append(
            {
                "name": name,
                "type": class_of(module),
                "parent": outer(name) if name else None,
                "depth": name.count(".") + 1 if name else 0,
                "parameters": sum(value.numel() for value in sized),
                "trainable": sum(value.numel() for value in sized if value.requires_grad),
                "frozen": bool(sized) and not any(value.requires_grad for value in sized),
                "flops": work if counted else None,
                "seconds": sum(measured) / instances if measured else None,
                "calls": len(measured),
                "nodes": inside,
                "layer": keys.get((name, 0)),
            }
        )
    return found


def uncalled(model: nn.Module, nodes: Mapping[str, Node]) -> list[str]:
    """Dotted names of leaves that the pass does not call, and whose parameters no function takes."""
    called = {node.name for node in nodes.values() if node.kind == "module"}
    taken = {id(value) for node in nodes.values() for value in node.uses}
    hidden = inside_leaves(model)
    return [
        name
        for name, module in model.named_modules()
        if name not in hidden
        and name not in called
        and is_leaf(module, model)
        and not isinstance(module, HOLDERS)
        and not any(id(value) in taken for value in module.parameters())
    ]


def totals(model: nn.Module, nodes: list[dict[str, Any]], seconds: float) -> dict[str, Any]:
    """Of the whole model: 'parameters', 'trainable' (tied weights once), 'flops' and 'seconds' per instance, 'nodes',
    'dead' nodes and 'frozen' ones."""
    sized = [value for value in model.parameters() if not nn.parameter.is_lazy(value)]
    flops = [node["flops"] for node in nodes]
    return {
        "parameters": sum(value.numel() for value in sized),
        "trainable": sum(value.numel() for value in sized if value.requires_grad),
        "flops": sum(work for work in flops if work is not None) if None not in flops else None,
        "seconds": seconds,
        "nodes": len(nodes),
        "dead": sum(node["dead"] for node in nodes),
        "frozen": sum(node["frozen"] for node in nodes),
    }
