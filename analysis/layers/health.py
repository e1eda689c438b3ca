"""What is wrong with a layer's filters, judged from the instances of an extraction and, if it is there, a filter map.

The same questions as ``analysis.training.filters`` asks of a run's records, of one checkpoint and much more data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.extraction.reader import Extraction
from analysis.layerinfo import LayerInfo
from analysis.layers.profiles import ClassProfile, Selectivity, class_profile, selectivity
from analysis.layers.statistics import FilterStatistics, filter_statistics
from analysis.records import FloatArray, IntArray
from analysis.results import Answer
from analysis.training.filters import duplicate_clusters
from analysis.training.findings import Thresholds

HEALTH = ("dead", "always on", "duplicate", "specific", "")  # gravest first, '' when nothing is to be said
MINIMUM = 32  # instances, to judge at all
RESPONSES = 8  # instances that a filter must respond to before it is called specific
NONE = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class Case:
    """A layer as its findings see it.

    pairs: near-duplicates (i, j, phi) with i < j; none without a filter map. frequency: share of sampled patches with
    f > beta * maximum, shape (F,), from the filter map, else None. patches: how many those were.
    """

    info: LayerInfo
    statistics: FilterStatistics
    profile: ClassProfile
    selectivity: Selectivity
    pairs: tuple[tuple[int, int, float], ...]
    frequency: FloatArray | None
    patches: int
    thresholds: Thresholds

    @property
    def judged(self) -> bool:
        """Whether there are enough instances, and it is not the model's output: that is not judged by its filters."""
        return self.statistics.instances >= MINIMUM and not self.info.output

    def clusters(self) -> list[tuple[int, ...]]:
        """Near-duplicate filters, joined by their pairs."""
        return duplicate_clusters(self.pairs)


def case_of(
    extraction: Extraction, key: str, filter_map: Answer | None = None, thresholds: Thresholds | None = None
) -> Case:
    """Read what the findings of a layer rest on. Raises NotFound for an unknown layer.

    filter_map: the answer to the question of that name for this layer; without one, duplicates are not looked for.
    """
    chosen = thresholds or Thresholds()
    statistics = filter_statistics(extraction, key)
    profile = class_profile(extraction, key)
    pairs: tuple[tuple[int, int, float], ...] = ()
    frequency, patches = None, 0
    if filter_map is not None:
        gone = statistics.maximum == 0
        pairs = _pairs(filter_map.array("neighbours"), filter_map.array("phi"), chosen.duplicate_phi, gone)
        frequency, patches = filter_map.array("frequency"), int(filter_map.json["patches"])
    return Case(extraction.layer(key), statistics, profile, selectivity(profile), pairs, frequency, patches, chosen)


def _pairs(neighbours: IntArray, phi: FloatArray, least: float, gone: IntArray) -> tuple[tuple[int, int, float], ...]:
    rows, places = np.nonzero((neighbours >= 0) & (np.nan_to_num(phi, nan=-1.0) >= least))
    others, values = neighbours[rows, places], phi[rows, places]
    found = {
        (min(i, j), max(i, j)): float(value)
        for i, j, value in zip(rows.tolist(), others.tolist(), values.tolist(), strict=True)
        if i != j and not gone[i] and not gone[j]
    }
    return tuple((i, j, value) for (i, j), value in sorted(found.items()))


def dead(case: Case) -> IntArray:
    """Filters that no position of any instance activates, ascending."""
    if not case.judged:
        return NONE
    return np.flatnonzero((case.statistics.maximum == 0) & (case.statistics.nonfinite == 0))


def always_on(case: Case) -> IntArray:
    """Filters near their maximum on almost everything: on patches when a filter map tells, else by instances' means.

    A mean over positions above beta * maximum is asked for, so that a filter that is on somewhere in every instance is
    not blamed.
    """
    if not case.judged:
        return NONE
    shares = case.statistics.steady if case.frequency is None else case.frequency
    with np.errstate(invalid="ignore"):
        return np.flatnonzero((case.statistics.maximum > 0) & (shares >= case.thresholds.degenerate_frequency))


def specific(case: Case) -> IntArray:
    """Filters whose activation comes from one class, the clearest first: its part of the sum of the class means is at
    least halfway between an even share and all of it."""
    classes = int((case.profile.counts > 0).sum())
    if not case.judged or classes < 2:
        return NONE
    enough = np.nan_to_num(case.statistics.active_share) * case.statistics.instances >= RESPONSES
    with np.errstate(invalid="ignore"):
        found = np.flatnonzero(enough & (case.selectivity.share >= 0.5 + 0.5 / classes))
    return found[np.argsort(-case.selectivity.share[found], kind="stable")]


def health(case: Case) -> list[str]:
    """For each filter one of HEALTH: the gravest that applies."""
    found = [""] * case.statistics.filters
    duplicates = sorted({i for pair in case.pairs for i in pair[:2]}) if case.judged else []
    for name, filters in (
        ("specific", specific(case).tolist()),
        ("duplicate", duplicates),
        ("always on", always_on(case).tolist()),
        ("dead", dead(case).tolist()),
    ):
        for i in filters:
            found[i] = name
    return found
