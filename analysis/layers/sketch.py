"""Vectors of any length in bounded memory: each input is added, with a random sign, to one of a few sums."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

BYTES = 128 << 20  # of all vectors together
LEAST = 512  # sums, at least


class Sketch:
    """Keeps vectors as they are while all of them fit into 128 MB, else their count sketch (Charikar, Chen and
    Farach-Colton, 2002), which keeps distances but for a few per cent.

    Args:
        count: vectors expected. seed: of the random choice.

    Attributes:
        width: sums of each vector; None while they are kept as they are.
    """

    def __init__(self, count: int, seed: int) -> None:
        self.width: int | None = None
        self._room = max(LEAST, BYTES // (4 * max(count, 1)))
        self._seed = seed
        self._map: tuple[torch.Tensor, torch.Tensor] | None = None

    def __call__(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Some of the vectors, (m, d) -> (m, d) or (m, width); d is always the same."""
        length = values.shape[1]
        if length <= self._room:
            return values
        if self._map is None:
            generator = torch.Generator().manual_seed(self._seed)
            signs = torch.randint(0, 2, (length,), generator=generator) * 2.0 - 1
            self._map = torch.randint(0, self._room, (length,), generator=generator), signs
            self.width = self._room
        columns, signs = self._map
        made: NDArray[np.float32] = (
            torch.zeros(len(values), self._room).index_add_(1, columns, torch.from_numpy(values) * signs).numpy()
        )
        return made
