"""Places of all boxes and frames: each expanded module is laid out by itself, then is a box in the one around it.

A link into or out of an expanded module passes its border at a port; links that come from the same box share it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from dashboard.views.model import graph_layering as layering
from dashboard.views.model.graph_layering import Link, Point
from dashboard.views.model.graph_tree import Seen

HEAD, PAD = 24.0, 12.0  # of a frame: above its boxes, around them
Key = tuple[str, str, str]  # from, to, signal: boxes, frames, 'in' or 'out' for the border; the box it comes from


@dataclass(frozen=True)
class Layout:
    """rectangles: left, top, width and height of each box and frame. ways: by link (from, to) its points."""

    rectangles: dict[str, tuple[float, float, float, float]]
    ways: dict[tuple[str, str], list[Point]]
    width: float
    height: float


@dataclass
class _Level:
    """One frame, laid out: rectangles of what is directly in it and ways, from its own left and top."""

    width: float
    height: float
    rectangles: dict[str, tuple[float, float, float, float]] = field(default_factory=dict)
    ways: dict[Key, list[Point]] = field(default_factory=dict)
    enters: dict[str, float] = field(default_factory=dict)  # heights of its ports by signal
    leaves: dict[str, float] = field(default_factory=dict)


def lay_out(seen: Seen, sizes: Mapping[str, tuple[float, float]]) -> Layout:
    """Where everything stands.

    Args:
        sizes: width and height of each box; of a frame the least ones.
    """
    inside: dict[str, list[str]] = defaultdict(list)
    # A frame stands where its first box does.
    for box in seen.boxes:
        item = box
        while item not in inside[(home := seen.home[item])]:
            inside[home].append(item)
            if not home:
                break
            item = f"m:{home}"
    parts = {link: _parts(seen, *link) for link in seen.links}
    crossing: dict[str, dict[Key, None]] = defaultdict(dict)
    for own in parts.values():
        for frame, key in own:
            crossing[frame][key] = None
    levels: dict[str, _Level] = {}
    for frame in [*(name[2:] for name in reversed(seen.frames)), ""]:
        least = sizes[f"m:{frame}"] if frame else (0.0, 0.0)
        levels[frame] = _level(inside[frame], list(crossing[frame]), levels, sizes, least, framed=bool(frame))
    return _absolute(seen, levels, parts)


def _up(seen: Seen, item: str) -> list[tuple[str, str]]:
    """(frame, what of it holds the item), from the innermost frame out to ''."""
    found = []
    while True:
        home = seen.home[item]
        found.append((home, item))
        if not home:
            return found
        item = f"m:{home}"


def _parts(seen: Seen, a: str, b: str) -> list[tuple[str, Key]]:
    """The parts of a link, from its start: out of frames, through the one that holds both ends, into others."""
    up, down = _up(seen, a), _up(seen, b)
    common = {frame for frame, _ in up} & {frame for frame, _ in down}
    out = [(frame, (item, "out", a)) for frame, item in up if frame not in common]
    into = [(frame, ("in", item, a)) for frame, item in reversed(down) if frame not in common]
    frame, start = next((frame, item) for frame, item in up if frame in common)
    end = next(item for home, item in down if home == frame)
    return [*out, (frame, (start, end, a)), *into]


def _level(
    items: list[str],
    keys: list[Key],
    levels: dict[str, _Level],
    sizes: Mapping[str, tuple[float, float]],
    least: tuple[float, float],
    *,
    framed: bool,
) -> _Level:
    """One frame, from what stands in it."""
    entering = list(dict.fromkeys(signal for start, _, signal in keys if start == "in"))
    leaving = list(dict.fromkeys(signal for _, end, signal in keys if end == "out"))
    names = [*(f"in {one}" for one in entering), *items, *(f"out {one}" for one in leaving)]
    number = {name: at for at, name in enumerate(names)}
    extent = [_extent(name, levels, sizes) if name in items else (0.0, 0.0) for name in names]
    signals = {signal: at for at, signal in enumerate(dict.fromkeys(key[2] for key in keys))}
    links = [
        Link(
            number[f"in {signal}" if start == "in" else start],
            number[f"out {signal}" if end == "out" else end],
            signals[signal],
            0.0 if start == "in" else _height(start, signal, levels, sizes, leaving=True),
            0.0 if end == "out" else _height(end, signal, levels, sizes, leaving=False),
        )
        for start, end, signal in keys
    ]
    first, last = range(len(entering)), range(len(names) - len(leaving), len(names))
    drawn = layering.draw(extent, links, first, last)
    left, top = (0.0 if entering else PAD, HEAD) if framed else (0.0, 0.0)
    right = 0.0 if leaving or not framed else PAD
    level = _Level(
        max(least[0], drawn.width + left + right), max(least[1], drawn.height + top + (PAD if framed else 0))
    )
    level.rectangles = {
        name: (drawn.places[number[name]][0] + left, drawn.places[number[name]][1] + top, *extent[number[name]])
        for name in items
    }
    for key, way in zip(keys, drawn.ways, strict=True):
        level.ways[key] = [(x + left, y + top) for x, y in way]
        if key[1] == "out":
            level.ways[key].append((level.width, level.ways[key][-1][1]))
    level.enters = {signal: drawn.places[number[f"in {signal}"]][1] + top for signal in entering}
    level.leaves = {signal: drawn.places[number[f"out {signal}"]][1] + top for signal in leaving}
    return level


def _extent(item: str, levels: dict[str, _Level], sizes: Mapping[str, tuple[float, float]]) -> tuple[float, float]:
    level = levels.get(item[2:]) if item.startswith("m:") else None
    return (level.width, level.height) if level else sizes[item]


def _height(
    item: str, signal: str, levels: dict[str, _Level], sizes: Mapping[str, tuple[float, float]], *, leaving: bool
) -> float:
    """Where a signal passes the border of a box or frame, from its top."""
    level = levels.get(item[2:]) if item.startswith("m:") else None
    if level is None:
        return sizes[item][1] / 2
    return (level.leaves if leaving else level.enters)[signal]


def _absolute(seen: Seen, levels: dict[str, _Level], parts: dict[tuple[str, str], list[tuple[str, Key]]]) -> Layout:
    corner: dict[str, Point] = {"": (0.0, 0.0)}
    rectangles: dict[str, tuple[float, float, float, float]] = {}
    for frame in ["", *(name[2:] for name in seen.frames)]:
        x, y = corner[frame]
        for item, (left, top, width, height) in levels[frame].rectangles.items():
            rectangles[item] = (x + left, y + top, width, height)
            if item[2:] in levels and item.startswith("m:"):
                corner[item[2:]] = (x + left, y + top)
    ways = {}
    for link, own in parts.items():
        points: list[Point] = []
        for frame, key in own:
            x, y = corner[frame]
            points += [(x + px, y + py) for px, py in levels[frame].ways[key]]
        ways[link] = plain(points)
    return Layout(rectangles, ways, levels[""].width, levels[""].height)


def plain(points: list[Point]) -> list[Point]:
    """The same way without repeated points, and without those inside a straight level stretch."""
    found: list[Point] = []
    for point in points:
        if found and abs(found[-1][0] - point[0]) < 0.01 and abs(found[-1][1] - point[1]) < 0.01:
            continue
        if len(found) > 1 and abs(found[-1][1] - point[1]) < 0.01 and abs(found[-2][1] - point[1]) < 0.01:
            found[-1] = point
        else:
            found.append(point)
    return found
