"""A writer that only remembers, and small models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from analysis.recording import Recorder


class FakeWriter:
    """Remembers what it is given."""

    def __init__(self, directory: Any = None, config: Any = None, name: Any = None) -> None:
        self.directory, self.config, self.name = directory, config, name
        self.metrics: list[tuple[dict[str, float], int]] = []
        self.metas: dict[str, Any] = {}
        self.records: dict[str, list[Any]] = {}
        self.notes: list[tuple[str, str, int]] = []
        self.probes: list[tuple[dict[str, Any], dict[str, Any]]] = []
        self.reason: str | None = None

    def scalars(self, metrics: Any, step: int, wall: float) -> None:
        assert wall > 0
        self.metrics.append((dict(metrics), step))

    def declare_layer(self, meta: Any) -> None:
        self.metas[meta.name] = meta

    def layer_record(self, name: str, record: Any) -> None:
        assert name in self.metas
        self.records.setdefault(name, []).append(record)

    def probe(self, arrays: Any, info: Any) -> None:
        self.probes.append((dict(arrays), dict(info)))

    def checkpoint(self, step: int, write: Callable[[Path], None]) -> Path:
        path = Path(self.directory) / f"{step}.safetensors"
        write(path)
        return path

    def note(self, kind: str, message: str, step: int) -> None:
        self.notes.append((kind, message, step))

    def heartbeat(self) -> None:
        pass

    def close(self, reason: str = "finished") -> None:
        self.reason = reason


class SmallNet(nn.Module):
    """Convolution, normalisation, dropout, dense: everything that behaves differently in training."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 6, 3)
        self.drop = nn.Dropout(0.3)
        self.fc = nn.Linear(6 * 4 * 4, 5)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        hidden = self.norm(self.conv1(images)).relu()
        hidden = self.conv2(hidden).relu()
        return self.fc(self.drop(hidden.flatten(1)))


@pytest.fixture
def writer(tmp_path: Path) -> FakeWriter:
    return FakeWriter(tmp_path)


@pytest.fixture
def make(writer: FakeWriter) -> Callable[..., Recorder]:
    """A recorder that writes to ``writer``, without a budget unless given."""

    def build(**options: Any) -> Recorder:
        options = {"budget": None, "every": 1, **options}
        return Recorder("run", writer=lambda *_: writer, **options)

    return build


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randn(12, 1, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def labels() -> torch.Tensor:
    return torch.arange(12) % 5
