"""The benchmark of expected responses runs, and its ways mean the same."""

from __future__ import annotations

from benchmarks import sequences


def test_every_way_is_measured() -> None:
    rows = sequences.measure(rounds=1, tokens=800, kinds=("LSTM",))
    assert [row["name"].partition(": ")[2] for row in rows] == list(sequences.Bench("LSTM", 800).ways())
    assert all(row["ratio"] > 0 for row in rows)
    assert set(sequences.GOALS) <= {f"{kind}: cutaway" for kind in ("LSTM", "GRU")}
