"""A stand-in for a subject's session, of the least that an extraction needs, and models to put into it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from analysis.layerinfo import LayerInfo
from analysis.models.inventory import inventory
from analysis.models.outputs import logits_of


@dataclass
class Batch:
    args: tuple[Any, ...]
    labels: np.ndarray
    indices: np.ndarray
    lengths: Tensor | None = None
    skipped: list[tuple[int, str]] = field(default_factory=list)

    @property
    def principal(self) -> Tensor:
        return self.args[0]


class StandIn:
    """instances: tensors, of one shape or, for sequences, of several lengths along the first axis (padded with 0)."""

    def __init__(
        self,
        model: nn.Module,
        instances: Any,
        labels: Iterable[int] | None = None,
        *,
        kind: str = "table",
        classes: int = 3,
        corrupt: Iterable[int] = (),
        before: Callable[[np.ndarray], None] = lambda _indices: None,
        cache: Path | None = None,
        batch_size: int = 8,
        show: Callable[[int], np.ndarray] | None = None,
    ) -> None:
        self.model, self.instances, self.kind = model.eval(), instances, kind
        self.class_names = [str(number) for number in range(classes)]
        self._labels = np.full(len(instances), -1) if labels is None else np.asarray(labels, np.int64)
        self._corrupt, self.before, self.cache = set(corrupt), before, cache
        self.subject = SimpleNamespace(batch_size=batch_size, always_include=())
        self.show = show or (lambda index: np.asarray(self.instances[index], np.float32))
        self.passes: list[list[int]] = []
        first = self.batch([0, 1])
        self.layers: list[LayerInfo] = inventory(model, lambda: self._call(first), 2)
        self.passes.clear()

    def labels(self, indices: Any = None) -> np.ndarray:
        return self._labels if indices is None else self._labels[indices]

    def infos(self, keys: Iterable[str]) -> list[LayerInfo]:
        return [info for key in keys for info in self.layers if info.key == key]

    def batch(self, indices: Any) -> Batch:
        skipped = [(int(i), "OSError: the file is damaged") for i in indices if int(i) in self._corrupt]
        good = np.array([int(i) for i in indices if int(i) not in self._corrupt], np.int64)
        picked = [torch.as_tensor(self.instances[i]) for i in good]
        lengths = None
        if len({tuple(instance.shape) for instance in picked}) > 1:
            lengths = torch.tensor([len(instance) for instance in picked])
        args = (nn.utils.rnn.pad_sequence(picked, batch_first=True),) if picked else ()
        return Batch(args, self._labels[good], good, lengths, skipped)

    def _call(self, batch: Batch) -> Any:
        return self.model(*batch.args)

    def forward(self, batch: Batch) -> Tensor:
        self.passes.append(batch.indices.tolist())
        self.before(batch.indices)
        with torch.no_grad():
            return logits_of(self._call(batch)).float()

    def display(self, index: int) -> np.ndarray:
        return self.show(index)

    def tokens(self, index: int) -> list[str]:
        return [f"word{int(number)}" for number in self.instances[index]]


class Context:
    """A job's context that notes what it is told; asks for a stop after some calls."""

    def __init__(self, stop_after: int = 1 << 30) -> None:
        self.calls: list[tuple[float, float, str]] = []
        self.breaths = 0
        self._stop_after = stop_after

    @property
    def cancelled(self) -> bool:
        return len(self.calls) >= self._stop_after

    def progress(self, done: float, total: float, unit: str = "", _message: str = "") -> None:
        self.calls.append((done, total, unit))

    def breathe(self) -> None:
        self.breaths += 1


def small(seed: int = 0) -> nn.Module:
    """(n, 1, 12, 12) -> (n, 3)."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 5, 3),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(125, 7),
        nn.ReLU(),
        nn.Linear(7, 3),
    )


def pictures(n: int, seed: int = 0) -> Tensor:
    """(n, 1, 12, 12)."""
    return torch.randn(n, 1, 12, 12, generator=torch.Generator().manual_seed(seed))


def standin(n: int = 150, **more: Any) -> StandIn:
    """The small model on n pictures, labels in turn."""
    return StandIn(small(), pictures(n), np.arange(n) % 3, kind="image", show=_gray, **more)


def _gray(index: int) -> np.ndarray:
    return np.full((12, 12, 1), index % 256, np.uint8)


def files_of(directory: Path) -> dict[str, bytes]:
    """Name and content of all files."""
    return {path.name: path.read_bytes() for path in sorted(directory.iterdir())}
