"""What the panels of the Layers view say: a link's results, numbers of one column, names of layers, percentages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analysis.layerinfo import LayerInfo
from dashboard.views.layers import data, strip
from tests.extraction.fabricate import lenet

from .layers_stage import Stage, make_app, stage_in
from .test_layers_panels import VIEW, ablation, filter_, findings, heat
from .test_training import text_of


@pytest.fixture
def stage(tmp_path: Path, runs_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    yield from stage_in(make_app(tmp_path, (runs_dir,)), monkeypatch)


@pytest.mark.parametrize("mode", ["zero", "mean"])
def test_a_link_shows_the_results_that_are_known(stage: Stage, mode: str) -> None:
    link = f"{VIEW}&filters=3-5"
    assert "Accuracy" not in text_of(findings(link)[4])
    stage.put("ablation", ablation(), None, layer="conv2", filters=[3, 4, 5], mode=mode, into=None)
    answer = findings(link)
    said = text_of(answer[4])
    assert said.count("Accuracy 90.0 % → 89.5 %") == 1
    assert "Loss 0.3000 → 0.3100" in said
    assert "&test=" in answer[6]
    assert "Accuracy" not in text_of(findings(f"{VIEW}&filters=3-4")[4])
    assert not any(name.startswith(("Test", "Ablation")) for name in stage.jobs())


def test_a_link_shows_the_known_test_of_a_finding_once(stage: Stage) -> None:
    stage.put("ablation", ablation(), None, layer="conv2", filters=[0], mode="zero", into=None)
    _, _, body, _, free, *_ = findings(f"{VIEW}&filter=0")
    assert text_of([body, free]).count("Accuracy 90.0 %") == 1


@pytest.mark.usefixtures("stage")
def test_percentages_of_findings_are_written_like_the_page() -> None:
    said = text_of(findings(VIEW)[2])
    assert " % " in said
    assert not [word for word in said.split() if word.rstrip(".,);").endswith("%") and word[0].isdigit()]


@pytest.mark.parametrize(
    ("values", "digits", "shown"),
    [
        ([0.414, 0.4], 3, ["0.414", "0.400"]),
        ([0.1491, 0.162], 4, ["0.1491", "0.1620"]),
        ([12.3, 0.0], 3, ["12.3", "0.0"]),
        ([12.3, 0.00012], 3, ["12.3", "0.00012"]),
        ([1234.5, -2.0], 4, ["1,234", "-2"]),
        ([None, float("nan"), 0.5], 3, ["undefined", "undefined", "0.500"]),
        ([3e-9, 1e-9], 3, ["3e-09", "1e-09"]),
        ([], 3, []),
        ([0.0, 0.0], 3, ["0", "0"]),
    ],
)
def test_numbers_of_a_column_have_the_same_decimals(values: list[Any], digits: int, shown: list[str]) -> None:
    assert data.column(values, digits) == shown


def test_a_layer_has_one_name() -> None:
    info = LayerInfo("conv2", "conv2", 0, "conv", "Conv2d", 5, (8, 8))
    assert data.called(info) == "conv2"
    assert data.called(replace(info, key="3", name="3")) == "layer 3 (Conv2d)"
    assert data.called(replace(info, key="0.3#1", name="0.3")) == "layer 0.3#1 (Conv2d)"


@pytest.mark.usefixtures("stage")
def test_a_layer_without_positions_has_no_mean_over_them() -> None:
    assert "mean over instances and positions" in text_of(filter_(VIEW)[5])
    said = text_of(filter_("?view=layers&layer=fc1")[5])
    assert "mean over instances" in said
    assert "positions" not in said


@pytest.mark.usefixtures("stage")
def test_the_filter_is_placed_among_the_others() -> None:
    assert text_of(filter_(f"{VIEW}&filter=15")[6]).endswith("15 (0 to 49)")


def test_the_strip_reads_type_then_positions() -> None:
    wanted = {"conv1": "Conv2d, 24 × 24 positions", "fc1": "Linear"}
    rows = {info.key: strip._type(info) for info in lenet()}
    assert {key: rows[key] for key in wanted} == wanted
    assert strip._type(replace(lenet()[0], type="Conv1d", spatial=(20,))) == "Conv1d, 20 positions"


def test_a_figures_text_fits_a_narrow_panel() -> None:
    shown = data.wrapped(f"The model fails: {'shapes differ, ' * 9}<br>Mend it.").split("<br>")
    assert len(shown) > 3
    assert max(map(len, shown)) <= 46
    assert shown[-1] == "Mend it."
    assert data.wrapped("No run is selected.<br>Choose one.") == "No run is selected.<br>Choose one."
    assert data.wrapped("word " * 999).endswith("<br>…")


@pytest.mark.usefixtures("stage")
def test_a_heatmap_that_fails_says_why_in_lines() -> None:
    note = heat(f"{VIEW}&lmode=step")[1]["layout"]["annotations"][0]
    assert max(map(len, note["text"].split("<br>"))) <= 46
    assert (note["x"], note["y"]) == (0.5, 0.5)
