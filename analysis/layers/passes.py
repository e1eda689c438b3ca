"""Passes of a subject's model over the instances of its extraction, batch by batch, in the batches of the extraction.

The same batches give the same logits bit by bit, so that what an extraction holds need not be computed again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from analysis.errors import NotFound
from analysis.extraction.passes import padded_steps
from analysis.extraction.pooling import valid_steps
from analysis.extraction.reader import Extraction
from analysis.extraction.shards import parts
from analysis.layerinfo import LayerInfo
from analysis.models.taps import Tap, Taps


def readable(session: Any, key: str) -> LayerInfo:
    """A layer that can be read. Raises NotFound for another, with the reason."""
    info: LayerInfo = session.infos([key])[0]
    if info.reason:
        raise NotFound(f"The layer {key!r} cannot be read: {info.reason}.", "Choose another layer.")
    return info


def batches(
    session: Any, extraction: Extraction, context: Any, message: str
) -> Iterator[tuple[Any, NDArray[np.int64]]]:
    """The extraction's batches, as it went through them, and the rows of their instances; progress is reported.

    Instances that could not be read then are left out, so is a batch of an extraction's shard that was given up. Where
    ``session.batch_size`` is smaller, memory did not suffice before: then batches have that size.
    """
    planned = extraction.manifest["indices"]
    size = min(int(extraction.manifest["batch_size"]), max(1, int(session.batch_size)))
    done = 0
    for shard in parts(planned, int(extraction.manifest["shard"])):
        for start in range(0, len(shard), size):
            wanted = shard[start : start + size]
            if len(extraction.rows_of(wanted)):
                batch = session.batch(wanted)
                rows = extraction.rows_of(batch.indices)
                if len(rows) and len(rows) == len(batch.indices):
                    yield batch, rows
            done += len(wanted)
            context.progress(done, len(planned), "instances", message)


class Reading:
    """A context in which a model's passes are read, layer by layer, inside the pass: nothing large is kept.

    Args:
        session: the subject. infos: layers. reduce: called with a layer, its ``Tap`` and the batch's rows; what it
            returns is handed out by ``run``. inputs: whether taps hold what the layer gets.
    """

    def __init__(
        self,
        session: Any,
        infos: list[LayerInfo],
        reduce: Callable[[LayerInfo, Tap, NDArray[np.int64]], Any],
        *,
        inputs: bool = False,
    ) -> None:
        self._session, self._reduce = session, reduce
        self._rows: NDArray[np.int64] = np.zeros(0, np.int64)
        self._steps: tuple[Tensor | None, int] = (None, 0)
        self._taps = Taps(session.model, infos, inputs=inputs, reduce=self._take)
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Reading:
        self._stack.enter_context(self._taps)
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.close()

    def run(self, batch: Any, rows: NDArray[np.int64]) -> tuple[Tensor, dict[str, Any]]:
        """One pass: logits (n, C) and what ``reduce`` made of each layer that was called. rows: of the batch."""
        self._rows = rows
        padded = padded_steps(batch)
        self._steps = (batch.lengths, padded)
        self._taps.begin(len(batch.indices), batch.lengths, padded or None)
        logits = self._session.forward(batch)
        return logits, self._taps.take()

    def _take(self, info: LayerInfo, tap: Tap) -> Any:
        if tap.lengths is None and info.kind in ("conv", "recurrent"):
            # As in an extraction: a layer with fewer steps than its padded input.
            steps = valid_steps(*self._steps, tuple(tap.values.shape[2:]))
            tap = Tap(tap.values, steps, tap.input)
        return self._reduce(info, tap, self._rows)


def module_of(session: Any, info: LayerInfo) -> torch.nn.Module:
    """The module of a layer."""
    found: torch.nn.Module = dict(session.model.named_modules(remove_duplicate=False))[info.name]
    return found


def predicted(logits: Tensor) -> NDArray[np.int64]:
    """Class of each row, as an extraction has it: the largest logit; of a single one, whether it is above 0."""
    values = logits.detach().to("cpu", torch.float32).numpy()
    chosen = values[:, 0] > 0 if values.shape[1] == 1 else values.argmax(1)
    return np.asarray(chosen).astype(np.int64)
