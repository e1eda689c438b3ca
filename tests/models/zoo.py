"""Weird but ordinary models, as plain functions: small, seeded, in evaluation mode. Docstrings give the input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


def _seeded(make: Callable[[], nn.Module]) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = make().eval()
        for module in model.modules():  # statistics as after a training, so that a normalisation does something
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is not None:
                module.running_mean.normal_(0, 0.2)
                module.running_var.uniform_(0.5, 1.5)
                module.weight.data.uniform_(0.5, 1.5)
                module.bias.data.normal_(0, 0.2)
    return model


class _Residual(nn.Module):
    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outside)
        self.conv2 = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outside)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut = (
            nn.Sequential(nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside))
            if stride > 1 or inside != outside
            else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        out += self.shortcut(x)
        return self.relu(out)


class _ResNet(nn.Module):
    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(channels, 8, 3, 1, 1, bias=False)
        self.bn = nn.BatchNorm2d(8)
        self.relu = nn.ReLU(inplace=True)
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.blocks = nn.Sequential(_Residual(8, 8, 1), _Residual(8, 16, 2))
        self.fc = nn.Linear(16, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(self.pool(self.relu(self.bn(self.stem(x)))))
        return self.fc(x.mean((2, 3)))


def resnet_small(channels: int = 3, classes: int = 4) -> nn.Module:
    """Residual adds, in-place ReLU, BatchNorm. (N, channels, 16 or more, 16 or more) -> (N, classes)."""
    return _seeded(lambda: _ResNet(channels, classes))


class _Gate(nn.Module):
    """Squeeze and excitation: channels scaled by what the whole picture says."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.down, self.up = nn.Conv2d(channels, 4, 1), nn.Conv2d(4, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.up(F.silu(self.down(F.adaptive_avg_pool2d(x, 1)))).sigmoid()


def depthwise(gate: bool = False) -> nn.Module:
    """Depthwise separable convolutions with ReLU6; with ``gate`` squeeze and excitation. (N, 3, 20, 20) -> (N, 4)."""
    return _seeded(
        lambda: nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU6(inplace=True),
            nn.Conv2d(8, 8, 3, 1, 1, groups=8, bias=False),
            nn.BatchNorm2d(8),
            nn.Hardswish(inplace=True),
            _Gate(8) if gate else nn.Identity(),
            nn.Conv2d(8, 12, 1),
            nn.ReLU6(inplace=True),
            nn.Conv2d(12, 12, 5, 2, 2, groups=4),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(12, 4),
        )
    )


class _Functional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 5), nn.Conv2d(6, 8, 3, padding=2, dilation=2)
        self.fc1, self.fc2 = nn.Linear(8 * 4 * 4, 16), nn.Linear(16, 3)
        self.dropout = nn.Dropout(0.5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x), inplace=True), 2)
        return self.fc2(self.dropout(F.relu(self.fc1(x.flatten(1)))))


def functional_relu() -> nn.Module:
    """``F.relu``, ``F.max_pool2d``, a dilated convolution, Dropout. (N, 1, 20, 20) -> (N, 3)."""
    return _seeded(_Functional)


class _Reused(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 6, 3, padding=1)
        self.shared, self.norm = nn.Conv2d(6, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6)
        self.fc = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x).relu()
        for _ in range(2):
            x = self.norm(self.shared(x)).relu()
        return self.fc(x.amax((2, 3)))


def reused_module() -> nn.Module:
    """A convolution and its BatchNorm called twice: keys 'shared#1' and 'shared#2'. (N, 1, 12, 12) -> (N, 3)."""
    return _seeded(_Reused)


@dataclass
class Scores:
    """An output with named parts."""

    logits: Tensor
    features: Tensor


class _Output(nn.Module):
    def __init__(self, form: str) -> None:
        super().__init__()
        self.body, self.head, self.form = nn.Linear(5, 6), nn.Linear(6, 3), form

    def forward(self, x: Tensor) -> Any:
        features = self.body(x).tanh()
        logits = self.head(features)
        return {
            "dict": lambda: {"features": features, "logits": logits},
            "unnamed": lambda: {"a": features, "b": logits},
            "tuple": lambda: (logits, features[:, None]),
            "loss": lambda: (logits.sum(), logits),
            "dataclass": lambda: Scores(logits, features),
        }[self.form]()


def dict_output(form: str = "dict") -> nn.Module:
    """Two linear layers that yield a 'dict', 'dataclass', 'tuple', 'loss' or 'unnamed' dict. (N, 5) -> of (N, 3)."""
    return _seeded(lambda: _Output(form))


def deep_300() -> nn.Module:
    """300 linear layers, narrow. (N, 8) -> (N, 3)."""

    def make() -> nn.Module:
        layers: list[nn.Module] = []
        for _ in range(299):
            linear = nn.Linear(8, 8)
            nn.init.orthogonal_(linear.weight)
            layers += [linear, nn.LeakyReLU(0.9)]
        return nn.Sequential(*layers, nn.Linear(8, 3))

    return _seeded(make)


def cnn_1d(channels: int = 2) -> nn.Module:
    """Strided, dilated and pooled along time. (N, channels, 64) -> (N, 3)."""
    return _seeded(
        lambda: nn.Sequential(
            nn.Conv1d(channels, 6, 5, 2, 2),
            nn.BatchNorm1d(6),
            nn.ReLU(),
            nn.Conv1d(6, 8, 3, padding=2, dilation=2),
            nn.GELU(),
            nn.AvgPool1d(2),
            nn.Conv1d(8, 8, 3),
            nn.ReLU(),
            nn.AdaptiveMaxPool1d(1),
            nn.Flatten(),
            nn.Linear(8, 3),
        )
    )


class _Text(nn.Module):
    def __init__(self, kind: str, packed: bool, bidirectional: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 6, padding_idx=0)
        self.rnn = getattr(nn, kind)(6, 5, num_layers=2, batch_first=True, bidirectional=bidirectional)
        self.head = nn.Linear(5 * (1 + bidirectional), 2)
        self.packed = packed

    def forward(self, ids: Tensor, lengths: Tensor | None = None) -> Tensor:
        x = self.embedding(ids)
        lengths = (ids != 0).sum(1) if lengths is None else lengths
        if self.packed:
            out, state = self.rnn(pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False))
            out, _ = pad_packed_sequence(out, batch_first=True)
            hidden = state[0] if isinstance(state, tuple) else state
            last = hidden[-2:].movedim(0, 1).flatten(1) if self.rnn.bidirectional else hidden[-1]
            return self.head(last)
        out, _ = self.rnn(x)
        mask = (torch.arange(out.shape[1], device=ids.device) < lengths[:, None])[..., None]
        return self.head((out * mask).sum(1) / mask.sum(1).clamp_min(1))


def lstm_text(kind: str = "LSTM", packed: bool = True, bidirectional: bool = False) -> nn.Module:
    """Embedding, two recurrent layers ('LSTM', 'GRU', 'RNN'), last state (packed) or masked mean (padding masks).

    (N, T) int64 ids below 20 with 0 for padding -> (N, 2).
    """
    return _seeded(lambda: _Text(kind, packed, bidirectional))


def inplace_relu() -> nn.Module:
    """In-place ReLU straight behind convolutions and a linear layer. (N, 1, 10, 10) -> (N, 3)."""
    return _seeded(
        lambda: nn.Sequential(
            nn.Conv2d(1, 6, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(6, 6, 3, 2),
            nn.ReLU(inplace=True),
            nn.Flatten(),
            nn.Linear(6 * 4 * 4, 8),
            nn.ReLU(inplace=True),
            nn.Linear(8, 3),
        )
    )


class _Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(12, 6)
        self.encoder, self.twin = nn.Linear(6, 6), nn.Linear(6, 6)
        self.decoder = nn.Linear(6, 12, bias=False)
        self.twin.weight = self.encoder.weight
        self.decoder.weight = self.embedding.weight

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embedding(ids).mean(1)
        return self.decoder(self.twin(self.encoder(x).relu()).relu())


def tied() -> nn.Module:
    """Weights shared by two linear layers, and by the embedding and the decoder. (N, T) ids below 12 -> (N, 12)."""
    return _seeded(_Tied)


class _Skipping(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Linear(5, 6)
        self.rare, self.usual = nn.Linear(6, 6), nn.Linear(6, 6)
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = self.stem(x).relu()
        branch = self.rare if x.sum() > 1e6 else self.usual
        return self.head(branch(h).relu())


def skipping() -> nn.Module:
    """A branch that ordinary inputs do not take: 'rare' is not called. (N, 5) -> (N, 3)."""
    return _seeded(_Skipping)


class _Frames(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(1, 4, 3, padding=1), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        frames = self.conv(x.flatten(0, 1)).relu().amax((2, 3))
        return self.head(frames.unflatten(0, x.shape[:2]).mean(1))


def frames() -> nn.Module:
    """Time folded into the instances. (N, T, 1, 8, 8) -> (N, 3)."""
    return _seeded(_Frames)


class _TimeFirst(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.step, self.head = nn.GRU(3, 5), nn.Linear(5, 4), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        out, _ = self.rnn(x.movedim(1, 0))
        return self.head(self.step(out).relu().mean(0))


def time_first() -> nn.Module:
    """A recurrent layer with time before the instances, and a linear layer on each step. (N, T, 3) -> (N, 2)."""
    return _seeded(_TimeFirst)


class _Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 8, padding_idx=0)
        self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2)
        self.head = nn.Linear(8, 2)

    def forward(self, ids: Tensor) -> Tensor:
        out = self.encoder(self.embedding(ids), src_key_padding_mask=ids == 0)
        mask = (ids != 0)[..., None]
        return self.head((out * mask).sum(1) / mask.sum(1).clamp_min(1))


def transformer_text() -> nn.Module:
    """Two encoder layers with padding masks, which run fused where nobody watches.

    (N, T) int64 ids below 20 with 0 for padding -> (N, 2).
    """
    return _seeded(_Encoder)
