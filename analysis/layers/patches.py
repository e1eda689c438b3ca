"""Answers ``patches``: what a layer sees and answers at positions spread over the sample (DeepEyes, D5).

The same patches serve the input map, the filter map and the search for what nobody detects.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from analysis.errors import NotFound, ParameterError
from analysis.extraction.reader import Extraction
from analysis.extraction.sample import choose
from analysis.layerinfo import LayerInfo
from analysis.layers.passes import Reading, batches, module_of, readable
from analysis.layers.principal import principal
from analysis.layers.sketch import Sketch
from analysis.layers.windows import windows
from analysis.models.taps import Tap, rectify
from analysis.recording import positions
from analysis.recording.capture import unravel

COUNT = 2048
MOST = 20_000
REDUCED = 50  # dimensions that maps are made of
BYTES = 256 << 20  # of activations


def patches(
    session: Any, context: Any, *, layer: str, count: int = COUNT
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Sample patches of a layer: spread over the sample's instances, and over the positions of each.

    An instance with fewer positions than its share gives each of them once, and activations take at most 256 MB, so
    that there may be fewer than ``count``. What the layer gets is sketched where it would take more than 128 MB.

    Returns:
        {'layer', 'patches': P, 'variance': shares explained by the components of 'reduced', 'patch_shape': of what the
        layer gets at a position, 'what': 'window', 'vector', 'pooled' or 'output', 'sketched': dimensions, or None,
        'nonfinite': patches with a NaN or infinite activation, 'random_state'} and
        {'instance': int64 (P,), 'position': int32 (P, d), 'activation': float32 (P, F) rectified, 'pca': (P, 2) and
        'reduced': (P, <= 50) of what the layer gets, 'label', 'prediction': int64 (P,)}.

    Raises:
        NotFound: no such layer, or no instance reaches it. ParameterError: count is out of range.
    """
    if not 16 <= count <= MOST:
        raise ParameterError(f"{count} patches cannot be sampled.", f"Choose from 16 to {MOST:,}.")
    info, extraction, seed = readable(session, layer), session.extraction(), int(session.sample["random_state"])
    count = min(count, max(16, BYTES // (4 * max(info.filters, 1))))
    sampler = _Sampler(session, info, extraction, count, seed)
    with Reading(session, [info], sampler.take, inputs=True) as reading:
        for batch, rows in batches(session, extraction, context, "Sampling patches"):
            if sampler.wanted[rows].any():
                reading.run(batch, rows)
    if not sampler.rows:
        raise NotFound(f"No instance of the sample reaches {layer}.", "Choose another layer.")
    rows, activation = np.concatenate(sampler.rows), np.concatenate(sampler.activations)
    context.progress(1, 1, "steps", "Principal components")
    given = np.concatenate(sampler.inputs)
    sampler.inputs.clear()
    np.nan_to_num(given, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    reduced, variance = principal(given, REDUCED, seed)
    reduced = np.pad(reduced, ((0, 0), (0, max(0, 2 - reduced.shape[1]))))
    value = {
        "layer": layer,
        "patches": len(rows),
        "variance": [float(share) for share in variance],
        "patch_shape": list(sampler.shape),
        "what": sampler.what,
        "sketched": sampler.sketch.width,
        "nonfinite": int((~np.isfinite(activation).all(axis=1)).sum()),
        "random_state": seed,
    }
    arrays = {
        "instance": np.asarray(extraction.indices)[rows],
        "position": np.concatenate(sampler.places).astype(np.int32),
        "activation": activation,
        "pca": reduced[:, :2].copy(),
        "reduced": reduced,
        "label": np.asarray(extraction.labels)[rows],
        "prediction": np.asarray(extraction.predictions)[rows],
    }
    return value, arrays


def shares(rows: int, count: int, places: int, labels: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """How many patches each instance gives, shape (rows,): ``count`` in all as far as there are positions, evenly,
    with what remains on a stratified choice of instances."""
    wanted = min(count, rows * places)
    wished = np.full(rows, wanted // max(rows, 1), dtype=np.int64)
    if wanted % max(rows, 1):
        wished[choose(labels, wanted % rows, seed)] += 1
    return wished


class _Sampler:
    """Takes its share of patches from every batch."""

    def __init__(self, session: Any, info: LayerInfo, extraction: Extraction, count: int, seed: int) -> None:
        self._module = module_of(session, info)
        places = int(np.prod(info.spatial)) if info.spatial else 1
        self.wanted = shares(extraction.done, count, places, np.asarray(extraction.labels), seed)
        most = int(self.wanted.max(initial=1))
        self._numbers = positions.draw(extraction.done, most, torch.Generator().manual_seed(seed))
        self.rows: list[NDArray[np.int64]] = []
        self.places: list[NDArray[np.int64]] = []
        self.activations: list[NDArray[np.float32]] = []
        self.inputs: list[NDArray[np.float32]] = []
        self.shape: tuple[int, ...] = ()
        self.what = ""
        self.sketch = Sketch(count, seed)

    def take(self, info: LayerInfo, tap: Tap, rows: NDArray[np.int64]) -> None:
        """Reads the patches of a batch inside its pass."""
        shape = tuple(tap.values.shape[2:])
        total = int(np.prod(shape)) if shape else 1
        if len(tap.values) != len(rows) or total == 0:
            return
        lengths: Tensor | int = total
        if tap.lengths is not None and len(shape) == 1:
            lengths = tap.lengths.to("cpu").clamp(0, total)
        flat, valid = positions.choose(self._numbers[rows], lengths)
        wanted = torch.from_numpy(self.wanted[rows])
        kept = torch.arange(flat.shape[1]) < wanted[:, None]
        kept = kept if valid is None else kept & valid
        row = torch.arange(len(rows))[:, None].expand_as(flat)[kept]
        place = unravel(flat[kept], shape) if len(shape) > 1 else [flat[kept]] if shape else []
        device = tap.values.device
        at, where = row.to(device), [axis.to(device) for axis in place]
        answer = tap.values.movedim(1, -1)[(at, *where)].float()
        self.activations.append(_array(rectify(answer, info.rectifier)))
        seen = windows(self._module, tap, at, where)
        self.shape, self.what = seen.shape, seen.what
        self.inputs.append(self.sketch(_array(seen.values)))
        self.rows.append(rows[row.numpy()])
        self.places.append(
            np.stack([axis.numpy() for axis in place], axis=1) if place else np.zeros((len(row), 0), int)
        )


def _array(values: Tensor) -> NDArray[np.float32]:
    found: NDArray[np.float32] = values.detach().to("cpu", torch.float32).contiguous().numpy()
    return found
