"""One layer's running statistics: turns what a pass left behind into a LayerRecord."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from analysis.recording.filters import Staleness, responses
from analysis.recording.perplexity import histogram, perplexity
from analysis.recording.similarity import similarity
from analysis.recording.tallies import Tallies
from analysis.records import LayerMeta, LayerRecord


@dataclass
class Sample:
    """A layer's activations of one record, on the CPU.

    patches: shape (P, F), not yet rectified. maximum: rectified, shape (F,). labels: shape (P,), negative where
    unknown. instances: shape (P,). places: shape (P, positions).
    """

    patches: Tensor
    maximum: Tensor
    labels: Tensor
    instances: Tensor
    places: Tensor
    calls: int


class LayerStatistics:
    """What is accumulated over the records of a layer.

    Args:
        meta: the layer. neighbours: k. decay: weight of the past, per record.
        pair_patches: at most so many patches, evenly spaced, are compared between filters in one record.
    """

    def __init__(self, meta: LayerMeta, neighbours: int, decay: float, pair_patches: int | None = None) -> None:
        self.meta = meta
        self._edges = torch.from_numpy(meta.edges())
        self._staleness = Staleness(meta.filters, meta.theta)
        self._similarity = similarity(meta.filters, neighbours, decay)
        self._tallies = Tallies(meta.filters, decay)
        self._pair_patches = pair_patches
        self._before: tuple[Tensor, Tensor] | None = None

    def record(self, sample: Sample, step: int, wall: float) -> LayerRecord:
        """Take in a sample and describe the layer at ``step``."""
        patches, labels, nonfinite = self._usable(sample)
        found = perplexity(patches)
        shares = responses(patches, sample.maximum, self.meta.beta)
        stale = self._staleness.update(sample.maximum, step)
        self._similarity.update(self._compared(patches))
        nearest, phi = self._similarity.nearest()
        self._tallies.update(patches, labels)
        tally = self._tallies.top()
        instances, places = self._moved(sample)
        return LayerRecord(
            step=step,
            wall=wall,
            histogram=histogram(found, self._edges).numpy(),
            patches=len(sample.patches),
            silent=int(found.isnan().sum()),
            nonfinite=nonfinite,
            maximum=_float(sample.maximum),
            mean=_float(shares.mean),
            frequency=_float(shares.frequency),
            active_share=_float(shares.active_share),
            peak=_float(self._staleness.peak),
            stale_steps=stale.numpy(),
            neighbours=nearest.to(torch.int32).numpy(),
            similarity=_float(phi),
            top_labels=np.ascontiguousarray(tally.labels.numpy()),
            top_tallies=_float(tally.tallies),
            tally_total=_float(tally.total),
            tally_perplexity=_float(tally.perplexity),
            patch_instances=instances,
            patch_positions=places,
            calls=sample.calls,
        )

    def _usable(self, sample: Sample) -> tuple[Tensor, Tensor, int]:
        """Rectified patches without a NaN or infinity, their labels, and how many patches had one."""
        patches, labels, nonfinite = sample.patches, sample.labels, 0
        # A finite sum proves that there is none, in one pass.
        if not bool(patches.sum().isfinite()):
            finite = patches.isfinite().all(dim=1)
            nonfinite = int((~finite).sum())
            patches, labels = patches[finite], labels[finite]
        if self.meta.rectifier == "abs":
            return patches.abs(), labels, nonfinite
        return patches.clamp_min(0), labels, nonfinite

    def _compared(self, patches: Tensor) -> Tensor:
        if self._pair_patches is None or len(patches) <= self._pair_patches:
            return patches
        return patches[:: -(-len(patches) // self._pair_patches)]

    def _moved(self, sample: Sample) -> tuple[np.ndarray, np.ndarray]:
        """Instances and positions of the patches, empty when they are those of the record before, or unknown."""
        now = (sample.instances, sample.places)
        before, self._before = self._before, now
        same = before is not None and all(torch.equal(a, b) for a, b in zip(before, now, strict=True))
        if same or bool((sample.instances < 0).all()):
            return np.zeros(0, np.int32), np.zeros((0, 0), np.int32)
        return now[0].to(torch.int32).numpy(), now[1].to(torch.int32).numpy()


def _float(values: Tensor) -> np.ndarray:
    return np.ascontiguousarray(values.to(torch.float32).numpy())
