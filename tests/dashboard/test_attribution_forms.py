"""Figures, tokens and sentences of attributions, without a server."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from plotly.utils import PlotlyJSONEncoder

from dashboard.views.attribution import figures, forms, maps_data, words

from .attribution_stage import (
    found_in,
)
from .test_maps_figures import numbers
from .test_training import text_of


def test_a_long_series_with_many_channels_stays_within_the_budget() -> None:
    rng = np.random.default_rng(0)
    display, values = rng.normal(size=(32, 20_000)), np.zeros((32, 20_000))
    values[17, 9_000] = -4.0
    said = {"form": "input", "signed": True, "method": "x"}
    scale = maps_data.scale_of(values, said, "signed", 99.5, "series")
    names = [f"sensor {i}" for i in range(32)]
    figure, _, note = figures.series(display, values, scale, names=names, rate=100.0, scheme="light", multiples=12)
    assert len(json.dumps(figure, cls=PlotlyJSONEncoder)) < 25_000
    assert "8 of 32 channels" in note
    heats = [trace for trace in figure["data"] if trace["type"] == "heatmap"]
    lowest = min(float(numbers(trace["z"]).min()) for trace in heats)
    assert lowest == -4.0, "the strongest value is never averaged away"
    assert figure["layout"]["xaxis"]["title"]["text"] == "time (s)"
    assert any("sensor 17" in trace["hovertemplate"] for trace in heats)


def test_a_waterfall_goes_from_the_baseline_to_the_score() -> None:
    values = np.array([2.0, -0.5, 0.25, *[0.01] * 20])
    figure, _, _ = figures.waterfall([f"f{i}" for i in range(23)], values, 1.0, 3.5)
    trace = figure["data"][0]
    steps = dict(zip(figure["layout"]["yaxis"]["ticktext"], zip(trace["base"], trace["x"], strict=True), strict=True))
    assert steps["baseline"] == (0.0, 1.0)
    assert steps["f0"] == (1.0, 2.0)
    assert steps["f1"] == (3.0, -0.5)
    assert steps["score"] == (0.0, 3.5)
    start, gap = steps["not explained"]
    assert start + gap == pytest.approx(3.5)
    assert gap == pytest.approx(3.5 - 1.0 - values.sum())


def test_heads_of_attention_have_their_tokens_on_both_axes() -> None:
    values = np.random.default_rng(0).random((4, 6, 6))
    scale = maps_data.scale_of(values, {"form": "attention", "signed": False}, "signed", 100, "text")
    figure, _, note = figures.attention(values, scale, ["a", "<i>b</i>", *"cdef"], "light", 1)
    assert [trace["type"] for trace in figure["data"]] == ["heatmap"] * 4
    assert figure["layout"]["yaxis"]["ticktext"][1] == "&lt;i&gt;b&lt;/i&gt;"
    titles = {name: axis["title"]["text"] for name, axis in figure["layout"].items() if "axis" in name}
    assert [titles[f"yaxis{n}"] for n in ("", "2", "3", "4")] == ["token", "", "token", ""]
    assert [titles[f"xaxis{n}"] for n in ("", "2", "3", "4")] == ["", "", "looks at token", "looks at token"]
    assert text_of(forms.legend(scale, "attention")).endswith("attention weight")
    assert note == ""
    large = np.random.default_rng(0).random((8, 200, 200))
    figure, _, note = figures.attention(large, scale, [], "light", 4)
    assert figure["layout"]["xaxis"]["title"]["text"] == "looks at position"
    assert "The mean of 8 heads" in note
    assert len(json.dumps(figure, cls=PlotlyJSONEncoder)) < 60_000


def test_a_long_text_shows_its_strongest_tokens_and_marks_the_gaps() -> None:
    values = np.zeros(500, "f4")
    values[[10, 300]] = [1.0, -2.0]
    scale = maps_data.scale_of(values, {"form": "input", "signed": True}, "signed", 100, "text")
    box = forms.text([f"w{i}" for i in range(500)], values, scale, None, 50)
    shown = [text_of(one) for one in found_in(box, "at-token")]
    assert len(shown) == 50
    assert {"w10", "w300"} <= set(shown)
    assert shown == sorted(shown, key=lambda word: int(word[1:]))
    gaps = sum(int(text_of(one).strip("… ").replace(",", "")) for one in found_in(box, "at-gap"))
    assert gaps == 450


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"complete": True, "score": 3.0, "baseline": 1.0, "sum": 2.001}, "adds up"),
        ({"complete": True, "score": 3.0, "baseline": 1.0, "sum": 1.5}, "off by 25 %"),
        ({"complete": True, "score": 3.0, "baseline": 3.0, "sum": 1.5}, "does not add up"),
        ({"complete": False, "score": 3.0, "baseline": 1.0, "sum": 2.0}, ""),
        ({"complete": True, "score": 3.0, "baseline": None, "sum": 2.0}, ""),
    ],
)
def test_whether_values_add_up_is_said_in_figures(said: dict[str, Any], expected: str) -> None:
    line = words.adds_up(said)
    assert expected in line
    assert bool(line) == bool(expected)
