"""The activation heatmap: filter x class, filter x instance, filter x step, and the orders of its rows.

DeepEyes (Pezzotti et al., IEEE VIS 2017), with ActiVis' rows of classes beside those of instances (VIS 2017).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, get_args

import numpy as np

from analysis.errors import ParameterError
from analysis.extraction.reader import Extraction
from analysis.layers.health import HEALTH
from analysis.layers.profiles import ClassProfile, class_name, class_profile, groups
from analysis.records import FloatArray, IntArray, LayerRecord
from analysis.training.heatmap import heatmap_values

Sort = Literal["index", "value", "class", "similarity", "health"]
COLUMNS = 200  # a heatmap has no more of them


@dataclass(frozen=True)
class Heatmap:
    """Filters in rows, by index. values: shape (F, K), NaN where there is nothing: empty, not 0.

    kind: 'class', 'instance' or 'step'. ids: what each column is, shape (K,): a label, the first of its instances in
    the data set, a step. names: what the columns are called. counts: instances in each column (1 for a step).
    """

    kind: str
    values: FloatArray
    ids: IntArray
    names: tuple[str, ...]
    counts: IntArray


def by_class(extraction: Extraction, key: str, by: str = "label", of: str = "maximum", limit: int = COLUMNS) -> Heatmap:
    """A column per class, the mean over its instances. With more than ``limit`` classes, those with most instances.

    by: 'label' or 'prediction'. of: 'maximum' (of an instance over positions) or 'mean'.
    """
    profile = class_profile(extraction, key, by, of)
    kept = np.sort(np.argsort(-profile.counts, kind="stable")[:limit])
    names = tuple(profile.names[i] for i in kept.tolist())
    return Heatmap("class", profile.means[:, kept], profile.labels[kept], names, profile.counts[kept])


def by_instance(extraction: Extraction, key: str, by: str = "label", limit: int = COLUMNS) -> Heatmap:
    """A column per instance, sorted by class; with more than ``limit``, means of neighbours of the same class.

    The share of columns of a class follows its share of instances, at least one each as long as there is room.
    """
    values, member = extraction.maximum(key), groups(extraction, by)
    order = np.argsort(member, kind="stable")
    cuts = _cuts(member[order], limit)
    sums = (
        np.stack([np.asarray(values[order[a:b]].mean(axis=0), dtype=np.float64) for a, b in cuts], axis=1)
        if cuts
        else None
    )
    names = [
        class_name(extraction.class_names, int(member[order[a]])) if member[order[a]] >= 0 else "?" for a, _ in cuts
    ]
    return Heatmap(
        "instance",
        np.zeros((values.shape[1], 0)) if sums is None else sums,
        np.array([extraction.indices[order[a]] for a, _ in cuts], dtype=np.int64),
        tuple(names),
        np.array([b - a for a, b in cuts], dtype=np.int64),
    )


def _cuts(member: IntArray, limit: int) -> list[tuple[int, int]]:
    """Runs [start, stop) of equal members, cut into at most ``limit`` pieces; the smallest classes share the last."""
    if not len(member):
        return []
    starts = np.flatnonzero(np.r_[True, member[1:] != member[:-1]])
    if len(starts) > limit:
        starts = starts[np.linspace(0, len(starts), limit, endpoint=False).astype(int)]
    stops = np.r_[starts[1:], len(member)]
    room = max(min(limit, len(member)) - len(starts), 0)
    pieces = 1 + np.floor(room * (stops - starts - 1) / max((stops - starts - 1).sum(), 1)).astype(int)
    cuts = []
    for start, stop, count in zip(starts.tolist(), stops.tolist(), pieces.tolist(), strict=True):
        edges = np.linspace(start, stop, min(count, stop - start) + 1).astype(int).tolist()
        cuts += list(pairwise(edges))
    return cuts


def by_step(records: Sequence[LayerRecord], mode: str = "maximum", limit: int = COLUMNS) -> Heatmap:
    """A column per record of a run, evenly thinned to ``limit``, the first and the last kept.

    mode: 'maximum', 'frequency' or 'staleness', as in ``analysis.training.heatmap``.
    """
    if not records:
        return Heatmap("step", np.zeros((0, 0)), np.zeros(0, np.int64), (), np.zeros(0, np.int64))
    kept = np.unique(np.linspace(0, len(records) - 1, min(limit, len(records))).round().astype(int))
    chosen = [records[i] for i in kept.tolist()]
    steps = np.array([record.step for record in chosen], dtype=np.int64)
    values = np.stack([heatmap_values(record, mode) for record in chosen], axis=1)
    return Heatmap("step", values, steps, tuple(f"{step:,}" for step in steps.tolist()), np.ones(len(steps), np.int64))


def relative(values: FloatArray) -> FloatArray:
    """Each row as a share of its largest value, so that weak filters can be seen too; silent rows stay 0."""
    top = np.nanmax(np.abs(values), axis=1, keepdims=True, initial=0.0)
    return np.divide(values, top, out=np.where(np.isnan(values), np.nan, 0.0), where=top > 0)


def row_order(
    sort: str,
    *,
    values: FloatArray,
    profile: ClassProfile | None = None,
    label: int | None = None,
    seriation: IntArray | None = None,
    health: Sequence[str] | None = None,
) -> IntArray:
    """Indices of the filters in the order in which their rows are drawn, shape (F,).

    Args:
        sort: 'index'; 'value' (largest first); 'class' (by the mean of class ``label``, as a share of the filter's
            mean over all classes, so that the filters of that class come first); 'similarity' (``seriation`` of the
            filter map when it is there, else by the classes they respond to); 'health' (what is wrong comes first).
        values: of each filter, shape (F,): the maximum, or whatever is drawn.
        profile: needed by 'class', and by 'similarity' without ``seriation``.
        health: for each filter one of ``analysis.layers.health.HEALTH``; needed by 'health'.

    Raises:
        ParameterError: another sort, or what it needs is missing.
    """
    strength = np.where(np.isfinite(values), np.asarray(values, dtype=np.float64), -np.inf)
    if sort == "index":
        return np.arange(len(strength))
    if sort == "value":
        return np.argsort(-strength, kind="stable")
    if sort == "similarity" and seriation is not None and len(seriation) == len(strength):
        return np.asarray(seriation, dtype=np.int64)
    if sort == "similarity" and profile is not None:
        return chain_order(profile.means[:, profile.counts > 0])
    if sort == "class" and profile is not None and label is not None:
        return _class_order(profile, label, strength)
    if sort == "health" and health is not None:
        rank = {name: place for place, name in enumerate(HEALTH)}
        return np.lexsort((np.arange(len(strength)), -strength, np.array([rank[name] for name in health])))
    raise ParameterError(
        f"The filters cannot be sorted by '{sort}' here.", f"Choose one of: {', '.join(get_args(Sort))}."
    )


def _class_order(profile: ClassProfile, label: int, strength: FloatArray) -> IntArray:
    place = np.flatnonzero(profile.labels == label)
    if not len(place):
        raise ParameterError(f"There is no class {label} in this sample.", "Choose another class to sort by.")
    means = np.nan_to_num(profile.means, nan=0.0)
    total = means[:, profile.counts > 0].sum(axis=1)
    share = np.divide(means[:, place[0]], total, out=np.full(len(total), -1.0), where=total > 0)
    return np.lexsort((-strength, -share))


def chain_order(features: FloatArray) -> IntArray:
    """Rows so that similar ones lie side by side: a chain from each to the most similar one left (by cosine).

    features: shape (F, K). The chain begins at the row least like the mean; rows of zeros come last. Returns (F,).
    """
    rows = np.nan_to_num(np.asarray(features, dtype=np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    norm = np.linalg.norm(rows, axis=1)
    full = np.flatnonzero(norm > 0)
    if not len(full):
        return np.arange(len(rows))
    unit = rows[full] / norm[full][:, None]
    place = int((unit @ unit.mean(axis=0)).argmin())
    left = np.zeros(len(full), np.float32)
    chain = []
    for _ in range(len(full)):
        chain.append(place)
        left[place] = -np.inf
        place = int((unit @ unit[place] + left).argmax())
    return np.r_[full[chain], np.flatnonzero(norm <= 0)]
