"""Models that rules get wrong, or have to refuse, and one instance set for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from analysis.attribution.case import Case
from analysis.subject.session import Session
from tests.attribution.conftest import WORDS, drawn, ids, labelled, opened
from tests.models import zoo

SIDE = 8


def seeded(make: Callable[[], nn.Module], seed: int = 0, scale: float = 1.0) -> nn.Module:
    """A model with weights of its own, larger by ``scale``, and statistics as after a training."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = make().eval()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(scale)
            for module in model.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is not None:
                    module.running_mean.normal_(0, 0.3)
                    module.running_var.uniform_(0.5, 1.5)
                    module.weight.normal_(1, 0.5)
                    module.bias.normal_(0, 0.3)
    return model


class Net(nn.Module):
    """A convolution and a dense layer with something in between, for pictures (N, 2, 8, 8) -> (N, 3)."""

    def __init__(self, between: Callable[[Net, Tensor], Tensor], **parts: nn.Module) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3, padding=1)
        self.inner = nn.Conv2d(4, 4, 3, padding=1)
        self.act = nn.ReLU()
        for name, part in parts.items():
            self.add_module(name, part)
        self.head = nn.Linear(4 * SIDE * SIDE, 3)
        self._between = between

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self._between(self, self.conv(x)).flatten(1))


def in_place(net: Net, x: Tensor) -> Tensor:
    y = F.relu(x, inplace=True)
    y = net.inner(y)
    y += x
    return y.relu_()


def channels(net: Net, x: Tensor) -> Tensor:
    """Parts of a tensor changed through a view."""
    first = x[:, :2]
    first.relu_()
    return net.inner(x).tanh()


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(_ctx: Any, x: Tensor) -> Tensor:
        return x.relu() * 2

    @staticmethod
    def backward(_ctx: Any, gradient: Tensor) -> Tensor:
        return gradient * 2


BETWEEN: dict[str, tuple[Callable[[Net, Tensor], Tensor], dict[str, Callable[[], nn.Module]]]] = {
    "module relu": (lambda net, x: net.act(x), {}),
    "functional relu": (lambda _net, x: F.relu(x), {}),
    "clamp": (lambda _net, x: x.clamp(min=0), {}),
    "in place": (in_place, {}),
    "a view in place": (channels, {}),
    "reused": (lambda net, x: net.act(net.inner(net.act(net.inner(net.act(x))))), {}),
    "residual": (lambda net, x: F.relu(x + net.inner(F.relu(x))), {}),
    "batch norm": (lambda net, x: F.relu(net.bn(x)), {"bn": lambda: nn.BatchNorm2d(4)}),
    "batch norm alone": (lambda net, x: F.relu(net.bn(F.relu(x) + x)), {"bn": lambda: nn.BatchNorm2d(4)}),
    "functional pool": (lambda _net, x: F.max_pool2d(F.relu(x), 3, 1, 1), {}),
    "gelu": (lambda net, x: F.gelu(net.inner(F.elu(x))), {}),
    "concatenated": (lambda net, x: torch.cat([F.relu(x)[:, :2], net.inner(x)[:, 2:].sigmoid()], 1), {}),
    "padded and averaged": (
        lambda _net, x: F.interpolate(F.avg_pool2d(F.pad(F.relu(x), (1, 1, 1, 1)), 2)[..., :4, :4], (SIDE, SIDE)),
        {},
    ),
    "largest of a row": (lambda _net, x: x.amax(3, keepdim=True) + F.relu(x).max(2, keepdim=True).values, {}),
    "gate": (lambda _net, x: x * x.mean((2, 3), keepdim=True).sigmoid(), {}),
    "softmax inside": (lambda _net, x: x.softmax(1), {}),
    "layer norm": (lambda net, x: net.norm(x), {"norm": lambda: nn.LayerNorm(SIDE)}),
    "group norm": (lambda net, x: net.norm(x), {"norm": lambda: nn.GroupNorm(2, 4)}),
    "detached": (lambda _net, x: x * (x.detach() > 0).float(), {}),
    "its own function": (lambda _net, x: Doubled.apply(x), {}),
    "exponential": (lambda _net, x: x.exp(), {}),
    "matrix product": (lambda _net, x: x @ x.transpose(2, 3), {}),
    "a number of Python": (lambda _net, x: F.relu(x) / float(x.detach().abs().max()), {}),
}


def net(name: str, seed: int = 0) -> Net:
    """One of ``BETWEEN``."""
    between, parts = BETWEEN[name]
    model = seeded(lambda: Net(between, **{part: make() for part, make in parts.items()}), seed, 1.5)
    assert isinstance(model, Net)
    return model


def pictures(model: nn.Module, positive: bool = False, **options: Any) -> Session:
    """A session of a model for (2, 8, 8), in double precision, so that tests can be strict."""
    data = drawn(4, 2, SIDE, SIDE).double()
    return opened(model.double(), labelled(data.abs() if positive else data, 3), kind="image", **options)


def texts(model: nn.Module) -> Session:
    return opened(model, labelled(ids()), decode=WORDS)


class Words(nn.Module):
    """Convolutions over words, (N, T) -> (N, 2)."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 6, padding_idx=0)
        self.conv = nn.Conv1d(6, 5, 3, padding=1)
        self.head = nn.Linear(5, 2)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(F.relu(self.conv(self.embedding(tokens).transpose(1, 2))).amax(2))


OTHERS: dict[str, Callable[[], Session]] = {
    "LSTM": lambda: texts(zoo.lstm_text()),
    "attention": lambda: texts(zoo.transformer_text()),
    "words": lambda: texts(seeded(Words)),
    "rounded": lambda: pictures(seeded(lambda: nn.Sequential(Rounded(), nn.Flatten(), nn.Linear(128, 3)))),
    "whole numbers": lambda: pictures(seeded(lambda: nn.Sequential(Long(), nn.Flatten(), nn.Linear(128, 3)))),
    "no gradients": lambda: pictures(seeded(Frozen)),
}


class Rounded(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.round()


class Long(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return (x * 10).long().to(x.dtype)


class Frozen(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(2, 2, 1), nn.Linear(128, 3)

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            x = self.conv(x)
        return self.head(x.flatten(1))


def case(session: Session, target: str = "predicted", unit: str = "", n: int = 3) -> Case:
    """The first n instances."""
    return Case(session, session.batch(range(n)), target, unit)
