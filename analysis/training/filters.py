"""Which filters of a layer are dead, always on, stale or near-duplicates (DeepEyes, Pezzotti et al., IEEE VIS 2017).

Pure questions about a layer's records, shared by the findings (sentences) and the summary (badges).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.records import IntArray, LayerMeta, LayerRecord
from analysis.training.findings import Thresholds

NONE = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class LayerCase:
    """A layer as its rules see it. records: those with enough patches to judge, in the order written."""

    meta: LayerMeta
    records: tuple[LayerRecord, ...]
    thresholds: Thresholds

    @classmethod
    def of(cls, meta: LayerMeta, records: Sequence[LayerRecord], thresholds: Thresholds) -> LayerCase:
        """Keep the records of at least ``minimum_patches`` patches: a handful of patches proves nothing."""
        return cls(meta, tuple(r for r in records if r.patches >= thresholds.minimum_patches), thresholds)

    def last(self, count: int) -> tuple[LayerRecord, ...]:
        """The last ``count`` records, or none when there are fewer."""
        return self.records[-count:] if len(self.records) >= count else ()

    @property
    def latest(self) -> LayerRecord:
        return self.records[-1]


def dead(case: LayerCase) -> IntArray:
    """Filters whose largest activation was 0 in each of the last ``dead_records`` records, ascending."""
    recent = case.last(case.thresholds.dead_records)
    if not recent or case.meta.output:
        return NONE
    return np.flatnonzero(np.all([r.maximum == 0 for r in recent], axis=0))


def dead_since(case: LayerCase, filters: IntArray) -> IntArray:
    """For each of these dead filters, the index in ``case.records`` of the first record of its silence."""
    quiet = np.stack([r.maximum[filters] == 0 for r in case.records])  # (n, len(filters))
    reverse = quiet[::-1]
    lengths = np.where(reverse.all(axis=0), len(quiet), np.argmin(reverse, axis=0))
    return len(quiet) - lengths


def degenerate(case: LayerCase) -> IntArray:
    """Filters near their maximum on almost every patch: frequency >= threshold in each of the last records.

    Their activation hardly varies: at that frequency at least 95% of patches lie between beta and 1 times the maximum.
    """
    recent = case.last(case.thresholds.steady_records)
    if not recent or case.meta.output:
        return NONE
    limit = case.thresholds.degenerate_frequency
    return np.flatnonzero(np.all([(r.maximum > 0) & (r.frequency >= limit) for r in recent], axis=0))


def stale(case: LayerCase) -> IntArray:
    """Filters that were active, and have long been far from their peak, without being dead."""
    t = case.thresholds
    if len(case.records) < t.stale_records or case.meta.output:
        return NONE
    latest = case.latest
    span = latest.step - min(r.step for r in case.records)
    if span <= 0:
        return NONE
    # The least fall of all recent records, so that one weak batch makes nobody stale.
    recent = np.max([r.maximum for r in case.last(t.steady_records)], axis=0)
    old = (latest.stale_steps > 0) & (latest.stale_steps >= t.stale_steps_share * span)
    return np.setdiff1d(np.flatnonzero(old & (recent <= t.stale_level * latest.peak)), dead(case))


def duplicate_pairs(case: LayerCase) -> list[tuple[int, int, float]]:
    """Pairs (i, j, phi) with i < j whose similarity reached the threshold in each of the last records.

    phi = sum min(f_i, f_j) / sum max(f_i, f_j) over patches, the latest value. Dead filters have no pair.
    """
    recent = case.last(case.thresholds.steady_records)
    if not recent or case.meta.output or case.meta.filters < 2:
        return []
    found = [_pairs_of(record, case.thresholds.duplicate_phi) for record in recent]
    gone = set(np.flatnonzero(case.latest.maximum == 0).tolist())
    kept = set.intersection(*(set(pairs) for pairs in found))
    return [(i, j, found[-1][i, j]) for i, j in sorted(kept) if i not in gone and j not in gone]


def _pairs_of(record: LayerRecord, phi: float) -> dict[tuple[int, int], float]:
    rows, places = np.nonzero((record.neighbours >= 0) & (record.similarity >= phi))
    others, values = record.neighbours[rows, places], record.similarity[rows, places]
    return {
        (min(i, j), max(i, j)): v
        for i, j, v in zip(rows.tolist(), others.tolist(), values.tolist(), strict=True)
        if i != j
    }


def duplicate_clusters(pairs: Sequence[tuple[int, int, float]]) -> list[tuple[int, ...]]:
    """Filters joined by pairs, each cluster ascending, clusters by their first filter."""
    root: dict[int, int] = {}

    def find(i: int) -> int:
        while root.setdefault(i, i) != i:
            root[i] = root[root[i]]
            i = root[i]
        return i

    for i, j, _ in pairs:
        a, b = find(i), find(j)
        root[max(a, b)] = min(a, b)
    clusters: dict[int, list[int]] = {}
    for i in sorted(root):
        clusters.setdefault(find(i), []).append(i)
    return [tuple(members) for members in clusters.values()]


def silent_share(record: LayerRecord) -> float:
    """Share of sampled patches on which every filter is 0, NaN without patches."""
    return record.silent / record.patches if record.patches else float("nan")
