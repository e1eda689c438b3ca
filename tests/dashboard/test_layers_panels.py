"""The Layers view's panels about layers and filters, called as plain functions on planted activations."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dash import no_update

from analysis.extraction.reader import Extraction
from dashboard import subjects
from dashboard.views.layers import filter_panel, findings_panel, heat_panel, inspector, sample_bar, strip, testing

from .layers_stage import CLASSES, N, Stage, make_app, stage_in
from .test_training import places, text_of

VIEW = "?view=layers&layer=conv2"


@pytest.fixture
def stage(tmp_path: Path, runs_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    yield from stage_in(make_app(tmp_path, (runs_dir,)), monkeypatch)


def heat(search: str, before: Any = None) -> tuple[Any, ...]:
    return heat_panel.draw_heat(*[None] * 9, "light", before, search)


def filter_(search: str) -> tuple[Any, ...]:
    return filter_panel.draw_filter(*[None] * 8, "light", None, search)


def findings(search: str, tests: Any = None) -> tuple[Any, ...]:
    return findings_panel.draw_findings(*[None] * 8, tests, None, search)


def strip_(search: str, clicks: int = 0) -> tuple[Any, ...]:
    return strip.draw_strip(*[None] * 6, clicks, None, search)


def inspect(search: str) -> Any:
    return inspector.draw_inspector(*[None] * 9, search)[1]


def bar(search: str) -> tuple[Any, ...]:
    return sample_bar.draw_bar(*[None] * 6, search)


def test_nothing_is_computed_while_another_view_is_shown(stage: Stage) -> None:
    search = "?view=training&layer=conv2"
    for answer in (heat(search), filter_(search), findings(search), strip_(search, 1), bar(search)):
        assert all(part is no_update for part in answer)
    assert stage.jobs() == []


def test_values_are_the_largest_activations(stage: Stage) -> None:
    _, figure, subtitle, _, layer, href, *_ = heat(VIEW)
    values = Extraction(stage.directory).maximum("conv2").max(0)
    names = np.array(figure["data"][0]["customdata"]).ravel()
    drawn = np.array([np.nan if v is None else v for row in figure["data"][0]["z"] for v in row])
    for name, value in zip(names, drawn, strict=True):
        assert name < 0 or value == pytest.approx(values[name], rel=1e-3)
    assert sorted(names[names >= 0]) == list(range(50))
    assert layer == "conv2"
    assert f"{N:,} instances" in subtitle
    assert "1 never active" in subtitle
    assert href.startswith("/export/heatmap.csv?")


@pytest.mark.usefixtures("stage")
def test_an_equal_drawing_is_not_sent_again() -> None:
    first = heat(VIEW)
    assert all(part is no_update for part in heat(VIEW, first[0]))
    assert heat(VIEW + "&filter=3", first[0])[1] is not no_update


@pytest.mark.parametrize("sort", ["index", "value", "class", "similarity", "health"])
@pytest.mark.parametrize("mode", ["value", "class"])
def test_every_mode_and_order_shows_every_filter_once(stage: Stage, mode: str, sort: str) -> None:
    figure = heat(f"{VIEW}&lmode={mode}&lsort={sort}&by=3")[1]
    trace = figure["data"][0]
    shown = [i for row in trace["customdata"] for i in row if i >= 0] if mode == "value" else trace["meta"]["filters"]
    assert sorted(shown) == list(range(50))
    if sort == "class":
        assert shown[0] == stage.truth["planted"]["class_specific"]
    if sort == "health":
        assert shown[0] == stage.truth["planted"]["dead"]


@pytest.mark.usefixtures("stage")
def test_classes_are_text_and_marked() -> None:
    figure = heat(f"{VIEW}&lmode=class&lsort=class&by=1")[1]
    ticks = figure["layout"]["yaxis"]["ticktext"]
    assert ticks[1] == "<b>▸ &lt;b&gt;one&lt;/b&gt;</b>"
    assert len(json.dumps(figure)) < 300_000


def test_steps_come_from_run_a(stage: Stage) -> None:
    ids = {info.name: info.id for info in stage.services.index.list()}
    nothing = heat(f"{VIEW}&lmode=step")[1]["layout"]["annotations"][0]["text"]
    assert "No run is selected" in nothing
    text = heat(f"?view=layers&layer=conv1&lmode=step&runs={ids['Wide']}")[1]["layout"]["annotations"][0]["text"]
    assert "has 6 filters in, not 20" in text


def test_a_filter_shows_its_patches_and_classes(stage: Stage) -> None:
    found = Extraction(stage.directory)
    stage.filter_map("conv2", 50)
    _, subtitle, pictures, figure, title, facts, _, href = filter_(VIEW + "&filter=4")
    best = int(found.indices[found.maximum("conv2")[:, 4].argmax()])
    assert places(pictures)[0] == {"instances": str(best)}
    assert "Filter 4 of conv2" in subtitle
    assert len(figure["data"]) == 11  # a box per class, and the means
    assert title == "Activation by class"
    said = text_of(facts)
    assert "perplexity 3.2" in said
    assert "filter 0" in said
    assert "&lt;b&gt;one&lt;/b&gt;" in json.dumps(figure)
    assert "filter=4" in href


@pytest.mark.usefixtures("stage")
def test_a_dead_filter_says_so() -> None:
    _, _, pictures, _, _, facts, _, _ = filter_(VIEW + "&filter=0")
    assert "active on none" in text_of(pictures)
    assert "dead" in text_of(facts)


def test_what_is_missing_is_asked_for_once(stage: Stage) -> None:
    filter_(VIEW + "&filter=4")
    filter_(VIEW + "&filter=5")
    assert sorted(stage.jobs()) == ["Filter map of conv2", "Receptive fields"]
    filter_("?view=layers&layer=conv1&filter=5")
    assert "Weights of conv1" in stage.jobs()


@pytest.mark.usefixtures("stage")
def test_a_filter_that_is_not_there() -> None:
    assert "has 50 filters" in text_of(filter_(VIEW + "&filter=50")[2])
    assert "no layer 'nope'" in text_of(filter_("?view=layers&layer=nope")[2])
    assert "not called for these inputs" in text_of(filter_("?view=layers&layer=spare")[2])


def test_the_findings_name_what_was_planted(stage: Stage) -> None:
    stage.filter_map("conv2", 50)
    _, subtitle, body, _, _, prune, _, _ = findings(VIEW)
    said = text_of(body)
    assert "Filter 0 of conv2" in said
    assert "2 and 3 of conv2" in said
    assert "Filter 1 of conv2" in said
    assert "finding" in subtitle
    code = text_of(prune)
    assert "def prune_filters(model)" in code
    assert "merged into" in code


def test_a_test_shows_its_result_with_its_uncertainty(stage: Stage) -> None:
    spec = json.dumps(
        {"p": {"layer": "conv2", "filters": [0], "mode": "zero", "into": None}, "q": "ablation", "x": stage.key}
    )
    waiting = findings(VIEW, [spec])
    assert "Test: conv2: filter 0 set to 0" in text_of(waiting[2])
    stage.put("ablation", ablation(), None, layer="conv2", filters=[0], mode="zero", into=None)
    said = text_of(findings(VIEW, [spec])[2])
    assert "Accuracy 90.0 % → 89.5 %: −0.5 points (95 % interval −1.5 to +0.5; n = 200)." in said
    assert "No difference can be told on this sample" in said
    assert "<b>one</b>" in said
    assert "#7: 3 → 5" in said


def ablation() -> dict[str, Any]:
    """An answer as the worker gives it."""
    return {
        "n": N,
        "accuracy_before": 0.9,
        "accuracy_after": 0.895,
        "change": -0.5,
        "low": -1.5,
        "high": 0.5,
        "loss_before": 0.3,
        "loss_after": 0.31,
        "classes": [
            {"class": c, "n": 20, "before": 0.9, "after": 0.85, "change": -5.0, "low": -15.0, "high": 0.0}
            for c in range(10)
        ],
        "flipped": [[7, 3, 5]],
        "random_state": 0,
        "resamples": 2000,
    }


@pytest.mark.parametrize(
    "tests",
    [
        [1, None, {}, "x", "[]", "{}", '{"q": "ablation"}', "9" * 70_000],
        ['{"q":"ablation","p":{"layer":"conv2","filters":[99],"mode":"zero"},"x":"KEY"}'],
        ['{"q":"ablation","p":{"layer":"conv2","filters":[true],"mode":"zero"},"x":"KEY"}'],
        ['{"q":"ablation","p":{"layer":"conv2","filters":[1],"mode":"merge","into":"a"},"x":"KEY"}'],
        ['{"q":"ablation","p":{"layer":"gone","filters":[1],"mode":"zero"},"x":"KEY"}'],
        ['{"q":"ablation","p":{"layer":"conv2","filters":[1],"mode":"zero"},"x":"other"}'],
        ['{"q":"describe","p":{"layer":"conv2"},"x":"KEY"}'],
        "text",
    ],
)
def test_a_forged_test_is_not_asked(stage: Stage, tests: Any) -> None:
    given = (
        [t.replace("KEY", stage.key) if isinstance(t, str) else t for t in tests] if isinstance(tests, list) else tests
    )
    findings(VIEW, given)
    assert not any(name.startswith("Test") for name in stage.jobs())


@pytest.mark.usefixtures("stage")
def test_the_chosen_filters_can_be_tested_and_pruned() -> None:
    _, _, _, offers, free, prune, _, _ = findings(VIEW + "&filters=3-5,9")
    said = text_of(free)
    assert "Filters 3, 4, 5 and 9 of conv2" in said
    assert "zero(modules['conv2'], None, [3, 4, 5, 9])" in text_of(prune)
    assert "the weakest 25" in text_of(offers)
    assert len(places(offers)[0]["filters"].split(",")) == 25


def test_bypass_reads_every_way(stage: Stage) -> None:
    readout = {"accuracy": 0.95, "low": 0.93, "high": 0.97, "model_accuracy": 0.96, "n": N, "folds": 5}
    more = {"readout_reason": "", "with_layer": readout | {"accuracy": 0.955}, "shortcut": ablation()}
    answer = {"identity": None, "reason": "Shapes differ.", "readout": readout, **more}
    stage.put("bypass", answer, None, layer="conv2")
    spec = json.dumps({"p": {"layer": "conv2"}, "q": "bypass", "x": stage.key})
    said = text_of(findings(VIEW, [spec])[4])
    assert "Shapes differ." in said
    assert "from its input 95.0 % 93.0 to 97.0 % from its output 95.5 %" in said
    assert "the model 96.0 %" in said
    assert "Accuracy 90.0 % → 89.5 %" in said


def test_the_strip_lists_layers_by_depth(stage: Stage) -> None:
    _, rows, subtitle, _, hidden, _, _, note, _, disabled, _ = strip_(VIEW)
    assert [row["key"] for row in rows] == ["conv1", "conv2", "fc1", "fc2", "spare"]
    assert rows[1]["chosen"]
    assert rows[1]["findings"] >= 2
    assert rows[4]["reason"]
    assert "4 layers" in subtitle
    assert not hidden
    assert not disabled
    assert note == ""
    assert stage.jobs() == []


def test_the_strip_counts_findings_that_come_with_the_similarities(stage: Stage) -> None:
    mark, rows, *_ = strip_(VIEW)
    again = strip.draw_strip(*[None] * 6, 0, mark, VIEW)
    assert all(item is no_update for item in again)
    stage.filter_map("conv2", 50)
    later = strip.draw_strip(*[None] * 6, 0, mark, VIEW)
    assert later[1][1]["findings"] > rows[1]["findings"]


def test_separation_is_measured_on_request(stage: Stage) -> None:
    assert "Measuring class separation" in strip_(VIEW, 1)[7]
    assert "Class separation by layer" in stage.jobs()
    layers = [
        {"layer": k, "knn_purity": p, "silhouette": s, "n": N} for k, p, s in (("conv1", 0.4, -0.1), ("fc1", 0.9, 0.4))
    ]
    stage.put("separation", {"layers": layers, "chance": 0.1, "k": 10})
    _, rows, _, _, _, _, _, note, legend, disabled, _ = strip_(VIEW)
    assert rows[0]["purity"] == 0.4
    assert rows[2]["silhouette"] == 0.4
    assert "highest in fc1: 0.90, by chance 0.10" in note
    assert "chance 0.10" in text_of(legend)
    assert disabled


@pytest.mark.usefixtures("stage")
def test_the_bar_says_what_is_shown() -> None:
    _, text, state, sizes = bar(VIEW)
    said = text_of(text)
    assert "digits" in said
    assert "accuracy" in said
    assert "weights as given" in said
    assert state == []
    assert [item["label"] for item in sizes] == ["250 instances", "all 600"]
    assert sizes[-1]["value"] == "1000"


def test_a_part_is_shown_while_the_rest_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_app(tmp_path)
    for stage in stage_in(app, monkeypatch, only=[0]):
        _, _, state, _ = bar(VIEW)
        assert "Reading the activations" in text_of(state)
        assert "from 64 of 200 instances" in heat(VIEW)[2]
        assert stage.jobs() == ["Activations of 600 instances"]


def test_what_could_not_be_read_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in stage_in(make_app(tmp_path), monkeypatch, skipped=[3, 70], failed=[2]):
        said = text_of(bar(VIEW)[2])
        assert "2 instances could not be read" in said
        assert "RuntimeError: planted" in said


@pytest.mark.parametrize("kind", ["text", "series", "table"])
def test_other_kinds_of_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    from tests.extraction.fabricate import layer

    layers = [layer("c", "conv", 12, (20,), 0), layer("f", "linear", 10, (), 1, output=True)]
    for _ in stage_in(make_app(tmp_path), monkeypatch, kind=kind, layers=layers):
        assert len(places(filter_("?view=layers&filter=4")[2])) >= 8
        found = inspect("?view=layers&filter=4")
        assert "Filter 4 of c" in text_of(found)


def test_the_inspector_shows_the_instance_and_the_filter(stage: Stage) -> None:
    index = int(stage.truth["indices"][0])
    said = text_of(inspect(f"{VIEW}&filter=4&instances={index}"))
    assert f"Instance  {index}" in said
    assert "Filter 4 of conv2" in said
    assert "prediction" in said
    assert "Strongest filters of conv2" in said
    absent = next(i for i in range(3 * N) if i not in set(stage.truth["indices"].tolist()))
    found = inspect(f"{VIEW}&instances={absent}")
    assert {"include": str(absent)} in places(found)
    assert "The data has 600 instances." in text_of(inspect(f"{VIEW}&instances=5000"))


def test_without_a_subject_every_panel_says_how_to_begin(tmp_path: Path) -> None:
    app = make_app(tmp_path)
    with app.server.test_request_context("/"):
        said = [heat(VIEW)[1]["layout"]["annotations"][0]["text"], text_of(strip_(VIEW)[3]), text_of(bar(VIEW)[2])]
        said += [text_of(filter_(VIEW)[2]), text_of(findings(VIEW)[2]), text_of(inspect(VIEW))]
    assert all("--subject" in text for text in said), said


def test_downloads_say_what_the_panels_say(stage: Stage) -> None:
    client = stage.app.server.test_client()
    rows = client.get(heat(VIEW + "&lsort=value")[5]).get_data(as_text=True).splitlines()
    assert rows[0].startswith("layer,filter,maximum")
    assert len(rows) == 51
    assert len(client.get(heat(VIEW + "&lmode=class")[5]).get_data(as_text=True).splitlines()[0].split(",")) == 12
    rows = client.get(filter_(VIEW + "&filter=4")[7]).get_data(as_text=True).splitlines()
    assert len(rows) == N + 1
    rows = client.get(strip_(VIEW)[10]).get_data(as_text=True).splitlines()
    assert [row.split(",")[0] for row in rows[1:]] == ["conv1", "conv2", "fc1", "fc2"]
    found = client.get("/export/prune.json?layer=conv2&filters=1,2").get_json()
    assert found["layers"][0]["filters"] == [1, 2]
    spec = {"p": {"layer": "conv2", "filters": [0], "mode": "zero", "into": None}, "q": "ablation", "x": stage.key}
    stage.put("ablation", ablation(), None, layer="conv2", filters=[0], mode="zero", into=None)
    answer = client.get("/export/test.csv", query_string={"layer": "conv2", "test": json.dumps(spec)})
    assert answer.get_data(as_text=True).splitlines()[1].split(",")[1:4] == ["all", "200", "0.9"]
    assert client.get("/export/test.csv?layer=conv2&test=x").status_code == 400
    assert client.get("/export/heatmap.csv?layer=gone").status_code == 404


@pytest.mark.usefixtures("stage")
def test_a_spec_comes_back_as_it_was_sent() -> None:
    from dashboard.views.layers import data

    shown = data.frame(VIEW)
    spec = testing.spec_of(shown, "ablation", layer="conv2", filters=[3, 1], mode="merge", into=2)
    again = testing.read(spec.text, shown)
    assert again is not None
    assert again.params == {"layer": "conv2", "filters": [1, 3], "mode": "merge", "into": 2}
    assert CLASSES[1] == shown.class_name(1)
    assert subjects.described().state == "ready"


def test_without_labels_predictions_stand_for_classes(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Extraction, "labels", np.full(N, -1))
    assert "10 predicted classes" in heat(VIEW + "&lmode=class")[2]
    answer = filter_(VIEW + "&filter=4")
    assert answer[4] == "Activation by predicted class"
    assert "predicted" in answer[2][1].children[0].children[2].title
    assert "no labels" in text_of(bar(VIEW)[1])
    assert stage.jobs()
