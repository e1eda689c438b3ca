"""The methods that place instances of a layer in the plane, in one list. What each needs is imported when it runs, so
that the page may read the list. No torch.

To add one: a function of ``Task`` that returns places, and a line in ``METHODS``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.errors import ParameterError

NEIGHBOURS = 15  # as umap-learn counts them, the point itself included
MIN_DIST = 0.1
PERPLEXITY = 30.0
FEWEST = 4  # different points that a method other than PCA can lay out

Floats = NDArray[np.float32]
Tick = Callable[[int, int, str, str], None]  # done, total, unit, message


@dataclass(frozen=True)
class Task:
    """What a method is given. points: principal components (m, k), the strongest first, finite. start: where each
    point begins, (m, 2), None for the first two components. tick: told how far it is."""

    points: Floats
    start: Floats | None
    random_state: int
    tick: Tick


@dataclass(frozen=True)
class Method:
    """A way to place points.

    name: in addresses and keys. title: on the page. place: the function; None for PCA, which is there at once and has
    no start. most: instances that it lays out itself; of more it lays out a sample, and the others are put between
    those: a draft. settings: what its numbers depend on. words: how it works and what it leaves out.
    """

    name: str
    title: str
    words: str
    place: Callable[[Task], Floats] | None = None
    most: int = 0
    settings: dict[str, Any] = field(default_factory=dict)


def _umap(task: Task) -> Floats:
    from analysis.layers.umap_layout import embed

    task.tick(0, 0, "", "Finding neighbours")
    return embed(
        task.points,
        neighbours=NEIGHBOURS,
        min_dist=MIN_DIST,
        random_state=task.random_state,
        tick=lambda done, total: task.tick(done, total, "epochs", "UMAP"),
        start=task.start,
    )


def _tsne(task: Task) -> Floats:
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    task.tick(0, 0, "", "t-SNE (scikit-learn does not say how far it is)")
    start = task.points[:, :2] if task.start is None else task.start
    start = np.pad(start, ((0, 0), (0, 2 - start.shape[1])))
    # As scikit-learn scales its own start: t-SNE goes wrong from far apart.
    start = (start - start.mean(axis=0)) / max(float(start.std(axis=0).max()), 1e-30) * 1e-4
    perplexity = min(PERPLEXITY, max(1.0, (len(task.points) - 1) / 3))
    made = TSNE(2, perplexity=perplexity, init=start.astype(np.float32), random_state=task.random_state)
    # Its threads wait for each other in a spin: beside other work two take five times as long as one.
    with threadpool_limits(1, user_api="openmp"):
        return np.asarray(made.fit_transform(task.points), np.float32)


METHODS: tuple[Method, ...] = (
    Method(
        "pca", "PCA", "The two directions along which the instances vary most. Distances are kept as far as they go."
    ),
    Method(
        "umap",
        "UMAP",
        "Keeps neighbours together. Distances between groups, their sizes and the gaps between them mean little.",
        _umap,
        20_000,
        {"n_neighbors": NEIGHBOURS, "min_dist": MIN_DIST},
    ),
    Method(
        "tsne",
        "t-SNE",
        "Keeps neighbours together. Distances between groups, their sizes and the gaps between them mean nothing.",
        _tsne,
        5_000,
        {"perplexity": PERPLEXITY},
    ),
)


def get(name: str) -> Method:
    """The method of this name. Raises ParameterError if there is none."""
    for method in METHODS:
        if method.name == name:
            return method
    names = ", ".join(method.name for method in METHODS)
    raise ParameterError(f"There is no projection {str(name)[:40]!r}.", f"Choose one of: {names}.")
