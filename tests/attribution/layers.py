"""What tests of methods about layers share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from analysis.attribution.case import Case
from analysis.attribution.method import Found, Method
from analysis.attribution.parameters import checked
from analysis.subject.session import Session


def found(
    session: Session, method: Any, rows: range = range(5), unit: str = "", target: str = "1", **given: Any
) -> Found:
    """What a method finds for some instances, its layer not checked against a list."""
    chosen: Method = method.METHOD
    parameters = [
        one.with_(choices=(given["layer"],)) if one.name == "layer" and "layer" in given else one
        for one in chosen.parameters
    ]
    with Case(session, session.batch(rows), target, unit) as case:
        result: Found = chosen.run(case, lambda *_told: None, **checked(parameters, given))
    return result


def inputs_of(session: Session, rows: range = range(5)) -> Tensor:
    return session.input_tensor(session.batch(rows))


@contextmanager
def plain(session: Session) -> Iterator[nn.Module]:
    """The model for Captum, in evaluation mode."""
    with session.quiet(), torch.enable_grad():
        yield session.model
