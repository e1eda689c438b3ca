"""What it takes to find similar moments among a million steps of 128 units, once the index is there.

Usage: python benchmarks/moments.py [--rounds 9] [--steps 1000000] [--units 128]

- search: the span's units (all of them, the worst case) counted at every step, windows ranked, 50 moments taken.
- floats: the same rule on the states as float32, unit by unit, as one would write it.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from analysis.sequences.index import coded
from analysis.sequences.similar import Index, search

GOALS = {"similar moments: search": [("median_s", 1.0, "most")]}
LENGTH, INSTANCE = 8, 25  # steps of the span, and of an instance


def measure(rounds: int = 9, steps: int = 1_000_000, units: int = 128) -> list[dict[str, Any]]:
    """A row for each way: 'name', 'median_s', wall clock."""
    rng = np.random.default_rng(0)
    # States that last, as those of a memory do, and that units share: there are moments to be found.
    values = rng.standard_normal((units, steps), np.float32)
    values += 2 * np.repeat(rng.standard_normal((1, steps // INSTANCE), np.float32), INSTANCE, 1)
    scale = np.percentile(np.abs(values[:, :100_000]), 99, axis=1).astype(np.float32)
    parts = [coded(values[:, at : at + 100_000].T, scale).T for at in range(0, steps, 100_000)]
    index = Index(np.ascontiguousarray(np.concatenate(parts, 1)), np.arange(0, steps + 1, INSTANCE))
    chosen = [(unit, 1 if unit % 2 else -1) for unit in range(units)]

    def floats() -> Any:
        on = np.zeros(steps, np.int64)
        for unit, sign in chosen:
            on += sign * values[unit] >= np.float32(0.5) * scale[unit]
        return np.convolve(on, np.ones(LENGTH), "valid").argsort()[-50:]

    ways = {"search": lambda: search(index, chosen, 50, LENGTH, 50), "floats": floats}
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            taken[name].append(time.perf_counter() - began)
    note = f"{steps:,} steps of {units} units, all of which are searched for; wall clock, one process."
    return [
        {"name": f"similar moments: {name}", "median_s": statistics.median(times), "lowest_s": min(times), "note": note}
        for name, times in taken.items()
    ]


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--units", type=int, default=128)
    given = parser.parse_args()
    for row in measure(given.rounds, given.steps, given.units):
        middle, lowest = 1e3 * row["median_s"], 1e3 * row["lowest_s"]
        print(f"{row['name']:28} {middle:8.1f} ms, at best {lowest:.1f} ms. {row['note']}")


if __name__ == "__main__":
    main()
