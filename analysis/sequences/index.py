"""Answers ``sequence_index``: every state of the sample as one byte, unit by unit, so that moments are found at once.

A byte says how large a state is against the unit's own large states. That is exact for the question asked of it, "is it
on?": thresholds are multiples of a hundredth, and so are the bytes, rounded towards 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.sequences import states
from analysis.sequences.faults import SequenceError
from analysis.sequences.sources import Source

GRAIN = 100  # parts of a unit's scale that are told apart
PERCENTILE = 99
MEASURED = 256  # instances, evenly spaced, of which the scale is taken
NUMBERS = 1 << 26  # states that are held for it; of longer sequences every other, third, ... step is measured
LARGEST = 1 << 30  # bytes of an index


def scales(session: Any, context: Any, source: Source) -> NDArray[np.float32]:
    """What counts as large in each unit, (U,): the 99th percentile of |h| over steps of up to 256 instances."""
    indices = np.asarray(session.extraction().indices)
    chosen = indices[np.unique(np.linspace(0, len(indices) - 1, min(MEASURED, len(indices))).astype(np.int64))]
    found: list[NDArray[np.float32]] = []
    for start in range(0, len(chosen), session.batch_size):
        context.progress(start, len(chosen), "instances", "Measuring how large states are")
        batch = session.batch(chosen[start : start + session.batch_size])
        if len(batch):
            chunk = states.of_batch(session, batch, source)
            every = max(1, -(-len(chosen) * chunk.states[0].size // NUMBERS))
            found.append(np.abs(chunk.states[:, ::every][states.valid(chunk)[:, ::every]]))
    sizes = np.concatenate(found) if found else np.zeros((0, source.units), np.float32)
    if not len(sizes):
        raise SequenceError("No instance of the sample has a step: all are empty or padding.", "Choose a larger one.")
    return np.percentile(sizes, PERCENTILE, axis=0, overwrite_input=True).astype(np.float32)


def coded(values: NDArray[np.float32], scale: NDArray[np.float32]) -> NDArray[np.int8]:
    """States (..., U) in hundredths of each unit's scale, rounded towards 0, at most 1.27 of it."""
    parts = np.divide(GRAIN * values.astype(np.float64), scale, out=np.zeros(values.shape), where=scale > 0)
    # A state that is the threshold itself stays so in spite of the division.
    return np.clip(np.trunc(parts + np.sign(parts) * 2e-5), -127, 127).astype(np.int8)


def _by_unit(parts: list[NDArray[np.int8]], units: int) -> NDArray[np.int8]:
    """Codes (U, S) of parts (s, U), which are given up one by one, so that there are never two copies of all."""
    found = np.empty((units, sum(len(part) for part in parts)), np.int8)
    first, parts[:] = 0, parts[::-1]
    while parts:
        part = parts.pop()
        found[:, first : first + len(part)] = part.T
        first += len(part)
    return found


def sequence_index(
    session: Any, context: Any, *, layer: str, state: str, depth: int
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """States of the sample for the search of similar moments.

    Returns:
        {'units', 'steps': S, 'sequences': n}; arrays 'codes' (U, S) int8, see ``coded``; 'scale' (U,) float32; 'step'
        (S,) int32, place in its instance; 'offset' (n + 1,) int64, where each instance begins; 'row' (n,) int64, of the
        extraction; 'direction' (U,).

    Raises:
        NotFound, ParameterError: no such layer, state or depth. SequenceError: as ``states.of_batch``, no steps, or
            more than fit into memory.
    """
    source = states.source_of(session, layer, state, depth)
    scale = scales(session, context, source)
    codes: list[NDArray[np.int8]] = []
    places: list[NDArray[np.int32]] = []
    lengths: list[int] = []
    rows: list[int] = []
    size = 0
    direction = np.ones(len(scale), np.int8)
    for chunk in states.read(session, context, source, "Noting which units are on"):
        good, direction = states.valid(chunk), chunk.direction
        codes.append(coded(chunk.states[good], scale))
        places.append(np.nonzero(good)[1].astype(np.int32))
        lengths += good.sum(1).tolist()
        rows += chunk.rows.tolist()
        size += codes[-1].size
        if size > LARGEST:
            raise SequenceError(
                f"The states of {len(rows):,} instances already fill {LARGEST >> 30} GB.", "Choose a smaller sample."
            )
    arrays: dict[str, NDArray[Any]] = {
        "codes": _by_unit(codes, len(scale)),
        "scale": scale,
        "step": np.concatenate(places),
        "offset": np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        "row": np.array(rows, np.int64),
        "direction": direction,
    }
    return {"units": len(scale), "steps": int(sum(lengths)), "sequences": len(rows)}, arrays
