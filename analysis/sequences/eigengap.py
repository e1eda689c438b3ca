"""How many clusters a spectrum suggests. No torch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST, MOST = 2, 20


def gaps(values: NDArray[np.floating[Any]]) -> list[tuple[int, float]]:
    """(k, gap) for k = 2 to 20: by how much the k-th singular value is above the next one.

    The heuristic of von Luxburg, 'A tutorial on spectral clustering' (2007, section 8.3): k clusters that hang together
    show as k large values. Of signed edges, two opposite groups show as one large value; k = 2 takes that gap too.

    Args:
        values: of the normalised edges, the largest first, (count,); 21 for all k.
    """
    found = [(k, float(values[k - 1] - values[k])) for k in range(LEAST, min(MOST, len(values) - 1) + 1)]
    if found and values[0] < 1 - 1e-6:  # nothing trivial: a single vector parts opposite groups
        found[0] = (LEAST, max(found[0][1], float(values[0] - values[1])))
    return found


def suggested(found: list[tuple[int, float]]) -> int:
    """The k of the largest gap, the smallest of equals; 2 where there is none."""
    return max(found, key=lambda pair: pair[1])[0] if found else LEAST
