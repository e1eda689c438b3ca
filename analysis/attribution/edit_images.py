"""What-if edits of pictures: paint or blur a box."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from analysis.attribution.baselines import blurred
from analysis.data.batch import Batch
from analysis.data.errors import SubjectError
from analysis.errors import ParameterError

WIDEST = 100.0  # standard deviation of a blur, in pixels
TOLERANCE = 0.02  # of the way from black to white, of a colour that was solved for


def applied(session: Any, batch: Batch, edit: Mapping[str, Any]) -> Batch:
    """A batch of one picture with a box painted or blurred. Raises ParameterError."""
    places = tuple(session.axes)
    if len(places) != 2:
        raise ParameterError("The picture's pixels come as one row, so a box in it is not known.", "Undo this edit.")
    x = batch.principal
    height, width = (x.shape[axis] for axis in places)
    x0, y0, x1, y1 = edit["box"]
    if not (x0 < x1 <= width and y0 < y1 <= height):
        raise ParameterError(
            f"The box {list(edit['box'])} is empty or outside the picture.",
            f"Give [x0, y0, x1, y1] with x from 0 to {width} and y from 0 to {height}.",
        )
    here = [slice(None)] * x.dim()
    here[places[0]], here[places[1]] = slice(y0, y1), slice(x0, x1)
    box = tuple(here)
    changed = x.detach().clone()
    if edit["op"] == "blur":
        if not 0 < edit["sigma"] <= WIDEST:
            raise ParameterError(f"A blur of {edit['sigma']:g} pixels is not possible.", f"Give 0 to {WIDEST:g}.")
        changed[box] = _as(blurred(x.float(), places, edit["sigma"]), x)[box]
    else:
        changed[box] = _as(_colour(session, x, places, edit["fill"]), x).expand_as(x)[box]
    return batch.with_principal(changed)


def _as(values: Tensor, like: Tensor) -> Tensor:
    """In the type of the input: whole numbers are rounded."""
    return (values if like.is_floating_point() else values.round()).to(like.dtype)


def _colour(session: Any, x: Tensor, places: tuple[int, ...], fill: str) -> Tensor:
    """What a painted pixel gets, of 1 along ``places``."""
    if fill == "zero":
        return torch.zeros((1,) * x.dim(), device=x.device)
    if fill == "mean":
        return x.float().mean(places, keepdim=True)
    return _shown_as(session, x, places, 1.0 if fill == "white" else 0.0, fill)


def _shown_as(session: Any, x: Tensor, places: tuple[int, ...], shade: float, name: str) -> Tensor:
    """The input that is shown as black (0) or white (1): ``inverse_transform`` is taken for straight lines, a channel
    each, and checked."""
    displays = session.opened.displays
    impossible = ParameterError(
        f"What the model gets for {name} cannot be told from the way pictures are shown.", "Fill with 'mean' or 'zero'."
    )
    if displays is None:
        raise impossible
    scale = displays.scale
    wanted = scale.low + shade * (scale.high - scale.low)
    if displays.undo is None:
        return torch.full((1,) * x.dim(), wanted, device=x.device)
    ends = torch.zeros_like(x[:1]), torch.ones_like(x[:1])
    if not x.is_floating_point():
        ends = ends[0], torch.full_like(x[:1], 255)
    try:
        low, high = (_undone(displays, end[0].cpu()) for end in ends)
        if low.shape != tuple(x.shape[1:]) or scale.high == scale.low:
            raise impossible
        ratio = (wanted - low) / (high - low)
        found = ends[0].cpu().double() + ratio[None] * float(ends[1].reshape(-1)[0])
        again = _undone(displays, _as(found, x.cpu())[0])
    except (SubjectError, RuntimeError):
        raise impossible from None
    if not bool(((again - wanted).abs() <= TOLERANCE * abs(scale.high - scale.low)).all()):
        raise impossible
    return found.mean(places, keepdim=True).to(x.device)


def _undone(displays: Any, value: Tensor) -> Tensor:
    found: Tensor = displays._undone(value).double()
    return found
