"""The instances that a layer finds most similar to a chosen one, from an extraction. No torch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.errors import NotFound, ParameterError
from analysis.extraction.reader import Extraction

POOLS = ("mean", "max")  # of a filter's activations over its positions
METRICS = ("cosine", "euclidean")
MOST = 100  # neighbours
_BLOCK = 1 << 17  # values in one step: half a megabyte, which stays in the cache and is not given back in between
_CONSTANT = 1e-6  # a spread below this share of the size is rounding
Floats = NDArray[np.float32]


def neighbours(
    extraction: Extraction,
    instance: int,
    layer: str,
    *,
    pool: str = "mean",
    metric: str = "cosine",
    k: int = 10,
    standardise: bool = True,
) -> dict[str, Any]:
    """The k nearest neighbours of an instance in the activations of a layer.

    Each instance is the vector of its filters' rectified activations, pooled over positions. Rows that did not reach
    the layer are left out, and so is the instance itself.

    Args:
        extraction: of the sample; also one that is not finished. pool: 'mean' or 'max'. metric: 'cosine' (1 minus the
            cosine of the angle, 0 to 2; 1 where a vector is 0) or 'euclidean'. standardise: each filter to mean 0 and
            standard deviation 1 over the sample first, so that filters count alike; constant ones do not count.

    Returns:
        'instance', 'label' (-1 if there is none), 'prediction', 'layer', 'pool', 'metric', 'standardised';
        'neighbours': [{'instance', 'distance', 'label', 'prediction', 'confidence'}], nearest first, ties by place in
        the data set; 'rows': number that was compared with; 'unreached': rows left out; 'filters': number that count;
        'agreement': share of labelled neighbours with the instance's label, 'predicted': with its prediction as their
        label, 'by_chance': share of all compared and labelled rows with its label (each None where it cannot be told);
        'majority': the label of most neighbours, None without labels or where two are as frequent.

    Raises:
        NotFound: the instance is not in the sample or does not reach the layer, or there is no such layer.
        ParameterError: another pool or metric, or the layer yields the same for all instances.
    """
    if pool not in POOLS or metric not in METRICS:
        raise ParameterError(
            f"There is no way to compare called {pool!r} and {metric!r}.",
            f"Pool by {' or '.join(POOLS)}; measure by {' or '.join(METRICS)}.",
        )
    row, values = _reached(extraction, instance, layer, pool)
    distances, filters = distances_from(values, row, metric, standardise)
    if not filters:
        raise ParameterError(f"{layer} yields the same for all instances of the sample.", "Choose another layer.")
    usable = np.isfinite(distances)
    usable[row] = False
    rows = np.flatnonzero(usable)
    chosen = _nearest(distances[rows], extraction.indices[rows], max(0, min(int(k), MOST)))
    return {
        "instance": int(instance),
        "label": int(extraction.labels[row]),
        "prediction": int(extraction.predictions[row]),
        "layer": layer,
        "pool": pool,
        "metric": metric,
        "standardised": bool(standardise),
        "neighbours": _listed(extraction, rows[chosen], distances),
        "rows": len(rows),
        "unreached": int(extraction.done - 1 - len(rows)),
        "filters": filters,
        **_agreement(extraction, row, rows[chosen], rows),
    }


def _reached(extraction: Extraction, instance: int, layer: str, pool: str) -> tuple[int, Floats]:
    """The instance's row and all values of the layer (n, F). Raises NotFound."""
    row = extraction.row_of(instance)
    if row is None:
        more = "" if extraction.complete else " (yet: it is still being computed)"
        raise NotFound(
            f"Instance {instance:,} is not in the sample{more}.",
            "Add it under 'always include', or choose an instance of the sample.",
        )
    values = extraction.mean(layer) if pool == "mean" else extraction.maximum(layer)
    if not np.isfinite(values[row]).all():
        raise NotFound(f"Instance {instance:,} does not reach {layer}.", "Choose another layer or instance.")
    return row, values


def distances_from(values: Floats, row: int, metric: str, standardise: bool) -> tuple[Floats, int]:
    """Distances of all rows of (n, F) values from one of them, (n,), NaN for rows that are not finite; and the number
    of columns that count. In blocks of float32, so that nothing of the size of ``values`` is made."""
    whole = np.isfinite(values.sum(1))  # a sum is finite exactly where everything is, but for overflow
    centre = np.zeros(values.shape[1], np.float32)
    weights = np.ones(values.shape[1], np.float32)
    if standardise:
        mean, deviation = _moments(values, whole)
        centre = mean.astype(np.float32)
        with np.errstate(divide="ignore"):
            weights = np.where(deviation > 0, 1 / deviation**2, 0).astype(np.float32)
    found = np.full(len(values), np.nan, np.float32)
    origin = values[row] if metric == "euclidean" else centre
    own = values[row] - centre
    size = float(np.sqrt((own * own) @ weights))
    for part in _parts(values):
        apart = values[part] - origin
        squares = np.sqrt(np.square(apart) @ weights)
        if metric == "cosine":
            lengths = squares * size
            along = apart @ (weights * own)
            squares = 1 - np.divide(along, lengths, out=np.zeros_like(along), where=lengths > 0)
        found[part] = np.maximum(squares, 0)
    found[~whole] = np.nan
    return found, int((weights > 0).sum())


def _parts(values: Floats) -> list[slice]:
    step = max(1, _BLOCK // max(values.shape[1], 1))
    return [slice(start, start + step) for start in range(0, len(values), step)]


def _moments(values: Floats, whole: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of each column over the rows that are ``whole``; 0 where a column is constant."""
    n = int(whole.sum())
    total, squares = np.zeros(values.shape[1]), np.zeros(values.shape[1])
    shift = values[int(np.argmax(whole))]
    for part in _parts(values):
        rows = values[part] if whole[part].all() else values[part][whole[part]]
        apart = rows - shift
        ones = np.ones(len(rows), np.float32)
        total += ones @ apart
        squares += ones @ np.square(apart)
    mean = total / n
    deviation = np.sqrt(np.maximum(squares / n - mean**2, 0))
    deviation[deviation <= _CONSTANT * (np.abs(mean + shift) + np.abs(mean))] = 0
    return mean + shift, deviation


def _nearest(distances: Floats, indices: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    if k < len(distances):
        edge = np.partition(distances, k - 1)[k - 1] if k else -1.0
        near = np.flatnonzero(distances <= edge)
    else:
        near = np.arange(len(distances))
    return near[np.lexsort((indices[near], distances[near]))][:k]


def _listed(extraction: Extraction, rows: NDArray[np.int64], distances: Floats) -> list[dict[str, Any]]:
    confidence = extraction.confidence
    return [
        {
            "instance": int(extraction.indices[row]),
            "distance": float(distances[row]),
            "label": int(extraction.labels[row]),
            "prediction": int(extraction.predictions[row]),
            "confidence": float(confidence[row]) if np.isfinite(confidence[row]) else None,
        }
        for row in rows
    ]


def _agreement(
    extraction: Extraction, row: int, chosen: NDArray[np.int64], rows: NDArray[np.int64]
) -> dict[str, float | int | None]:
    label, prediction = int(extraction.labels[row]), int(extraction.predictions[row])
    near, all_labels = extraction.labels[chosen], extraction.labels[rows]
    near, all_labels = near[near >= 0], all_labels[all_labels >= 0]

    def share(labels: NDArray[np.int64], wanted: int) -> float | None:
        return float((labels == wanted).mean()) if len(labels) and wanted >= 0 else None

    counts = np.bincount(near) if len(near) else np.zeros(0, np.int64)
    most = np.flatnonzero(counts == counts.max(initial=1))
    return {
        "agreement": share(near, label),
        "predicted": share(near, prediction),
        "by_chance": share(all_labels, label),
        "majority": int(most[0]) if len(most) == 1 else None,
    }
