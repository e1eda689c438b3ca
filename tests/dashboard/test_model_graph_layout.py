"""The drawing of the computation graph: columns, crossings, places and ways, for planted and for random graphs."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from dashboard.views.model import graph_layering, graph_layout, graph_tree
from dashboard.views.model.graph_layering import GAP_Y, Link, draw

from .graph_stage import Graph, residual

BOX = (100.0, 40.0)


def links_of(edges: list[tuple[int, int]]) -> list[Link]:
    return [Link(a, b, a, BOX[1] / 2, BOX[1] / 2) for a, b in edges]


@st.composite
def graphs(draw_: st.DrawFn) -> tuple[int, list[tuple[int, int]]]:
    """Boxes and links of any direction between them."""
    count = draw_(st.integers(1, 14))
    pair = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)).filter(lambda one: one[0] != one[1])
    return count, draw_(st.lists(pair, max_size=24, unique=True)) if count > 1 else []


@given(graphs())
@settings(max_examples=60, deadline=None)
def test_boxes_never_overlap_and_links_that_do_not_go_back_run_to_the_right(
    graph: tuple[int, list[tuple[int, int]]],
) -> None:
    count, edges = graph
    drawn = draw([BOX] * count, links_of(edges))
    for (x, y), (u, v) in combinations(drawn.places, 2):
        assert abs(x - u) >= BOX[0] or abs(y - v) >= BOX[1] + GAP_Y - 0.01
    for (a, b), way in zip(edges, drawn.ways, strict=True):
        (x, y), (u, v) = drawn.places[a], drawn.places[b]
        assert way[0] == pytest.approx((x + BOX[0], y + 20))
        assert way[-1] == pytest.approx((u, v + 20))
        if a < b:
            assert x + BOX[0] < u
            assert all(p[0] <= q[0] for p, q in pairwise(way))
    assert all(
        x >= 0 and x + BOX[0] <= drawn.width and y >= -0.01 and y + BOX[1] <= drawn.height + 0.01
        for x, y in drawn.places
    )


@given(graphs())
@settings(max_examples=40, deadline=None)
def test_a_way_passes_no_box_on_its_path(graph: tuple[int, list[tuple[int, int]]]) -> None:
    count, edges = graph
    forward = [edge for edge in edges if edge[0] < edge[1]]
    drawn = draw([BOX] * count, links_of(forward))
    for (a, b), way in zip(forward, drawn.ways, strict=True):
        for (x0, y0), (x1, y1) in pairwise(way):
            if abs(y0 - y1) > 0.01:
                continue  # rises and falls lie between columns
            for number, (x, y) in enumerate(drawn.places):
                inside = x0 < x + BOX[0] - 0.01 and x1 > x + 0.01 and y - 0.01 < y0 < y + BOX[1] + 0.01
                assert number in (a, b) or not inside


def test_places_are_those_of_a_solver() -> None:
    rng = np.random.default_rng(0)
    for _ in range(10):
        count = int(rng.integers(1, 7))
        wanted, weights = rng.normal(0, 60, count), rng.uniform(0.5, 4, count)
        heights = rng.uniform(0, 50, count)
        least = [(heights[i] + heights[i + 1]) / 2 + GAP_Y for i in range(count - 1)]
        found = np.array(graph_layering.apart(wanted.tolist(), weights.tolist(), heights.tolist()))
        solved = minimize(
            lambda y, weights=weights, wanted=wanted: float((weights * (y - wanted) ** 2).sum()),
            np.cumsum([0.0, *least]),
            constraints=[
                {"type": "ineq", "fun": lambda y, i=i, gap=gap: y[i + 1] - y[i] - gap} for i, gap in enumerate(least)
            ],
            method="SLSQP",
            options={"ftol": 1e-10, "maxiter": 500},
        ).x
        assert (np.diff(found) >= np.array(least) - 1e-6).all()
        assert (weights * (found - wanted) ** 2).sum() <= (weights * (solved - wanted) ** 2).sum() + 1e-3


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=20, unique=True))
def test_crossings_are_counted_as_by_looking_at_every_pair(pairs: list[tuple[int, int]]) -> None:
    columns = [list(range(7)), list(range(7, 14))]
    links = [(a, b + 7, 0.0, 0.0) for a, b in pairs]
    slow = sum((a - c) * (b - d) < 0 for (a, b), (c, d) in combinations(pairs, 2))
    assert graph_layering.crossings(columns, {0: links}) == slow


def test_a_graph_that_can_be_drawn_without_crossings_is() -> None:
    edges = [(0, 4), (1, 3), (2, 5), (3, 8), (4, 7), (5, 6)]
    drawn = draw([BOX] * 9, links_of(edges))
    rank = {number: place[1] for number, place in enumerate(drawn.places)}
    for first, second in (((0, 1, 2), (4, 3, 5)), ((4, 3, 5), (7, 8, 6))):
        assert np.argsort([rank[i] for i in first]).tolist() == np.argsort([rank[i] for i in second]).tolist()


def test_what_is_used_late_stands_beside_what_uses_it() -> None:
    # 0 -> 1 -> 2 -> 3 -> 4, and a weight (5 in the order of calls before its use) that 4 takes.
    column = graph_layering.columns_of(6, links_of([(0, 2), (2, 3), (3, 4), (4, 5), (1, 5)]), set(), set())
    assert column[1] == column[5] - 1


def test_more_long_links_than_can_be_led_around_are_drawn_as_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_layering, "MOST_POINTS", 3)
    edges = [(i, i + 1) for i in range(9)] + [(0, 9), (1, 9)]
    drawn = draw([BOX] * 10, links_of(edges))
    assert [len(way) for way in drawn.ways[-2:]] == [4, 4]


def seen_of(made: Graph, *opened: str) -> tuple[graph_tree.Seen, graph_layout.Layout]:
    what = graph_tree.seen(graph_tree.tree(made.answer()), opened)
    sizes = dict.fromkeys(what.boxes, BOX) | dict.fromkeys(what.frames, (80.0, 0.0))
    return what, graph_layout.lay_out(what, sizes)


def test_what_is_in_a_frame_is_drawn_in_it_and_nothing_else() -> None:
    what, layout = seen_of(residual(), "*")
    inner = {frame: {frame} for frame in what.frames}
    for item in [*what.boxes, *what.frames]:
        home = what.home[item]
        while home:
            inner[f"m:{home}"].add(item)
            home = what.home[f"m:{home}"]
    for frame in what.frames:
        x, y, w, h = layout.rectangles[frame]
        for item, (u, v, p, q) in layout.rectangles.items():
            apart = u >= x + w or u + p <= x or v >= y + h or v + q <= y
            within = x <= u and u + p <= x + w and y <= v and v + q <= y + h
            assert within if item in inner[frame] else apart or frame in inner.get(item, ())


def test_ways_start_and_end_at_their_boxes_through_all_frames() -> None:
    what, layout = seen_of(residual(), "*")
    assert set(layout.ways) == set(what.links)
    for (a, b), way in layout.ways.items():
        (x, y, w, h), (u, v, _, q) = layout.rectangles[a], layout.rectangles[b]
        assert way[0] == pytest.approx((x + w, y + h / 2))
        assert way[-1] == pytest.approx((u, v + q / 2))


def test_the_sums_of_equal_blocks_lie_on_one_line() -> None:
    made = residual(20)
    _what, layout = seen_of(made, "*")
    sums = [layout.rectangles[node["id"]][1] for node in made.nodes if node["op"] == "add"]
    assert max(sums) - min(sums) < 1


def test_a_module_that_is_entered_twice_has_a_link_that_goes_back() -> None:
    made = Graph()
    first = made.call("a.one")
    other = made.call("b.two", of=(first,))
    made.call("a.three", of=(other,))
    what, layout = seen_of(made)
    assert set(what.links) == {("m:a", "m:b"), ("m:b", "m:a")}
    lane = max(y + h for _, y, _, h in layout.rectangles.values())
    assert max(y for _, y in layout.ways["m:b", "m:a"]) > lane
    assert layout.height > lane
    _, layout = seen_of(made, "a")
    assert layout.ways["m:b", "n2"][-1] == pytest.approx((layout.rectangles["n2"][0], layout.rectangles["n2"][1] + 20))
