"""States of a layer, step by step: of a batch, and of the whole sample, in one pass of the model for each batch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from analysis.attribution.measures import redrawn
from analysis.data.batch import NO_INDICES, Batch
from analysis.data.collate import valid_lengths
from analysis.data.unpack import MASK
from analysis.layers.passes import batches
from analysis.models.taps import Tap, Taps
from analysis.models.watching import hookable
from analysis.sequences import order
from analysis.sequences.faults import SequenceError, StepsDiffer
from analysis.sequences.sources import Source, source_of, sources
from analysis.sequences.unroll import Seen, seen_in_call, seen_in_loop

__all__ = [
    "Chunk", "NotANumber", "Source", "changes", "of_batch", "previous", "read", "source_of", "sources", "untrained",
    "valid", "valid_input",
]  # fmt: skip


class NotANumber(SequenceError):
    """A state is NaN or infinite."""


@dataclass
class Chunk:
    """States of n instances, as arrays on the CPU.

    states: (n, T, U) float32; what stands behind a sequence's end has no meaning. initial: (n, U) float32, the state
    before the first step, in each unit's direction: as the model gave it, else 0. lengths: valid steps (n,) int64.
    direction: (U,) int8: 1, or -1 for the backward half of a bidirectional layer, whose previous step is t + 1.
    indices: (n,) int64, in the data set. rows: (n,) int64, of the extraction; empty where none was read. batch: what
    the model was called with. logits: (n, K) float32. mask: (n, T) bool where padding does not only stand at the end,
    else None: use ``valid``.
    """

    states: NDArray[np.float32]
    initial: NDArray[np.float32]
    lengths: NDArray[np.int64]
    direction: NDArray[np.int8]
    indices: NDArray[np.int64]
    batch: Batch
    logits: NDArray[np.float32]
    rows: NDArray[np.int64] = field(default_factory=lambda: NO_INDICES.copy())
    mask: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.states)


def valid(chunk: Chunk) -> NDArray[np.bool_]:
    """Which steps are none of the padding, (n, T)."""
    found: NDArray[np.bool_] = np.arange(chunk.states.shape[1]) < chunk.lengths[:, None]
    return found if chunk.mask is None else found & chunk.mask


def previous(chunk: Chunk) -> NDArray[np.float32]:
    """The state one step before, in each unit's direction, (n, T, U)."""
    found = np.empty_like(chunk.states)
    if found.shape[1]:
        for half, first, source, target in halves(chunk):
            found[:, target, half] = chunk.states[:, source, half]
            found[:, first, half] = chunk.initial[:, half]
    return found


def changes(chunk: Chunk) -> NDArray[np.float32]:
    """What each step changed: the state less the one before it, in each unit's direction, (n, T, U); 0 on padding."""
    found = chunk.states.copy()
    if found.shape[1]:
        for half, first, source, target in halves(chunk):
            found[:, target, half] -= chunk.states[:, source, half]
            found[:, first, half] -= chunk.initial[:, half]
        good = valid(chunk)
        if not good.all():
            found[~good] = 0
    return found


def halves(chunk: Chunk) -> Iterator[tuple[slice, int, slice, slice]]:
    """Of each direction: its units, its first step, where the previous steps lie, and of which steps."""
    forward = int((chunk.direction > 0).sum())
    if forward:
        yield slice(0, forward), 0, slice(None, -1), slice(1, None)
    if forward < len(chunk.direction):
        yield slice(forward, None), -1, slice(1, None), slice(None, -1)


def read(session: Any, context: Any, source: Source, message: str) -> Iterator[Chunk]:
    """States of the sample, batch by batch, with rows of its extraction; progress is reported under ``message``.

    Raises:
        SequenceError: as ``of_batch``.
    """
    extraction = session.extraction()
    for batch, rows in batches(session, extraction, context, message):
        chunk = of_batch(session, batch, source)
        chunk.rows = rows
        yield chunk


def of_batch(session: Any, batch: Batch, source: Source) -> Chunk:
    """States of a batch, from one pass of the model.

    The hidden states of the last depth are what the layer yields. Cell states and lower depths, which it does not
    yield, are computed from its input and its weights, and checked against what it yields.

    Raises:
        NotANumber: a state is NaN or infinite; the message names instance and step. StepsDiffer: the layer has other
        steps than the input. SequenceError: the layer was not called, its rows are no instances, or the check fails.
    """
    order.check(session, batch, source)
    watch = _Taken(session, batch, source) if source.form == "layer" else _Watched(session, source)
    with watch:
        logits = session.forward(batch)
    seen = watch.seen()
    n, steps = len(batch.indices), seen.states.shape[1]
    if len(seen.states) != n:
        raise SequenceError(
            f"The layer {source.layer!r} yields {len(seen.states):,} rows for {n:,} instances: rows are no sequences.",
            "Choose another layer.",
        )
    lengths, mask = _padding(session, batch, seen, source)
    directions = np.ones(seen.states.shape[2], np.int8)
    if source.directions == 2:
        directions[len(directions) // 2 :] = -1
    chunk = Chunk(
        _array(seen.states),
        _array(seen.initial),
        np.minimum(lengths, steps),
        directions,
        np.asarray(batch.indices, np.int64),
        batch,
        _array(logits),
        mask=mask,
    )
    _check_numbers(chunk, source)
    return chunk


def _array(values: Tensor) -> NDArray[Any]:
    return np.asarray(values.detach().to("cpu", torch.float32).contiguous().numpy())


class _Watched:
    """Reads a recurrent layer, or a module that is called once a step, while the model runs."""

    def __init__(self, session: Any, source: Source) -> None:
        self._source = source
        self._module: Any = dict(session.model.named_modules(remove_duplicate=False))[source.name]
        self._outputs: list[tuple[Tensor, Tensor | None]] = []
        self._found: Seen | None = None
        self._calls = 0
        self._given: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def __enter__(self) -> _Watched:
        self._hookable = hookable()
        self._hookable.__enter__()
        self._handles = [
            self._module.register_forward_pre_hook(self._enter, with_kwargs=True),
            self._module.register_forward_hook(self._leave),
        ]
        return self

    def __exit__(self, *error: Any) -> None:
        for handle in self._handles:
            handle.remove()
        self._hookable.__exit__(*error)

    def _enter(self, _module: nn.Module, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._given.append((inputs, kwargs))

    def _leave(self, module: Any, _inputs: Any, output: Any) -> None:
        # Here weights and tensors are as the layer saw them; later the model may write into them.
        inputs, kwargs = self._given.pop()
        number = self._calls
        self._calls += 1
        values = dict(zip(("input", "hx"), inputs, strict=False)) | kwargs
        with torch.no_grad():
            if self._source.form == "loop":
                self._outputs.append(seen_in_loop(module, values, output, self._source, first=number == 0))
            elif number == self._source.call:
                self._found = seen_in_call(module, values, output, self._source)

    def seen(self) -> Seen:
        if self._source.form == "loop" and self._outputs:
            rows = {len(values) for values, _ in self._outputs}
            if len(rows) > 1:
                raise SequenceError(
                    f"{self._source.layer!r} gets fewer instances at later steps (from {max(rows)} to {min(rows)}), so "
                    "it cannot be told which they are.",
                    "Let the model keep all instances until the last step, or choose another layer.",
                )
            return Seen(torch.stack([values for values, _ in self._outputs], 1), self._outputs[0][1])
        if self._found is None:
            raise SequenceError(
                f"The layer {self._source.layer!r} was not called for these inputs.", "Choose another layer."
            )
        return self._found


class _Taken:
    """Reads any other layer."""

    def __init__(self, session: Any, batch: Batch, source: Source) -> None:
        self._source = source
        assert source.info is not None  # of this form
        self._taps = Taps(session.model, [source.info])
        self._batch = batch

    def __enter__(self) -> _Taken:
        self._taps.__enter__()
        self._taps.begin(len(self._batch.indices))
        return self

    def __exit__(self, *error: Any) -> None:
        self._tap: Tap | None = self._taps.take().get(self._source.layer)
        self._taps.__exit__(*error)

    def seen(self) -> Seen:
        if self._tap is None or self._tap.values.dim() != 3:
            raise SequenceError(
                f"The layer {self._source.layer!r} yields no state at every step for these inputs.",
                "Choose another layer.",
            )
        values = self._tap.values.movedim(1, 2)
        return Seen(values, values.new_zeros(len(values), values.shape[2]), self._tap.lengths)


def _padding(
    session: Any, batch: Batch, seen: Seen, source: Source
) -> tuple[NDArray[np.int64], NDArray[np.bool_] | None]:
    """Valid steps of each instance (n,), and a mask (n, T) where padding does not only stand at the end."""
    n, steps = seen.states.shape[:2]
    lengths = np.full(n, steps, np.int64)
    if seen.lengths is not None:
        lengths = seen.lengths.cpu().numpy().astype(np.int64)
    if session.kind not in ("text", "series"):
        return lengths, None
    given = batch.principal.shape[session.axes[0]]
    if steps != given and not (seen.lengths is not None and steps < given):
        raise StepsDiffer(
            f"The layer {source.layer!r} has {steps:,} steps where the input has {given:,}, so its states cannot be "
            "told to steps of the input.",
            "Choose another layer.",
        )
    if batch.lengths is not None:
        told = batch.lengths.cpu().numpy().astype(np.int64)
        if seen.lengths is not None and (lengths != told).any() and (np.sort(lengths) == np.sort(told)).all():
            raise SequenceError(
                f"The model puts instances into another order before {source.layer!r}, so it cannot be told which they "
                "are.",
                "Pack them with enforce_sorted=False in the model's forward, which keeps their order.",
            )
        lengths = np.minimum(lengths, told)
    return lengths, _mask(session, batch, steps)


def valid_input(session: Any, batch: Batch) -> NDArray[np.bool_]:
    """Which steps of a batch's input are none of the padding, (n, T), told without a pass of the model."""
    steps = batch.principal.shape[session.axes[0]]
    lengths = np.full(len(batch), steps) if batch.lengths is None else batch.lengths.cpu().numpy()
    found: NDArray[np.bool_] = np.arange(steps) < lengths[:, None]
    mask = _mask(session, batch, steps)
    return found if mask is None else found & mask


def _mask(session: Any, batch: Batch, steps: int) -> NDArray[np.bool_] | None:
    """Of padding in front, or in the middle: told by the model's mask, or by padding ids that come first."""
    given = batch.kwargs.get(MASK)
    if isinstance(given, Tensor):
        if given.dim() != 2 or given.shape[1] < steps or valid_lengths(given) is not None:
            return None
        return (given[:, :steps] != 0).cpu().numpy()
    pad = session.instances.pad_id
    if session.kind != "text" or pad is None:
        return None
    ahead = (batch.principal[:, :steps] == pad).cpu().numpy()
    if not ahead[:, :1].any():
        return None
    found: NDArray[np.bool_] = ~np.logical_and.accumulate(ahead, 1)
    return found


def _check_numbers(chunk: Chunk, source: Source) -> None:
    if np.isfinite(chunk.states.sum(dtype=np.float64)) and np.isfinite(chunk.initial.sum(dtype=np.float64)):
        return
    wrong = np.argwhere(~np.isfinite(chunk.states) & valid(chunk)[..., None])
    if len(wrong):
        row, step, unit = wrong[0].tolist()  # steps are told as the page counts them, from 1
        value = "NaN" if np.isnan(chunk.states[row, step, unit]) else "infinite"
        raise NotANumber(
            f"The {source.state} state of {source.layer!r} is {value} in instance {int(chunk.indices[row]):,} at step "
            f"{step + 1:,} (unit {unit:,}).",
            "Look at what this instance holds there, or choose another layer or checkpoint.",
        )
    chunk.states[~np.isfinite(chunk.states)] = 0  # of padding, which counts nowhere


@contextmanager
def untrained(session: Any, seed: int = 0) -> Iterator[None]:
    """Inside, all weights are random: normal, with the mean and the deviation of each tensor, the same for a seed.

    They are put back bit by bit. What is compared with it shows what training put there.

    Raises:
        SequenceError: the program that the model lives in goes on meanwhile, and would meet random weights.
    """
    if redrawn.busy(session):
        raise SequenceError(
            "The program that holds the model may use it meanwhile, so its weights are left alone.",
            "Serve with block=True, or from a file, to compare with random weights.",
        )
    with redrawn.weights_kept(session):
        redrawn.redraw(
            redrawn.Group("the model", list(session.model.parameters())), torch.Generator().manual_seed(seed)
        )
        yield
