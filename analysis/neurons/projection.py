"""Answers ``projection``: the instances of the sample as points of the plane, by their activations in one layer.

A picture of a projection is no evidence: it comes with what of it can be checked (``projection_quality``).
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.errors import NotFound, ParameterError
from analysis.neurons import projection_methods as methods
from analysis.neurons import projection_space as spaces
from analysis.neurons.projection_align import drift, matched, turned
from analysis.neurons.projection_landmarks import lay_out
from analysis.neurons.projection_quality import PURITY, judged, quality
from analysis.results import Answers

KEPT = 20_000  # instances from which on the components are kept, for the search of neighbours


def projection(
    session: Any,
    context: Any,
    *,
    layer: str,
    method: str = "pca",
    align: str = "",
    start: str = "",
    random_state: int = 0,
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Place the instances of the sample by their pooled activations in a layer.

    An instance is its mean over positions of each rectified filter, in the filter's standard deviations. UMAP and t-SNE
    see the first 50 principal components. Their points begin where another map has them and the result is turned and
    mirrored to fit it, so that points keep their places from layer to layer and from checkpoint to checkpoint; PCA only
    turns round axes that run against the other's.

    Args:
        align: key of the layer whose map under the same weights is the start; '' for none. start: key of an answer of
            this question under other weights, instead.

    Returns:
        {'layer', 'method', 'n', 'points': those with a place, 'nonfinite', 'alike', 'explained': share of the variance
        along each axis of PCA, 'components', 'components_share', 'trustworthiness', 'pca_trustworthiness', 'recall',
        'knn_purity', 'map_purity', 'purity_chance', 'purity_of': 'label' or 'prediction', 'purity_k', 'judged',
        'n_neighbors' or 'perplexity', 'random_state', 'draft', 'landmarks', 'aligned': 'layer', 'weights' or '',
        'align', 'drift', 'seconds'} and {'xy': float32 (n, 2), NaN without a place; 'index': int64 (n,); of more than
        20,000 instances 'reduced': float32 (n, k)}. Figures are None where undefined.

    Raises:
        NotFound: no such layer, or the start is no longer kept. ParameterError: no such method.
    """
    chosen = methods.get(method)
    extraction = session.extraction()
    context.progress(0, 0, message="Reading activations")
    points = spaces.space(np.asarray(extraction.mean(layer)))
    index = np.asarray(extraction.indices, np.int64)
    other = _other(session, method, align, start, random_state)
    first = None if other is None else matched(index, *other)[points.rows]
    began = time.perf_counter()
    flat, shares = spaces.plane(points, random_state)
    xy, used, told = flat, 0, dict[str, Any]()
    components, held = spaces.reduced(points, random_state)
    if chosen.place is None:
        xy = flat if first is None else spaces.facing(flat, first)
    elif len(np.unique(components, axis=0)) >= methods.FEWEST:
        begin = _start(first, flat)
        xy, used = lay_out(chosen, methods.Task(components, begin, random_state, context.progress))
        xy = xy if first is None else turned(xy, first)
        told = {"components": components.shape[1], "components_share": held, **chosen.settings}
    seconds = time.perf_counter() - began
    value = {
        "layer": layer,
        "method": method,
        "n": points.n,
        "points": len(points.rows),
        "nonfinite": points.nonfinite,
        "alike": points.alike,
        "explained": shares.tolist(),
        "random_state": random_state,
        "draft": used > 0,
        "landmarks": used,
        "aligned": "" if other is None else "layer" if align else "weights",
        "align": align,
        "drift": None if first is None else drift(xy, first),
        "seconds": seconds,
        **told,
        **_judged(context, extraction, points, xy, flat, random_state),
    }
    arrays: dict[str, NDArray[Any]] = {"xy": points.whole(xy), "index": index}
    if points.n > KEPT:
        arrays["reduced"] = np.full((points.n, components.shape[1]), np.nan, np.float32)
        arrays["reduced"][points.rows] = components
    return value, arrays


def _other(
    session: Any, method: str, align: str, start: str, random_state: int
) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """Places and instances of the map that this one begins with; None without one. Raises NotFound, ParameterError."""
    if align and start:
        raise ParameterError("A map has one start: a layer or other weights.", "Leave one of them out.")
    if start:
        answer = Answers(Path(session.cache) / "answers").get(start)
        if answer is None or not {"xy", "index"} <= set(answer.names()):
            raise NotFound("The projection that this one starts from is not kept any more.", "Reload the page.")
    elif align:
        answer = session.ask("projection", layer=align, method=method, align="", start="", random_state=random_state)
    else:
        return None
    return answer.array("xy"), answer.array("index")


def _start(first: NDArray[np.float32] | None, flat: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """Where points begin; those that the other map lacks begin at its centre, off one another as PCA has them."""
    if first is None:
        return None
    known = np.isfinite(first).all(axis=1)
    if known.sum() < 2:
        return None
    found = first.copy()
    size = float(first[known].std()) / max(float(flat.std()), 1e-30)
    found[~known] = first[known].mean(axis=0) + 0.1 * size * flat[~known]
    return found


def _judged(
    context: Any,
    extraction: Any,
    points: spaces.Space,
    xy: NDArray[np.float32],
    flat: NDArray[np.float32],
    random_state: int,
) -> dict[str, Any]:
    """The figures that say what the map is worth."""
    labels = np.asarray(extraction.labels, np.int64)
    of = "label" if (labels >= 0).any() else "prediction"
    labels = (labels if of == "label" else np.asarray(extraction.predictions, np.int64))[points.rows]
    rows = judged(len(points.rows), random_state)
    maps = [xy] if xy is flat else [xy, flat]
    found = [
        quality(
            points.values,
            places,
            labels,
            rows,
            lambda done, total: context.progress(done, total, "instances", "Judging the map"),
        )
        for places in maps
    ]
    return {
        "trustworthiness": found[0].trustworthiness,
        "pca_trustworthiness": found[-1].trustworthiness,
        "recall": found[0].recall,
        "knn_purity": found[0].purity,
        "map_purity": found[0].map_purity,
        "purity_chance": found[0].chance,
        "purity_of": of,
        "purity_k": min(PURITY, max(len(points.rows) - 1, 0)),
        "judged": found[0].judged,
        "judged_neighbours": found[0].neighbours,
    }
