"""The benchmark of subset means compares like with like, and writes its section."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from analysis.neurons.store import mapped
from benchmarks import subset_means as benchmark


def test_every_way_computes_the_same_and_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "MOST", 600)
    answer = benchmark.write_table(tmp_path / "table", 600, 6)
    table, rows = mapped(answer), benchmark.subsets(600)
    calls = benchmark.ways(table, rows)
    np.testing.assert_allclose(calls[benchmark.OURS]().values, calls[benchmark.LOOPS](), rtol=1e-5)
    found = benchmark.measure(answer, (300, 600), 2)
    assert {(row["n"], row["name"]) for row in found} == {(n, name) for n in (300, 600) for name in calls}
    assert all(row["cpu_s"] >= 0 and row["own_mb"] >= 0 for row in found)
    for row in found:
        row["cpu_s"] = row["n"] * 1e-6  # a time that is exactly linear
    assert benchmark.slope(found) == pytest.approx(1)

    monkeypatch.setattr(benchmark, "SIZES", (300, 600))
    assert len(ElementTree.fromstring(benchmark.plot(found))) > 3

    results = tmp_path / "RESULTS.md"
    results.write_text("# Results\n\nHead.\n\n## Other\n\nOld.\n\n## Subset means\n\nOlder.\n")
    benchmark.write(benchmark.section(found, [("drawn", 0.01)]), results)
    text = results.read_text()
    assert text.startswith("# Results\n\nHead.\n\n## Other\n\nOld.\n\n## Subset means\n")
    assert "Older." not in text
    assert "| drawn | 10 ms |" in text
    assert text.count("seconds <= 1") == 1


def test_the_matrix_is_timed_in_each_order_and_every_order_has_the_same_cells() -> None:
    said = benchmark.shown(1, 60, 8)
    assert [name.partition(": ")[2] for name, _ in said] == [
        "10 subsets",
        "10 subsets and 50 instances",
        "10 subsets, columns by a row",
        "10 subsets, columns by selectivity",
        "10 subsets, columns by similarity",
    ]
    values = np.maximum(np.random.default_rng(0).standard_normal((60, 8), np.float32), 0)
    rows = [benchmark.Row("subset", np.arange(first, 60, 3)) for first in range(3)]
    columns = [
        sorted(benchmark.coded(values, rows, sort).T.tolist()) for sort in ("index", 0, "selectivity", "similarity")
    ]
    assert all(each == columns[0] for each in columns)
