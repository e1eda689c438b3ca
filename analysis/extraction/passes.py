"""One shard's passes through the model: batches in, arrays of statistics out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from analysis.errors import CutawayError
from analysis.extraction import shards
from analysis.extraction.pooling import Pooled, pool, valid_steps
from analysis.layerinfo import LayerInfo
from analysis.models.taps import Tap, Taps

Arrays = dict[str, NDArray[Any]]


class BatchError(Exception):
    """Something was raised in a batch. number: which one of its shard, from 0. indices: its instances."""

    def __init__(self, number: int, indices: Sequence[int], cause: Exception) -> None:
        super().__init__(str(cause))
        self.number, self.indices, self.cause = number, list(indices), cause


@dataclass
class Result:
    """What a shard's passes gave: the arguments of ``shards.write_shard``."""

    arrays: Arrays
    skipped: list[tuple[int, str]] = field(default_factory=list)
    unreached: dict[str, int] = field(default_factory=dict)


class Passes:
    """Runs a session's model over shards. Between batches the model has no hooks of it, so that others may use it.

    Args:
        session: see ``analysis.subject.session``. layers: to be read, none with a reason. batch_size: instances, at
            most. full: a directory to write whole activations into, None for none.
    """

    def __init__(self, session: Any, layers: Sequence[LayerInfo], batch_size: int, full: Path | None = None) -> None:
        self._session, self._layers, self._batch_size, self._full = session, list(layers), batch_size, full
        self._writer: shards.Stream | None = None
        self._lengths: tuple[torch.Tensor, int] | None = None
        self._taps = Taps(session.model, self._layers, reduce=self._reduce)

    def run(self, number: int, indices: Sequence[int], after: Callable[[int], None]) -> Result:
        """The passes of one shard. after: called after each batch with the number of instances of the shard so far.

        Raises:
            BatchError: of whatever was raised in a batch.
        """
        rows: list[Arrays] = []
        result = Result({})
        for batch_number, start in enumerate(range(0, len(indices), self._batch_size)):
            wanted = indices[start : start + self._batch_size]
            try:
                batch = self._session.batch(wanted)
                result.skipped += batch.skipped
                if len(batch.indices):
                    rows.append(self._batch(batch, number, batch_number))
            except Exception as error:
                raise BatchError(batch_number, wanted, error) from error
            after(start + len(wanted))
        result.arrays, result.unreached = self._together(rows)
        return result

    def _batch(self, batch: Any, number: int, batch_number: int) -> Arrays:
        n = len(batch.indices)
        padded = padded_steps(batch)
        self._lengths = None if batch.lengths is None else (batch.lengths, padded)
        with self._taps, self._stream(number, batch_number) as self._writer:
            self._taps.begin(n, batch.lengths, padded or None)
            if self._writer is not None:
                self._writer.add("index", np.asarray(batch.indices, np.int64))
            logits = self._session.forward(batch)
            pooled_of = self._taps.take()
        arrays = of_answers(logits, batch.labels, batch.indices)
        for info in self._layers:
            key, found = info.key, pooled_of.get(info.key)
            # What cannot be told apart by instance, or has other filters than elsewhere, counts as not reached.
            if found is None or tuple(found.maximum.shape) != (n, info.filters):
                continue
            pooled = found.fetched()
            arrays[f"max/{key}"], arrays[f"mean/{key}"] = pooled.maximum, pooled.mean  # one and the same without places
            if pooled.where is not None:
                arrays[f"where/{key}"] = pooled.where
            if pooled.length is not None:
                arrays[f"length/{key}"] = pooled.length
        return arrays

    def _stream(self, number: int, batch_number: int) -> AbstractContextManager[shards.Stream | None]:
        """Whole activations go to the disk as they appear: memory holds none but the model's own."""
        if self._full is None:
            return nullcontext()
        names = [f"full/{info.key}" for info in self._layers]
        return shards.Stream(self._full / shards.full_file(number, batch_number), ["index", *names])

    def _reduce(self, info: LayerInfo, tap: Tap) -> Pooled:
        if self._writer is not None:
            self._writer.add(f"full/{info.key}", tap.values.detach().to("cpu", torch.float32).contiguous().numpy())
        lengths = tap.lengths
        if lengths is None and self._lengths is not None and info.kind in ("conv", "recurrent"):
            lengths = valid_steps(*self._lengths, tuple(tap.values.shape[2:]))
        return pool(tap.values, info.rectifier, lengths)

    def _together(self, rows: list[Arrays]) -> tuple[Arrays, dict[str, int]]:
        """The batches' arrays one after the other; where a layer was not reached, NaN."""
        if not rows:
            rows = [of_answers(torch.zeros(0, len(self._session.class_names)), np.zeros(0), np.zeros(0))]
        counts = [len(row["index"]) for row in rows]
        joined = {name: np.concatenate([row[name] for row in rows]) for name in ("index", "label", "logits", "loss")}
        unreached = {}
        for info in self._layers:
            absent = sum(count for row, count in zip(rows, counts, strict=True) if f"max/{info.key}" not in row)
            if absent:
                unreached[info.key] = absent
            for sort in ("max", "mean", "where") if info.spatial else ("max",):
                parts = [self._part(row, sort, info, count) for row, count in zip(rows, counts, strict=True)]
                joined[f"{sort}/{info.key}"] = np.concatenate(parts)
            joined |= self._joined_lengths(info.key, rows, counts)
        return joined, unreached

    def _part(self, row: Arrays, sort: str, info: LayerInfo, count: int) -> NDArray[Any]:
        part = row.get(f"{sort}/{info.key}")
        if part is None:
            shape = (count, info.filters)
            return np.zeros(shape, np.int32) if sort == "where" else np.full(shape, np.nan, np.float32)
        return part

    def _joined_lengths(self, key: str, rows: list[Arrays], counts: list[int]) -> Arrays:
        name = f"length/{key}"
        if not any(name in row for row in rows):
            return {}
        parts = [row.get(name, np.zeros(count, np.int32)) for row, count in zip(rows, counts, strict=True)]
        return {name: np.concatenate(parts)}


def of_answers(logits: torch.Tensor, labels: Any, indices: Any) -> Arrays:
    """'index', 'label', 'logits', 'loss' of a batch; loss in nats, NaN without a label."""
    scores = logits.detach().to("cpu", torch.float32)
    labels, indices = np.array(labels, np.int64), np.array(indices, np.int64)
    if scores.dim() != 2 or len(scores) != len(indices):
        raise CutawayError(
            f"The model yields {tuple(scores.shape)} for {len(indices)} instances, not one row of class scores each.",
            "Say with output= which of its outputs holds them.",
        )
    loss = cross_entropy(scores, torch.from_numpy(labels)).numpy()
    return {"index": indices, "label": labels, "logits": scores.numpy().copy(), "loss": loss}


def cross_entropy(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Loss of each row in nats, float32 (n,), computed in float64; of a single logit that of a yes-or-no answer.

    NaN where the label is none of the classes.
    """
    scores = logits.double()
    if scores.shape[1] == 1:  # a single logit stands against 0
        scores = torch.cat([torch.zeros_like(scores), scores], 1)
    known = (labels >= 0) & (labels < scores.shape[1])
    loss = torch.nn.functional.cross_entropy(scores, torch.where(known, labels, 0), reduction="none")
    return torch.where(known, loss, torch.nan).float()


def padded_steps(batch: Any) -> int:
    """Steps of a padded batch with its padding; 0 if it is not padded."""
    if batch.lengths is None or not len(batch.indices):
        return 0
    longest = int(batch.lengths.max())
    sizes = list(batch.principal.shape[1:])
    if longest in sizes or not sizes:
        return longest
    return min((size for size in sizes if size > longest), default=longest)
