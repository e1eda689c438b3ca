"""What-if edits of series: mute a channel, a span of time, or both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from analysis.data.batch import Batch
from analysis.errors import ParameterError


def applied(session: Any, batch: Batch, edit: Mapping[str, Any]) -> Batch:
    """A batch of one series with a span of one or all channels muted. Raises ParameterError."""
    axis, channels = session.axes[0], session.opened.kind.channels
    x = batch.principal
    steps = int(batch.lengths[0]) if batch.lengths is not None else x.shape[axis]
    number = 1 if channels is None else x.shape[channels]
    first, end = edit["span"]
    if not first < end <= steps:
        raise ParameterError(
            f"The span {list(edit['span'])} is empty or outside the series.",
            f"Give two steps from 0 to {steps:,}, the second one behind the last that is muted.",
        )
    channel = edit["channel"]
    if channel is not None and channel >= number:
        raise ParameterError(f"There is no channel {channel}.", f"Give 0 to {number - 1}, or null for all.")
    changed = x.detach().clone()
    rows = changed.movedim(axis, 1)[0]  # a view: (steps, channels) or (steps,)
    rows = rows if channels is not None else rows[:, None]
    chosen = slice(None) if channel is None else slice(channel, channel + 1)
    filled = _filled(rows[:steps, chosen].double(), first, end, edit["fill"])
    rows[first:end, chosen] = (filled if x.is_floating_point() else filled.round()).to(x.dtype)
    return batch.with_principal(changed)


def _filled(rows: Tensor, first: int, end: int, fill: str) -> Tensor:
    """What stands in steps ``first`` to ``end`` of (steps, channels)."""
    if fill == "zero":
        return torch.zeros_like(rows[first:end])
    if fill == "mean":
        return rows.mean(0, keepdim=True).expand(end - first, -1)
    left = rows[first - 1] if first else rows[min(end, len(rows) - 1)]
    right = rows[end] if end < len(rows) else left
    left = left if first else right
    share = torch.arange(1, end - first + 1, device=rows.device, dtype=rows.dtype)[:, None] / (end - first + 1)
    return left + share * (right - left)
