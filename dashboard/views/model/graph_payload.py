"""What assets/graph.js draws: boxes and frames with their figures, links with their ways, names to search in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dashboard.views.model.graph_families import FAMILIES, family, shared_family
from dashboard.views.model.graph_layout import lay_out
from dashboard.views.model.graph_tree import Seen, Tree, alone, path_of, seen, tree

MOST_NAME = 200
VERDICTS = ("same", "barely", "changed", "rewritten")
_SIZES = {"module": (124.0, 54.0), "function": (96.0, 38.0)}
_END, _COLLAPSED = (100.0, 38.0), (144.0, 58.0)
_LETTER = 6.6  # px, of a frame's title


def payload(answer: Mapping[str, Any], chosen: Sequence[str]) -> dict[str, Any]:
    """Plain values of everything that is seen when these modules are expanded.

    Args:
        answer: of the question computation_graph. chosen: expanded modules, as the address lists them.

    Returns:
        'width', 'height', 'items': boxes and frames, outer frames first, 'edges': [from, to, [x, y, ...]] by place in
        the items, 'all': of every call [name, type, place in the items, key of its layer or None, module it is called
        in], 'families': names, 'kept': modules that stay collapsed for want of room, 'collapsible': modules in all,
        'auto': those that are expanded by themselves, 'dead', 'frozen': calls.
    """
    made = tree(answer)
    what = seen(made, chosen)
    shown = [*what.frames, *what.boxes]
    found = {item: _about(made, what, item) for item in shown}
    layout = lay_out(what, {item: _size(one) for item, one in found.items()})
    for item, one in found.items():
        left, top, width, height = layout.rectangles[item]
        one["shape"] = shape_of(one["shape"], answer.get("instances"))
        one |= {"x": round(left), "y": round(top, 1), "w": round(width), "h": round(height, 1)}
    at = {item: number for number, item in enumerate(shown)}
    return {
        "width": round(layout.width),
        "height": round(layout.height),
        "items": [found[item] for item in shown],
        "edges": [
            [at[a], at[b], [round(value, 1) for point in way for value in point]] for (a, b), way in layout.ways.items()
        ],
        "all": [_entry(made, one, at[what.place[one]]) for one in made.order],
        "families": list(FAMILIES),
        "kept": what.kept,
        "collapsible": len(made.modules) - 1,
        "auto": alone(made),
        "dead": sum(bool(node.get("dead")) for node in made.nodes.values()),
        "frozen": sum(bool(node.get("frozen")) for node in made.nodes.values()),
        "total": answer.get("total") or {},
    }


def _size(one: dict[str, Any]) -> tuple[float, float]:
    kind = one["kind"]
    if kind == "frame":
        return (_LETTER * (len(one["short"]) + len(one["type"]) + 8), 0.0)
    return _COLLAPSED if kind == "group" else _SIZES.get(kind, _END)


def _entry(made: Tree, one: str, place: int) -> list[Any]:
    node = made.nodes[one]
    kind, parent = str(node.get("type") or node.get("op") or ""), str(node.get("parent") or "")
    return [full_name(node), kind, place, node.get("layer"), parent]


def full_name(node: Mapping[str, Any]) -> str:
    """Dotted name of a module's call; of a function what it does and where: 'add in layer1.0'."""
    if "#" in str(node.get("layer") or ""):
        return str(node["layer"])[:MOST_NAME]
    if node.get("name"):
        again = f"#{int(node['call']) + 1}" if node.get("call") and "#" not in str(node["name"]) else ""
        return f"{str(node['name'])[:MOST_NAME]}{again}"
    where = f" in {node['parent']}" if node.get("parent") else ""
    return f"{node.get('op') or node.get('type') or node.get('kind')}{where}"[:MOST_NAME]


def _about(made: Tree, what: Seen, item: str) -> dict[str, Any]:
    return _module(made, what, item) if item.startswith("m:") else _call(made, what, item)


def _call(made: Tree, what: Seen, item: str) -> dict[str, Any]:
    node = made.nodes[item]
    kind = str(node.get("kind") or "function")
    name = full_name(node)
    home = what.home[item]
    short = name[len(home) + 1 :] if home and name.startswith(f"{home}.") else name
    if not node.get("name"):
        short = str(node.get("op") or kind)
    parameters = int(node.get("parameters") or 0)
    return {
        "id": item,
        "kind": kind if kind in ("module", "function") else "end",
        "role": kind,
        "name": name,
        "short": short[:MOST_NAME],
        "type": str(node.get("type") or node.get("op") or "")[:MOST_NAME],
        "shape": node.get("shape"),
        "dtype": str(node.get("dtype") or ""),
        "parameters": parameters,
        "trainable": int(node.get("trainable") or 0),
        "flops": number(node.get("flops")),
        "seconds": number(node.get("seconds")),
        "layer": node.get("layer"),
        "family": family(node),
        "frozen": int(bool(node.get("frozen"))),
        "frozen_of": int(parameters > 0),
        "dead": int(bool(node.get("dead"))),
        "calls": 1,
        "shared": node.get("shared") or "",
    }


def _module(made: Tree, what: Seen, item: str) -> dict[str, Any]:
    name = item[2:]
    module, nodes = made.modules[name], [made.nodes[one] for one in made.inside[name]]
    home = what.home[item]
    weighty = [node for node in nodes if node.get("parameters")]
    last = nodes[-1]
    figures = {part: number(_figure(module.about, nodes, part)) for part in ("parameters", "flops", "seconds")}
    return {
        "id": item,
        "kind": "frame" if item in what.frames else "group",
        "role": "module",
        "name": name,
        "short": name[len(home) + 1 :] if home and name.startswith(f"{home}.") else name,
        "type": module.type[:MOST_NAME],
        "shape": last.get("shape"),
        "dtype": str(last.get("dtype") or ""),
        **figures,
        "parameters": int(figures["parameters"] or 0),
        "trainable": sum(int(node.get("trainable") or 0) for node in weighty),
        "layer": None,
        "family": shared_family({family(node) for node in nodes}),
        "frozen": sum(bool(node.get("frozen")) for node in weighty),
        "frozen_of": len(weighty),
        "dead": sum(bool(node.get("dead")) for node in nodes),
        "calls": len(nodes),
        "inner": len(module.modules),
        "depth": len(path_of(made, name)) - 1,
        "shared": "",
    }


def _figure(about: Mapping[str, Any], nodes: list[dict[str, Any]], part: str) -> Any:
    if about.get(part) is not None:
        return about[part]
    known = [node[part] for node in nodes if node.get(part) is not None]
    return sum(known) if known else None


def number(value: Any) -> float | int | None:
    """A figure as JSON takes it: None for what is not known or not finite; times to six digits."""
    if not isinstance(value, (int, float)) or value != value or abs(value) == float("inf"):
        return None
    return value if isinstance(value, int) else float(f"{value:.6g}")


def shape_of(shape: Any, instances: Any = None) -> str:
    """'16 × 28 × 28' of one instance, where the first size is the number of instances; '' where there is none."""
    if not isinstance(shape, (list, tuple)):
        return ""
    sizes = list(shape)[1:] if shape and shape[0] == instances else list(shape)
    return " × ".join(str(size) for size in sizes) or "a number"


def changes(answer: Mapping[str, Any], change: Mapping[str, Any], chosen: Sequence[str]) -> dict[str, Any]:
    """How far the weights of every box and frame moved.

    Args:
        answer, chosen: as for ``payload``. change: of the question parameter_change.

    Returns:
        'items': by id of box or frame [verdict as a place in ``VERDICTS``, relative change, largest change in standard
        deviations, name of the layer it is that of]; of a module that of the layer in it that moved most.
        'counts': layers by verdict.
    """
    made = tree(answer)
    what = seen(made, chosen)
    moved = {str(one["name"]): one for one in change["modules"]}
    found: dict[str, list[Any]] = {}
    for item in [*what.frames, *what.boxes]:
        inside = made.inside[item[2:]] if item.startswith("m:") else [item]
        names = dict.fromkeys(name for one in inside for name in _weights(made.nodes[one]))
        known = [moved[name] for name in names if name in moved]
        if known:
            most = max(known, key=lambda one: (_rank(one), float(one.get("relative") or 0)))
            values = [number(most.get("relative")), number(most.get("largest"))]
            found[item] = [_rank(most), *values, str(most["name"])[:MOST_NAME]]
    counts = [sum(_rank(one) == rank for one in moved.values()) for rank in range(len(VERDICTS))]
    return {"items": found, "counts": counts}


def _weights(node: Mapping[str, Any]) -> list[str]:
    """Names of modules whose weights a call uses."""
    name = str(node.get("name") or "")
    return [one for one in (name, name.partition("#")[0], str(node.get("shared") or "")) if one]


def _rank(one: Mapping[str, Any]) -> int:
    return VERDICTS.index(one["verdict"]) if one.get("verdict") in VERDICTS else 0
