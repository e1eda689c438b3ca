"""What recording adds to a training loop, against the plain loop and against TensorBoard's histograms.

All ways take turns in short rounds over the same loop, so that a slow moment of the machine hits each alike; the ratios
are medians over rounds of a way against the plain loop of its own round. 'plain again' is the A/A control: how far its
ratio is from 1 is how little the others can be trusted.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter

from analysis.recording import Recorder

WATCHED = ("conv1", "conv2", "fc1", "fc2")
Step = Callable[[int], None]


class LeNet(nn.Module):
    """20 and 50 filters, 500 units, 10 classes, for images of 28 x 28."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 20, 5), nn.Conv2d(20, 50, 5)
        self.fc1, self.fc2 = nn.Linear(800, 500), nn.Linear(500, 10)

    def forward(self, images: Tensor) -> Tensor:
        images = nn.functional.max_pool2d(self.conv1(images).relu(), 2)
        images = nn.functional.max_pool2d(self.conv2(images).relu(), 2)
        return self.fc2(self.fc1(images.flatten(1)).relu())


class Loop:
    """A training loop on random images of one kind per class; the same seed gives the same steps."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.model = LeNet()
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.01)
        self.labels = torch.randint(10, (1024,))
        patterns = torch.randn(10, 1, 28, 28)
        self.images = patterns[self.labels] + torch.randn(1024, 1, 28, 28)

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        at = step * 64 % 1024
        return self.images[at : at + 64], self.labels[at : at + 64]

    def train(self, step: int) -> Tensor:
        images, labels = self.batch(step)
        loss = nn.functional.cross_entropy(self.model(images), labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss


def plain(_folder: Path, _stack: ExitStack) -> Step:
    """The loop alone; it reads the loss, as every loop does."""
    loop = Loop()
    return lambda step: loop.train(step).item() and None


def with_probe(folder: Path, stack: ExitStack) -> Step:
    """The recorder as it comes: a probe of 256 every 50 steps, 1 % of the time."""
    loop = Loop()
    recorder = stack.enter_context(Recorder(folder))
    recorder.watch(loop.model, probe=(loop.images[:256], loop.labels[:256]))
    return lambda step: recorder.log({"loss": loop.train(step)}, step)


def with_batches(every: int) -> Callable[[Path, ExitStack], Step]:
    """The recorder on training batches, without a limit."""

    def start(folder: Path, stack: ExitStack) -> Step:
        loop = Loop()
        recorder = stack.enter_context(Recorder(folder, every=every, budget=None))
        recorder.watch(loop.model, sample_batches=True)

        def run(step: int) -> None:
            loss = loop.train(step)
            recorder.batch(labels=loop.batch(step)[1])
            recorder.log({"loss": loss}, step)

        return run

    return start


def with_tensorboard(every: int) -> Callable[[Path, ExitStack], Step]:
    """Scalars every step and histograms of the same layers' activations."""

    def start(folder: Path, stack: ExitStack) -> Step:
        loop = Loop()
        writer = stack.enter_context(SummaryWriter(str(folder)))
        kept: dict[str, Tensor] = {}
        wanted = [False]

        def hook(name: str) -> Callable[..., None]:
            return lambda _m, _i, output: kept.__setitem__(name, output.detach()) if wanted[0] else None

        for name in WATCHED:
            loop.model.get_submodule(name).register_forward_hook(hook(name))

        def run(step: int) -> None:
            wanted[0] = step % every == 0
            writer.add_scalar("loss", loop.train(step).item(), step)
            if wanted[0]:
                for name, values in kept.items():
                    writer.add_histogram(name, values, step)

        return run

    return start


WAYS: dict[str, tuple[Callable[[Path, ExitStack], Step], str]] = {
    "plain": (plain, ""),
    "plain again": (plain, ""),
    "recorder, default": (with_probe, ""),
    "recorder, batches every step": (with_batches(1), "tensorboard every step"),
    "recorder, batches every 20": (with_batches(20), "tensorboard every 20"),
    "tensorboard every step": (with_tensorboard(1), ""),
    "tensorboard every 20": (with_tensorboard(20), ""),
}


def measure(rounds: int = 30, steps: int = 40, warm: int = 40, ways: list[str] | None = None) -> list[dict[str, Any]]:
    """Time each way in turns.

    Args:
        rounds: turns of each way. steps: training steps a turn, a multiple of 20. warm: steps before, not timed.

    Returns:
        For each way: name, median_s (CPU seconds a step), ratio (to the plain loop), against (what the ratio is
        against), and cheaper (how many times less it adds than TensorBoard at the same interval, None if it has no
        peer or the addition is within the control's error).
    """
    torch.set_num_threads(1)
    chosen = ["plain", *(name for name in ways or WAYS if name != "plain")]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        running = {n: WAYS[n][0](Path(folder) / str(i), stack) for i, n in enumerate(chosen)}
        for run in running.values():
            for step in range(warm):
                run(step)
        times: dict[str, list[float]] = {name: [] for name in chosen}
        for turn in range(rounds):
            first = warm + turn * steps
            for name in _rotated(chosen, turn):
                start = time.process_time()
                for step in range(first, first + steps):
                    running[name](step)
                times[name].append((time.process_time() - start) / steps)
    return _rows(times)


def _rotated(names: list[str], turn: int) -> Iterator[str]:
    yield from names[turn % len(names) :]
    yield from names[: turn % len(names)]


def _rows(times: dict[str, list[float]]) -> list[dict[str, Any]]:
    ratios = {
        name: statistics.median(a / b for a, b in zip(own, times["plain"], strict=True)) for name, own in times.items()
    }
    # Records of the default come in bursts many rounds apart, which a median would not see: there the sum counts.
    if "recorder, default" in times:
        ratios["recorder, default"] = sum(times["recorder, default"]) / sum(times["plain"])
    rows = []
    for name, own in times.items():
        peer = WAYS[name][1]
        added = ratios[name] - 1
        cheaper = (ratios[peer] - 1) / added if peer in ratios and added > 0 else None
        rows.append(
            {
                "name": name,
                "median_s": statistics.median(own),
                "ratio": ratios[name],
                "against": "plain",
                "cheaper": cheaper,
            }
        )
    return rows


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--steps", type=int, default=40)
    options = parser.parse_args()
    print(f"{'way':30} {'ms a step':>10} {'added':>8}  cheaper than TensorBoard")
    for row in measure(options.rounds, options.steps):
        cheaper = f"{row['cheaper']:.0f}x" if row["cheaper"] else ""
        print(f"{row['name']:30} {1000 * row['median_s']:10.3f} {100 * (row['ratio'] - 1):+7.2f}%  {cheaper}")


if __name__ == "__main__":
    main()
