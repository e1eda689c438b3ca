"""A layer in a few numbers: what its badges show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.records import LayerMeta, LayerRecord
from analysis.training import filters as ask
from analysis.training.filters import LayerCase
from analysis.training.findings import Thresholds
from analysis.training.stability import Stability, stability


@dataclass(frozen=True)
class LayerSummary:
    """Counts of filters by state. duplicates: filters that could go if one of each near-duplicate group stays.

    step, patches, silent_share: of the latest record; None, 0 and NaN without one. records: how many there are.
    """

    name: str
    filters: int
    dead: int
    degenerate: int
    stale: int
    duplicates: int
    stability: Stability
    step: int | None
    patches: int
    silent_share: float
    records: int


def layer_summary(
    meta: LayerMeta, records: Sequence[LayerRecord], thresholds: Thresholds | None = None
) -> LayerSummary:
    """The badges of a layer. records: those of the layer, in the order written; none is allowed."""
    t = thresholds or Thresholds()
    case = LayerCase.of(meta, records, t)
    clusters = ask.duplicate_clusters(ask.duplicate_pairs(case))
    return LayerSummary(
        name=meta.name,
        filters=meta.filters,
        dead=len(ask.dead(case)),
        degenerate=len(ask.degenerate(case)),
        stale=len(ask.stale(case)),
        duplicates=sum(len(cluster) - 1 for cluster in clusters),
        stability=stability(
            [r.step for r in records],
            np.array([r.histogram for r in records]),
            [r.silent for r in records],
            t.stable_distance,
            t.stable_records,
        ),
        step=records[-1].step if records else None,
        patches=records[-1].patches if records else 0,
        silent_share=ask.silent_share(records[-1]) if records else float("nan"),
        records=len(records),
    )
