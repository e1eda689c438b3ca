"""What it costs to halve the first layer of the digits demo: networks trained with half of it, and filters taken out.

Usage: python benchmarks/halving.py [--seeds 10] [--epochs 8]

DeepEyes (Pezzotti et al., IEEE VIS 2017) shrinks a LeNet on handwritten digits from 20 to 10 filters in conv1 and from
500 to 100 units in fc1, and reports that it loses next to nothing. Here, each seed splits the 5,000 digits of the demo
anew and trains each network on 4,000 of them, in the same order; the accuracy is that on the other 1,000. Then half of
the full network's conv1 is zeroed without further training: the filters that respond least, by their mean activation
on the training images (never the validation images, which judge it), or ten at random, as a control.

A change is that of the accuracy against the full network, in percentage points, with the 95 % interval of Student's t
over seeds.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from analysis.demos import classifier, digits

FULL = {"conv1": 20, "conv2": 50, "fc1": 500}
TRAINED = {
    "full network (20 filters in conv1)": FULL,
    "trained with 10 filters in conv1": FULL | {"conv1": 10},
    "trained with 10 filters in conv1, 100 units in fc1": FULL | {"conv1": 10, "fc1": 100},
}
LEAST = "full network, its 10 least active filters of conv1 zeroed"
RANDOM = "full network, 10 random filters of conv1 zeroed"
DRAWS = 20  # of random filters, averaged for each seed
T95 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}  # by number of seeds


def without(model: nn.Module, filters: Tensor) -> nn.Module:
    """A copy whose conv1 has these filters set to zero, weights and bias."""
    copy = digits.lenet(**FULL)
    copy.load_state_dict(model.state_dict())
    with torch.no_grad():
        copy.conv1.weight[filters] = 0
        copy.conv1.bias[filters] = 0
    return copy


@torch.no_grad()
def accuracy(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Share of correct answers."""
    return classifier.scores(model, images, labels)[1]


@torch.no_grad()
def activity(model: nn.Module, images: Tensor) -> Tensor:
    """Mean rectified activation of each filter of conv1, (20,)."""
    return torch.stack([model.conv1(part).relu().mean((0, 2, 3)) for part in images.split(500)]).mean(0)


def one_seed(seed: int, epochs: int, per_class: int = 500) -> dict[str, float]:
    """Validation accuracy of every way, 0..1, trained from this seed. per_class: images of each digit, all or fewer."""
    images, labels = digits.load_digits()
    training, held_out = digits.split(labels, per_class, seed)
    found = {}
    for name, sizes in TRAINED.items():
        torch.manual_seed(seed)
        model = digits.lenet(**sizes)
        torch.manual_seed(seed)  # the same batches for networks of any size
        for _ in digits.learning(model, images[training], labels[training], epochs):
            pass
        found[name] = accuracy(model, images[held_out], labels[held_out])
        if sizes == FULL:
            least = activity(model, images[training]).argsort()[:10]
            found[LEAST] = accuracy(without(model, least), images[held_out], labels[held_out])
            draws = [torch.randperm(20)[:10] for _ in range(DRAWS)]
            found[RANDOM] = statistics.mean(
                accuracy(without(model, draw), images[held_out], labels[held_out]) for draw in draws
            )
    return found


def measure(seeds: int = 10, epochs: int = 8, per_class: int = 500) -> list[dict[str, Any]]:
    """Rows with name, accuracy (mean over seeds), change, low and high (percentage points), seeds, n a seed."""
    found = [one_seed(seed, epochs, per_class) for seed in range(seeds)]
    full = next(iter(TRAINED))
    rows = []
    for name in (*TRAINED, LEAST, RANDOM):
        changes = [100 * (one[name] - one[full]) for one in found]
        change = statistics.mean(changes)
        wide = T95[seeds] * statistics.stdev(changes) / math.sqrt(seeds)
        rows.append(
            {
                "name": name,
                "accuracy": statistics.mean(one[name] for one in found),
                "change": change,
                "low": change - wide,
                "high": change + wide,
                "seeds": seeds,
                "n": per_class // 5 * 10,
            }
        )
    return rows


def main() -> None:
    """Parse the command line and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10, choices=sorted(T95))
    parser.add_argument("--epochs", type=int, default=8)
    given = parser.parse_args()
    print(f"| network | accuracy | change, 95 % interval ({given.seeds} seeds, n = 1,000 each) |\n| --- | --- | --- |")
    for row in measure(given.seeds, given.epochs):
        print(
            f"| {row['name']} | {100 * row['accuracy']:.1f} % "
            f"| {row['change']:+.1f} [{row['low']:+.1f}, {row['high']:+.1f}] points |"
        )


if __name__ == "__main__":
    main()
