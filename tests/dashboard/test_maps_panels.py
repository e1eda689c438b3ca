"""The panels of feature maps, input map and filter map, called as plain functions on a made-up subject."""

from __future__ import annotations

import json
from typing import Any

import dash
import numpy as np
import pytest
from dash import no_update

from dashboard.views.layers import filter_map_panel, input_panel, maps_panel
from tests.extraction.fabricate import layer

from .maps_subject import MadeUp, patches_of
from .test_maps_figures import numbers
from .test_training import places, text_of

PER = {"layer": "conv2"}


@pytest.fixture
def made(bare_app: dash.Dash, bare_request: None, monkeypatch: pytest.MonkeyPatch) -> MadeUp:  # noqa: ARG001
    found = MadeUp(bare_app, "digits", n=200).install(monkeypatch)
    ranges = np.stack([np.arange(8) * 2, np.arange(8) * 2 + 14], 1).astype("i4")
    found.makers["receptive_fields"] = lambda: (
        {"axes": [2, 3], "whole": ["fc1", "fc2"]},
        {"conv2/0": ranges, "conv2/1": ranges},
    )

    def maps(layer: str, instance: int) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        rng = np.random.default_rng(instance)
        shape = {"conv2": (50, 8, 8), "fc1": (100,)}[layer]
        values = rng.random(shape, "f4")
        values[7] = 0
        said = {"prediction": 3, "label": 3, "scores": [[3, 0.75], [1, 0.2]], "rectifier": "relu"}
        return said, {"maps": values, "display": rng.integers(0, 255, (28, 28, 1)).astype("u1")}

    found.makers["feature_maps"] = maps
    found.makers["patches"] = patches_of(found, 50)

    def umap(rows: Any, **_params: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        count = 400 if rows is None else len(rows)
        xy = np.random.default_rng(count).random((count, 2), "f4")
        return {"trustworthiness": 0.97, "pca_trustworthiness": 0.9, "n_neighbors": 15}, {"xy": xy}

    found.makers["embedding"] = umap

    def filters(**_params: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        rng = np.random.default_rng(0)
        silent = np.arange(50) == 0
        return {}, {
            "xy": np.where(silent[:, None], np.nan, rng.random((50, 2))).astype("f4"),
            "tally": np.where(silent, 0, 1.0)[:, None] * np.array([[3.0, 1.0]], "f4"),
            "tally_labels": np.stack([np.arange(50) % 10, (np.arange(50) + 1) % 10], 1).astype("i4"),
            "tally_total": np.where(silent, 0, 4.0),
            "tally_perplexity": np.where(silent, np.nan, 1.75),
            "silent": silent,
        }

    found.makers["filter_map"] = filters
    return found


def draw_maps(search: str, *, wrong: bool = False, scheme: str = "light", before: Any = None) -> tuple[Any, ...]:
    return maps_panel.draw_maps(*[None] * 8, wrong, scheme, None, before, search)


def draw_input(search: str, *, scheme: str = "light", before: Any = None) -> tuple[Any, ...]:
    return input_panel.draw_input(*[None] * 11, scheme, None, "lasso", before, search)


def draw_filters(search: str, before: Any = None) -> tuple[Any, ...]:
    return filter_map_panel.draw_filter_map(*[None] * 9, before, search)


def nested(component: Any) -> bool:
    """Whether a list of children holds a list, which the browser cannot draw."""
    children = getattr(component, "children", component)
    if not isinstance(children, list | tuple):
        return hasattr(children, "children") and nested(children)
    return any(isinstance(child, list | tuple) or (hasattr(child, "children") and nested(child)) for child in children)


DRAWN = (draw_maps, draw_input, draw_filters)


@pytest.mark.parametrize("draw", DRAWN)
def test_nothing_is_asked_while_another_view_is_shown(made: MadeUp, draw: Any) -> None:
    assert set(draw("?view=training&layer=conv2")) == {no_update}
    assert made.asked == []


@pytest.mark.parametrize("draw", DRAWN)
def test_what_is_drawn_already_is_not_drawn_again(made: MadeUp, draw: Any) -> None:  # noqa: ARG001
    first = draw("?view=layers&layer=conv2")
    assert set(draw("?view=layers&layer=conv2", before=first[0])) == {no_update}
    other = {draw_maps: "?view=layers&layer=fc1", draw_input: "?view=layers&layer=conv2&color=max"}
    assert draw(other.get(draw, "?view=layers&layer=conv2&filter=2"), before=first[0])[0] not in (no_update, first[0])


@pytest.mark.parametrize("draw", DRAWN)
def test_a_panel_says_that_it_waits(made: MadeUp, draw: Any) -> None:
    made.waiting = {"feature_maps", "patches", "filter_map"}
    words = text_of(list(draw("?view=layers&layer=conv2")))
    assert "conv2" in words
    assert "Starting ..." in words


@pytest.mark.parametrize("draw", DRAWN)
@pytest.mark.parametrize("search", ["?view=layers&layer=gone", "?view=layers&layer=%3Cscript%3E"])
def test_an_unknown_layer_is_named(made: MadeUp, draw: Any, search: str) -> None:  # noqa: ARG001
    assert "no layer" in text_of(list(draw(search)))


def test_maps_of_an_instance_go_to_the_canvas(made: MadeUp) -> None:
    instance = int(made.extraction.indices[4])
    mark, spec, _, subtitle, box, hidden, legend, steps, said, _, fixed, href = draw_maps(
        f"?view=layers&layer=conv2&instances={instance}&overlay=on"
    )
    assert mark
    assert box is None
    assert hidden is False
    assert fixed is False
    assert href == f"/export/feature-maps.csv?layer=conv2&instances={instance}"
    assert spec["filters"] == 50
    assert (spec["width"], spec["height"]) == (8, 8)
    assert spec["tops"][7] == 0
    assert spec["extent"] == [6 / 28, 6 / 28, 22 / 28, 22 / 28]
    assert spec["overlay"] is True
    assert spec["source"].startswith("/picture/maps?a=")
    assert subtitle == f"conv2 · 50 filters of 8 × 8 · instance {instance:,}"
    assert "1" in text_of(legend)
    assert {"instances": int(made.extraction.indices[3])} in places(steps)
    row = made.extraction.row_of(instance)
    assert f"predicted {made.extraction.predictions[row]}" in " ".join(text_of(said).replace("●", "").split()) or said
    assert len(json.dumps(spec)) < 20_000


def test_stepping_through_the_wrong_ones(made: MadeUp) -> None:
    found = made.extraction
    wrong = np.sort(found.indices[found.labels != found.predictions])
    steps = draw_maps(f"?view=layers&layer=conv2&instances={wrong[2]}", wrong=True)[7]
    assert places(steps) == [{"instances": int(wrong[1])}, {"instances": int(wrong[3])}]
    assert f"3 of {len(wrong)} wrong" in text_of(steps)
    last = draw_maps(f"?view=layers&layer=conv2&instances={wrong[-1]}", wrong=True)[7]
    assert places(last) == [{"instances": int(wrong[-2])}]


def test_an_instance_outside_the_sample_is_shown_too(made: MadeUp) -> None:
    outside = next(i for i in range(600) if made.extraction.row_of(i) is None)
    said = text_of(draw_maps(f"?view=layers&layer=conv2&instances={outside}")[8])
    assert "75.0 %" in said
    assert "outside the sample" in said
    assert "600 instances" in text_of(list(draw_maps("?view=layers&layer=conv2&instances=600")))


def test_a_dense_layer_is_bars(made: MadeUp) -> None:  # noqa: ARG001
    result = draw_maps("?view=layers&layer=fc1&filter=3")
    assert result[1]["source"] is None
    assert result[2]["data"][0]["type"] == "bar"
    assert result[3].startswith("fc1 · 100 units without positions")


@pytest.mark.usefixtures("bare_request")
def test_maps_of_a_series_lie_along_time(bare_app: dash.Dash, monkeypatch: pytest.MonkeyPatch) -> None:
    layers = [layer("conv", "conv", 12, (23,))]
    made = MadeUp(bare_app, "waves", description={"sampling_rate": 100.0}, layers=layers, n=40, kind="series")
    made.install(monkeypatch)
    made.makers["feature_maps"] = lambda layer, instance: (  # noqa: ARG005
        {"prediction": 1, "label": 1, "scores": []},
        {"maps": np.ones((12, 23), "f4"), "display": np.zeros((3, 50), "f4")},
    )
    ranges = np.stack([np.arange(23) * 2, np.arange(23) * 2 + 6], 1).astype("i4")
    made.makers["receptive_fields"] = lambda: ({"whole": []}, {"conv/0": ranges})
    figure = draw_maps("?view=layers&layer=conv")[2]
    assert [trace["type"] for trace in figure["data"]] == ["heatmap", "scatter", "scatter", "scatter"]
    np.testing.assert_allclose(numbers(figure["data"][0]["x"])[[0, -1]], [0.02, 0.48], atol=1e-6)
    made.makers["patches"] = patches_of(made, 12, places=1)
    words = text_of(draw_input("?view=layers&layer=conv")[6])
    assert "Detected least" in words


@pytest.mark.usefixtures("bare_request")
def test_maps_of_a_text_lie_along_its_tokens(bare_app: dash.Dash, monkeypatch: pytest.MonkeyPatch) -> None:
    made = MadeUp(bare_app, "words", layers=[layer("rnn", "recurrent", 12, (12,))], n=40, kind="text").install(
        monkeypatch
    )
    made.makers["feature_maps"] = lambda layer, instance: (  # noqa: ARG005
        {"prediction": 1, "label": 1, "scores": []},
        {"maps": np.ones((12, 12), "f4")},
    )
    result = draw_maps("?view=layers&layer=rnn")
    first = made.extraction.tokens(int(made.extraction.indices[0]))
    assert result[2]["layout"]["xaxis"]["ticktext"] == first
    assert text_of(result[9]).split() == first
    made.makers["patches"] = patches_of(made, 12, places=1)
    assert "instance" in text_of(draw_input("?view=layers&layer=rnn")[6])


def test_the_input_map_marks_what_nothing_detects(made: MadeUp) -> None:
    result = draw_input("?view=layers&layer=conv2&undetected=0.05")
    figure, subtitle, side = result[1], result[2], text_of(result[6])
    assert subtitle.startswith("conv2 · 400 patches of ")
    assert subtitle.endswith("PCA, 60 % of the variance")
    assert "Class 0 stands out: 20 of 20 (100 %)" in side
    rings = [trace for trace in figure["data"] if trace["marker"]["symbol"] == "circle-open"]
    assert len(numbers(rings[0]["x"])) == 20
    assert {trace["type"] for trace in figure["data"]} == {"scatter"}
    assert len(figure["layout"]["annotations"]) == 10
    assert len(json.dumps(figure)) < 300_000
    assert result[7] == "5 %"
    assert "None are marked" in text_of(draw_input("?view=layers&layer=conv2&undetected=0")[6])
    assert made.asked


def test_a_lasso_lists_its_patches_and_their_classes(made: MadeUp) -> None:  # noqa: ARG001
    box = "8,-2,12,-2,12,2,8,2"  # around label 0, at (10, 0)
    result = draw_input(f"?view=layers&layer=conv2&lasso={box}")
    figure, side = result[1], result[6]
    words = text_of(side)
    assert "Lasso" in words
    assert figure["layout"]["shapes"][0]["path"].startswith("M8,-2L12,-2")
    bright = sum(len(trace.get("selectedpoints", [])) for trace in figure["data"])
    assert f"{bright} patches of" in words
    assert {"drill": "8,-2,12,-2,12,2,8,2", "lasso": None} in places(side)
    assert {"lasso": None} in places(side)
    tiles = [place for place in places(side) if set(place) == {"instances"}]
    assert 0 < len(tiles) <= 60
    styles = str(side)
    assert "/picture/patchgrid?" in styles
    empty = draw_input("?view=layers&layer=conv2&lasso=90,90,91,90,91,91")
    assert "No patch lies inside it" in text_of(empty[6])


def test_drilling_down_embeds_the_selection_anew(made: MadeUp) -> None:
    box = "8,-2,12,-2,12,2,8,2"
    result = draw_input(f"?view=layers&layer=conv2&drill={box}")
    assert "selection of 400" in result[2]
    assert {"drill": None, "lasso": None} in places(result[6])
    total = sum(len(numbers(t["x"])) for t in result[1]["data"] if "customdata" in t)
    assert 10 < total < 80
    with_umap = draw_input("?view=layers&layer=conv2&embed=umap&drill=0,0,0.5,0,0.5,0.5,0,0.5")
    assert "trustworthiness 0.97" in with_umap[2]
    rows = [params["rows"] for question, params in made.asked if question == "embedding"]
    assert rows[0] is None
    assert rows[1]
    few = draw_input("?view=layers&layer=conv2&drill=90,90,91,90,91,91")
    assert "too few" in text_of(few[3])
    assert {"drill": None} in places(few[3])


def test_pca_stands_in_until_umap_is_ready(made: MadeUp) -> None:
    made.waiting = {"embedding"}
    result = draw_input("?view=layers&layer=conv2&embed=umap")
    assert "until UMAP is ready" in result[2]
    assert "UMAP of the input of conv2" in text_of(result[3])
    assert result[8] is False
    assert result[1]["layout"]["dragmode"] is False
    made.waiting = set()
    assert "trustworthiness 0.97 (PCA 0.9)" in draw_input("?view=layers&layer=conv2&embed=umap", before=result[0])[2]


@pytest.mark.parametrize("color", ["label", "prediction", "correct", "filter", "filters", "max"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_colour(made: MadeUp, color: str, scheme: str) -> None:  # noqa: ARG001
    result = draw_input(f"?view=layers&layer=conv2&color={color}&filter=3&filters=1,2", scheme=scheme)
    figure, legend = result[1], text_of(result[5])
    if color in ("filter", "filters", "max"):
        name = {"filter": "filter 3", "filters": "largest of 2 filters", "max": "largest of all 50"}[color]
        assert name in legend
        values = numbers(figure["data"][0]["marker"]["color"])
        assert (np.diff(values) >= 0).all()
    elif color == "correct":
        assert [trace["marker"]["symbol"] for trace in figure["data"][:2]] == ["circle", "x"]
    else:
        assert color.capitalize() in legend


def test_colour_by_a_filter_without_one_says_what_to_do(made: MadeUp) -> None:  # noqa: ARG001
    assert "Choose a filter" in text_of(draw_input("?view=layers&layer=conv2&color=filter")[5])
    assert "Lasso filters in the filter map" in text_of(draw_input("?view=layers&layer=conv2&color=filters")[5])


@pytest.mark.parametrize("draw", DRAWN)
@pytest.mark.parametrize("search", ["", "&lasso=-12,-12,12,-12,12,12,-12,12", "&filters=1,2&filter=3&color=filters"])
def test_children_are_as_the_browser_takes_them(made: MadeUp, draw: Any, search: str) -> None:
    made.extraction.class_names += [f"class {i}" for i in range(10, 40)]
    plain = made.makers["patches"]

    def many(**params: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        value, arrays = plain(**params)
        return value, arrays | {"label": np.arange(400) % 40}

    made.makers["patches"] = many
    made.key = made.key[1:] + "0"  # another answer
    parts = [
        part
        for part in draw(f"?view=layers&layer=conv2{search}")
        if hasattr(part, "children") or isinstance(part, list)
    ]
    assert parts
    assert not any(nested(part) for part in parts)


def test_the_filter_map(made: MadeUp) -> None:  # noqa: ARG001
    result = draw_filters("?view=layers&layer=conv2&filter=3&filters=1-3,9")
    _, figure, subtitle, box, hidden, legend, side, shown, href = result
    assert (box, hidden, shown, href) == (None, False, "conv2", "/export/filter-map.csv?layer=conv2")
    assert subtitle == "conv2 · 50 filters · 1 silent · 4 lassoed"
    assert "4 filters: 1 2 3 9" in " ".join(text_of(side).split())
    assert {"color": "filters"} in places(side)
    coloured = draw_filters("?view=layers&layer=conv2&filter=3&filters=1-3,9&color=filters", before=result[0])
    assert {"color": None} in places(coloured[6])
    assert {"filter": 9} in places(side)
    assert "silent (1)" in text_of(legend)
    texts = [text for trace in figure["data"] for text in trace.get("hovertext", [])]
    assert "silent" in texts
    assert any("perplexity 1.8" in text or "perplexity 1.7" in text for text in texts)


def test_without_labels_nothing_is_said_by_class(made: MadeUp) -> None:
    plain = made.makers["patches"]

    def unlabelled(**params: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        value, arrays = plain(**params)
        return value, arrays | {"label": np.full(400, -1)}

    made.makers["patches"] = unlabelled
    made.key = made.key[::-1]  # another answer
    words = text_of(draw_input("?view=layers&layer=conv2&color=correct")[6])
    assert "have no label" in words
    assert "nothing can be said by class" in words


@pytest.mark.parametrize("name", ["patches", "filter-map", "feature-maps"])
def test_what_a_map_shows_can_be_downloaded(bare_app: dash.Dash, made: MadeUp, name: str) -> None:
    made.extraction.class_names[3] = "=1+1"
    client = bare_app.server.test_client()
    search = "layer=conv2&undetected=0.05&lasso=8,-2,12,-2,12,2,8,2"
    answer = client.get(f"/export/{name}.csv?{search}")
    assert answer.status_code == 200
    head, *rows = [line.split(",") for line in answer.text.strip().splitlines()]
    assert len(rows) == (400 if name == "patches" else 50)
    assert {len(row) for row in rows} == {len(head)}
    if name == "patches":
        marked = [row for row in rows if row[head.index("detected_least")] == "1"]
        assert {row[head.index("label")] for row in marked} == {"0"}
        assert sum(row[head.index("lassoed")] == "1" for row in rows) > 10
    if name != "feature-maps":
        labels = {row[head.index("label")] for row in rows}
        assert "'=1+1" in labels
        assert "=1+1" not in labels
    made.waiting = {"patches", "filter_map", "feature_maps"}
    assert client.get(f"/export/{name}.csv?layer=conv2").status_code == 404
    assert client.get(f"/export/{name}.csv?layer=gone").status_code == 404
