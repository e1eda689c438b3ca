"""A draft of a map of many points: a sample is laid out, every other point is put between the nearest of these.

As a landmark method (de Silva and Tenenbaum, 2004) has it, here for any layout. What lies between two landmarks is not
resolved: the result is called a draft wherever it is shown.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from analysis.neurons.projection_methods import Floats, Method, Task

LANDMARKS = 2000
NEAREST = 3  # landmarks that a point is put between
_BLOCK = 1 << 23  # elements of a block of distances


def lay_out(method: Method, task: Task) -> tuple[Floats, int]:
    """Places (m, 2) by the method, and the number of landmarks used, 0 if the method laid out all points itself."""
    assert method.place is not None
    count = len(task.points)
    if count <= method.most:
        return method.place(task), 0
    chosen = np.sort(np.random.default_rng(task.random_state).permutation(count)[: min(LANDMARKS, method.most)])
    start = None if task.start is None else task.start[chosen]
    places = method.place(replace(task, points=task.points[chosen], start=start))
    return _between(task, chosen, places), len(chosen)


def _between(task: Task, chosen: NDArray[np.int64], places: Floats) -> Floats:
    """Every point at the mean of its nearest landmarks' places, weighted by one over the distance."""
    landmarks = np.ascontiguousarray(task.points[chosen])
    square = np.einsum("ij,ij->i", landmarks, landmarks)
    found = np.empty((len(task.points), 2), np.float32)
    few = min(NEAREST, len(chosen))
    step = max(1, _BLOCK // len(chosen))
    for start in range(0, len(found), step):
        part = task.points[start : start + step]
        apart = part @ landmarks.T
        apart *= -2
        apart += square
        near, gap = np.empty((len(part), few), np.int64), np.empty((len(part), few), np.float32)
        own = np.arange(len(part))
        for place in range(few):  # three passes for the least take a tenth of the time of a partition
            near[:, place] = apart.argmin(axis=1)
            gap[:, place] = apart[own, near[:, place]]
            apart[own, near[:, place]] = np.inf
        gap += np.einsum("ij,ij->i", part, part)[:, None]
        weight = 1 / np.maximum(np.sqrt(np.maximum(gap, 0)), 1e-6)
        weight /= weight.sum(axis=1, keepdims=True)
        found[start : start + step] = (places[near] * weight[..., None]).sum(axis=1)
        task.tick(min(start + step, len(found)), len(found), "instances", "Placing the others between landmarks")
    found[chosen] = places
    return found
