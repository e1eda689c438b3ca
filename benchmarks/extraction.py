"""Extraction of all layers, to disk, against the bare forward pass and Captum's LayerActivation.

Usage: python benchmarks/extraction.py [--share 1.0] [--threads 1] [--network LeNet]

Two networks: the LeNet of the digits demo (4 layers, 512 images of 28 x 28) in batches of 256, and in those of 32 that
a subject has by default, where a batch takes 5 ms and what is done once a batch counts; and EfficientNet-lite0 (all 50
convolutions and dense layers, 32 images of 224 x 224 in batches of 16). All ways take turns in random order within a
round; ratios are medians over the rounds of CPU time of the process against the bare forward pass of the same round.
The pass a second time (A/A) shows how far they can be trusted; a machine that others keep busy makes them larger,
because what is added to the pass is bound by memory.

- forward pass: ``model(batch)`` without gradients, nothing else.
- pooled: ``extract`` as the page asks for it: maximum, its place and mean of each filter and instance, in shards.
- with display: the same, and the instances as they are shown, which is outside the pass.
- pooled and full: of four layers, spread over the network, whole activations to the disk besides.
- Captum: the same statistics by ``LayerActivation``, one call a layer and batch, reduced by plain torch, one file a
  batch.

Batches are in memory already, and torch has one thread. 'Times cheaper' is Captum's median over this way's. Intervals
are quartiles over the rounds.
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from analysis.data.batch import Batch
from analysis.extraction.extract import extract
from analysis.layerinfo import LayerInfo
from analysis.models.inventory import inventory

FORWARD, AGAIN = "forward pass", "forward pass again (A/A)"
POOLED, SHOWN, FULL, PEER = "pooled", "pooled, with display", "pooled and full, 4 layers", "Captum, one call a layer"
NOTE = (
    "CPU time for all instances, one thread; quartiles over the rounds. Times cheaper: than the same by Captum's "
    "LayerActivation, one call a layer."
)


class Memory:
    """The session of an extraction whose instances are a tensor; adds nothing to the forward pass."""

    kind = "image"

    def __init__(self, model: nn.Module, images: Tensor, classes: int) -> None:
        self.model, self.images = model.eval(), images
        self.class_names = [str(number) for number in range(classes)]
        self.layers: list[LayerInfo] = inventory(model, lambda: model(images[:2]), 2)

    def batch(self, indices: Any) -> Batch:
        found = np.asarray(indices, np.int64)
        return Batch((self.images[found[0] : found[-1] + 1],), {}, np.zeros(len(found), np.int64), found, main=0)

    def forward(self, batch: Batch) -> Tensor:
        with torch.no_grad():
            logits: Tensor = self.model(*batch.args)
            return logits

    def display(self, index: int) -> np.ndarray[Any, Any]:
        image = self.images[index].movedim(0, -1)
        return image.mul(255).clamp_(0, 255).to(torch.uint8).numpy()


def lenet(batch_size: int) -> tuple[Memory, int, int]:
    """Session, instances and batch size."""
    from analysis.demos.digits import NETWORKS, lenet

    torch.manual_seed(0)
    return Memory(lenet(**NETWORKS["digits-lenet"][1]), torch.rand(512, 1, 28, 28), 10), 512, batch_size


def efficientnet() -> tuple[Memory, int, int]:
    """Session, instances and batch size; random weights, which take as long as trained ones."""
    from efficientnet_lite_pytorch import EfficientNet

    torch.manual_seed(0)
    return Memory(EfficientNet.from_name("efficientnet-lite0"), torch.rand(32, 3, 224, 224), 1000), 32, 16


NETWORKS: dict[str, tuple[Callable[[], tuple[Memory, int, int]], int, int]] = {  # and rounds, those with Captum
    "LeNet": (partial(lenet, 256), 30, 10),
    "LeNet, batches of 32": (partial(lenet, 32), 15, 5),
    "EfficientNet-lite0": (efficientnet, 7, 1),
}
GOALS: dict[str, list[tuple[str, float, str]]] = {}  # by name of a row: column, limit, 'most' or 'least'
for _name in ("LeNet", "EfficientNet-lite0"):
    GOALS[f"{_name}: {POOLED}"] = [("ratio", 1.15, "most"), ("cheaper", 4.0, "least")]
    GOALS[f"{_name}: {FULL}"] = [("ratio", 1.25, "most")]


def captum(session: Memory, layers: list[LayerInfo], n: int, batch_size: int, folder: Path) -> None:
    """The same statistics on the disk, by asking Captum for each layer and reducing what it returns."""
    from captum.attr import LayerActivation
    from safetensors.torch import save_file

    (folder / "extraction").mkdir()
    for start in range(0, n, batch_size):
        images = session.images[start : start + batch_size]
        found: dict[str, Tensor] = {}
        for info in layers:
            with torch.no_grad():
                layer = LayerActivation(session.model, session.model.get_submodule(info.read_after))
                values = layer.attribute(images)
            if values.dim() > 2:
                values = values.flatten(2)
                found[f"max/{info.key}"], found[f"where/{info.key}"] = values.max(2)
                values = values.relu().mean(2)
            found[f"mean/{info.key}"] = values
        save_file(found, folder / "extraction" / f"{start}.safetensors")


def ways(session: Memory, n: int, batch_size: int, folder: Path) -> dict[str, Callable[[], None]]:
    """What is timed, by name."""
    layers = [info for info in session.layers if not info.reason]
    four = [layers[round(place * (len(layers) - 1) / 3)] for place in range(4)]

    def forward() -> None:
        for start in range(0, n, batch_size):
            with torch.no_grad():
                session.model(session.images[start : start + batch_size])

    def extracted(full: bool = False, display: bool = False) -> None:
        options = {"layers": four if full else layers, "full": full, "display": display}
        shard = max(64, batch_size)
        extract(session, folder / "extraction", indices=range(n), batch_size=batch_size, shard=shard, **options)

    return {
        FORWARD: forward,
        AGAIN: forward,
        POOLED: extracted,
        SHOWN: partial(extracted, display=True),
        FULL: partial(extracted, full=True),
        PEER: lambda: captum(session, layers, n, batch_size, folder),
    }


def measure(share: float = 1.0, threads: int = 1, networks: tuple[str, ...] = tuple(NETWORKS)) -> list[dict[str, Any]]:
    """Time every way in turns.

    Args:
        share: of the rounds in ``NETWORKS``; at least one is made. threads: of torch.

    Returns:
        For each network and way: name, median_s (CPU seconds for all instances), ratio to ``against`` with ratio_low
        and ratio_high, wall (ratio of wall times), cheaper (than Captum) with cheaper_low and cheaper_high.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        return [row for name in networks for row in _rows(name, share)]
    finally:
        torch.set_num_threads(before)


def _rows(network: str, share: float) -> list[dict[str, Any]]:
    make, rounds, with_peer = NETWORKS[network]
    session, n, batch_size = make()
    order = random.Random(0)
    turns: list[dict[str, tuple[float, float]]] = []
    with tempfile.TemporaryDirectory() as folder:
        calls = ways(session, n, batch_size, Path(folder))
        for name in calls:
            if name != PEER:
                _timed(calls[name], Path(folder))  # warm
        for number in range(max(1, round(rounds * share))):
            names = [name for name in calls if name != PEER or number < max(1, round(with_peer * share))]
            order.shuffle(names)
            turns.append({name: _timed(calls[name], Path(folder)) for name in names})
    peer = _quartiles([turn[PEER][0] / turn[FORWARD][0] for turn in turns if PEER in turn])
    return [_row(network, name, turns, peer) for name in calls]


def _row(
    network: str, name: str, turns: list[dict[str, tuple[float, float]]], peer: tuple[float, float, float]
) -> dict[str, Any]:
    own = [turn for turn in turns if name in turn]
    low, ratio, high = _quartiles([turn[name][0] / turn[FORWARD][0] for turn in own])
    row = {
        "name": f"{network}: {name}",
        "median_s": statistics.median(turn[name][0] for turn in own),
        "ratio": ratio,
        "ratio_low": low,
        "ratio_high": high,
        "wall": statistics.median(turn[name][1] / turn[FORWARD][1] for turn in own),
        "against": "the bare forward pass over the same batches",
        "note": NOTE,
    }
    if name in (POOLED, SHOWN):
        row |= {"cheaper": peer[1] / ratio, "cheaper_low": peer[0] / ratio, "cheaper_high": peer[2] / ratio}
    return row


def _quartiles(values: list[float]) -> tuple[float, float, float]:
    values = sorted(values)
    return values[len(values) // 4], statistics.median(values), values[-1 - len(values) // 4]


def _timed(call: Callable[[], None], folder: Path) -> tuple[float, float]:
    cpu, wall = time.process_time(), time.perf_counter()
    call()
    spent = time.process_time() - cpu, time.perf_counter() - wall
    shutil.rmtree(folder / "extraction", ignore_errors=True)
    return spent


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--share", type=float, default=1.0, help="of the rounds")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--network", choices=list(NETWORKS), action="append")
    given = parser.parse_args()
    for row in measure(given.share, given.threads, tuple(given.network or NETWORKS)):
        cheaper = f"times cheaper {row['cheaper']:.1f}" if "cheaper" in row else ""
        print(
            f"{row['name']:45} {1e3 * row['median_s']:9.1f} ms  {row['ratio']:.3f} [{row['ratio_low']:.3f}, "
            f"{row['ratio_high']:.3f}]  wall {row['wall']:.3f}  {cheaper}"
        )


if __name__ == "__main__":
    main()
