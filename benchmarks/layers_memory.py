"""Memory of an extraction of 10,000 pictures, in the worker and in whoever reads it.

Usage: python benchmarks/layers_memory.py [--instances 10000] [--demo]

A small residual network on random pictures of 3 x 64 x 64, made as they are asked for; with --demo the digits demo's
network on its 5,000 images, twice over. Worker and reader are processes of their own; reported is the most memory each
ever held (resident set), also after a tenth of the instances, and the size on disk. Goals: 2 GB in the worker, 400 MB
in the process that reads, which goes through all layers as the page would.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from analysis.extraction.reader import Extraction

ROOT = Path(__file__).resolve().parents[1]
WORKER_GB, READER_MB = 2.0, 400


def peak() -> float:
    """Most memory of this process so far, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Pictures:
    """Random pictures by index, with labels."""

    def __init__(self, n: int) -> None:
        self.n = n

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> Any:
        import torch

        generator = torch.Generator().manual_seed(index)
        return torch.rand(3, 64, 64, generator=generator), index % 10


def subject(n: int, demo: bool) -> Any:
    """What is extracted."""
    from analysis import Subject

    if demo:
        from torch.utils.data import ConcatDataset, TensorDataset

        from analysis.demos import digits

        images = TensorDataset(*digits.load_digits())
        return Subject(digits.lenet(**digits.NETWORKS["digits-lenet"][1]), ConcatDataset([images] * -(-n // 5000)))
    from tests.models.zoo import resnet_small

    return Subject(resnet_small(classes=10), Pictures(n), class_names=[str(number) for number in range(10)])


class Quiet:
    """A job's context that says nothing; notes the memory after a tenth."""

    early = 0.0

    def progress(self, done: float, total: float, *_more: Any) -> None:
        if not self.early and done >= total / 10:
            self.early = peak()


def work(directory: Path, n: int, demo: bool) -> dict[str, Any]:
    """In the worker: extract; MB held at most."""
    import torch

    from analysis.extraction.extract import run_extraction
    from analysis.subject.session import Session

    torch.set_num_threads(1)
    with Session(subject(n, demo)) as session:
        session.cache, context, began = directory, Quiet(), time.perf_counter()
        found = run_extraction(session, context, key="memory", n=n)
        return {"peak": peak(), "early": context.early, "seconds": time.perf_counter() - began, "done": found["done"]}


def read(directory: Path) -> dict[str, Any]:
    """In the reader: every array of every layer, and a picture; MB held at most."""
    found = Extraction(directory / "extractions" / "memory")
    total = 0.0
    for info in found.layers:
        total += float(np.nansum([found.maximum(info.key).mean(), found.mean(info.key).mean()]))
        total += float(found.where(info.key).max())
    total += float(found.confidence.sum()) + found.display(int(found.indices[-1])).sum()
    return {"peak": peak(), "sum": total, "done": found.done}


def measure(n: int = 10_000, demo: bool = False) -> dict[str, Any]:
    """Both processes: 'worker' and 'reader' as they report, 'disk' in MB."""
    with tempfile.TemporaryDirectory() as folder:
        base = [sys.executable, __file__, "--instances", str(n), *(["--demo"] if demo else [])]
        parts = {}
        for part in ("worker", "reader"):
            command = [*base, "--part", part, "--directory", folder]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
            parts[part] = json.loads(done.stdout.splitlines()[-1])
        size = sum(path.stat().st_size for path in Path(folder).rglob("*.safetensors"))
        return {**parts, "disk": size / 1e6}


def main() -> None:
    """Print both peaks; exit 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instances", type=int, default=10_000)
    parser.add_argument("--demo", action="store_true")
    parser.add_argument("--part", choices=["worker", "reader"], help=argparse.SUPPRESS)
    parser.add_argument("--directory", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part:
        found = work(given.directory, given.instances, given.demo) if given.part == "worker" else read(given.directory)
        print(json.dumps(found))
        return
    found = measure(given.instances, given.demo)
    worker, reader = found["worker"], found["reader"]
    print(
        f"{worker['done']:,} instances in {worker['seconds']:.0f} s. Worker: {worker['peak']:.0f} MB at most, "
        f"{worker['early']:.0f} MB after a tenth. Reader: {reader['peak']:.0f} MB. On disk: {found['disk']:.0f} MB."
    )
    sys.exit(worker["peak"] > WORKER_GB * 1024 or reader["peak"] > READER_MB)


if __name__ == "__main__":
    main()
