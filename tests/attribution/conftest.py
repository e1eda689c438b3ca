"""Small untrained models of every kind with data, opened, and what tests of methods share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from analysis import Subject
from analysis.attribution import registry
from analysis.attribution.explain import attribution
from analysis.subject.session import Session
from tests.models import zoo

N = 6
WORDS = ["<pad>", *(f"w{number}" for number in range(1, 20))]


class Context:
    """Notes the progress it is told."""

    cancelled = False

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def progress(self, *told: Any, **named: Any) -> None:
        self.told.append((*told, *named.values()))


def opened(model: nn.Module, data: Any, **options: Any) -> Session:
    """The session of a subject, on the CPU. options: as ``Subject``."""
    return Session(Subject(model, data, **options), device="cpu")


def explained(session: Session, method: str = "saliency", instance: int = 0, **options: Any) -> tuple[Any, Any]:
    """The answer of the question ``attribution``: (plain values, arrays)."""
    options.setdefault("version", registry.get(method).version)
    return attribution(session, Context(), instance=instance, method=method, **options)


def drawn(*shape: int, seed: int = 0) -> Tensor:
    """Normal numbers."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def labelled(inputs: Any, classes: int = 2) -> list[tuple[Any, int]]:
    """(input, label) pairs, labels in turn."""
    return [(one, number % classes) for number, one in enumerate(inputs)]


def ids(lengths: tuple[int, ...] = (7, 4, 9, 1, 5, 6), vocabulary: int = 20, seed: int = 0) -> list[Tensor]:
    """Sequences of ids from 1 up; 0 is padding."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randint(1, vocabulary, (length,), generator=generator) for length in lengths]


def smooth_image() -> nn.Module:
    """(N, 3, 10, 12) -> (N, 4), without kinks, so that integrals converge fast."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 5, 3, padding=1), nn.Tanh(), nn.Conv2d(5, 6, 3, 2), nn.Tanh(), nn.Flatten(), nn.Linear(120, 4)
    ).eval()


class ChannelsLast(nn.Module):
    """(N, 10, 12, 3) -> (N, 4)."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = smooth_image()

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x.permute(0, 3, 1, 2))


def table_net(columns: int = 5, classes: int = 3) -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(columns, 8), nn.ReLU(), nn.Linear(8, classes)).eval()


def image_session(**options: Any) -> Session:
    return opened(smooth_image(), labelled(drawn(N, 3, 10, 12), 4), **options)


def relu_session(**options: Any) -> Session:
    """Convolutions, in-place ReLU modules: what every rule can handle."""
    return opened(zoo.inplace_relu(), labelled(drawn(N, 1, 10, 10), 3), **options)


def channels_last_session(**options: Any) -> Session:
    return opened(ChannelsLast(), labelled(drawn(N, 10, 12, 3), 4), kind="image", **options)


def series_session(**options: Any) -> Session:
    """(channels, steps)."""
    return opened(zoo.cnn_1d(), labelled(drawn(N, 2, 64), 3), **options)


def recurrent_session(**options: Any) -> Session:
    """(steps, channels), a GRU that wants time first."""
    return opened(zoo.time_first(), labelled(drawn(N, 11, 3), 2), **options)


def text_session(kind: str = "LSTM", packed: bool = True, **options: Any) -> Session:
    options.setdefault("decode", WORDS)
    return opened(zoo.lstm_text(kind, packed), labelled(ids()), **options)


def transformer_session(**options: Any) -> Session:
    options.setdefault("decode", WORDS)
    return opened(zoo.transformer_text(), labelled(ids()), **options)


def table_session(**options: Any) -> Session:
    return opened(table_net(), labelled(drawn(N, 5), 3), **options)


SESSIONS: dict[str, Callable[..., Session]] = {
    "image": image_session,
    "channels_last": channels_last_session,
    "relu": relu_session,
    "series": series_session,
    "recurrent": recurrent_session,
    "text": text_session,
    "transformer": transformer_session,
    "table": table_session,
}
