"""The benchmarks run, in the smallest size, and their table names every goal."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest

if not all(map(importlib.util.find_spec, ("tensorboard", "captum"))):
    pytest.skip("a peer of the benchmarks is not installed", allow_module_level=True)

import torch
from torch import nn

from analysis.demos import digits
from benchmarks import attribution, curves, extraction, recorder, run


def _tiny() -> extraction.Memory:
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3))
    return extraction.Memory(model, torch.rand(8, 1, 8, 8), 3)


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    monkeypatch.setattr(recorder, "CYCLE", 2)
    monkeypatch.setattr(curves, "TENSORBOARD_POINTS", 500)
    monkeypatch.setattr(extraction, "NETWORKS", dict.fromkeys(extraction.NETWORKS, (lambda: (_tiny(), 8, 4), 1, 1)))
    small = {
        "recorder": {"seconds": 0.0, "turn": 2, "long": 0},
        "curves": {"points": 5000, "repetitions": 1},
        "extraction": {"networks": tuple(extraction.NETWORKS)},
        "attribution": {"share": 0.01},
    }
    monkeypatch.setattr(attribution, "SECONDS", 0)
    monkeypatch.setitem(digits.NETWORKS, "digits-lenet", ("LeNet, tiny", {"conv1": 2, "conv2": 3, "fc1": 4}))
    monkeypatch.setattr(run, "QUICK", small)
    return run.measure(quick=True)


def test_every_way_is_measured_and_every_goal_is_judged(rows: list[dict[str, Any]]) -> None:
    assert {"name", "median_s", "ratio", "against"} <= set.intersection(*(set(row) for row in rows))
    assert set(recorder.WAYS) <= {row["name"] for row in rows}
    assert set(run.GOALS) <= {row["name"] for row in rows}
    assert all(row["own_s"] > 0 for row in rows if row["name"] in (*recorder.PEERS, *recorder.PEERS.values()))
    text = run.tables(rows)
    assert text.count("times cheaper >= 50") == 2
    assert all(row["name"] in text for row in rows)


def test_goals_are_judged_from_the_figures() -> None:
    row = {"name": recorder.BATCHES, "ratio": 1.05, "own_share": 0.02, "cheaper": 60.0}
    assert [met for _, met in run.goals(row)] == [False, True, True]


def test_bootstrap_surrounds_the_figure() -> None:
    low, high = recorder.bootstrap(lambda at: sum(at) / len(at), 50, draws=200)
    assert 15 < low < 24.5 < high < 35


def test_results_of_benchmarks_that_are_run_by_themselves_stay() -> None:
    before = "# Results\n\nold\n\n## Curves\n\n1\n\n## Similar moments\n\n2\n"
    assert run.others(before, "# Results\n\nnew\n\n## Curves\n\n3\n") == "\n## Similar moments\n\n2\n"
    assert run.others(before, "# Results\n") == "\n## Curves\n\n1\n\n## Similar moments\n\n2\n"
