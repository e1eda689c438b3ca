"""How each filter responds to each class: means, distributions and tallies over the instances of an extraction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.errors import ParameterError
from analysis.extraction.reader import Extraction
from analysis.records import FloatArray, IntArray

NAMED_CLASSES = 64  # up to so many, classes without an instance are shown as well, empty
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_BLOCK = 1 << 20


@dataclass(frozen=True)
class ClassProfile:
    """Mean activation of each filter by class.

    labels: the classes, ascending, shape (C,); names: what they are called; counts: instances of each, shape (C,).
    means: shape (F, C), of instances' maxima (or means); NaN where a class has no instance: empty, not 0.
    """

    labels: IntArray
    names: tuple[str, ...]
    counts: IntArray
    means: FloatArray


@dataclass(frozen=True)
class ClassDistribution:
    """One filter on the instances of one class. quantiles: at 5, 25, 50, 75 and 95 %; NaN when count is 0."""

    label: int
    name: str
    count: int
    mean: float
    quantiles: tuple[float, float, float, float, float]


def class_name(names: list[str], label: int) -> str:
    """What a class is called; its number when it has no name."""
    return names[label] if 0 <= label < len(names) else str(label)


def groups(extraction: Extraction, by: str = "label") -> NDArray[np.int64]:
    """The class of each instance, shape (n,), -1 where unknown. by: 'label' or 'prediction'.

    Raises ParameterError for anything else.
    """
    if by not in ("label", "prediction"):
        raise ParameterError(f"Instances cannot be grouped by {by!r}.", "Choose 'label' or 'prediction'.")
    return np.asarray(extraction.labels if by == "label" else extraction.predictions, dtype=np.int64)


def class_profile(extraction: Extraction, key: str, by: str = "label", of: str = "maximum") -> ClassProfile:
    """Mean activation of every filter by class.

    of: 'maximum' (of an instance over positions) or 'mean' (over positions). NaN and infinite values are left out.
    """
    values = extraction.maximum(key) if of == "maximum" else extraction.mean(key)
    member = groups(extraction, by)
    labels = np.unique(member[member >= 0])
    if len(extraction.class_names) <= NAMED_CLASSES:
        labels = np.union1d(labels, np.arange(len(extraction.class_names)))
    order = np.argsort(member, kind="stable")
    order = order[member[order] >= 0]
    counts = np.array([(member == label).sum() for label in labels], dtype=np.int64)
    ends = np.cumsum(counts)
    means = np.full((values.shape[1], len(labels)), np.nan)
    for place, (start, end) in enumerate(zip(ends - counts, ends, strict=True)):
        means[:, place] = _column_means(values, order[start:end])
    return ClassProfile(labels, tuple(class_name(extraction.class_names, i) for i in labels.tolist()), counts, means)


def _column_means(values: NDArray[np.float32], rows: IntArray) -> FloatArray:
    """Mean of the finite values of some rows, float64, shape (F,), in blocks of bounded memory."""
    total, number = np.zeros(values.shape[1]), np.zeros(values.shape[1])
    step = max(1, _BLOCK // max(values.shape[1], 1))
    for start in range(0, len(rows), step):
        part = values[rows[start : start + step]]
        good = np.isfinite(part)
        total += np.where(good, part, 0).sum(axis=0, dtype=np.float64)
        number += good.sum(axis=0)
    return np.divide(total, number, out=np.full(len(total), np.nan), where=number > 0)


def class_distributions(
    extraction: Extraction, key: str, filter_index: int, by: str = "label"
) -> list[ClassDistribution]:
    """The distribution of one filter's activation in each class that has instances, by class.

    Raises IndexError for an unknown filter.
    """
    values = np.asarray(extraction.maximum(key)[:, filter_index], dtype=np.float64)
    member = groups(extraction, by)
    kept = (member >= 0) & np.isfinite(values)
    found = []
    for label in np.unique(member[kept]).tolist():
        part = values[kept & (member == label)]
        at = [float(v) for v in np.quantile(part, QUANTILES)]
        name = class_name(extraction.class_names, label)
        found.append(ClassDistribution(label, name, len(part), float(part.mean()), (at[0], at[1], at[2], at[3], at[4])))
    return found


@dataclass(frozen=True)
class Selectivity:
    """How far each filter keeps to one class, shape (F,) each.

    label: the class with the largest mean activation, -1 if there is none. share: its part of the sum of all classes'
    means, so that frequent classes weigh no more than rare ones. perplexity: 2^entropy of these parts, between 1 (one
    class alone) and the number of classes; NaN where the filter is silent.
    """

    label: IntArray
    share: FloatArray
    perplexity: FloatArray


def selectivity(profile: ClassProfile) -> Selectivity:
    """Of each filter, from its class means; classes without instances do not count."""
    present = profile.counts > 0
    means = np.nan_to_num(profile.means[:, present], nan=0.0)
    filters = len(means)
    if not present.any():
        return Selectivity(np.full(filters, -1), np.full(filters, np.nan), np.full(filters, np.nan))
    total = means.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        part = means / total[:, None]
        terms = np.where(part > 0, part * np.log(part), 0.0)
    best = means.argmax(axis=1)
    silent = ~(total > 0)
    label = np.where(silent, -1, profile.labels[present][best])
    share = np.where(silent, np.nan, part[np.arange(filters), best])
    return Selectivity(label, share, np.where(silent, np.nan, np.exp(-terms.sum(axis=1))))
