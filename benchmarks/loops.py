"""The training loop of the recorder's benchmark, plain, recorded, and with TensorBoard."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when NumPy is first imported

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from analysis.recording import Recorder

WATCHED = ("conv1", "conv2", "fc1", "fc2")


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


class Plain:
    """Training on random images of one kind per class, in batches of 64; the same seed gives the same steps.

    ``spent`` is the CPU time of this thread that the loop has had, ``own`` the part of it that went into recording.
    """

    def __init__(self, _folder: Path, _stack: ExitStack) -> None:
        torch.manual_seed(0)
        self.model = LeNet()
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.01)
        self.labels = torch.randint(10, (1024,))
        patterns = torch.randn(10, 1, 28, 28)
        self.images = patterns[self.labels] + torch.randn(1024, 1, 28, 28)
        self.steps = 0
        self.own = 0.0
        self._spent, self._since = 0.0, None

    def clock(self) -> float:
        """Seconds, which pass only while it is this loop's turn."""
        return self._spent + (time.thread_time() - self._since if self._since is not None else 0.0)

    def turn(self, steps: int) -> None:
        """Train some steps."""
        self._since = time.thread_time()
        for _ in range(steps):
            self.step(self.steps)
            self.steps += 1
        self._spent, self._since = self.clock(), None

    def step(self, number: int) -> None:
        """Train one step; every loop reads the loss."""
        self.train(number)

    def train(self, number: int) -> float:
        at = number * 64 % 1024
        images, self.target = self.images[at : at + 64], self.labels[at : at + 64]
        loss = nn.functional.cross_entropy(self.model(images), self.target)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def costs(self) -> float:
        """CPU seconds that recording took so far, those of other threads it started included."""
        return self.own


class Recorded(Plain):
    """With a recorder. Its cost: the calls, timed from outside, and what it spends in hooks, by its own account."""

    def __init__(self, folder: Path, stack: ExitStack, every: int = 50, budget: float | None = None) -> None:
        super().__init__(folder, stack)
        clock = time.thread_time if budget is None else self.clock  # a share counts this loop's turns only
        self.recorder = stack.enter_context(Recorder(folder, every=every, budget=budget, clock=clock))

    def step(self, number: int) -> None:
        before = self.recorder.overhead["seconds"]
        loss = self.train(number)
        self.own += self.recorder.overhead["seconds"] - before
        start = time.thread_time()
        self.record(loss, number)
        self.own += time.thread_time() - start

    def record(self, loss: float, number: int) -> None:
        self.recorder.log({"loss": loss}, number)


class Probed(Recorded):
    """As it comes: a probe of 256 instances every 50 steps, 1 % of the time."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        super().__init__(folder, stack, budget=0.01)
        self.recorder.watch(self.model, probe=(self.images[:256], self.labels[:256]))


class Sampled(Recorded):
    """On training batches, without a limit."""

    def __init__(self, folder: Path, stack: ExitStack, every: int) -> None:
        super().__init__(folder, stack, every)
        self.recorder.watch(self.model, sample_batches=True)

    def record(self, loss: float, number: int) -> None:
        self.recorder.batch(labels=self.target)
        self.recorder.log({"loss": loss}, number)


class TensorBoard(Plain):
    """The loss at every step, and histograms of the same layers' activations.

    Its cost: its calls, timed from outside, and the CPU time of the threads it starts; not the hooks.
    """

    def __init__(self, folder: Path, stack: ExitStack, every: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        super().__init__(folder, stack)
        threads = set(threading.enumerate())
        self.writer = stack.enter_context(SummaryWriter(str(folder)))
        self._threads = set(threading.enumerate()) - threads
        self._every = every
        self._due = False
        self._kept: dict[str, Tensor] = {}
        for name in WATCHED:
            self.model.get_submodule(name).register_forward_hook(self._hook(name))

    def _hook(self, name: str) -> Callable[..., None]:
        def hook(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
            if self._due:
                self._kept[name] = output.detach()

        return hook

    def step(self, number: int) -> None:
        self._due = number % self._every == 0
        loss = self.train(number)
        start = time.thread_time()
        self.writer.add_scalar("loss", loss, number)
        if self._due:
            for name, values in self._kept.items():
                self.writer.add_histogram(name, values, number)
        self.own += time.thread_time() - start

    def costs(self) -> float:
        clocks = [time.pthread_getcpuclockid(thread.ident) for thread in self._threads if thread.ident is not None]
        return self.own + sum(map(time.clock_gettime, clocks))
