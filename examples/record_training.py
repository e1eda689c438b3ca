"""Trains a small network on made-up pictures and records it; a few seconds on a CPU.

From the root of the repository:

    PYTHONPATH=. .venv/bin/python examples/record_training.py runs/stripes
    .venv/bin/python run.py serve runs
"""

from __future__ import annotations

import argparse
from collections import OrderedDict
from pathlib import Path

import torch
from torch import Tensor, nn

from analysis.recording import Recorder

CLASSES = ["horizontal", "vertical", "diagonal"]
SIDE = 16  # pixels


def pictures(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Noisy stripes: float (count, 1, 16, 16), and the direction of each, int (count,)."""
    labels = torch.randint(len(CLASSES), (count,), generator=generator)
    phase = torch.rand(count, 1, 1, generator=generator) * 6.3
    y, x = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    along = torch.stack([y, x, x + y])[labels].float()
    noise = 0.5 * torch.randn(count, SIDE, SIDE, generator=generator)
    return (torch.sin(1.2 * along + phase) + noise)[:, None], labels


def network() -> nn.Module:
    """(n, 1, 16, 16) -> (n, 3)."""
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(1, 8, 5),
            relu1=nn.ReLU(),
            pool1=nn.MaxPool2d(2),
            conv2=nn.Conv2d(8, 16, 3),
            relu2=nn.ReLU(),
            flatten=nn.Flatten(),
            fc=nn.Linear(16 * 4 * 4, len(CLASSES)),
        )
    )


def main() -> None:
    """Follow the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path, help="the run to write; a new segment if it is one already")
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--sample-batches", action="store_true", help="read training batches instead of a probe set")
    options = parser.parse_args()

    torch.set_num_threads(1)  # so small a network is not worth more
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    held_out, held_out_labels = pictures(128, generator)
    model = network()
    optimiser = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    config = {"optimiser": "SGD", "lr": 0.05, "momentum": 0.9, "batch": 32}
    # So short a training would be over before 1 % of its time pays for a record: no limit.
    with Recorder(options.directory, config=config, every=10, budget=None) as recorder:
        if options.sample_batches:
            recorder.watch(model, sample_batches=True, class_names=CLASSES)
        else:
            recorder.watch(model, probe=(held_out, held_out_labels), class_names=CLASSES)
        for step in range(options.steps):
            images, labels = pictures(32, generator)
            answers = model(images)
            if options.sample_batches:
                recorder.batch(labels=labels)
            loss = nn.functional.cross_entropy(answers, labels)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            recorder.log({"train/loss": loss}, step=step, epoch=step / 50)
            if step % 20 == 0:
                with torch.no_grad():
                    right = (model(held_out).argmax(1) == held_out_labels).float().mean()
                recorder.log({"validation/accuracy": right}, step=step)
        recorder.checkpoint(model, step=options.steps - 1)
    print(f"Recorded {options.directory}: {recorder.overhead['records']} records of the layers.")


if __name__ == "__main__":
    main()
