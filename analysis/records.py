"""What is recorded and what is answered: plain, immutable values with their shapes and units.

Imports numpy only, so that a training script, the store, the questions and the web process can all share it.
Symbols: F filters (channels, units) of a layer, P sampled receptive-field patches, B histogram bins, k neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

SCHEMA_VERSION = 1

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Damage:
    """A place in a run's files that cannot be read.

    kind: 'partial' (the tail is incomplete: a crash, or a write still under way), 'corrupt' (a checksum differs),
    'missing' (the file went away), 'unreadable' (the system refuses to read it).
    file: path relative to the run; record: index of the first record not shown; offset: its byte offset.
    """

    kind: str
    file: str
    record: int
    offset: int
    detail: str = ""

    def sentence(self) -> str:
        """One sentence for the page."""
        where = f"{self.file}, record {self.record:,} (byte {self.offset:,})"
        text = {
            "partial": f"The last record is incomplete in {where}; everything before it is shown.",
            "corrupt": f"A checksum differs in {where}; everything before it is shown.",
            "missing": f"{self.file} is gone.",
            "unreadable": f"{self.file} cannot be read.",
        }[self.kind]
        return f"{text} {self.detail}".strip()


@dataclass(frozen=True)
class Scalars:
    """Records of one tag, in the order written. All arrays have length n.

    cursor: opaque text; pass it back as ``since`` to get only what was written after.
    """

    steps: IntArray
    walls: FloatArray  # seconds since the epoch
    values: FloatArray  # float64, NaN and infinities kept
    segments: IntArray  # number of the segment (one per opening of the run), from 1
    cursor: str
    damage: tuple[Damage, ...] = ()


@dataclass(frozen=True)
class LayerMeta:
    """A watched layer. Written once per segment.

    name: dotted ``named_modules()`` name. kind: 'conv', 'linear', 'recurrent' or 'other'. type: the module's class.
    order: position in the network (order of first call). rectifier: how activations were made non-negative before the
    statistics: 'relu', 'abs', or 'softmax' (the model's output layer). read_after: dotted name of the module whose
    output was read (a normalisation that follows the layer, or the layer itself). output: it yields the model's output.
    spatial: shape of the positions a patch can be taken from, () for one per instance.
    beta, theta: thresholds of frequency and staleness (DeepEyes). bins: number of histogram bins.
    """

    name: str
    kind: str
    type: str
    filters: int
    order: int
    rectifier: str = "relu"
    read_after: str = ""
    output: bool = False
    spatial: tuple[int, ...] = ()
    beta: float = 0.5
    theta: float = 0.8
    bins: int = 32
    parameters: int = 0

    def edges(self) -> FloatArray:
        """Bin edges of the perplexity histogram, shape (bins + 1,), from 1 to the number of filters."""
        return np.linspace(1.0, max(float(self.filters), 1.0 + 1e-9), self.bins + 1)


@dataclass(frozen=True)
class LayerRecord:
    """One watched layer at one step, computed over P sampled receptive-field patches (DeepEyes, VIS 2017).

    histogram: counts of patches per perplexity bin, shape (B,), edges from ``LayerMeta.edges()``; silent and nonfinite
    patches are not in it. silent: patches on which every filter is 0 (perplexity undefined). nonfinite: patches with a
    NaN or infinite activation.
    maximum: mu_i, largest activation over all positions of this record's instances. mean: over sampled patches.
    frequency: share of sampled patches with f_i > beta * mu_i. active_share: share with f_i > 0.
    peak: largest activation since recording began. stale_steps: steps since the filter last exceeded theta * peak
    (0 = at this step), -1 if it never was active. calls: how often the layer ran (more than 1 when reused).
    neighbours, similarity: the k most similar filters and phi_ij = sum min / sum max over patches, decayed sums;
    shape (F, k); -1 / NaN where there is none. top_labels, top_tallies: the labels with most t_i[label] += f_i(p),
    shape (F, m), -1 where none; tally_total: sum over all labels; tally_perplexity: 2^entropy of t_i, NaN if undefined.
    patch_instances: index of each patch's instance in the probe (or the caller's instance ids), shape (P,).
    patch_positions: its position in ``spatial``, shape (P, len(spatial)). Both empty when they equal the record before.
    """

    step: int
    wall: float
    histogram: IntArray
    patches: int
    silent: int
    nonfinite: int
    maximum: FloatArray
    mean: FloatArray
    frequency: FloatArray
    active_share: FloatArray
    peak: FloatArray
    stale_steps: IntArray
    neighbours: IntArray
    similarity: FloatArray
    top_labels: IntArray
    top_tallies: FloatArray
    tally_total: FloatArray
    tally_perplexity: FloatArray
    patch_instances: IntArray = field(default_factory=lambda: np.zeros(0, np.int32))
    patch_positions: IntArray = field(default_factory=lambda: np.zeros((0, 0), np.int32))
    calls: int = 1


@dataclass(frozen=True)
class Note:
    """Something the recorder wants known: records that were not written, a layer that was not called, a stretched
    interval. kind: 'dropped', 'warning' or 'info'."""

    kind: str
    message: str
    step: int
    wall: float


@dataclass(frozen=True)
class Checkpoint:
    """Weights saved by the recorder. name: file name without suffix; bytes: size on disk."""

    name: str
    step: int
    wall: float
    segment: int
    bytes: int


@dataclass(frozen=True)
class Segment:
    """One opening of a run by a recorder. first_step and last_step are None until something is recorded."""

    number: int
    started: float
    config: dict[str, Any]
    host: str
    pid: int
    finished: float | None = None
    reason: str | None = None  # 'finished', or the name of the exception that ended the training


@dataclass(frozen=True)
class RunInfo:
    """What a list of runs shows. id: opaque, stable when the directory is renamed.

    status: 'running', 'finished', 'interrupted' (cancelled, or Ctrl-C), 'failed' (closed by another exception),
    'stopped updating', or 'unreadable' (then error says why). updated: time of the last write, seconds since the epoch.
    """

    id: str
    name: str
    status: str
    created: float
    updated: float
    segments: int
    config: dict[str, Any]
    error: str = ""
