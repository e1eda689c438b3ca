"""The benchmark of attribution methods compares like with like."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

if not importlib.util.find_spec("captum"):
    pytest.skip("the peer of the benchmark is not installed", allow_module_level=True)

import torch

from analysis.attribution import registry
from analysis.attribution.case import Case
from analysis.attribution.parameters import checked
from analysis.demos import digits
from benchmarks import attribution
from benchmarks import attribution_tasks as tasks
from benchmarks.attribution_tasks import Task, model_of


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attribution, "SECONDS", 0)
    monkeypatch.setitem(digits.NETWORKS, "digits-lenet", ("LeNet, tiny", {"conv1": 2, "conv2": 3, "fc1": 4}))


@contextmanager
def case_of(task: Task) -> Iterator[Case]:
    make = attribution.texts if task.text else attribution.pictures
    with make() as session, Case(session, session.batch(range(task.n))) as case:
        yield case


def rows_passed(case: Case, call: Callable[[], Any]) -> int:
    """Rows that the model's last layer saw."""
    seen: list[int] = []
    last = list(case.session.model.children())[-1]
    handle = last.register_forward_hook(lambda _module, _inputs, output: seen.append(len(output)))
    try:
        call()
    finally:
        handle.remove()
    return sum(seen)


@pytest.mark.parametrize("name", [name for name in attribution.TASKS if name.split(",")[0] in ("Saliency", "Grad-CAM")])
def test_tasks_are_timed_against_floor_and_peer(name: str) -> None:
    rows = attribution.measure(share=0.01, tasks=(name,), first=False)
    ways = (attribution.FLOOR, attribution.AGAIN, attribution.OURS, attribution.PEER)
    assert [row["name"] for row in rows] == [f"{name}: {way}" for way in ways]
    assert rows[0]["ratio"] == 1
    assert all(row["ratio_low"] <= row["ratio"] <= row["ratio_high"] and row["median_s"] > 0 for row in rows)
    assert rows[2]["cheaper"] == pytest.approx(rows[3]["ratio"] / rows[2]["ratio"])


@pytest.mark.parametrize(
    ("name", "floor"),
    [
        ("Integrated Gradients, 1", 50),
        ("Grad-CAM, 32", 32),
        ("Occlusion, 169 windows", 169),
        ("Feature ablation, 49 parts", 49),
        ("KernelSHAP, 200 samples", 200),
    ],
)
def test_floors_pass_as_many_rows_as_the_methods_need(name: str, floor: int) -> None:
    task = attribution.TASKS[name]
    method = registry.get(task.method)
    with case_of(task) as case:
        given = checked(method.parameters, dict(task.given))

        def run() -> Any:
            return method.run(case, lambda *_told: None, **given)

        ours = rows_passed(case, run)
        assert 0.9 * floor <= ours <= 1.1 * floor + 3 * task.n
        # Of Grad-CAM's floor, only the second half is made of the network's own last layer.
        assert rows_passed(case, tasks.floor(task, case, run)) == floor
        assert rows_passed(case, task.peer(case)) >= floor


def test_the_plain_pass_is_that_of_the_case() -> None:
    for name in ("Saliency, 32", "Token ablation, 32 texts of 40"):
        with case_of(attribution.TASKS[name]) as case, torch.no_grad():
            assert torch.allclose(model_of(case)(case.inputs), case.logits_of(case.inputs), atol=1e-6)


def test_the_first_map_is_timed_on_the_demo() -> None:
    pytest.importorskip("mlxtend")
    found = attribution.first_map()
    assert min(found.values()) > 0
    assert attribution.FIRST in attribution.GOALS
