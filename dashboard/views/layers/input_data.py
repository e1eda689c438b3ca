"""What the input map shows: the patches of a layer, their places in the embedding, the lassoed and undetected ones."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.layers.undetected import MarkedClass, detection_score, over_represented
from analysis.results import Answer
from dashboard.views.layers import asking, data
from dashboard.widgets import lasso

LEAST = 12  # patches that can be embedded anew
RANDOM_STATE = 0


@dataclass(frozen=True)
class InputMap:
    """Patches of a layer as points.

    answer: of the question ``patches``. rows: the patches shown, numbers of that answer. xy: (K, 2), one row for each
    of them. method: how xy was made, 'pca' or 'umap'. waiting: UMAP that is being computed, while PCA stands in.
    quality: what the embedding says of itself. instances, labels, predictions: (K,). lassoed: (K,) bool, None without
    a lasso. marked: (K,) bool, the undetected ones among all patches.
    """

    answer: Answer
    rows: NDArray[np.int64]
    xy: NDArray[Any]
    method: str
    waiting: asking.Pending | None
    quality: dict[str, Any]
    embedding: str
    instances: NDArray[Any]
    labels: NDArray[Any]
    predictions: NDArray[Any]
    lassoed: NDArray[np.bool_] | None
    marked: NDArray[np.bool_]


def load(shown: data.Frame) -> InputMap:
    """The map of the layer shown. Raises Pending, and NotReady when there is nothing to embed."""
    chosen = shown.selection
    answer = asking.ask(
        shown, "patches", f"Patches of {data.called(shown.layer)}", layer=shown.layer.key, count=data.PATCHES
    )
    # Read alike for every colour and every lasso.
    whole = data.memo("patches", answer.key, partial(_arrays, answer))
    pca, instances, labels, predictions = whole
    if not len(pca):
        raise data.NotReady("Input map", f"{data.called(shown.layer)} has no patches to show.")
    rows = np.arange(len(pca))
    xy, method, quality, waiting = pca, "pca", _pca_quality(answer), None
    key = answer.key
    if chosen.embed == "umap":
        xy, method, quality, waiting, key = _umap(shown, None, xy, quality, answer)
    if chosen.drill and waiting is None:
        rows = np.flatnonzero(lasso.inside(chosen.drill, xy))
        if len(rows) < LEAST:
            raise TooFew(len(rows))
        xy, quality = data.memo("drilled", (answer.key, rows.tobytes()), partial(reembedded, answer, rows))
        if method == "umap":
            xy, method, quality, waiting, key = _umap(shown, rows, xy, quality, answer)
    marked = undetected_rows(answer, chosen.undetected)
    inside = lasso.inside(chosen.lasso, xy) if chosen.lasso and waiting is None else None
    is_marked = np.isin(rows, marked)
    return InputMap(
        answer,
        rows,
        xy,
        method,
        waiting,
        quality,
        key,
        instances[rows],
        labels[rows],
        predictions[rows],
        inside,
        is_marked,
    )


class TooFew(data.NotReady):
    """The selection that was to be embedded anew holds next to nothing."""

    def __init__(self, count: int) -> None:
        reason = f"The selection holds {count} patches: too few to be embedded on their own."
        super().__init__("Input map", reason, "Go back to the whole map.")


def _arrays(answer: Answer) -> tuple[NDArray[Any], ...]:
    pca = np.asarray(answer.array("pca"), np.float32)
    return pca, *(answer.array(name) for name in ("instance", "label", "prediction"))


def _pca_quality(answer: Answer) -> dict[str, Any]:
    return {"variance": answer.json.get("variance")}


def _umap(
    shown: data.Frame, rows: NDArray[Any] | None, instead: NDArray[Any], quality: dict[str, Any], answer: Answer
) -> tuple[NDArray[Any], str, dict[str, Any], asking.Pending | None, str]:
    """UMAP of all patches or of some, or what stands in for it while it is computed."""
    try:
        found = asking.ask(
            shown,
            "embedding",
            f"UMAP of the input of {data.called(shown.layer)}",
            layer=shown.layer.key,
            count=data.PATCHES,
            method="umap",
            rows=None if rows is None else rows.tolist(),
            random_state=RANDOM_STATE,
        )
    except asking.Pending as error:
        return instead, "pca", quality, error, answer.key + error.mark
    return np.asarray(found.array("xy"), np.float32), "umap", found.json, None, found.key


def reembedded(answer: Answer, rows: NDArray[Any]) -> tuple[NDArray[np.float32], dict[str, Any]]:
    """PCA (K, 2) of some patches only, at once: of the few components that the answer keeps of them."""
    values = np.asarray(answer.array("reduced")[rows], np.float64)
    values = values - values.mean(0)
    _, size, axes = np.linalg.svd(values, full_matrices=False)
    axes = axes[:2]
    # The sign of a component is arbitrary: its largest weight is made positive, so that a reload shows the same.
    axes = axes * np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(1)])[:, None]
    xy = values @ axes.T
    if xy.shape[1] < 2:
        xy = np.pad(xy, ((0, 0), (0, 2 - xy.shape[1])))
    share = size**2 / max(float((size**2).sum()), 1e-30)
    return xy.astype(np.float32), {"variance": share[:2].tolist()}


def score(answer: Answer) -> NDArray[Any]:
    """How well each patch is detected, (P,); low where no filter responds."""
    found: NDArray[Any] = data.memo("detection", answer.key, lambda: detection_score(answer.array("activation")))
    return found


def undetected_rows(answer: Answer, share: float) -> NDArray[np.int64]:
    """The patches with the lowest score, the lowest first; share of all of them."""
    scores = score(answer)
    return np.argsort(scores, kind="stable")[: round(share * len(scores))]


def by_class(found: InputMap, chosen: NDArray[np.bool_]) -> tuple[MarkedClass, ...]:
    """Which classes some of the patches shown come from, the most over-represented first."""
    return over_represented(np.flatnonzero(chosen), found.labels)


def activation(shown: data.Frame, found: InputMap) -> tuple[NDArray[Any] | None, str]:
    """What the points are coloured by, (K,), and what that is called; None when no filter is chosen."""
    chosen, answer = shown.selection, found.answer
    word = data.noun(shown.layer, 1)
    if chosen.color == "max":
        values = data.memo("patch-top", answer.key, lambda: _finite_max(answer.array("activation")))
        return values[found.rows], f"largest of all {shown.layer.filters:,}"
    numbers = (chosen.filter,) if chosen.color == "filter" else chosen.filters
    wanted = [n for n in numbers if n is not None and n < shown.layer.filters]
    if not wanted:
        return None, f"Choose a {word}" if chosen.color == "filter" else f"Lasso {word}s in the filter map"
    values = data.memo(
        "patch-filters", (answer.key, tuple(wanted)), lambda: _finite_max(answer.array("activation")[:, wanted])
    )
    name = f"{word} {wanted[0]}" if len(wanted) == 1 else f"largest of {len(wanted):,} {word}s"
    return values[found.rows], name


def _finite_max(values: NDArray[Any]) -> NDArray[np.float32]:
    """Largest finite value of each row; NaN where there is none."""
    top = np.where(np.isfinite(values), values, -np.inf).max(1, initial=-np.inf)
    return np.where(np.isfinite(top), top, np.nan).astype(np.float32)
