"""Figures of the feature maps, the maps of points, and what lies in a lasso; no app."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dashboard import theme
from dashboard.views.layers import filter_map_figures, maps_figures, scatter
from dashboard.widgets import lasso
from dashboard.widgets.class_marks import class_colour, class_symbol

ROOT = Path(__file__).parents[2]


def numbers(value: Any) -> np.ndarray:
    """A typed array of a figure."""
    found = np.frombuffer(base64.b64decode(value["bdata"]), {"f4": "f4", "u1": "u1", "i4": "i4"}[value["dtype"]])
    return found.reshape([int(size) for size in value["shape"].split(",")]) if "shape" in value else found


def test_a_lasso_holds_what_a_slow_even_test_says() -> None:
    rng = np.random.default_rng(0)
    points = rng.random((500, 2))
    corners = [0.1, 0.1, 0.9, 0.2, 0.7, 0.9, 0.5, 0.4, 0.2, 0.8]
    found = lasso.inside(corners, points)
    polygon = np.reshape(corners, (-1, 2))
    for point, said in zip(points, found, strict=True):
        crossings = 0
        for (ax, ay), (bx, by) in zip(polygon, np.roll(polygon, -1, 0), strict=True):
            if (ay > point[1]) != (by > point[1]) and point[0] < ax + (point[1] - ay) / (by - ay) * (bx - ax):
                crossings += 1
        assert said == (crossings % 2 == 1)


def test_odd_lassos() -> None:
    points = np.array([[0.25, 0.5], [0.75, 0.5], [np.nan, 0.5], [np.inf, 0.0]])
    eight = [0, 0, 1, 1, 1, 0, 0, 1]  # crosses itself
    assert lasso.inside(eight, points).tolist() == [True, True, False, False]
    assert not lasso.inside([0, 0, 1, 1], points).any()
    assert not lasso.inside([0, 0, 1, 1, 2, 2], points).any()
    assert not lasso.inside([0, 0, float("nan"), 1, 2, 2], points).any()
    assert lasso.outline_path([0, 0, 1, 1, 1, 0]) == "M0,0L1,1L1,0Z"
    assert lasso.written((0.5, 1.0)) == "0.5,1"


def test_where_a_map_lies_on_the_input() -> None:
    start = np.arange(24)
    assert maps_figures.extent(np.stack([start, start + 5], 1), 24, 28) == (2.0, 26.0)
    # A padded layer: fields at the borders are cut off, the map covers the whole input all the same.
    ranges = np.clip(np.stack([np.arange(28) - 2, np.arange(28) + 3], 1), 0, 28)
    assert maps_figures.extent(ranges, 28, 28) == (0.0, 28.0)
    strided = np.stack([np.arange(8) * 2, np.arange(8) * 2 + 14], 1)
    assert maps_figures.extent(strided, 8, 28) == (6.0, 22.0)
    assert maps_figures.extent(None, 7, 224) == (0.0, 224.0)


def strips(values: np.ndarray, **more: Any) -> maps_figures.Strips:
    filters, steps = values.shape
    given: dict[str, Any] = {
        "values": values,
        "low": np.zeros(1),
        "high": np.full(1, np.nanmax(values)),
        "edges": np.arange(steps + 1.0),
        "signal": None,
        "tokens": [],
        "rate": None,
        "filters": np.arange(filters),
        "word": "filter",
        "common": True,
    }
    return maps_figures.Strips(**(given | more))


def test_strips_lie_under_their_signal_in_seconds() -> None:
    values = np.arange(12.0).reshape(3, 4)
    shown = strips(values, signal=np.ones((2, 50)), rate=10.0, edges=np.linspace(0, 50, 5))
    figure = maps_figures.strips_figure(shown, chosen=1, scheme="dark")
    heat, *lines = figure["data"]
    np.testing.assert_array_equal(numbers(heat["z"]), values)
    np.testing.assert_allclose(numbers(heat["x"]), [0, 1.25, 2.5, 3.75, 5])
    assert [line["yaxis"] for line in lines] == ["y2", "y2"]
    assert numbers(lines[0]["x"])[-1] == pytest.approx(4.95)
    assert figure["layout"]["xaxis"]["title"]["text"] == "seconds"
    assert figure["layout"]["shapes"][0]["y0"] == 0.5


def test_each_strip_may_have_its_own_scale() -> None:
    values = np.array([[0, 5.0], [0, 0.5], [0, 0]])
    shown = strips(values, low=np.zeros(3), high=values.max(1), common=False)
    z = numbers(maps_figures.strips_figure(shown, chosen=None, scheme="light")["data"][0]["z"])
    assert z.tolist() == [[0, 1], [0, 1], [0, 0]]


def test_tokens_are_text_never_markup() -> None:
    shown = strips(np.ones((2, 2)), tokens=["<b>", "$x$"])
    ticks = maps_figures.strips_figure(shown, chosen=None, scheme="light")["layout"]["xaxis"]["ticktext"]
    assert ticks == ["&lt;b&gt;", "&#36;x&#36;"]


@pytest.mark.parametrize(("filters", "steps"), [(64, 20_000), (4096, 500), (4096, 8), (8, 100)])
def test_long_and_many_strips_fit_one_answer(filters: int, steps: int) -> None:
    values = np.random.default_rng(0).random((filters, steps), "f4")
    values[filters - 1, steps // 2] = 9
    shown, rows, block = maps_figures.fitted(values, chosen=3)
    assert shown.size <= maps_figures.MOST_CELLS
    assert filters - 1 in rows
    assert 3 in rows
    assert shown.max() == 9
    assert shown.shape[1] == -(-steps // block)
    figure = maps_figures.strips_figure(strips(shown, filters=rows), chosen=3, scheme="light")
    assert len(json.dumps(figure)) < 300_000


def test_extremes_of_a_long_signal_survive() -> None:
    values = np.zeros(1_000_000)
    values[123_456], values[654_321], values[5] = 7, -3, np.nan
    x, y = maps_figures.extremes(values)
    assert len(x) <= maps_figures.MOST_POINTS
    assert (y.max(), y.min()) == (7, -3)
    assert (np.diff(x) > 0).all()


@pytest.mark.parametrize("count", [10, 4096])
def test_dense_layers_are_bars_or_their_outline(count: int) -> None:
    figure = maps_figures.bars_figure(np.arange(float(count)), word="unit", chosen=3)
    assert figure["data"][0]["type"] == ("bar" if count == 10 else "scatter")
    assert figure["layout"]["shapes"][0]["x0"] == 2.5
    assert len(json.dumps(figure)) < 100_000


def test_a_class_looks_the_same_in_every_sample() -> None:
    assert class_colour(3) == class_colour(11)
    assert class_symbol(3) != class_symbol(11)
    assert class_symbol(-1).endswith("-open")  # thin symbols are drawn only by their line, which is open's by default
    few = scatter.groups(np.array([3, 3, 7]))
    assert [(g.label, len(g.rows)) for g in few] == [(3, 2), (7, 1)]
    many = scatter.groups(np.repeat(np.arange(1000), np.arange(1000) % 50 + 1))
    assert len(many) == scatter.MOST_CLASSES + 1
    assert many[0].label is None
    assert sum(len(group.rows) for group in many) == sum(range(1, 51)) * 20


def test_labels_stand_where_classes_gather_if_there_is_room() -> None:
    labels = np.repeat([0, 1], 10)
    xy = np.concatenate([np.zeros((10, 2)), np.ones((10, 2))])
    found = scatter.groups(labels)
    drawn = scatter.direct_labels(xy, found, lambda label: f"<i>{label}", "light")
    assert [(note["x"], note["y"], note["text"]) for note in drawn] == [(0, 0, "&lt;i&gt;0"), (1, 1, "&lt;i&gt;1")]
    near = np.concatenate([xy * [0.1, 0.01], [[1.0, 1.0]]])  # side by side, on a map that a single point makes wide
    assert scatter.direct_labels(near, scatter.groups(np.append(labels, 1)), lambda _: "a long name", "dark") == []


def filter_map(count: int, classes: int = 10) -> filter_map_figures.FilterMap:
    rng = np.random.default_rng(0)
    silent = np.zeros(count, bool)
    silent[2] = True
    perplexity = np.linspace(1, classes, count)
    top = np.where(silent, -1, np.arange(count) % classes)
    xy = rng.random((count, 2))
    return filter_map_figures.FilterMap(xy, top, np.ones(count), perplexity, silent, np.ones(count), classes)


@pytest.mark.parametrize("count", [20, 4096])
def test_the_filter_map_of_small_and_large_layers(count: int) -> None:
    figure = filter_map_figures.filter_map_figure(
        filter_map(count), word="filter", name=str, chosen=4, several=(1, 11, 12)
    )
    assert {trace["type"] for trace in figure["data"]} == {"scatter"}
    assert len(json.dumps(figure)) < 300_000
    drawn = [i for trace in figure["data"] if "customdata" in trace for i in trace["customdata"]]
    assert sorted(drawn) == list(range(count))
    [silent] = [trace for trace in figure["data"] if trace.get("customdata") == [2]]
    assert silent["marker"]["symbol"] == "x-open"
    bright = [t["customdata"][i] for t in figure["data"] for i in t.get("selectedpoints", [])]
    assert sorted(bright) == [1, 11, 12]
    assert ("text" in figure["data"][0]["mode"]) == (count <= filter_map_figures.MOST_NUMBERED)


def test_filters_of_one_label_are_large() -> None:
    diameters = filter_map_figures.sizes(np.array([1.0, 3.0, 10.0, np.nan]), 10)
    assert diameters[0] == filter_map_figures.LARGEST
    assert diameters[0] > diameters[1] > diameters[2] == diameters[3] == filter_map_figures.SMALLEST


def test_filters_without_a_place_stand_below_the_others() -> None:
    xy, lost = filter_map_figures.placed(np.array([[0, 0], [1, 1], [np.nan, np.nan]]))
    assert lost == 1
    assert np.isfinite(xy).all()
    assert xy[2, 1] < 0


def test_the_canvas_has_the_colours_of_the_figures() -> None:
    script = (ROOT / "assets" / "layers.js").read_text()
    listed = re.findall(r"#[0-9a-f]{6}", re.search(r"VIRIDIS = \[(.*?)\]", script)[1])  # type: ignore[index]
    assert listed == [colour for _, colour in theme.sequential("dark")]
    assert f'LOWERS = "{theme.LOWERS}", RAISES = "{theme.RAISES}"' in script
    paper = re.findall(r"--panel: (#[0-9a-f]{6})", (ROOT / "assets" / "tokens.css").read_text())
    assert f'PAPER = {{ light: "{paper[0]}", dark: "{paper[1]}" }}' in script
