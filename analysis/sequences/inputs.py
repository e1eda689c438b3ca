"""What a batch holds at each step: ids of texts, numbers of series, in the units of the model and in those shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from analysis.data.batch import Batch
from analysis.sequences.states import valid_input

LEARNED = 512  # instances of the sample from which bins and motifs are learnt, evenly spaced
LEARNED_VALUES = 1 << 24  # numbers that are held for it, at most


def values_of(session: Any, batch: Batch) -> Tensor:
    """Series as they go into the model, float32 (n, T, C)."""
    x = batch.principal.detach().to("cpu", torch.float32)
    if x.dim() == 2:
        return x[..., None]
    return x.movedim(session.axes[0], 1)


def ids_of(batch: Batch) -> Tensor:
    """Ids of texts, int64 (n, T)."""
    return batch.principal.detach().to("cpu", torch.int64)


def channel_names(session: Any, channels: int) -> list[str]:
    """Names of a series' channels; '' for a single one without a name."""
    given = session.subject.feature_names
    if given and len(given) == channels:
        return list(given)
    return [""] if channels == 1 else [f"channel {number}" for number in range(channels)]


@dataclass(frozen=True)
class Lesson:
    """Some series of the sample, without padding behind. values: (T, C) of each, as they go into the model. shown:
    (C', T) in shown units, C' = C; where they cannot be shown so, the same numbers. channels: names."""

    values: list[NDArray[np.float32]]
    shown: list[NDArray[np.float32]]
    channels: list[str]


def lesson(session: Any, context: Any) -> Lesson:
    """Series from all over the sample; padding in front or in the middle is NaN. No pass of the model is made."""
    indices = np.asarray(session.extraction().indices)
    count = min(LEARNED, len(indices))
    chosen = indices[np.unique(np.linspace(0, len(indices) - 1, count).astype(np.int64))] if count else indices
    values: list[NDArray[np.float32]] = []
    shown: list[NDArray[np.float32]] = []
    held = 0
    for start in range(0, len(chosen), session.batch_size):
        context.progress(start, len(chosen), "instances", "Learning states of the input")
        batch = session.batch(chosen[start : start + session.batch_size])
        if not len(batch):
            continue
        given = values_of(session, batch).numpy()
        good = valid_input(session, batch)
        for row, index in enumerate(batch.indices.tolist()):
            length = given.shape[1] if batch.lengths is None else int(batch.lengths[row])
            values.append(np.where(good[row, :length, None], given[row, :length], np.float32(np.nan)))
            picture = np.asarray(session.display(index), np.float32)
            shown.append(picture if picture.shape == values[-1].T.shape else values[-1].T)
            held += values[-1].size
        if held > LEARNED_VALUES:
            break
    channels = values[0].shape[1] if values else 1
    return Lesson(values, shown, channel_names(session, channels))
