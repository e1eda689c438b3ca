"""Classical scaling: places in the plane whose distances come close to given ones (Torgerson, 1952)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_ROUNDS = 30
_EXACT = 400


def classical(apart: NDArray[np.float32], random_state: int = 0) -> NDArray[np.float32]:
    """The two leading coordinates, float32 (F, 2), of symmetric distances (F, F), which are left as they are.

    Beyond 400 rows by subspace iteration, which needs one more matrix of that size and no decomposition of it.
    """
    count = len(apart)
    centred = apart * apart
    centred -= centred.mean(axis=0, dtype=np.float64).astype(np.float32)
    centred -= centred.mean(axis=1, dtype=np.float64).astype(np.float32)[:, None]
    centred *= -0.5
    if count <= _EXACT:
        values, vectors = np.linalg.eigh(centred.astype(np.float64))
        best = np.argsort(-values)[:2]
        values, vectors = values[best], vectors[:, best]
    else:
        rng = np.random.default_rng(random_state)
        basis = np.linalg.qr(rng.standard_normal((count, 8), dtype=np.float32))[0]
        for _ in range(_ROUNDS):
            basis = np.linalg.qr(centred @ basis)[0]
        values, inner = np.linalg.eigh((basis.T @ (centred @ basis)).astype(np.float64))
        best = np.argsort(-values)[:2]
        values, vectors = values[best], basis @ inner[:, best]
    strongest = np.abs(vectors).argmax(axis=0)
    vectors = vectors * np.where(vectors[strongest, np.arange(len(best))] < 0, -1, 1)
    places = vectors * np.sqrt(np.maximum(values, 0))
    return np.pad(places, ((0, 0), (0, 2 - places.shape[1]))).astype(np.float32)
