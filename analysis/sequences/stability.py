"""Whether clusters are the same for every seed. No torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.sequences.matching import agreement

SEEDS = 10


def stability(cluster: Callable[[int], NDArray[Any]], seeds: Iterable[int] = range(SEEDS)) -> dict[str, Any]:
    """{'ari': mean, 'lowest', 'seeds': how many} of the adjusted Rand indices of all pairs of seeds.

    1 says that the method finds the same each time, not that it is there: compare the shuffled baseline.

    Args:
        cluster: from a seed to the cluster of each member, (n,). seeds: two or more.
    """
    found = [cluster(seed) for seed in seeds]
    pairs = [agreement(one, other) for one, other in combinations(found, 2)]
    return {"ari": float(np.mean(pairs)), "lowest": float(min(pairs)), "seeds": len(found)}
