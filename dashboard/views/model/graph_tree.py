"""The graph by its modules: which boxes are seen when some modules are expanded, and what flows between them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

ALL = "*"  # of the modules expanded: every one, but for those that follow with a minus
MOST_SEEN = 2000  # boxes at once; modules beyond stay collapsed
_ENDS = ("input", "output", "parameter")


@dataclass
class Module:
    """A module that something is called in. name: dotted, '' for the model. nodes: ids of the calls directly in it."""

    name: str
    type: str = ""
    parent: str | None = None
    nodes: list[str] = field(default_factory=list)
    modules: list[str] = field(default_factory=list)
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Tree:
    """nodes: by id, as the question answers. order: of all ids as they run. modules: by name. inside: ids of all calls
    in a module, in order."""

    nodes: dict[str, dict[str, Any]]
    order: list[str]
    modules: dict[str, Module]
    inside: dict[str, list[str]]
    edges: list[tuple[str, str]]


@dataclass(frozen=True)
class Seen:
    """What is seen. boxes: ids of nodes and 'm:NAME' of collapsed modules, as they run. frames: expanded modules, outer
    ones first, without the model. home: of each box and frame, the frame it stands in, '' for none. place: the box that
    holds each node. links: between boxes. kept: modules that stay collapsed because more would not fit."""

    boxes: list[str]
    frames: list[str]
    home: dict[str, str]
    place: dict[str, str]
    links: list[tuple[str, str]]
    kept: int


def tree(answer: Mapping[str, Any]) -> Tree:
    """Modules with what is called in them; those that hold one call that they are themselves are no modules here."""
    nodes = {str(node["id"]): dict(node) for node in answer["nodes"]}
    order = sorted(nodes, key=lambda one: nodes[one].get("order") or 0)
    listed = {str(item["name"]): item for item in answer.get("modules", ())}
    modules: dict[str, Module] = {"": Module("", type=str(listed.get("", {}).get("type", "")))}
    inside: dict[str, list[str]] = {"": []}

    def known(name: str) -> Module:
        if name in modules:
            return modules[name]
        about = listed.get(name, {})
        parent = str(about.get("parent") or name.rpartition(".")[0])
        if parent == name:
            parent = ""
        home = known(parent)
        found = Module(name, str(about.get("type", "")), parent, about=about)
        home.modules.append(name)
        modules[name], inside[name] = found, []
        return found

    for one in order:
        home = known(str(nodes[one].get("parent") or ""))
        home.nodes.append(one)
        up: str | None = home.name
        while up is not None:
            inside[up].append(one)
            up = modules[up].parent
    edges = [(str(a), str(b)) for a, b in answer["edges"] if str(a) in nodes and str(b) in nodes]
    return Tree(nodes, order, modules, inside, edges)


def opened(made: Tree, chosen: Iterable[str]) -> set[str]:
    """Names of expanded modules. chosen: as the address lists them: names, '*' for all, '-NAME' for one that is not."""
    names = list(chosen)
    found = {name for name in names if name in made.modules} | set(alone(made))
    if ALL in names:
        found |= set(made.modules)
    return (found - {name[1:] for name in names if name.startswith("-")}) | {""}


def alone(made: Tree) -> list[str]:
    """Modules that are expanded by themselves: what is alone on its level has nothing around it to see."""
    found, level = [], made.modules[""]
    while len(level.modules) == 1 and all(made.nodes[one].get("kind") in _ENDS for one in level.nodes):
        found.append(level.modules[0])
        level = made.modules[level.modules[0]]
    return found


def seen(made: Tree, chosen: Iterable[str], most: int = MOST_SEEN) -> Seen:
    """Boxes, frames and links for these expanded modules, the outer ones first while there is room."""
    wanted = opened(made, chosen)
    count = len(made.modules[""].nodes) + len(made.modules[""].modules)
    shown, kept, level = {""}, 0, [""]
    while level:
        inner = []
        for name in (one for up in level for one in made.modules[up].modules if one in wanted):
            more = len(made.modules[name].nodes) + len(made.modules[name].modules) - 1
            if count + more > most:
                kept += 1
                continue
            count += more
            shown.add(name)
            inner.append(name)
        level = inner
    return _boxes(made, shown, kept)


def _boxes(made: Tree, shown: set[str], kept: int) -> Seen:
    home: dict[str, str] = {}
    place: dict[str, str] = {}
    boxes: list[str] = []
    frames: dict[str, int] = {}
    for one in made.order:
        name = str(made.nodes[one].get("parent") or "")
        path = path_of(made, name)
        box, under = one, name
        for depth, up in enumerate(path[1:]):
            if up not in shown:  # the outermost module that is collapsed stands for the call
                box, under = f"m:{up}", path[depth]
                break
            frames.setdefault(up, depth)
        place[one] = box
        if box not in home:
            home[box] = under
            boxes.append(box)
    outer = sorted(frames, key=frames.__getitem__)
    home |= {f"m:{name}": str(made.modules[name].parent) for name in outer}
    links = dict.fromkeys((place[a], place[b]) for a, b in made.edges if place[a] != place[b])
    return Seen(boxes, [f"m:{name}" for name in outer], home, place, list(links), kept)


def path_of(made: Tree, name: str) -> list[str]:
    """A module and those around it, from the model ('') inwards."""
    path = [name]
    while (parent := made.modules[path[-1]].parent) is not None:
        path.append(parent)
    return path[::-1]
