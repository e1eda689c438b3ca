"""The Training view's callbacks, called as plain functions, on runs with planted truths."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dash import no_update

from dashboard.views.training import curve_callbacks, health_callbacks, inspector, layer_callbacks

from .conftest import DEAD, EVERY, STEPS, write_run

pytestmark = pytest.mark.usefixtures("request_context")


def text_of(component: Any) -> str:
    """All text below a component, in reading order."""
    if component is None or component is no_update:
        return ""
    if isinstance(component, list | tuple):
        return " ".join(text_of(child) for child in component)
    if hasattr(component, "children"):
        return text_of(component.children)
    return str(component)


def places(component: Any) -> list[dict[str, Any]]:
    """Every data-nav below a component."""
    if isinstance(component, list | tuple):
        return [place for child in component for place in places(child)]
    found = [json.loads(component.__dict__["data-nav"])] if "data-nav" in getattr(component, "__dict__", {}) else []
    return found + (places(component.children) if hasattr(component, "children") else [])


def draw_curves(search: str) -> tuple[Any, ...]:
    return curve_callbacks.draw_curves(None, None, None, search)


def test_curves_pair_training_and_validation(ids: dict[str, str]) -> None:
    figure, cursors, subtitle, note, href = draw_curves(f"?runs={ids['Wide']}&smooth=0")
    names = [trace["name"] for trace in figure["data"]]
    assert names.count("Wide · train") == 2
    assert names.count("Wide · validation") == 2
    assert f"{STEPS * 2 + 2 * (STEPS // 40):,} records" in subtitle
    assert "1 value is not finite" in note
    assert href.startswith("/export/scalars.csv?runs=")
    assert len(cursors["keys"]) == len(figure["data"])


def test_a_nan_is_a_gap_and_a_marker(ids: dict[str, str]) -> None:
    figure, *_ = draw_curves(f"?runs={ids['Wide']}&smooth=0")
    line = next(trace for trace in figure["data"] if trace["name"] == "Wide · train")
    assert line["y"][line["x"].index(150)] is None
    crosses = [trace for trace in figure["data"] if trace.get("text") == ["nan"]]
    assert [trace["x"] for trace in crosses] == [[150]]


def test_smoothing_keeps_the_raw_line_faint(ids: dict[str, str]) -> None:
    figure, *_ = draw_curves(f"?runs={ids['Wide']}&smooth=0.9")
    train = [trace for trace in figure["data"] if trace["name"] == "Wide · train" and trace["yaxis"] == "y"]
    assert [round(trace.get("opacity", 1), 2) for trace in train] == [0.22, 1]
    raw = [value for value in train[0]["y"] if value is not None]
    expected, weight, kept = 0.0, 0.0, []
    for value in raw:
        expected, weight = 0.9 * expected + 0.1 * value, 0.9 * weight + 0.1
        kept.append(expected / weight)
    drawn = [value for value in train[1]["y"] if value is not None]
    np.testing.assert_allclose(drawn, kept, rtol=1e-5)


def test_two_runs_keep_their_colours(ids: dict[str, str]) -> None:
    one, *_ = draw_curves(f"?runs={ids['Wide']}&smooth=0")
    two, *_ = draw_curves(f"?runs={ids['Narrow']},{ids['Wide']}&smooth=0")
    colours = {trace["name"]: trace["line"]["color"] for trace in two["data"] if "line" in trace}
    assert colours["Narrow · train"] == one["data"][0]["line"]["color"]
    assert colours["Wide · train"] != colours["Narrow · train"]
    dashes = {trace["name"]: trace["line"]["dash"] for trace in two["data"] if "line" in trace}
    assert dashes["Wide · train"] != dashes["Narrow · train"]


@pytest.mark.parametrize("axis", ["step", "epoch", "wall"])
def test_every_axis(ids: dict[str, str], axis: str) -> None:
    figure, *_ = draw_curves(f"?runs={ids['Wide']}&axis={axis}&smooth=0")
    x = [value for value in figure["data"][0]["x"] if value is not None]
    last = {"step": STEPS, "epoch": STEPS / 40, "wall": None}[axis]
    assert x == sorted(x)
    if last is not None:
        assert x[-1] == last


def test_a_zoom_answers_only_its_range(ids: dict[str, str]) -> None:
    figure, *_ = draw_curves(f"?runs={ids['Wide']}&range=50~60&smooth=0")
    assert min(figure["data"][0]["x"]) >= 49
    assert max(figure["data"][0]["x"]) <= 61
    assert figure["layout"]["xaxis"]["range"] == [50.0, 60.0]


@pytest.mark.parametrize("search", [None, "", "?runs=gone", "?runs=%00", "?view=training&runs=a/b"])
def test_a_missing_run_says_so_in_every_panel(search: str | None) -> None:
    answers = [
        draw_curves(search or "")[0]["layout"]["annotations"][0]["text"],
        layer_callbacks.draw_perplexity(None, None, None, None, None, None, False, search)[0]["layout"]["annotations"][
            0
        ]["text"],
        layer_callbacks.draw_stability(None, None, None, None, None, None, search)[0]["layout"]["annotations"][0][
            "text"
        ],
        layer_callbacks.draw_heatmap(None, None, None, None, None, None, "light", search)[0]["layout"]["annotations"][
            0
        ]["text"],
        text_of(health_callbacks.draw_health(None, None, None, None, None, search)[0]),
        text_of(inspector.draw_inspector(None, None, None, None, None, None, search)),
    ]
    assert all(len(answer) > 20 for answer in answers), answers


def test_histograms_sum_to_all_patches(ids: dict[str, str]) -> None:
    figure, _, subtitle, href, pages = layer_callbacks.draw_perplexity(
        {"step": 100}, None, None, None, None, None, False, f"?runs={ids['Wide']}&step=100"
    )
    upper = [trace for trace in figure["data"] if trace["type"] == "bar"][::2]
    assert [round(sum(trace["y"]), 1) for trace in upper] == [100.0, 100.0]
    lower = [trace for trace in figure["data"] if trace["type"] == "bar"][1::2]
    assert all(abs(sum(trace["y"])) < 0.1 for trace in lower)
    assert "step 100" in subtitle
    assert "change since step 20" in subtitle
    assert pages == 1
    assert "step=100" in href


def test_the_baseline_moves_the_change(ids: dict[str, str]) -> None:
    search = f"?runs={ids['Wide']}&step=100&base=100"
    figure, *_ = layer_callbacks.draw_perplexity({"step": 100}, None, None, None, None, None, False, search)
    assert not np.any([trace["y"] for trace in figure["data"]][1])


def test_run_b_is_an_outline(ids: dict[str, str]) -> None:
    search = f"?runs={ids['Wide']},{ids['Narrow']}"
    figure, *_ = layer_callbacks.draw_perplexity(None, None, None, None, None, None, False, search)
    outlines = [trace for trace in figure["data"] if trace["type"] == "scatter"]
    assert [trace["name"] for trace in outlines] == ["conv1", "fc"]


def test_stability_has_a_row_per_layer(ids: dict[str, str]) -> None:
    figure, _, subtitle = layer_callbacks.draw_stability(
        None, None, None, None, None, None, f"?runs={ids['Wide']}&limit=1"
    )
    assert [trace["name"] for trace in figure["data"]] == ["conv1", "fc"]
    assert figure["data"][0]["x"] == list(range(EVERY, STEPS + 1, EVERY))
    assert "2 of 2 layers settled" in subtitle


def test_the_dead_filter_is_named(ids: dict[str, str]) -> None:
    body, subtitle = health_callbacks.draw_health(None, None, None, None, None, f"?runs={ids['Wide']}")
    words = text_of(body)
    assert f"Filter {DEAD} of conv1" in words
    assert {"layer": "conv1", "filter": DEAD} in places(body)
    assert "warning" in subtitle or "problem" in subtitle


def test_the_twins_are_named(ids: dict[str, str]) -> None:
    words = text_of(health_callbacks.draw_health(None, None, None, None, None, f"?runs={ids['Wide']}")[0])
    assert "1 and 4" in words


def test_heatmap_cell_of_the_dead_filter_is_zero(ids: dict[str, str]) -> None:
    figure, subtitle, _, layer = layer_callbacks.draw_heatmap(
        None, None, None, None, None, None, "light", f"?runs={ids['Wide']}&layer=conv1"
    )
    trace = figure["data"][0]
    value = {
        name: z
        for names, row in zip(trace["customdata"], trace["z"], strict=True)
        for name, z in zip(names, row, strict=True)
    }
    assert value[DEAD] == 0
    assert all(value[name] > 0 for name in range(6) if name != DEAD)
    assert layer == "conv1"
    assert "6 filters" in subtitle


def test_the_scale_is_the_same_at_every_step(ids: dict[str, str]) -> None:
    search = f"?runs={ids['Wide']}&layer=conv1"
    tops = {
        layer_callbacks.draw_heatmap({"step": step}, None, None, None, None, None, "light", search)[0]["data"][0][
            "zmax"
        ]
        for step in (20, 100, 200)
    }
    assert len(tops) == 1


def test_4096_filters_fit_one_picture() -> None:
    from analysis.records import LayerMeta
    from dashboard.views.training.filter_figures import heatmap_figure

    from .conftest import record

    meta = LayerMeta("wide", "conv", "Conv2d", 4096, 0)
    rng = np.random.default_rng(0)
    small = record(LayerMeta("x", "conv", "Conv2d", 8, 0), 1, 0.0, rng)
    big = type(small)(**(small.__dict__ | {"maximum": rng.random(meta.filters).astype("f4")}))
    figure = heatmap_figure(big, mode="maximum", sort="value", chosen=17, scheme="dark", top=1.0)
    cells = [name for row in figure["data"][0]["customdata"] for name in row if name >= 0]
    assert sorted(cells) == list(range(4096))
    assert len(json.dumps(figure)) < 300_000


def test_the_inspector_follows_run_layer_and_filter(ids: dict[str, str]) -> None:
    run = f"?runs={ids['Wide']}"
    assert "Configuration" in text_of(inspector.draw_inspector(None, None, None, None, None, None, run))
    layer = text_of(inspector.draw_inspector(None, None, None, None, None, None, run + "&layer=conv1"))
    assert "Conv2d" in layer
    card = inspector.draw_inspector(None, None, None, None, {"step": 100}, None, run + "&layer=conv1&filter=1")
    words = text_of(card)
    assert "filter 4: phi 1.000" in words
    assert "<b>one</b>" in words  # a class name is text
    assert {"layer": "conv1", "filter": 4} in places(card)
    assert "has 6 filters" in text_of(
        inspector.draw_inspector(None, None, None, None, None, None, run + "&layer=conv1&filter=99")
    )
    assert "no watched layer" in text_of(
        inspector.draw_inspector(None, None, None, None, None, None, run + "&layer=nothing")
    )


def test_a_growing_run_sends_only_what_is_new(tmp_path: Path) -> None:
    from dashboard.app import create_app
    from dashboard.settings import Settings

    writer = write_run(tmp_path / "runs" / "live", "Live", steps=100, close=False)
    app = create_app(Settings(roots=(tmp_path / "runs",), workspace=tmp_path / "ws"))
    with app.server.test_request_context("/"):
        search = f"?runs={writer.run_id}&smooth=0.5"
        _, cursors, *_ = draw_curves(search)
        assert curve_callbacks.extend_curves(None, cursors, search) == (no_update, no_update)
        writer.scalars({"train/loss": 0.25, "train/accuracy": 0.75}, 101, 1_700_000_101.0)
        delta, stale = curve_callbacks.extend_curves(None, cursors, search)
        assert stale is no_update
        assert delta["rev"] == cursors["rev"]
        assert delta["subtitle"] == "1 run · 206 records · up to 101"
        assert [trace["x"] for trace in delta["traces"]] == [[101.0]] * 4
        assert delta["traces"][0]["y"] == [0.25]
        assert delta["traces"][1]["y"][0] != 0.25  # the smoothed line
        # A new metric, or a value that is not finite, wants a new drawing.
        writer.scalars({"other": 1.0}, 102, 1_700_000_102.0)
        assert curve_callbacks.extend_curves(None, cursors, search)[1] is not no_update
    writer.close()


@pytest.mark.parametrize(
    "cursors", [{}, {"cursors": {"x": "y"}}, {"keys": 3, "tags": [9], "cursors": {"a\tb": "zz"}, "appended": 0}]
)
def test_forged_cursors_ask_for_a_new_drawing(ids: dict[str, str], cursors: dict[str, Any]) -> None:
    delta, stale = curve_callbacks.extend_curves(None, cursors, f"?runs={ids['Wide']}")
    assert delta is no_update
    assert stale is not no_update


def test_the_axes_stay_while_the_step_slider_moves(ids: dict[str, str]) -> None:
    search = f"?runs={ids['Wide']}"
    ranges = set()
    for step in (20, 100, 200):
        figure, *_ = layer_callbacks.draw_perplexity({"step": step}, None, None, None, None, None, False, search)
        layout = figure["layout"]
        ranges.add(str([layout[name]["range"] for name in ("yaxis", "yaxis2", "yaxis3", "yaxis4")]))
        for trace, axis in ((figure["data"][0], "yaxis"), (figure["data"][1], "yaxis2")):
            low, high = layout[axis]["range"]
            assert low <= min(trace["y"])
            assert max(trace["y"]) <= high
    assert len(ranges) == 1


def test_a_long_stability_line_keeps_what_moved_furthest() -> None:
    from analysis.training.stability import Stability
    from dashboard.views.training.stability_figures import thinned

    distance = np.full(5000, 0.01)
    distance[0], distance[3210] = np.nan, 0.9
    item = thinned(Stability(np.arange(5000), distance, None, "learning", 0.1, 2), 200)
    assert len(item.steps) == 200
    assert item.steps[np.nanargmax(item.distance)] == 3210
    assert list(item.steps) == sorted(item.steps)


def test_a_layer_that_is_not_finite_says_so_instead_of_an_empty_picture(tmp_path: Path) -> None:
    from dataclasses import replace

    from analysis.records import LayerMeta
    from analysis.store.writer import RunWriter
    from dashboard.app import create_app
    from dashboard.settings import Settings

    from .conftest import record

    meta = LayerMeta("<b>conv</b>", "conv", "Conv2d", 6, 0)
    good = record(meta, 1, 1.0, np.random.default_rng(0))
    nothing = np.full(6, np.nan, "f4")
    writer = RunWriter(tmp_path / "runs" / "x", {}, "x")
    writer.declare_layer(meta)
    writer.layer_record(
        meta.name, replace(good, histogram=good.histogram * 0, nonfinite=64, maximum=nothing, frequency=nothing)
    )
    writer.close()
    app = create_app(Settings(roots=(tmp_path / "runs",), workspace=tmp_path / "ws"))
    with app.server.test_request_context("/"):
        search = f"?runs={writer.run_id}"
        figure, *_ = layer_callbacks.draw_perplexity(None, None, None, None, None, None, False, search)
        assert any("all 64 patches<br>not finite" in note["text"] for note in figure["layout"]["annotations"])
        figure, *_ = layer_callbacks.draw_heatmap(None, None, None, None, None, None, "light", search)
        text = figure["layout"]["annotations"][0]["text"]
        assert "None of the 6 filters of &lt;b&gt;conv&lt;/b&gt; had a finite activation" in text


def test_a_range_without_records_says_so(ids: dict[str, str]) -> None:
    figure, cursors, subtitle, *_ = draw_curves(f"?runs={ids['Wide']}&range=5000~6000")
    assert "No record lies between step 5,000 and 6,000" in figure["layout"]["annotations"][0]["text"]
    assert (cursors, subtitle) == (None, "0 records")
