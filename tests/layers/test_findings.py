"""Findings of planted filters and of a redundant layer: who is named, on what evidence, and with which test."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from analysis.errors import ParameterError
from analysis.extraction.reader import Extraction
from analysis.layers import health
from analysis.layers.findings import LayerFinding, layer_findings, network_findings
from analysis.layers.undetected import detection_score, undetected
from analysis.results import Answer, Answers
from tests.extraction.fabricate import PLANTED, fabricate, layer


def of(found: list[LayerFinding], rule: str) -> list[LayerFinding]:
    return [one for one in found if one.finding.rule == rule]


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Extraction:
    home = tmp_path_factory.mktemp("planted") / "extraction"
    fabricate(home, n=300)
    return Extraction(home)


def filter_map(home: Path, filters: int, *pairs: tuple[int, int, float], frequency: float = 0.2) -> Answer:
    """An answer in which these pairs are alike."""
    neighbours, phi = np.full((filters, 8), -1, np.int32), np.full((filters, 8), np.nan, np.float32)
    for place, (i, j, value) in enumerate(pairs):
        neighbours[i, place], phi[i, place] = j, value
        neighbours[j, place], phi[j, place] = i, value
    arrays = {"neighbours": neighbours, "phi": phi, "frequency": np.full(filters, frequency, np.float32)}
    return Answers(home).put("a" * 40, {"patches": 2048}, arrays)


@pytest.mark.parametrize("key", ["conv1", "fc1"])
def test_planted_filters_are_named_with_their_test(planted: Extraction, key: str) -> None:
    found = layer_findings(planted, key)
    [dead] = of(found, "dead")
    assert dead.finding.filters == (PLANTED["dead"],)
    assert dead.test == {
        "question": "ablation",
        "params": {"layer": key, "filters": [PLANTED["dead"]], "mode": "zero", "into": None},
    }
    [on] = of(found, "degenerate")
    assert on.finding.filters == (PLANTED["always_on"],)
    assert on.test is not None
    assert on.test["params"]["mode"] == "mean"
    [specific] = of(found, "specific")
    assert PLANTED["class_specific"] in specific.finding.filters
    assert f"'{PLANTED['of_class']}'" in str(specific.finding.evidence)
    assert not of(found, "duplicate")
    assert all(one.finding.evidence and one.finding.explanation and one.finding.action for one in found)


def test_duplicates_come_from_the_filter_map_one_test_a_group(planted: Extraction, tmp_path: Path) -> None:
    first, second = PLANTED["duplicate"]
    answer = filter_map(tmp_path, 100, (first, second, 1.0), (10, 11, 0.97), (11, 12, 0.96), (20, 21, 0.5))
    found = of(layer_findings(planted, "fc1", answer), "duplicate")
    assert [one.finding.filters for one in found] == [(first, second), (10, 11, 12)]
    params = found[1].test["params"]  # type: ignore[index]
    assert params["mode"] == "merge"
    assert sorted([*params["filters"], params["into"]]) == [10, 11, 12]


def test_patches_of_the_filter_map_decide_what_is_always_on(planted: Extraction, tmp_path: Path) -> None:
    assert not of(layer_findings(planted, "conv1", filter_map(tmp_path, 20, frequency=0.5)), "degenerate")


def test_the_gravest_trouble_of_a_filter_is_its_health(planted: Extraction, tmp_path: Path) -> None:
    answer = filter_map(tmp_path, 20, (*PLANTED["duplicate"], 0.99), frequency=0.0)
    states = health.health(health.case_of(planted, "conv1", answer))
    assert states[PLANTED["dead"]] == "dead"
    assert states[PLANTED["duplicate"][0]] == "duplicate"
    assert states[PLANTED["class_specific"]] == "specific"
    assert set(states) <= set(health.HEALTH)


def test_healthy_filters_few_instances_and_the_output_are_left_alone(tmp_path: Path) -> None:
    fabricate(tmp_path / "few", n=20)
    fabricate(tmp_path / "fine", n=200, planted=False)
    assert layer_findings(Extraction(tmp_path / "few"), "conv1") == []
    fine = layer_findings(Extraction(tmp_path / "fine"), "conv1")
    assert not of(fine, "dead")
    assert not of(fine, "degenerate")
    output = layer_findings(Extraction(tmp_path / "fine"), "fc2")
    assert {one.finding.rule for one in output} <= {"undetected"}


def row(key: str, purity: float | None, silhouette: float | None) -> dict[str, object]:
    return {"layer": key, "order": 0, "filters": 10, "knn_purity": purity, "silhouette": silhouette, "n": 300}


def dense(home: Path) -> Extraction:
    layers = [
        layer("conv", "conv", 8, (4, 4), 0),
        layer("fc1", "linear", 16, (), 1),
        layer("fc2", "linear", 16, (), 2),
        layer("out", "linear", 10, (), 3, rectifier="softmax", output=True),
    ]
    fabricate(home, layers, n=64)
    return Extraction(home)


def test_a_dense_layer_that_separates_no_better_than_the_one_before_is_named(tmp_path: Path) -> None:
    made = dense(tmp_path / "made")
    told = {
        "chance": 0.1,
        "k": 10,
        "layers": [row("conv", 0.93, 0.3), row("fc1", 0.92, 0.3), row("fc2", 0.93, 0.35), row("out", 0.93, 0.4)],
    }
    [found] = network_findings(made, told)
    assert found.finding.layer == "fc2"
    assert found.test == {"question": "bypass", "params": {"layer": "fc2"}}
    assert "fc1" in found.finding.sentence


@pytest.mark.parametrize("second", [row("fc2", 0.97, 0.35), row("fc2", 0.93, 0.6), row("fc2", None, None)])
def test_a_dense_layer_that_separates_better_is_not(tmp_path: Path, second: dict[str, object]) -> None:
    told = {"chance": 0.1, "k": 10, "layers": [row("fc1", 0.92, 0.3), second]}
    assert network_findings(dense(tmp_path / "made"), told) == []


def test_the_weakest_responses_are_marked_and_told_by_class() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(5), 40)
    values = np.eye(5)[labels] * rng.uniform(1, 2, (200, 1)) * 10.0 ** np.arange(5)
    values[labels == 3] = 0
    found = undetected(values + rng.random((200, 5)) * 0.01, 0.2, labels)
    assert len(found.marked) == 40
    assert found.classes[0].label == 3
    assert found.classes[0].lift > 4
    assert (np.diff(found.score[found.marked]) >= 0).all()


def test_the_detection_score_agrees_with_a_slow_loop() -> None:
    values = np.random.default_rng(1).random((30, 4))
    values[:, 2] = 0.7
    slow = []
    for row_ in values:
        best = [(row_[i] - values[:, i].mean()) / values[:, i].std() for i in (0, 1, 3)]
        slow.append(max(best))
    assert np.allclose(detection_score(values), slow)
    values[4, 0] = np.nan
    assert np.isfinite(detection_score(values)[:4]).all()


def test_marking_nothing_everything_and_unlabelled_patches() -> None:
    values = np.random.default_rng(0).random((10, 3))
    assert len(undetected(values, 0.0, np.zeros(10, int)).marked) == 0
    every = undetected(values, 1.0, np.full(10, -1))
    assert (len(every.marked), every.classes, every.unlabelled) == (10, (), 10)
    for share, labels in ((1.5, np.zeros(10)), (0.1, np.zeros(3))):
        with pytest.raises(ParameterError):
            undetected(values, share, labels)
