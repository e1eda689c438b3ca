"""Statistics, profiles and heatmaps of extractions, against slow loops and planted filters."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from analysis.errors import NotFound, ParameterError
from analysis.extraction.reader import Extraction
from analysis.layers import heatmap, profiles, statistics
from tests.extraction.fabricate import PLANTED, fabricate, layer
from tests.training.layers import history


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Extraction:
    home = tmp_path_factory.mktemp("made") / "extraction"
    fabricate(home, n=300)
    return Extraction(home)


def damaged(maximum: np.ndarray, mean: np.ndarray, labels: np.ndarray) -> Any:
    """Arrays in the place of an extraction."""
    return SimpleNamespace(
        maximum=lambda _key: maximum,
        mean=lambda _key: mean,
        labels=labels,
        predictions=labels,
        class_names=["a", "b", "c"],
        indices=np.arange(len(labels)),
        layer=lambda key: layer(key, "linear", maximum.shape[1]),
    )


def test_statistics_agree_with_a_slow_loop(made: Extraction) -> None:
    found = statistics.filter_statistics(made, "conv1")
    highest, means = made.maximum("conv1"), made.mean("conv1")
    for i in range(20):
        mu = max(float(v) for v in highest[:, i])
        assert found.maximum[i] == pytest.approx(mu)
        assert found.mean[i] == pytest.approx(float(np.mean([float(v) for v in means[:, i]])), rel=1e-5)
        assert found.frequency[i] == pytest.approx(np.mean([v > 0.5 * mu for v in highest[:, i]]))
        assert found.steady[i] == pytest.approx(np.mean([v > 0.5 * mu for v in means[:, i]]))
        assert found.active_share[i] == pytest.approx(np.mean([v > 0 for v in highest[:, i]]))
    assert found.instances == 300
    assert found.nonfinite.sum() == 0


def test_nan_and_infinity_are_counted_and_left_out() -> None:
    top = np.array([[1, np.nan], [2, np.nan], [np.inf, np.nan]], np.float32)
    found = statistics.filter_statistics(damaged(top, top, np.zeros(3, int)), "x")
    assert found.nonfinite.tolist() == [1, 3]
    assert found.maximum[0] == 2
    assert found.mean[0] == 1.5
    assert np.isnan([found.maximum[1], found.mean[1], found.frequency[1]]).all()


def test_an_empty_extraction_has_no_statistics_and_raises_nothing() -> None:
    none = np.zeros((0, 4), np.float32)
    source = damaged(none, none, np.zeros(0, int))
    assert np.isnan(statistics.filter_statistics(source, "x").maximum).all()
    assert heatmap.by_instance(source, "x").values.shape == (4, 0)
    assert np.isnan(heatmap.by_class(source, "x").values).all()


def test_top_instances_come_strongest_first_with_their_place(made: Extraction) -> None:
    top = statistics.top_instances(made, "conv2", PLANTED["class_specific"], 5)
    values = made.maximum("conv2")[:, PLANTED["class_specific"]]
    assert top.values.tolist() == sorted(values.tolist(), reverse=True)[:5]
    assert (made.labels[top.rows] == PLANTED["of_class"]).all()
    for row, place in zip(top.rows, top.positions, strict=True):
        assert np.ravel_multi_index(tuple(place), (8, 8)) == made.where("conv2")[row, PLANTED["class_specific"]]
    assert len(statistics.top_instances(made, "conv1", PLANTED["dead"]).rows) == 0
    with pytest.raises(NotFound):
        statistics.top_instances(made, "nothing", 0)


def test_class_means_agree_with_a_slow_loop_and_empty_classes_are_nan() -> None:
    rng = np.random.default_rng(0)
    top = rng.random((50, 6)).astype(np.float32)
    labels = rng.choice([-1, 0, 2], 50)
    top[3, 2] = np.nan
    found = profiles.class_profile(damaged(top, top, labels), "x")
    assert found.labels.tolist() == [0, 1, 2]
    assert found.counts.tolist() == [(labels == c).sum() for c in range(3)]
    for c in (0, 2):
        for i in range(6):
            values = [float(v) for v, label in zip(top[:, i], labels, strict=True) if label == c and np.isfinite(v)]
            assert found.means[i, c] == pytest.approx(sum(values) / len(values))
    assert np.isnan(found.means[:, 1]).all()


def test_distributions_and_selectivity_find_the_filter_of_one_class(made: Extraction) -> None:
    chosen = PLANTED["class_specific"]
    rows = profiles.class_distributions(made, "fc1", chosen)
    values = made.maximum("fc1")[:, chosen]
    for row in rows:
        part = values[made.labels == row.label]
        assert row.count == len(part)
        assert row.mean == pytest.approx(part.mean(), rel=1e-5)
        assert row.quantiles[2] == pytest.approx(np.median(part), rel=1e-5)
    spread = profiles.selectivity(profiles.class_profile(made, "fc1"))
    assert spread.label[chosen] == PLANTED["of_class"]
    assert spread.perplexity[chosen] == pytest.approx(1, abs=0.1)
    assert np.isnan(spread.perplexity[PLANTED["dead"]])
    assert spread.perplexity[PLANTED["always_on"]] == pytest.approx(10, abs=0.1)


def test_instances_are_grouped_by_label_or_prediction_only(made: Extraction) -> None:
    assert (profiles.groups(made, "prediction") == made.predictions).all()
    with pytest.raises(ParameterError):
        profiles.groups(made, "colour")


def test_the_heatmap_by_instance_keeps_classes_apart_and_has_a_bound(made: Extraction) -> None:
    for limit in (1, 7, 40, 1000):
        found = heatmap.by_instance(made, "fc1", limit=limit)
        assert found.counts.sum() == 300
        assert found.values.shape == (100, len(found.ids))
        assert len(found.ids) <= limit
    assert len(found.ids) == 300
    assert found.names == tuple(str(c) for c in np.sort(made.labels))
    order = np.argsort(made.labels, kind="stable")
    assert np.allclose(found.values.T, made.maximum("fc1")[order])


def test_the_heatmap_by_class_keeps_the_largest_classes() -> None:
    labels = np.repeat(np.arange(100), np.arange(1, 101))
    source = damaged(*(np.ones((len(labels), 2), np.float32),) * 2, labels)
    source.class_names = [str(i) for i in range(100)]
    assert heatmap.by_class(source, "x", limit=10).ids.tolist() == list(range(90, 100))


def test_the_heatmap_by_step_keeps_the_first_and_last_record() -> None:
    records = history(30)
    found = heatmap.by_step(records, limit=7)
    assert found.values.shape == (12, 7)
    assert (found.ids[0], found.ids[-1]) == (0, 580)
    assert np.array_equal(found.values[:, -1], records[-1].maximum)
    assert heatmap.by_step([]).values.shape == (0, 0)


def test_rows_are_sorted_by_value_class_health_and_similarity(made: Extraction) -> None:
    found = statistics.filter_statistics(made, "fc1")
    profile = profiles.class_profile(made, "fc1")
    orders = {
        "index": heatmap.row_order("index", values=found.maximum),
        "value": heatmap.row_order("value", values=found.maximum),
        "class": heatmap.row_order("class", values=found.maximum, profile=profile, label=PLANTED["of_class"]),
        "similarity": heatmap.row_order("similarity", values=found.maximum, profile=profile),
        "health": heatmap.row_order("health", values=found.maximum, health=["", "dead"] + [""] * 97 + ["always on"]),
    }
    for order in orders.values():
        assert sorted(order.tolist()) == list(range(100))
    assert (np.diff(found.maximum[orders["value"]]) <= 0).all()
    assert orders["class"][0] == PLANTED["class_specific"]
    assert orders["health"][:2].tolist() == [1, 99]
    given = np.arange(100)[::-1]
    assert (heatmap.row_order("similarity", values=found.maximum, seriation=given) == given).all()
    for sort in ("class", "health", "colour"):
        with pytest.raises(ParameterError):
            heatmap.row_order(sort, values=found.maximum)


def test_similar_rows_lie_side_by_side() -> None:
    groups = np.random.default_rng(0).permutation(np.repeat(np.arange(4), 10))
    features = np.eye(4)[groups] + np.random.default_rng(1).random((40, 4)) * 0.1
    features[5] = 0
    order = heatmap.chain_order(features)
    assert order[-1] == 5
    changes = (np.diff(groups[order[:-1]]) != 0).sum()
    assert changes == 3


def test_relative_rows_reach_one_and_keep_gaps() -> None:
    found = heatmap.relative(np.array([[1, 2, np.nan], [0, 0, 0]]))
    assert np.array_equal(found, np.array([[0.5, 1, np.nan], [0, 0, 0]]), equal_nan=True)


def test_what_the_web_process_imports_needs_no_torch() -> None:
    code = (
        "import sys\n"
        "from analysis.layers import findings, health, heatmap, profiles, prune, statistics, undetected\n"
        "assert not {'torch', 'scipy', 'sklearn', 'umap'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
