"""Methods with known faults, put into the registry for a test; and what tests of trust share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from analysis.attribution import registry
from analysis.attribution.case import Case
from analysis.attribution.method import Found, Method, Result
from analysis.attribution.trust import attribution_trust
from analysis.subject.session import Session
from tests.attribution.conftest import Context, drawn, labelled, opened


def method(name: str, values: Callable[[Case], Tensor], **result: Any) -> Method:
    """A method that returns what ``values`` makes of a case, (n, *inputs.shape[1:])."""
    return Method(
        name=name,
        title=name.capitalize(),
        family="gradient",
        version=1,
        summary="",
        source="",
        result=Result(**result),
        parameters=(),
        run=lambda case, _told: Found(values(case)),
        applies=lambda _structure: "",
    )


def install(patch: pytest.MonkeyPatch, *methods: Method) -> None:
    patch.setattr(registry, "METHODS", (*registry.METHODS, *methods))


def trust(session: Session, name: str, instance: int = 0, **options: Any) -> dict[str, Any]:
    """The answer's plain values."""
    context = options.pop("context", None) or Context()
    version = registry.get(name).version
    value, arrays = attribution_trust(session, context, instance=instance, method=name, version=version, **options)
    assert arrays == {}
    return value


def columns_session(columns: int = 12, classes: int = 3) -> Session:
    """A linear model with a bias."""
    torch.manual_seed(4)
    return opened(nn.Linear(columns, classes).eval(), labelled(drawn(6, columns), classes))


def bytes_of(model: nn.Module) -> list[bytes]:
    return [value.detach().numpy().tobytes() for value in (*model.parameters(), *model.buffers())]


class Cancelling(Context):
    """Asked to stop after some reports of progress, as a job is."""

    def __init__(self, after: int, doing: str = "") -> None:
        super().__init__()
        self.after, self.doing = after, doing

    @property
    def cancelled(self) -> bool:  # type: ignore[override]
        return sum(self.doing in str(told[-1]) for told in self.told) > self.after
