"""Means of neurons over subsets of a memory-mapped table, by the number of instances; and the matrix that shows them.

Usage: python benchmarks/subset_means.py [--share 1.0] [--write]

The table is float32, 1,000,000 x 512 rectified normal numbers, in a file of safetensors as an answer keeps it (2 GB, in
a temporary directory); smaller tables are its first rows. Subsets: 10 classes and 10 predicted classes that agree in
nine of ten cases, so that each instance is in two. Ways take turns in random order; figures are medians.

- cutaway: ``subset_means`` of the memory map, sums in float64.
- floor: the same chunks copied from the memory map and nothing else, in as many threads.
- loops: ``values[rows].mean(0)``, one subset after the other, sums in float32 as NumPy has it.

Memory is what a process has of its own (RssAnon, sampled every 2 ms): pages of the file belong to the system, which
takes them back at will. --write: a section of benchmarks/RESULTS.md, and benchmarks/subset_means.svg.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import statistics
import struct
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when NumPy is first imported; halves run in two threads

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from analysis.neurons import seriation
from analysis.neurons.matrix import Row, Table, encode, limits, ordered, ranking, sample
from analysis.neurons.means import subset_means
from analysis.neurons.quantiles import cell
from analysis.neurons.store import mapped
from analysis.results import Answer
from benchmarks.run import RESULTS, others

MOST, FILTERS, CLASSES = 1_000_000, 512, 10
SIZES = (10_000, 31_623, 100_000, 316_228, 1_000_000)
ROUNDS = 7
FLOOR, AGAIN, OURS, LOOPS = "floor", "floor again (A/A)", "cutaway", "loops"
GOAL = 1.0  # seconds for 1,000,000 instances
TITLE = "Subset means"
PLOT = Path(__file__).with_suffix(".svg")


def write_table(path: Path, count: int = MOST, filters: int = FILTERS) -> Answer:
    """An answer with the table, written chunk by chunk."""
    path.mkdir(parents=True)
    size = 4 * count * filters
    header = json.dumps({"values": {"dtype": "F32", "shape": [count, filters], "data_offsets": [0, size]}}).encode()
    header += b" " * (-len(header) % 8)
    rng = np.random.default_rng(0)
    with (path / "arrays.safetensors").open("wb") as opened:
        opened.write(struct.pack("<Q", len(header)) + header)
        for first in range(0, count, 20_000):
            block = rng.standard_normal((min(20_000, count - first), filters), np.float32)
            opened.write(np.maximum(block, 0, out=block).tobytes())
    return Answer(path, {})


def subsets(count: int) -> list[NDArray[np.int64]]:
    """Rows of each class and of each predicted class."""
    rng = np.random.default_rng(1)
    labels = rng.integers(CLASSES, size=count)
    predicted = np.where(rng.random(count) < 0.1, rng.integers(CLASSES, size=count), labels)
    return [np.flatnonzero(each == number) for each in (labels, predicted) for number in range(CLASSES)]


def copied(values: NDArray[Any]) -> None:
    """Read everything in chunks, in two threads."""

    def part(low: int, high: int) -> None:
        room = np.empty((512, values.shape[1]), np.float32)
        for first in range(low, high, 512):
            last = min(first + 512, high)
            room[: last - first] = values[first:last]

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(part, (0, len(values) // 2), (len(values) // 2, len(values))))


def ways(values: NDArray[Any], rows: list[NDArray[np.int64]]) -> dict[str, Callable[[], Any]]:
    """What is timed, by name."""
    return {
        FLOOR: lambda: copied(values),
        AGAIN: lambda: copied(values),
        OURS: lambda: subset_means(values, rows),
        LOOPS: lambda: [values[each].mean(0) for each in rows],
    }


def measure(answer: Answer, sizes: tuple[int, ...] = SIZES, rounds: int = ROUNDS) -> list[dict[str, Any]]:
    """For each size and way: name, n, median_s (wall), cpu_s, low_s (fastest wall), ratio to the floor (CPU, same
    round), own_mb (memory of its own, beyond what there was)."""
    found: list[dict[str, Any]] = []
    table, order = mapped(answer), random.Random(0)
    for count in sizes:
        values, rows = table[:count], subsets(count)
        calls = ways(values, rows)
        calls[FLOOR](), calls[OURS]()  # the file is in the system's memory, as of a view that is looked at
        turns: list[dict[str, tuple[float, float]]] = []
        memory: dict[str, float] = {}
        for number in range(rounds):
            names = [name for name in calls if name != LOOPS or number < 2]
            order.shuffle(names)
            turns.append({})
            for name in names:
                with own_memory() as grown:
                    turns[-1][name] = timed(calls[name])
                memory[name] = max(memory.get(name, 0.0), grown[0])
        found += [row(name, count, turns, memory[name]) for name in calls]
    return found


def row(name: str, count: int, turns: list[dict[str, tuple[float, float]]], memory: float) -> dict[str, Any]:
    """The figures of one way at one size."""
    own = [turn for turn in turns if name in turn]
    return {
        "name": name,
        "n": count,
        "median_s": statistics.median(turn[name][0] for turn in own),
        "low_s": min(turn[name][0] for turn in own),
        "cpu_s": statistics.median(turn[name][1] for turn in own),
        "ratio": statistics.median(turn[name][1] / turn[FLOOR][1] for turn in own),
        "own_mb": memory,
    }


def timed(call: Callable[[], Any]) -> tuple[float, float]:
    """Seconds by the clock, and of the processor, all threads."""
    cpu, wall = time.process_time(), time.perf_counter()
    call()
    return time.perf_counter() - wall, time.process_time() - cpu


@contextmanager
def own_memory() -> Iterator[list[float]]:
    """Within, the memory that the process has of its own is watched: how much it grew at most, MB."""
    before, done, found = _anonymous(), threading.Event(), [0.0]

    def watch() -> None:
        while not done.wait(0.002):
            found[0] = max(found[0], _anonymous() - before)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        done.set()
        thread.join()


def _anonymous() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1024
    return math.nan


def slope(rows: list[dict[str, Any]], name: str = OURS) -> float:
    """How CPU time grows with the number of instances: the exponent, 1 for linear (least squares of logarithms)."""
    own = [each for each in rows if each["name"] == name]
    return float(np.polyfit(np.log([each["n"] for each in own]), np.log([each["cpu_s"] for each in own]), 1)[0])


def coded(values: NDArray[Any], rows: list[Row], sort: str | int) -> NDArray[np.uint8]:
    """The bytes of a matrix, (R, F), in the order shown: what a view makes of a table when nothing is kept of it."""
    means = subset_means(values, [each.rows for each in rows]).values
    ranked = ranking(Table(values), rows, means) if sort == "selectivity" else None
    order = ordered(means, sort, ranked=ranked, similar=lambda: seriation.order(sample(values)))
    drawn = means[:, order]
    return encode(drawn, *limits(drawn, "neuron", False))


def shown(rounds: int = ROUNDS, count: int = 1_000, filters: int = 10_000) -> list[tuple[str, float]]:
    """The matrix of one layer of 10,000 neurons over 1,000 instances, 10 classes and 990 instances as rows: medians."""
    rng = np.random.default_rng(2)
    values = np.maximum(rng.standard_normal((count, filters), np.float32), 0)
    labels = rng.integers(CLASSES, size=count)
    rows = [Row("subset", np.flatnonzero(labels == number)) for number in range(CLASSES)]
    ways: tuple[tuple[str, str | int, int], ...] = (
        ("10 subsets", "index", 0),
        (f"10 subsets and {count - CLASSES:,} instances", "index", count - CLASSES),
        ("10 subsets, columns by a row", 0, 0),
        ("10 subsets, columns by selectivity", "selectivity", 0),
        ("10 subsets, columns by similarity", "similarity", 0),
    )
    found = []
    for name, sort, more in ways:
        given = [*rows, *(Row("instance", np.array([index])) for index in range(more))]
        call = lambda given=given, sort=sort: coded(values, given, sort)  # noqa: E731
        call()
        found.append(
            (f"matrix of {filters:,} neurons: {name}", statistics.median(timed(call)[0] for _ in range(rounds)))
        )
    return found


def plot(rows: list[dict[str, Any]]) -> str:
    """CPU time against the number of instances, both logarithmic, as SVG; grey: in proportion to it."""
    width, height, edge = 480, 300, 50
    own = {name: [(each["n"], each["cpu_s"]) for each in rows if each["name"] == name] for name in (OURS, FLOOR, LOOPS)}
    low = min(seconds for line in own.values() for _, seconds in line) / 2
    high = max(seconds for line in own.values() for _, seconds in line) * 2

    def place(count: float, seconds: float) -> str:
        x = edge + (width - 2 * edge) * math.log(count / SIZES[0]) / math.log(SIZES[-1] / SIZES[0])
        y = height - edge - (height - 2 * edge) * math.log(seconds / low) / math.log(high / low)
        return f"{x:.1f},{y:.1f}"

    def line(points: list[tuple[float, float]], style: str) -> str:
        return f'<polyline points="{" ".join(place(*each) for each in points)}" fill="none" {style}/>'

    def text(x: float, y: float, said: str, more: str = "") -> str:
        return f'<text x="{x:.0f}" y="{y:.0f}" {more}>{said}</text>'

    first, last = own[OURS][0], own[OURS][-1]
    exact = [(first[0], last[1] * first[0] / last[0]), last]
    parts = [line(exact, 'stroke="#bbb" stroke-width="6"')]
    for name, colour in ((OURS, "#0072b2"), (FLOOR, "#555"), (LOOPS, "#d55e00")):
        parts.append(line(own[name], f'stroke="{colour}" stroke-width="1.5"'))
        x, y = place(*own[name][-1]).split(",")
        parts.append(text(float(x) + 4, float(y) + 4, name, f'fill="{colour}"'))
    for count in (10_000, 100_000, 1_000_000):
        x = float(place(count, low).split(",")[0])
        parts.append(text(x, height - edge + 16, f"{count:,}", 'text-anchor="middle"'))
    for seconds in (10.0**power for power in range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)):
        y = float(place(SIZES[0], seconds).split(",")[1])
        parts.append(text(edge - 4, y + 4, f"{seconds:g} s", 'text-anchor="end"'))
    parts.append(text(width / 2, height - 10, f"instances, of {FILTERS} neurons each", 'text-anchor="middle"'))
    parts.append(text(edge, 24, "CPU time of the means over 20 subsets; grey: in proportion to the instances"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        f'font-size="11"><rect width="{width}" height="{height}" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


def section(rows: list[dict[str, Any]], more: list[tuple[str, float]]) -> str:
    """Markdown: the means, then (name, median seconds) of what is drawn of them."""
    said = (
        f"Means of {FILTERS} neurons over {2 * CLASSES} overlapping subsets of a memory map, sums in float64, in two "
        "threads: median by the clock (fastest), CPU time, ratio of CPU times to a copy of the same chunks, memory of "
        f"the process itself. (`python benchmarks/subset_means.py --write`, load {os.getloadavg()[0]:.0f} on "
        f"{os.cpu_count()} cores.) CPU time grows with the {slope(rows):.2f}th power of the number of instances "
        "(`benchmarks/subset_means.svg`)."
    )
    cells = [("way", "median (fastest)", "CPU", "ratio", "memory", "goal", ""), ("---",) * 7]
    for each in rows:
        goal, met = "", ""
        if each["name"] == OURS and each["n"] == MOST:
            goal, met = f"seconds <= {GOAL:g}", "met" if each["median_s"] <= GOAL else "not met at this load"
        clock = f"{1e3 * each['median_s']:.0f} ms ({1e3 * each['low_s']:.0f})"
        name, processor = f"{each['n']:,}: {each['name']}", f"{1e3 * each['cpu_s']:.0f} ms"
        cells.append((name, clock, processor, f"{each['ratio']:.2f}", f"{each['own_mb']:.0f} MB", goal, met))
    cells += [(name, f"{1e3 * seconds:.0f} ms", "", "", "", "", "") for name, seconds in more]
    return f"## {TITLE}\n\n{said}\n\n" + "".join(f"| {' | '.join(line)} |\n" for line in cells)


def write(found: str, results: Path = RESULTS) -> None:
    """Put the section at the end of the results, in the place of an older one."""
    before = results.read_text()
    head, mark, rest = before.partition("\n## ")
    results.write_text(head + others(mark + rest, "\n" + found) + "\n" + found)


def main() -> None:
    """Print the tables, and write them if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--share", type=float, default=1.0, help="of the rounds")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    rounds = max(1, round(ROUNDS * given.share))
    with tempfile.TemporaryDirectory() as folder:
        answer = write_table(Path(folder) / "table")
        rows = measure(answer, rounds=rounds)
        table, members = mapped(answer), subsets(MOST)[0]
        one = statistics.median(timed(lambda: cell(table, members, 3))[0] for _ in range(rounds))
    found = section(rows, [*shown(rounds), ("distribution of a cell, 100,000 of 1,000,000 instances", one)])
    print(found)
    if given.write:
        write(found)
        PLOT.write_text(plot(rows))


if __name__ == "__main__":
    main()
