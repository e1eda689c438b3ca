"""What a model says of the beginning of a sequence: a pass for every length, nothing filled up, so nothing guessed."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from analysis.data.batch import Batch
from analysis.data.unpack import LENGTHS
from analysis.errors import CutawayError
from analysis.jobs.calls import is_memory

MOST = 128  # passes; of longer sequences evenly spaced prefixes are tried
STEPS = 20_000  # steps of all prefixes together
FIXED = "the model takes sequences of one length only"


def of(session: Any, batch: Batch, length: int) -> tuple[NDArray[np.float32] | None, str]:
    """Probabilities (length, C) that the model gives to each class from steps 0..t alone, and why there are none.

    NaN at steps that were left out, of long sequences: evenly spaced ones are tried, and always the last.

    Args:
        batch: of one instance. length: its valid steps.
    """
    axis = session.axes[0]
    found: NDArray[np.float32] | None = None
    for last in _tried(length):
        try:
            logits = session.forward(cut(batch, last + 1, axis))
        except CutawayError as error:
            return None, f"the model cannot answer for the first {last + 1} steps: {error.message.rstrip('.')}"
        except Exception as error:
            if is_memory(error):
                raise
            reason = (str(error).splitlines() or [""])[0][:160]
            return None, f"{FIXED} ({type(error).__name__}: {reason})"
        if found is None:
            found = np.full((length, logits.shape[1]), np.nan, np.float32)
        found[last] = probabilities(logits)[0]
    return found, "" if found is not None else "the sequence has no steps"


def _tried(length: int) -> list[int]:
    """Last steps of the prefixes that are tried, the shortest first."""
    count = min(length, MOST, max(8, 2 * STEPS // max(length, 1)))
    return np.unique(np.linspace(0, length - 1, count).round().astype(np.int64)).tolist() if length else []


def probabilities(logits: Tensor) -> NDArray[np.float32]:
    """Softmax of logits (n, C), float32; of a single one, its sigmoid."""
    values = logits.detach().to("cpu", torch.float64)
    shares = values.sigmoid() if values.shape[1] == 1 else values.softmax(1)
    return shares.float().numpy()


def cut(batch: Batch, steps: int, axis: int) -> Batch:
    """The first steps of a batch of one instance: its input, whatever goes with it step by step, and its lengths."""
    whole = batch.principal.shape[axis]

    def shorter(name: Any, value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        if name == batch.main:
            return value.narrow(axis, 0, steps)
        if name in LENGTHS and value.dim() == 1:
            return torch.full_like(value, steps)
        return value[:, :steps] if value.dim() == 2 and value.shape == (1, whole) else value

    args = tuple(shorter(place, value) for place, value in enumerate(batch.args))
    kwargs = {name: shorter(name, value) for name, value in batch.kwargs.items()}
    lengths = None if batch.lengths is None else torch.full_like(batch.lengths, steps)
    return Batch(args, kwargs, batch.labels, batch.indices, lengths, batch.skipped, batch.main, batch.texts)
