"""Models whose computation graph is known, and sessions of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import prune
from torch.nn.utils.parametrizations import weight_norm

from analysis import Subject
from analysis.models.graph import computation_graph
from analysis.subject.session import Session
from tests.models import zoo

N = 5
LENGTHS = (7, 4, 9, 1, 5)


class Context:
    """Notes the progress it is told."""

    cancelled = False

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def progress(self, *told: Any, **named: Any) -> None:
        self.told.append((*told, *named.values()))


def opened(model: nn.Module, inputs: Any, classes: int = 3, **options: Any) -> Session:
    """A session on the CPU; labels in turn."""
    data = [(one, number % classes) for number, one in enumerate(inputs)]
    return Session(Subject(model.eval(), data, **options), device="cpu")


def drawn(*shape: int) -> Tensor:
    """Normal numbers for N instances."""
    return torch.randn(N, *shape, generator=torch.Generator().manual_seed(0))


def ids(highest: int = 20) -> list[Tensor]:
    """Sequences of ids of several lengths."""
    generator = torch.Generator().manual_seed(0)
    return [torch.randint(1, highest, (length,), generator=generator) for length in LENGTHS]


def table(make: Callable[[], nn.Module], **options: Any) -> Session:
    """A session of a model for (N, 5) -> (N, 3)."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = make()
    return opened(model, drawn(5), kind="table", **options)


def graph_of(session: Session) -> dict[str, Any]:
    """The answer of ``computation_graph``."""
    value, arrays = computation_graph(session, Context())
    assert not arrays
    return value


def by_id(answer: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {node["id"]: node for node in answer["nodes"]}


def sources(answer: dict[str, Any], name: str) -> set[str]:
    """Ids of the nodes before one."""
    return {before for before, after in answer["edges"] if after == name}


class LeNet(nn.Module):
    """LeCun, Bottou, Bengio and Haffner (1998), with ReLU: (N, 1, 28, 28) -> (N, 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 5, padding=2), nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x.flatten(1))))))


class Base(nn.Module):
    """Three linear layers, for what comes between them."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Linear(5, 6), nn.Linear(6, 6), nn.Linear(6, 3)


class DeadBranch(Base):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x).relu()
        self.b(h).sigmoid().mean()
        return self.c(h)


class Loop(Base):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x)
        while h.abs().max() > 0.5:
            h = self.b(h) * 0.3
        return self.c(h)


class Divided(Base):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x)
        return self.c(h / float(h.abs().max()))


class InPlace(Base):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x)
        first = h[:, :3]
        first.relu_()
        h.view(-1, 6).add_(1)
        return self.c(h)


class Passed(Base):
    """What passes a value on unchanged is on one way and not on the other."""

    def __init__(self) -> None:
        super().__init__()
        self.drop, self.same = nn.Dropout(), nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x)
        return self.c(h + self.drop(self.same(h)))


MASK = torch.ones(6)


class Weights(Base):
    """Parameters, buffers, attributes and constants that functions take."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.randn(6, 6))
        self.register_buffer("scale", torch.ones(6))
        self.fixed = torch.full((6,), 2.0)

    def forward(self, x: Tensor) -> Tensor:
        h = F.linear(self.a(x), self.w) * self.scale * self.fixed * MASK
        return self.c(F.linear(h, self.b.weight))


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(_ctx: Any, x: Tensor) -> Tensor:
        return torch.ops.aten.mul(x.relu(), 2)

    @staticmethod
    def backward(_ctx: Any, gradient: Tensor) -> Tensor:
        return gradient


@torch.jit.script
def scripted(x: Tensor) -> Tensor:
    """Runs where no mode of torch looks."""
    return (x * 2).relu()


class Unusual(Base):
    def forward(self, x: Tensor) -> Tensor:
        return self.c(scripted(Doubled.apply(self.a(x))))


class Mapped(Base):
    def forward(self, x: Tensor) -> Tensor:
        return self.c(torch.func.vmap(lambda row: row * 2)(self.a(x)))


class Caught(Base):
    def forward(self, x: Tensor) -> Tensor:
        try:
            h = self.b(x)  # of another width
        except RuntimeError:
            h = self.a(x)
        return self.c(h)


class Unwatchable(Base):
    """Fails where operations of torch are watched."""

    def forward(self, x: Tensor) -> Tensor:
        if torch._C._len_torch_dispatch_stack():
            raise RuntimeError("no modes here")
        return self.c(self.b(self.a(x) * 2).relu())


class Failing(Base):
    failing = False

    def forward(self, x: Tensor) -> Tensor:
        h = self.b(self.a(x))
        return self.c(h[:, :4] if Failing.failing else h)


class Rewritten(Base):
    """Weights that hooks and parametrisations compute."""

    def __init__(self) -> None:
        super().__init__()
        self.a = weight_norm(self.a)
        prune.l1_unstructured(self.c, "weight", 0.5)

    def forward(self, x: Tensor) -> Tensor:
        return self.c(self.b(self.a(x)))


class Frozen(Base):
    def forward(self, x: Tensor) -> Tensor:
        return self.c(self.b(self.a(x)))


class Nested(Base):
    def forward(self, x: Tensor) -> Any:
        h = self.a(x)
        return {"logits": self.c(h), "extra": [h, (h * 2, {"z": h.sum(0)})]}


class Padded(nn.Conv2d):
    """A class derived from a layer, with a module inside, as EfficientNet-lite has them."""

    def __init__(self) -> None:
        super().__init__(1, 4, 3)
        self.pad = nn.ZeroPad2d(1)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(self.pad(x), self.weight, self.bias)


def lenet() -> Session:
    return opened(LeNet(), drawn(1, 28, 28), 10)


def resnet() -> Session:
    return opened(zoo.resnet_small(), drawn(3, 16, 16), 4)


def packed() -> Session:
    return opened(zoo.lstm_text(bidirectional=True), ids(), 2)


def attention() -> Session:
    return opened(zoo.transformer_text(), ids(), 2)


def tied() -> Session:
    return opened(zoo.tied(), ids(12), 12, kind="text")
