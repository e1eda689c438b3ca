"""Planted layers: records with known dead, always-on, stale and duplicate filters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from analysis.records import LayerMeta, LayerRecord

PATCHES = 512


def meta(filters: int = 12, **changes: object) -> LayerMeta:
    return replace(LayerMeta(name="conv2", kind="conv", type="Conv2d", filters=filters, order=1), **changes)  # type: ignore[arg-type]


def record(step: int, filters: int = 12, patches: int = PATCHES, **changes: object) -> LayerRecord:
    """A healthy record: every filter active on a fifth of the patches, none alike."""
    rng = np.random.default_rng(step)
    maximum = rng.uniform(2, 3, filters)
    k = min(3, max(filters - 1, 0))
    values = {
        "step": step,
        "wall": 1e9 + step,
        "histogram": np.full(32, patches // 32),
        "patches": patches,
        "silent": 0,
        "nonfinite": 0,
        "maximum": maximum,
        "mean": maximum / 10,
        "frequency": rng.uniform(0.1, 0.3, filters),
        "active_share": rng.uniform(0.3, 0.6, filters),
        "peak": np.full(filters, 3.0),
        "stale_steps": np.zeros(filters, int),
        "neighbours": np.array([[(i + 1 + n) % filters for n in range(k)] for i in range(filters)], int).reshape(
            filters, k
        ),
        "similarity": rng.uniform(0.1, 0.6, (filters, k)),
        "top_labels": np.full((filters, 3), -1),
        "top_tallies": np.zeros((filters, 3)),
        "tally_total": np.zeros(filters),
        "tally_perplexity": np.full(filters, np.nan),
    }
    return LayerRecord(**{**values, **changes})  # type: ignore[arg-type]


def history(count: int = 10, change: Callable[[LayerRecord], LayerRecord] = lambda r: r, **options: int):
    """Healthy records at steps 0, 20, 40 ..., each passed through ``change``."""
    return [change(record(step, **options)) for step in range(0, 20 * count, 20)]


def put(values: np.ndarray, filters: list[int], value: float) -> np.ndarray:
    made = values.copy()
    made[filters] = value
    return made


def kill(
    filters: list[int], first: int = 0, last: int = 10**9, peak: float = 3.0
) -> Callable[[LayerRecord], LayerRecord]:
    """Filters that are 0 from one step to another."""

    def change(r: LayerRecord) -> LayerRecord:
        if not first <= r.step <= last:
            return r
        return replace(
            r,
            maximum=put(r.maximum, filters, 0),
            frequency=put(r.frequency, filters, 0),
            peak=put(r.peak, filters, peak if first else 0),
            stale_steps=put(r.stale_steps, filters, r.step - first + 1 if first else -1),
        )

    return change


def saturate(filters: list[int]) -> Callable[[LayerRecord], LayerRecord]:
    return lambda r: replace(r, frequency=put(r.frequency, filters, 0.99), mean=put(r.mean, filters, 2.0))


def weaken(filters: list[int], since: int, level: float = 0.2) -> Callable[[LayerRecord], LayerRecord]:
    """Filters that have stayed at a share of their peak since a step."""

    def change(r: LayerRecord) -> LayerRecord:
        if r.step <= since:
            return r
        low = put(r.maximum, filters, 3.0 * level)
        return replace(r, maximum=low, stale_steps=put(r.stale_steps, filters, r.step - since))

    return change


def twin(*couples: tuple[int, int], phi: float = 1.0) -> Callable[[LayerRecord], LayerRecord]:
    """Filters that are each other's first neighbour, with this similarity."""

    def change(r: LayerRecord) -> LayerRecord:
        neighbours, similarity = r.neighbours.copy(), r.similarity.copy()
        for place, (i, j) in enumerate(couples):
            for a, b in ((i, j), (j, i)):
                neighbours[a, place % neighbours.shape[1]], similarity[a, place % neighbours.shape[1]] = b, phi
        return replace(r, neighbours=neighbours, similarity=similarity)

    return change
