"""All benchmarks, in one table with their goals.

Usage: python benchmarks/run.py [--quick] [--write]

--quick: a short run, to see that everything works; its figures mean little. --write: also into benchmarks/RESULTS.md,
where the sections of benchmarks that are run by themselves (sequences.py, coclustering.py, moments.py) stay.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import os
import platform
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when NumPy is first imported

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import attribution, curves, extraction, recorder

RESULTS = Path(__file__).with_name("RESULTS.md")
PACKAGES = ("torch", "numpy", "tensorboard", "tsdownsample", "captum")
GOALS = {**recorder.GOALS, **extraction.GOALS, **attribution.GOALS, "cutaway, warm": [("ratio", 1.3, "most")]}
LABELS = {"ratio": "ratio", "own_share": "own share", "cheaper": "times cheaper", "median_s": "seconds"}
QUICK = {
    "recorder": {"seconds": 0.0, "long": 0},
    "curves": {"points": 1_000_000, "repetitions": 5},
    "extraction": {"share": 0.1, "networks": ("LeNet",)},
    "attribution": {"share": 0.1, "tasks": ("Saliency, 32", "Integrated Gradients, 1", "Grad-CAM, 32")},
}
HEADER = ("way", "median", "ratio", "wall", "own, a step", "times cheaper", "goal", "")


def measure(quick: bool = False) -> list[dict[str, Any]]:
    """The rows of every benchmark, each with its title under 'benchmark'."""
    options: dict[str, dict[str, Any]] = QUICK if quick else {name: {} for name in QUICK}
    rows: list[dict[str, Any]] = []
    rows += [row | {"benchmark": "Recorder"} for row in recorder.measure(**options["recorder"])]
    rows += [row | {"benchmark": "Curves"} for row in curves.measure(**options["curves"])]
    rows += [row | {"benchmark": "Extraction"} for row in extraction.measure(**options["extraction"])]
    rows += [row | {"benchmark": "Attribution"} for row in attribution.measure(**options["attribution"])]
    return rows


def goals(row: dict[str, Any]) -> Iterator[tuple[str, bool]]:
    """What is aimed at in this row, and whether it was met."""
    for column, limit, kind in GOALS.get(row["name"], []):
        sign, met = ("<=", row[column] <= limit) if kind == "most" else (">=", row[column] >= limit)
        shown = f"{100 * limit:g} %" if column == "own_share" else f"{limit:g}"
        yield f"{LABELS[column]} {sign} {shown}", met


def cells(row: dict[str, Any]) -> tuple[str, ...]:
    """A row as text, in the order of HEADER."""
    ratio = f"{row['ratio']:.3f}"
    if "ratio_low" in row:
        ratio += f" [{row['ratio_low']:.3f}, {row['ratio_high']:.3f}]"
    own = f"{1e3 * row['own_s']:.3f} ms, {100 * row['own_share']:.2f} %" if row.get("own_s") else ""
    cheaper = ""
    if "cheaper" in row:
        cheaper = f"{row['cheaper']:.1f} [{row['cheaper_low']:.1f}, {row['cheaper_high']:.1f}]"
    if "layers" in row:
        cheaper += f"; layers {row['layers']:.1f}"
    aims = list(goals(row))
    return (
        row["name"],
        f"{1e3 * row['median_s']:.3f} ms",
        ratio,
        f"{row['wall']:.3f}" if "wall" in row else "",
        own,
        cheaper,
        "; ".join(text for text, _ in aims),
        "; ".join("met" if met else "not met" for _, met in aims),
    )


def machine() -> str:
    """What it ran on: processor, cores, load, threads, versions."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    load = os.getloadavg()[0]
    return (
        f"{_processor()}, {os.cpu_count()} cores (load {load:.1f} at the end), threads: torch 1 for recorder, "
        f"extraction and attribution, {torch.get_num_threads()} else, BLAS {os.environ['OPENBLAS_NUM_THREADS']}; "
        f"Python {platform.python_version()}, {versions}"
    )


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def tables(rows: list[dict[str, Any]]) -> str:
    """Markdown, a table for each benchmark."""
    parts = []
    for title in dict.fromkeys(row["benchmark"] for row in rows):
        own = [row for row in rows if row["benchmark"] == title]
        lines = [HEADER, tuple("---" for _ in HEADER), *map(cells, own)]
        note = f"Ratios against: {own[0]['against']}."
        if "rounds" in own[0]:
            note += f" {own[0]['rounds']} rounds; 95 % intervals. {_RECORDER}"
        note += f" {own[0]['note']}" if "note" in own[0] else ""
        parts.append(f"## {title}\n\n{note}\n\n" + "\n".join(_aligned(lines)))
    return "\n\n".join(parts)


_RECORDER = (
    "Wall: ratio of wall times. Own: CPU time of the recording itself, clocked around its calls and in its hooks. "
    "Times cheaper: than TensorBoard's own time at the same interval; layers: without the metrics that both write at "
    "every step."
)


def _aligned(lines: Iterable[tuple[str, ...]]) -> Iterator[str]:
    lines = list(lines)
    widths = [max(len(line[n]) for line in lines) for n in range(len(HEADER))]
    for line in lines:
        fill = "-" if line[0] == "---" else " "
        yield "| " + " | ".join(cell.ljust(width, fill) for cell, width in zip(line, widths, strict=True)) + " |"


def others(before: str, now: str) -> str:
    """The sections of a file of results that are not written anew, each after an empty line."""
    sections = [part.rstrip() for part in before.split("\n## ")[1:]]
    new = {part.partition("\n")[0] for part in now.split("\n## ")[1:]}
    return "".join(f"\n## {part}\n" for part in sections if part.partition("\n")[0] not in new)


def main(arguments: list[str] | None = None) -> None:
    """Run, print, and write if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args(arguments)
    found = tables(measure(given.quick))
    flags = "".join(f" --{name}" for name in ("quick", "write") if getattr(given, name))
    heading = (
        "# Results\n\n"
        f"`python benchmarks/run.py{flags}`, {datetime.date.today().isoformat()}, on {machine()}.\n"
        "What the columns mean, and how it is measured, is said at the head of each benchmark's file.\n"
    )
    text = f"{heading}\n{found}\n"
    print(text)
    if given.write:
        RESULTS.write_text(text + others(RESULTS.read_text(), text))


if __name__ == "__main__":
    main()
