"""The map of the Layers view against umap-learn: seconds of the first and of a later fit, and how exact they are.

Usage: python benchmarks/projection.py [--points 2048]

Each way runs in a process of its own, started cold, and fits twice: the first time holds whatever is imported and
compiled. The points are handwritten digits, reduced to 50 principal components. Trustworthiness is scikit-learn's, over
15 neighbours, for both. PCA to two dimensions is the floor.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
WAYS = ("PCA", "cutaway", "umap-learn")
NEIGHBOURS, COMPONENTS, SEED = 15, 50, 0


def points(count: int) -> NDArray[np.float32]:
    """Digits, shape (count, 50)."""
    from analysis.demos.digits import load_digits
    from analysis.layers.principal import principal

    images, _ = load_digits()
    chosen = np.random.default_rng(SEED).permutation(len(images))[:count]
    return np.asarray(principal(images.numpy().reshape(len(images), -1)[chosen], COMPONENTS)[0], np.float32)


def way(name: str) -> Callable[[NDArray[np.float32]], NDArray[np.floating[Any]]]:
    """The function that maps (P, 50) to (P, 2); what it needs is imported at its first call."""

    def pca(data: NDArray[np.float32]) -> NDArray[np.floating[Any]]:
        return data[:, :2]  # of principal components

    def cutaway(data: NDArray[np.float32]) -> NDArray[np.floating[Any]]:
        from analysis.layers.umap_layout import embed

        return embed(data, neighbours=NEIGHBOURS, random_state=SEED)

    def peer(data: NDArray[np.float32]) -> NDArray[np.floating[Any]]:
        import umap

        found: NDArray[np.floating[Any]] = umap.UMAP(n_neighbors=NEIGHBOURS, random_state=SEED).fit_transform(data)
        return found

    return {"PCA": pca, "cutaway": cutaway, "umap-learn": peer}[name]


def run(name: str, count: int) -> dict[str, Any]:
    """One way in this process: {'way', 'first_s', 'warm_s', 'trustworthiness'}."""
    from sklearn.manifold import trustworthiness

    data, fit, seconds = points(count), way(name), []
    for _ in range(2):
        began = time.perf_counter()
        places = fit(data)
        seconds.append(time.perf_counter() - began)
    trust = float(trustworthiness(data, places, n_neighbors=NEIGHBOURS))
    return {"way": name, "first_s": seconds[0], "warm_s": seconds[1], "trustworthiness": trust}


def measure(count: int, ways: tuple[str, ...] = WAYS) -> list[dict[str, Any]]:
    """Every way, each in a new process."""
    found = []
    for name in ways:
        command = [sys.executable, __file__, "--points", str(count), "--way", name]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        found.append(json.loads(done.stdout.splitlines()[-1]))
    return found


def main(arguments: list[str] | None = None) -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=2048)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.way:
        print(json.dumps(run(given.way, given.points)))
        return
    for row in measure(given.points):
        text = "{way:12s} first {first_s:6.2f} s   warm {warm_s:6.2f} s   trustworthiness {trustworthiness:.3f}"
        print(text.format(**row), flush=True)


if __name__ == "__main__":
    main()
