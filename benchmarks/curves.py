"""A curve of many points reduced to 2,000: Cutaway's store against a bare memory map and TensorBoard's reader.

Usage: python benchmarks/curves.py [--points 10000000] [--repetitions 15]

All ways are timed in turn, in changing order, within one run; ratios are of medians, against reading the value column
of the same memory map and thinning it with MinMaxLTTB. The floor timed a second time (A/A) shows how far ratios can
be trusted.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from analysis.store import CurveCache, Run, RunWriter, curve, frames

POINTS = 2000
TENSORBOARD_POINTS = 100_000  # its reader takes some 15 us a record; more would not change the ratio per record


def write_run(path: Path, points: int) -> Path:
    """A run with one tag of noisy values; returns the tag's file."""
    with_writer = RunWriter(path)
    with_writer.scalars({"loss": 0.0}, 0, 0.0)
    with_writer.close()
    file = path / "segments" / "0001" / "scalars" / "0001.tfrecord"
    template = np.frombuffer(frames.encode_scalar(0, 0.0, 0.0), frames.SCALAR)
    rng = np.random.default_rng(0)
    with file.open("wb") as out:
        for start in range(0, points, 1 << 20):
            records = np.repeat(template, min(1 << 20, points - start))
            records["step"] = np.arange(start, start + len(records))
            records["wall"] = 1.7e9 + 0.01 * records["step"]
            records["value"] = 1 / (1 + records["step"] / points) + rng.normal(0, 0.1, len(records))
            records["crc"] = frames.scalar_checksums(records)
            records.tofile(out)
    return file


def write_events(path: Path, points: int) -> None:
    """The same kind of values as TensorBoard event files."""
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(path)) as writer:
        for step in range(points):
            writer.add_scalar("loss", step % 97, step)


def floor(file: Path) -> Any:
    """Map the file, read its value column, thin it."""
    from tsdownsample import MinMaxLTTBDownsampler

    values = np.ascontiguousarray(np.memmap(file, frames.SCALAR, "r")["value"])
    return values[MinMaxLTTBDownsampler().downsample(values, n_out=POINTS)]


def tensorboard(path: Path) -> Any:
    """Load event files the way TensorBoard's Python reader does, keeping every scalar."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    accumulator = EventAccumulator(str(path), size_guidance={"scalars": 0, "tensors": 0})
    accumulator.Reload()
    return accumulator.Tensors("loss") if "loss" in accumulator.Tags()["tensors"] else accumulator.Scalars("loss")


def timed(call: Callable[[], Any]) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


class Growing:
    """A poll of a run to which 100 records were appended since the last one."""

    def __init__(self, run: Run, file: Path, points: int, cache: CurveCache) -> None:
        self.run, self.file, self.points, self.cache = run, file, points, cache
        self.cursor = run.scalars("loss").cursor

    def grow(self) -> None:
        """Append what the next poll finds."""
        with self.file.open("ab") as out:
            out.write(b"".join(frames.encode_scalar(self.points + i, 1.8e9 + i, 0.5) for i in range(100)))
        self.points += 100

    def poll(self) -> None:
        """New records only."""
        self.cursor = self.run.scalars("loss", self.cursor).cursor

    def draw(self) -> None:
        """The whole curve again."""
        curve(self.run, "loss", points=POINTS, cache=self.cache)


def compare(folder: Path, points: int, repetitions: int) -> dict[str, list[float]]:
    """Seconds of every way, in turn."""
    file = write_run(folder / "run", points)
    run, cache = Run(folder / "run"), CurveCache(folder / "cache")
    floor(file)  # everything starts with the file in the page cache
    times: dict[str, list[float]] = {}
    times["cutaway, first time (verify, build and persist the index)"] = [
        timed(lambda: curve(run, "loss", points=POINTS, cache=cache))
    ]
    times["cutaway, restarted server (index from the cache)"] = [
        timed(lambda: curve(Run(folder / "run"), "loss", points=POINTS, cache=CurveCache(folder / "cache")))
    ]
    middle = {"lo": points * 0.4, "hi": points * 0.5}
    growing = Growing(run, file, points, cache)
    ways: dict[str, Callable[[], Any]] = {
        "memory map + MinMaxLTTB": lambda: floor(file),
        "cutaway, warm": lambda: curve(run, "loss", points=POINTS, cache=cache),
        "cutaway, warm, a tenth of the range": lambda: curve(run, "loss", points=POINTS, cache=cache, **middle),
        "cutaway, warm, smoothed": lambda: curve(run, "loss", points=POINTS, cache=cache, smoothing=0.9),
        "memory map + MinMaxLTTB again (A/A)": lambda: floor(file),
    }
    shuffled, order = list(ways), random.Random(0)
    for _ in range(repetitions):
        order.shuffle(shuffled)  # a way is quicker after one that left the caches as it likes them
        for name in shuffled:
            times.setdefault(name, []).append(timed(ways[name]))
    for _ in range(repetitions):
        growing.grow()
        times.setdefault("cutaway, poll of 100 new records", []).append(timed(growing.poll))
        times.setdefault("cutaway, curve after 100 new records", []).append(timed(growing.draw))
    return times


def measure(points: int = 10_000_000, repetitions: int = 15) -> list[dict[str, Any]]:
    """Rows with name, median_s, ratio, against, points. TensorBoard's ratio is per record, on fewer records."""
    against = "memory map + MinMaxLTTB"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        times = compare(folder, points, repetitions)
        fewer = min(points, TENSORBOARD_POINTS)
        write_events(folder / "events", fewer)
        events = statistics.median(timed(lambda: tensorboard(folder / "events")) for _ in range(2))
    medians = {name: statistics.median(values) for name, values in times.items()}
    rows = [
        {"name": name, "median_s": median, "ratio": median / medians[against], "against": against, "points": points}
        for name, median in medians.items()
    ]
    ratio = (events / fewer) / (medians[against] / points)
    label = f"TensorBoard EventAccumulator, {fewer:,} points, ratio per record"
    return [*rows, {"name": label, "median_s": events, "ratio": ratio, "against": against, "points": fewer}]


def main() -> dict[str, Any]:
    """Parse the command line, print a table, return the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=10_000_000)
    parser.add_argument("--repetitions", type=int, default=15)
    given = parser.parse_args()
    rows = measure(given.points, given.repetitions)
    print(f"{given.points:,} points to {POINTS:,}; ratios against {rows[0]['against']}")
    for row in rows:
        print(f"  {row['name']:<72} {1e3 * row['median_s']:>10.2f} ms {row['ratio']:>9.3f} x")
    return {"points": given.points, "rows": rows}


if __name__ == "__main__":
    main()
