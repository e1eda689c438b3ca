"""Turns a table of metrics into a run: a row per step, a column 'step', and one 'time' (epoch seconds) if there is.

From the root of the repository:

    PYTHONPATH=. .venv/bin/python examples/import_csv.py log.csv runs/imported
"""

from __future__ import annotations

import csv
import sys
import time
from pathlib import Path

from analysis.store import RunWriter


def convert(table: Path, run: Path) -> None:
    """Write the rows of ``table`` into a new run. Empty cells are left out; 'nan' and 'inf' are kept."""
    writer = RunWriter(run, config={"imported from": table.name}, name=table.stem)
    try:
        with table.open(newline="", encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                step, wall = int(row.pop("step")), float(row.pop("time", "") or time.time())
                writer.scalars({tag: float(text) for tag, text in row.items() if text}, step, wall)
    except Exception as error:
        writer.close(type(error).__name__)  # the run is listed as failed, with what was read
        raise
    writer.close()


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
