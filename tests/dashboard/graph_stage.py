"""Computation graphs by hand, in the form that the question answers, and a subject with one; no worker."""

from __future__ import annotations

from typing import Any

import dash
import numpy as np

from tests.extraction.fabricate import layer

from .maps_subject import MadeUp

RULE = "A change of less than 0.1 % counts as none."


class Graph:
    """Makes a graph call by call; calls are linked to those that they are told to take."""

    def __init__(self) -> None:
        self.nodes: list[dict[str, Any]] = []
        self.edges: list[list[str]] = []
        self.modules: dict[str, dict[str, Any]] = {}

    def call(
        self,
        name: str,
        kind: str = "module",
        op: str = "Conv2d",
        *,
        of: tuple[str, ...] = (),
        parent: str | None = None,
        **more: Any,
    ) -> str:
        """Add a call after those of ``of``; the module it is called in is the one its name tells, or ``parent``."""
        home = name.rpartition(".")[0] if parent is None else parent
        number = f"n{len(self.nodes)}"
        node = {
            "id": number,
            "name": name if kind == "module" else "",
            "op": op.lower(),
            "type": op,
            "parent": home,
            "shape": [4, 16, 28, 28],
            "call": 0,
            "dtype": "float32",
            "parameters": 0,
            "trainable": 0,
            "flops": 1000,
            "seconds": 0.0002,
            "order": len(self.nodes),
            "layer": name if kind == "module" else None,
            "dead": False,
            "frozen": False,
            "kind": kind,
            "shared": "",
        }
        self.nodes.append(node | more)
        self.edges += [[one, number] for one in of]
        while home and home not in self.modules:
            up = home.rpartition(".")[0]
            self.modules[home] = {"name": home, "type": "Sequential", "parent": up, "depth": home.count(".") + 1}
            home = up
        return number

    def answer(self, how: str = "fx", why: str = "", note: str = "") -> dict[str, Any]:
        """As ``computation_graph`` answers."""
        for name, module in self.modules.items():
            own = [one for one in self.nodes if one["parent"] == name or one["parent"].startswith(f"{name}.")]
            module |= {part: sum(one[part] for one in own) for part in ("parameters", "flops", "seconds")}
        total = {part: sum(one[part] for one in self.nodes) for part in ("parameters", "trainable", "flops", "seconds")}
        modules = sorted(self.modules.values(), key=lambda module: module["name"])
        return {"how": how, "why": why, "note": note, "instances": 4, "nodes": self.nodes, "edges": self.edges} | {
            "modules": modules,
            "total": total,
        }


def residual(blocks: int = 3, *, stages: int = 2) -> Graph:
    """A stem, stages of blocks with a sum around them, a head; the stem is frozen, one branch leads nowhere."""
    made = Graph()
    last = made.call("", "input", "input")
    last = made.call("stem", of=(last,), parameters=448, frozen=True)
    for stage in range(stages):
        for block in range(blocks):
            name, start = f"layer{stage + 1}.{block}", last
            for part, op in (("conv1", "Conv2d"), ("bn1", "BatchNorm2d"), ("relu", "ReLU"), ("conv2", "Conv2d")):
                weights = {"Conv2d": 2304, "BatchNorm2d": 32}.get(op, 0)
                last = made.call(f"{name}.{part}", op=op, of=(last,), parameters=weights, trainable=weights)
            last = made.call("", "function", "add", of=(last, start), parent=name)
    made.call("aux", op="Linear", of=(last,), parameters=170, trainable=170, dead=True)
    last = made.call("fc", op="Linear", of=(last,), parameters=170, trainable=170, shape=[4, 10])
    made.call("", "output", "output", of=(last,), shape=[4, 10])
    return made


class Drawn(MadeUp):
    """As ``MadeUp``, with the graph of a residual network, and its weights compared."""

    def __init__(self, app: dash.Dash, graph: Graph | None = None, *, name: str = "", **answer: str) -> None:
        about = {"kind": "image", "classes": ["no", "<b>yes</b>"], "code": "c", "weights": "w", "data": "d"}
        saved = [
            {"name": "epoch 1", "path": "/e1", "sha256": "1" * 64},
            {"name": "odd", "path": "/o", "problem": "torn"},
        ]
        shapes = [layer("stem", "conv", 16, (28, 28)), layer("fc", "linear", 2, (), 1)]
        about |= {"checkpoints": saved, "layers": [one.to_json() for one in shapes]}
        super().__init__(app, f"drawn {name}", description=about, layers=shapes, n=40)
        self.graph = (graph or residual()).answer(**answer)
        self.makers |= {"computation_graph": lambda: (self.graph, {}), "parameter_change": self.change}

    def change(self, other: Any = None) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        verdicts = ("same", "barely", "changed", "rewritten")
        found = []
        for at, node in enumerate(one for one in self.graph["nodes"] if one["parameters"]):
            relative = (0.0, 0.005, 0.1, 1.5)[at % 4]
            found.append(
                {
                    "name": node["name"],
                    "parameters": node["parameters"],
                    "relative": relative,
                    "cosine": 1 - relative / 2,
                }
                | {"largest": 3 * relative, "verdict": verdicts[at % 4], "frozen": node["frozen"]}
            )
        return {"a": (other or {}).get("name", ""), "b": "", "modules": found, "rule": RULE}, {}
