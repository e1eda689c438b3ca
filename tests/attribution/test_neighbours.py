"""Nearest neighbours against a slow and obvious search."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.attribution import neighbours as module
from analysis.attribution.neighbours import METRICS, POOLS, distances_from, neighbours
from analysis.errors import NotFound, ParameterError
from analysis.extraction.reader import Extraction
from tests.extraction.fabricate import fabricate, layer


@pytest.fixture
def extraction(tmp_path: Path) -> Extraction:
    fabricate(tmp_path / "e", n=150)
    return Extraction(tmp_path / "e")


def brute(values: np.ndarray, row: int, metric: str, standardise: bool) -> np.ndarray:
    """Distances by the definition, one row at a time, in double precision."""
    x = values.astype(np.float64)
    if standardise:
        spread = x.std(0)
        keep = spread > 1e-6 * np.abs(x.mean(0))
        x = (x[:, keep] - x[:, keep].mean(0)) / spread[keep]
    found = []
    for other in x:
        if metric == "euclidean":
            found.append(np.linalg.norm(other - x[row]))
        else:
            sizes = np.linalg.norm(other) * np.linalg.norm(x[row])
            found.append(1 - other @ x[row] / sizes if sizes > 0 else 1.0)
    return np.array(found)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("standardise", [True, False])
def test_neighbours_are_those_of_a_search_through_all_rows(
    extraction: Extraction, metric: str, pool: str, standardise: bool
) -> None:
    row = 7
    instance = int(extraction.indices[row])
    values = extraction.mean("conv2") if pool == "mean" else extraction.maximum("conv2")
    expected = brute(values, row, metric, standardise)
    expected[row] = np.inf
    order = np.argsort(expected, kind="stable")[:10]
    found = neighbours(extraction, instance, "conv2", pool=pool, metric=metric, standardise=standardise)
    assert [one["instance"] for one in found["neighbours"]] == extraction.indices[order].tolist()
    assert [one["distance"] for one in found["neighbours"]] == pytest.approx(expected[order].tolist(), abs=1e-4)
    assert [one["label"] for one in found["neighbours"]] == extraction.labels[order].tolist()
    assert [one["prediction"] for one in found["neighbours"]] == extraction.predictions[order].tolist()
    same = extraction.labels[order] == extraction.labels[row]
    assert found["agreement"] == pytest.approx(same.mean())
    others = np.delete(extraction.labels, row)
    assert found["by_chance"] == pytest.approx((others == extraction.labels[row]).mean())
    assert found["rows"] == 149


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 40), st.integers(1, 30), st.integers(0, 10_000), st.sampled_from(METRICS), st.booleans())
def test_distances_in_blocks_are_those_of_the_definition(
    n: int, f: int, seed: int, metric: str, standardise: bool
) -> None:
    rng = np.random.default_rng(seed)
    values = (np.maximum(rng.normal(size=(n, f)), 0) * 10 ** rng.uniform(-2, 3, f)).astype(np.float32)
    whole = module._BLOCK
    module._BLOCK = 64  # several blocks
    try:
        found, columns = distances_from(values, n // 2, metric, standardise)
    finally:
        module._BLOCK = whole
    expected = brute(values, n // 2, metric, standardise)
    assert columns <= f
    assert found == pytest.approx(expected, rel=1e-3, abs=2e-3 * max(1, expected.max()))


def test_filters_that_are_constant_do_not_count_and_copies_are_nearest() -> None:
    rng = np.random.default_rng(0)
    values = rng.random((50, 6)).astype(np.float32)
    values[:, 2] = 4.0
    values[31] = values[8]
    found, columns = distances_from(values, 8, "euclidean", True)
    assert columns == 5
    assert found[8] == found[31] == 0
    assert np.argsort(found, kind="stable")[:2].tolist() == [8, 31]


def test_rows_that_did_not_reach_the_layer_are_left_out() -> None:
    values = np.random.default_rng(0).random((20, 4)).astype(np.float32)
    values[[3, 11]] = np.nan
    for metric in METRICS:
        found, _ = distances_from(values, 0, metric, True)
        assert np.flatnonzero(np.isnan(found)).tolist() == [3, 11]
        assert found[4] == pytest.approx(brute(np.delete(values, [3, 11], 0), 0, metric, True)[3], abs=1e-4)


def test_instances_of_a_class_are_neighbours_of_each_other(extraction: Extraction) -> None:
    found = [neighbours(extraction, int(index), "conv2") for index in extraction.indices[:20]]
    assert np.mean([one["agreement"] for one in found]) > 3 * np.mean([one["by_chance"] for one in found])
    voted = [one for one in found if one["majority"] is not None]
    assert np.mean([one["majority"] == one["label"] for one in voted]) > 0.7


def test_what_is_not_there_is_said_in_a_sentence(extraction: Extraction, tmp_path: Path) -> None:
    missing = next(i for i in range(450) if extraction.row_of(i) is None)
    with pytest.raises(NotFound, match="not in the sample") as told:
        neighbours(extraction, missing, "conv2")
    assert "always include" in told.value.remedy
    own = int(extraction.indices[0])
    with pytest.raises(NotFound, match="conv9"):
        neighbours(extraction, own, "conv9")
    with pytest.raises(ParameterError, match="median"):
        neighbours(extraction, own, "conv2", pool="median")
    fabricate(tmp_path / "part", n=150, only=[0])
    part = Extraction(tmp_path / "part")
    later = next(i for i in part.manifest["indices"] if part.row_of(i) is None)
    with pytest.raises(NotFound, match="still being computed"):
        neighbours(part, later, "conv2")


def test_without_labels_nothing_is_said_of_agreement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fabricate(tmp_path / "e", [layer("fc", "linear", 12)], n=30)
    extraction = Extraction(tmp_path / "e")
    monkeypatch.setattr(Extraction, "labels", np.full(30, -1))
    found = neighbours(extraction, int(extraction.indices[0]), "fc", k=5)
    assert (found["agreement"], found["predicted"], found["by_chance"], found["majority"]) == (None,) * 4
    assert len(found["neighbours"]) == 5
