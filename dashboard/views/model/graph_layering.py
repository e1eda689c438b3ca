"""Layered drawing of a directed graph, left to right: columns, order within them, and places.

The steps of Sugiyama, Tagawa and Toda ("Methods for visual understanding of hierarchical system structures", IEEE
Transactions on Systems, Man, and Cybernetics 11(2), 1981): columns by longest paths, long links divided by a point in
every column they pass, few crossings by barycentres, then places. Places minimise squared distances to the
neighbours' with the order kept, one column at a time, which is isotonic regression ("pool adjacent violators").

Plain Python: some thousand boxes take less than a second.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

GAP_X, GAP_Y, LANE = 28.0, 14.0, 10.0  # between columns, between boxes of one, below boxes for links that go back
PORT_GAP = 18.0
SWEEPS, SETTLING, LAST = 10, 4, 8
MOST_POINTS = 20_000  # in all: beyond, the longest links are drawn as they come

Point = tuple[float, float]


@dataclass(frozen=True)
class Link:
    """From box ``start`` to box ``end``. signal: what flows; links of one signal share their way. leaves, enters:
    heights at which it leaves the first and enters the second, from their tops."""

    start: int
    end: int
    signal: int
    leaves: float
    enters: float


@dataclass(frozen=True)
class Drawing:
    """places: left and top of each box. ways: points by link, None for one whose way would need too many of them.
    width, height: of all."""

    places: list[Point]
    ways: list[list[Point]]
    width: float
    height: float


@dataclass
class _Work:
    """Entities: boxes, then the points that divide long links. columns: entities by column, from top to bottom."""

    boxes: int
    heights: list[float]
    columns: list[list[int]]
    near: list[tuple[int, int, float, float]] = field(default_factory=list)  # (left, right, height at left, at right)
    chains: dict[int, list[int]] = field(default_factory=dict)  # points of a signal, by column from its start's on


def draw(
    sizes: Sequence[tuple[float, float]],
    links: Sequence[Link],
    first: Iterable[int] = (),
    last: Iterable[int] = (),
) -> Drawing:
    """Places of boxes and ways of links.

    Args:
        sizes: width and height of each box, in the order in which they run: a link to an earlier box goes back, below
            all boxes. first, last: boxes that have the first and the last column to themselves (ends of links that come
            from outside or leave).
    """
    column = columns_of(len(sizes), links, set(first), set(last))
    back = [column[link.end] <= column[link.start] for link in links]
    work = _divide(sizes, links, column, back)
    _arrange(work)
    centre = _settle(work)
    top = min((centre[i] - work.heights[i] / 2 for i in range(len(centre))), default=0.0)
    centre = [value - top for value in centre]
    left, width = _columns_x(sizes, work, column)
    height = max((centre[i] + work.heights[i] / 2 for i in range(len(centre))), default=0.0)
    wide = [max((sizes[i][0] for i in own if i < len(sizes)), default=0.0) for own in work.columns]
    places = [
        (left[column[i]] + (wide[column[i]] - size[0]) / 2, centre[i] - size[1] / 2) for i, size in enumerate(sizes)
    ]
    ways = []
    for link, goes_back in zip(links, back, strict=True):
        if goes_back:
            height += LANE
            ways.append(_around(link, sizes, places, height))
        else:
            ways.append(_way(link, sizes, places, column, work, centre, left, wide))
    return Drawing(places, ways, width, height)


def columns_of(count: int, links: Sequence[Link], first: set[int], last: set[int]) -> list[int]:
    """The column of each box: longest paths from the left, then as far right as that shortens links.

    Links to an earlier box do not count. Boxes of ``first`` are alone in column 0, those of ``last`` in the last one.
    """
    inner = [i for i in range(count) if i not in first and i not in last]
    before: dict[int, set[int]] = defaultdict(set)
    after: dict[int, set[int]] = defaultdict(set)
    for link in links:
        a, b = link.start, link.end
        if a < b and a not in first and b not in last and b not in first and a not in last:
            before[b].add(a)
            after[a].add(b)
    entered = {link.end for link in links if link.start in first}
    found = dict.fromkeys(inner, 1)
    for i in inner:
        found[i] = max((found[j] + 1 for j in before[i]), default=1)
    for i in reversed(inner):
        # What more links leave than enter, as a weight or a mask used late, stands beside what uses it.
        if after[i] and len(after[i]) > len(before[i]) + (i in entered):
            found[i] = max(found[i], min(found[j] for j in after[i]) - 1)
    used = {value: at for at, value in enumerate(sorted(set(found.values())), start=1)}
    end = len(used) + 1
    columns = [0 if i in first else end if i in last else used[found[i]] for i in range(count)]
    least = min(columns, default=0)
    return [value - least for value in columns]


def _divide(sizes: Sequence[tuple[float, float]], links: Sequence[Link], column: list[int], back: list[bool]) -> _Work:
    """Points where links pass a column; links of one signal from one box share them."""
    work = _Work(len(sizes), [size[1] for size in sizes], [[] for _ in range(max(column, default=-1) + 1)])
    for i, at in enumerate(column):
        work.columns[at].append(i)
    reach: dict[int, list[Link]] = defaultdict(list)
    for link, goes_back in zip(links, back, strict=True):
        if not goes_back:
            reach[link.signal].append(link)
    spans = {signal: max(column[one.end] - column[one.start] for one in own) - 1 for signal, own in reach.items()}
    allowed = _affordable(spans)
    for signal, own in reach.items():
        start, ends = own[0].start, sorted({(column[one.end], one.end, one.enters) for one in own})
        at, offset, there = start, own[0].leaves - sizes[start][1] / 2, column[start]
        chain: list[int] = []
        work.chains[signal] = chain
        for to, box, enters in ends:
            while signal in allowed and there < to - 1:
                there += 1
                point = len(work.heights)
                work.heights.append(0.0)
                work.columns[there].append(point)
                work.near.append((at, point, offset, 0.0))
                chain.append(point)
                at, offset = point, 0.0
            if there == to - 1:
                work.near.append((at, box, offset, enters - sizes[box][1] / 2))
    return work


def _affordable(spans: dict[int, int]) -> set[int]:
    """Signals whose points fit below the limit, the shortest first."""
    allowed: set[int] = set()
    total = 0
    for signal, count in sorted(spans.items(), key=lambda item: item[1]):
        total += count
        if total > MOST_POINTS:
            break
        allowed.add(signal)
    return allowed


def _arrange(work: _Work) -> None:
    """Orders columns so that few links cross: barycentres from the left and from the right, the best is kept."""
    if all(len(own) < 2 for own in work.columns):
        return
    at = {entity: number for number, own in enumerate(work.columns) for entity in own}
    sides: tuple[dict[int, list[tuple[int, float]]], ...] = (defaultdict(list), defaultdict(list))
    between: dict[int, list[tuple[int, int, float, float]]] = defaultdict(list)
    for a, b, low, high in work.near:
        sides[0][b].append((a, low / (work.heights[a] + 1.0)))
        sides[1][a].append((b, high / (work.heights[b] + 1.0)))
        between[at[a]].append((a, b, low, high))
    best, fewest = [list(own) for own in work.columns], crossings(work.columns, between)
    for sweep in range(SWEEPS):
        if not fewest:
            break
        forward = sweep % 2 == 0
        order = range(1, len(work.columns)) if forward else range(len(work.columns) - 2, -1, -1)
        for number in order:
            beside = work.columns[number - 1 if forward else number + 1]
            rank = {entity: place for place, entity in enumerate(beside)}
            near = sides[0] if forward else sides[1]
            value = {}
            for place, entity in enumerate(work.columns[number]):
                known = [rank[one] + share for one, share in near[entity] if one in rank]
                value[entity] = sum(known) / len(known) if known else float(place)
            work.columns[number].sort(key=lambda entity, value=value: value[entity])  # type: ignore[misc]
        count = crossings(work.columns, between)
        if count < fewest:
            best, fewest = [list(own) for own in work.columns], count
    work.columns = best


def crossings(columns: list[list[int]], between: dict[int, list[tuple[int, int, float, float]]]) -> int:
    """How many pairs of links cross. between: by column, links (entity, entity of the next, heights at both)."""
    place = {entity: number for own in columns for number, entity in enumerate(own)}
    total = 0
    for links in between.values():
        ends = sorted(((place[a], low), (place[b], high)) for a, b, low, high in links)
        seen: list[tuple[int, float]] = []
        for _, end in ends:
            total += len(seen) - bisect_right(seen, end)
            insort(seen, end)
    return total


def _settle(work: _Work) -> list[float]:
    """Centres: each column in turn as near to its neighbours' as its order lets it."""
    centre = [0.0] * len(work.heights)
    for own in work.columns:
        total = 0.0
        for entity in own:
            centre[entity] = total + work.heights[entity] / 2
            total += work.heights[entity] + GAP_Y
        for entity in own:
            centre[entity] -= total / 2
    size = work.heights
    sides: tuple[dict[int, list[tuple[int, float, float]]], ...] = (defaultdict(list), defaultdict(list))
    for a, b, low, high in work.near:
        # Long links are bent least: a straight one is what the eye follows.
        weight = 1.0 + 2.0 * (a >= work.boxes) + 2.0 * (b >= work.boxes)
        sides[0][b].append((a, low - high, weight))
        sides[1][a].append((b, high - low, weight))
    for round_ in range(SETTLING + LAST):
        forward = round_ % 2 == 0
        for own in work.columns if forward else reversed(work.columns):
            near = [sides[0][entity] if forward else sides[1][entity] for entity in own]
            if round_ >= SETTLING:  # towards both sides at once, so that neither end pulls more
                near = [sides[0][entity] + sides[1][entity] for entity in own]
            wanted, weights = [], []
            for entity, links in zip(own, near, strict=True):
                total = sum(link[2] for link in links)
                wish = sum((centre[j] + shift) * w for j, shift, w in links) / total if total else centre[entity]
                wanted.append(wish)
                weights.append(total or 0.1)
            for entity, value in zip(own, apart(wanted, weights, [size[i] for i in own]), strict=True):
                centre[entity] = value
    return centre


def apart(wanted: Sequence[float], weights: Sequence[float], heights: Sequence[float]) -> list[float]:
    """Centres in the given order, ``GAP_Y`` apart, with the least weighted squared distance to those wanted."""
    shift, steps = 0.0, []
    for i, height in enumerate(heights):
        shift += height / 2 + (heights[i - 1] / 2 + GAP_Y if i else 0.0)
        steps.append(shift)
    blocks: list[tuple[float, float, int]] = []  # mean, weight, count
    for wish, weight, step in zip(wanted, weights, steps, strict=True):
        mean, total, count = wish - step, weight, 1
        while blocks and blocks[-1][0] > mean:
            other, known, number = blocks.pop()
            mean, total, count = (mean * total + other * known) / (total + known), total + known, count + number
        blocks.append((mean, total, count))
    flat = [mean for mean, _, count in blocks for _ in range(count)]
    return [value + step for value, step in zip(flat, steps, strict=True)]


def _columns_x(sizes: Sequence[tuple[float, float]], work: _Work, column: list[int]) -> tuple[list[float], float]:
    """Left of each column, and the width of all."""
    left, x = [], 0.0
    for own in work.columns:
        wide = max((sizes[i][0] for i in own if i < len(column)), default=0.0)
        left.append(x)
        x += wide + (GAP_X if wide else PORT_GAP)
    last = work.columns[-1] if work.columns else []
    wide = max((sizes[i][0] for i in last if i < len(column)), default=0.0)
    return left, max(0.0, x - (GAP_X if wide else PORT_GAP))


def _way(
    link: Link,
    sizes: Sequence[tuple[float, float]],
    places: list[Point],
    column: list[int],
    work: _Work,
    centre: list[float],
    left: list[float],
    wide: list[float],
) -> list[Point]:
    """Level within columns, so that it passes boxes; it rises and falls between them."""
    a, b = column[link.start], column[link.end]
    y, to = places[link.start][1] + link.leaves, places[link.end][1] + link.enters
    found = [(places[link.start][0] + sizes[link.start][0], y), (left[a] + wide[a], y)]
    for step, point in enumerate(work.chains.get(link.signal, [])[: b - a - 1]):
        at = a + 1 + step
        found += [(left[at], centre[point]), (left[at] + wide[at], centre[point])]
    found += [(left[b], to), (places[link.end][0], to)]
    return found


def _around(link: Link, sizes: Sequence[tuple[float, float]], places: list[Point], lane: float) -> list[Point]:
    """A link that goes back: below everything, at the height ``lane``."""
    (x0, y0), (x1, y1) = places[link.start], places[link.end]
    right, y0, y1, bend = x0 + sizes[link.start][0], y0 + link.leaves, y1 + link.enters, PORT_GAP / 2
    return [(right, y0), (right + bend, y0), (right + bend, lane), (x1 - bend, lane), (x1 - bend, y1), (x1, y1)]
