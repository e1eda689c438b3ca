"""How strongly and how often each filter responds to the instances of an extraction (DeepEyes, IEEE VIS 2017).

F filters, n instances. Activations are rectified; an instance counts by its maximum over positions unless said
otherwise. Instances with a NaN or infinite activation are left out of the numbers of that filter, and counted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.extraction.reader import Extraction
from analysis.records import FloatArray, IntArray

BETA = 0.5
_ELEMENTS = 1 << 20  # of one temporary block, so that many instances of a wide layer cost little memory


@dataclass(frozen=True)
class FilterStatistics:
    """Every filter of a layer over n instances; arrays have shape (F,), NaN where a filter has no finite value.

    maximum: mu, the largest activation. mean: over instances and positions. frequency: share of instances whose
    maximum exceeds beta * mu. steady: share of instances whose mean over positions exceeds beta * mu (the same as
    frequency for a layer without positions). active_share: share of instances with an activation above 0.
    nonfinite: instances with a NaN or infinite activation.
    """

    key: str
    instances: int
    beta: float
    maximum: FloatArray
    mean: FloatArray
    frequency: FloatArray
    steady: FloatArray
    active_share: FloatArray
    nonfinite: IntArray

    @property
    def filters(self) -> int:
        """F."""
        return len(self.maximum)


def filter_statistics(extraction: Extraction, key: str, beta: float = BETA) -> FilterStatistics:
    """The statistics of a layer's filters over the instances of an extraction, as far as it has come.

    beta: share of the maximum above which a filter counts as responding, in [0, 1].
    """
    highest, means = extraction.maximum(key), extraction.mean(key)
    count, filters = highest.shape
    made = {name: np.full(filters, np.nan) for name in ("maximum", "mean", "frequency", "steady", "active_share")}
    nonfinite = np.zeros(filters, dtype=np.int64)
    width = max(1, _ELEMENTS // max(count, 1))
    for start in range(0, filters if count else 0, width):
        part = slice(start, start + width)
        top, mean = highest[:, part], means[:, part]
        good = np.isfinite(top) & np.isfinite(mean)
        number = good.sum(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            mu = np.where(number > 0, np.where(good, top, -np.inf).max(axis=0), np.nan)
            made["maximum"][part] = mu
            made["mean"][part] = np.where(good, mean, 0).sum(axis=0, dtype=np.float64) / number
            made["frequency"][part] = ((top > beta * mu) & good).sum(axis=0) / number
            made["steady"][part] = ((mean > beta * mu) & good).sum(axis=0) / number
            made["active_share"][part] = ((top > 0) & good).sum(axis=0) / number
        nonfinite[part] = count - number
    return FilterStatistics(key=key, instances=count, beta=beta, nonfinite=nonfinite, **made)


@dataclass(frozen=True)
class TopInstances:
    """The instances that activate one filter most, strongest first, k of them.

    rows: in the extraction; indices: in the data set; values: the activation; positions: where in the layer's
    positions the maximum lies, shape (k, d), d = 0 without positions.
    """

    rows: IntArray
    indices: IntArray
    values: FloatArray
    positions: IntArray


def top_instances(extraction: Extraction, key: str, filter_index: int, count: int = 16) -> TopInstances:
    """The instances with the largest activation of a filter; those it does not respond to are left out.

    Raises NotFound for an unknown layer, IndexError for an unknown filter.
    """
    info = extraction.layer(key)
    values = np.asarray(extraction.maximum(key)[:, filter_index], dtype=np.float64)
    values = np.where(np.isfinite(values), values, 0)
    rows = np.argsort(-values, kind="stable")[:count]
    rows = rows[values[rows] > 0]
    positions = np.zeros((len(rows), len(info.spatial)), dtype=np.int64)
    if info.spatial and len(rows):
        flat = np.asarray(extraction.where(key)[rows, filter_index], dtype=np.int64)
        flat = np.clip(flat, 0, int(np.prod(info.spatial)) - 1)
        positions = np.stack(np.unravel_index(flat, info.spatial), axis=1)
    return TopInstances(rows, np.asarray(extraction.indices)[rows], values[rows], positions)
