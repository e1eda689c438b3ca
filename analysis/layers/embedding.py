"""Answers ``embedding``: a map of what a layer sees at its patches, of all of them or of a selection (DeepEyes, D5)."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.errors import ParameterError
from analysis.layers.patches import COUNT, REDUCED
from analysis.layers.principal import principal
from analysis.layers.umap_layout import embed, trustworthiness

NEIGHBOURS = 15
MIN_DIST = 0.1
JUDGED = 1000  # points that the trustworthiness is measured at


def embedding(
    session: Any,
    context: Any,
    *,
    layer: str,
    count: int = COUNT,
    method: str = "umap",
    rows: list[int] | None = None,
    random_state: int = 0,
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Embed the patches of the question ``patches`` of the same layer and count in the plane.

    Neighbours are exact, on the patches' 50 principal components; a selection gets components of its own, so that it
    comes out at a finer scale.

    Args:
        method: 'umap'. rows: of the patches, to embed these alone; None for all.

    Returns:
        {'method', 'n', 'trustworthiness', 'pca_trustworthiness': share of neighbours on the map that are neighbours,
        'judged': points it was measured at, 'seconds', 'n_neighbors', 'min_dist', 'random_state'} and {'xy': float32
        (P or len(rows), 2)}.

    Raises:
        ParameterError: another method, or rows that do not exist, and as ``patches``.
    """
    if method != "umap":
        raise ParameterError(
            f"There is no method {str(method)[:40]!r} here.", "Choose 'umap'; PCA is with the patches."
        )
    answer = session.ask("patches", layer=layer, count=count)
    points = np.asarray(answer.array("reduced"), dtype=np.float32)
    if rows is not None:
        chosen = np.asarray(rows, dtype=np.int64)
        if len(chosen) < 2 or len(np.unique(chosen)) != len(chosen) or chosen.min() < 0 or chosen.max() >= len(points):
            raise ParameterError("This selection cannot be embedded.", "Choose two or more different patches.")
        points = principal(points[chosen], REDUCED, random_state)[0]
    began = time.perf_counter()
    xy = embed(
        points,
        neighbours=NEIGHBOURS,
        min_dist=MIN_DIST,
        random_state=random_state,
        tick=lambda done, total: context.progress(done, total, "epochs", "Embedding"),
    )
    seconds = time.perf_counter() - began
    judged = np.random.default_rng(random_state).permutation(len(points))[:JUDGED]
    value = {
        "method": method,
        "n": len(points),
        "trustworthiness": _known(trustworthiness(points, xy, NEIGHBOURS, judged)),
        "pca_trustworthiness": _known(trustworthiness(points, points[:, :2], NEIGHBOURS, judged)),
        "judged": len(judged),
        "seconds": seconds,
        "n_neighbors": min(NEIGHBOURS, len(points)),
        "min_dist": MIN_DIST,
        "random_state": random_state,
    }
    return value, {"xy": xy}


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
