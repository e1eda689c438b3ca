"""The graph and the changes of parameters in the real worker."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.questions.small_subject import checkpoint
from tests.questions.worker import Worker

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    worker = Worker(tmp_path_factory.mktemp("workspace")).start()
    yield worker
    worker.stop()


def test_the_worker_uses_fx_and_compares_weights_in_both_directions(worker: Any, tmp_path: Path) -> None:
    description = worker.describe().json
    path = tmp_path / "other.safetensors"
    checkpoint(path)
    other = {"name": "other", "path": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}

    _, graph = worker.ask(description, "computation_graph")
    assert graph.json["how"] == "fx"
    assert {node["layer"] for node in graph.json["nodes"]} > {info["key"] for info in description["layers"]}
    _, towards = worker.ask(description, "parameter_change", other=other)
    _, back = worker.ask(description, "parameter_change", checkpoint=other, other=None)
    _, same = worker.ask(description, "parameter_change", checkpoint=other, other=other)
    assert (towards.json["a"], towards.json["b"]) == ("other", "")
    assert (back.json["a"], back.json["b"]) == ("", None)
    assert set(same.json["verdicts"]) == {"same"}
    a, b = towards.json["modules"][0], back.json["modules"][0]
    assert a["cosine"] == pytest.approx(b["cosine"])
    assert a["relative"] > 0
    assert b["relative"] > 0
