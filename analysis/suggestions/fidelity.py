"""How well a surrogate says what the model says, on instances that it was not made from. No torch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from analysis.suggestions.evidence import wilson


def fidelity(
    said: NDArray[Any], meant: NDArray[Any], fitted: NDArray[np.bool_], majority: int, level: float = 0.95
) -> dict[str, Any]:
    """Share of the instances of which a surrogate says the same as what it imitates.

    Args:
        said, meant: classes, (n,). fitted: which instances it was made from; the others are held out. majority: what
            always the same answer would say: the most frequent class among those it was made from.

    Returns:
        {'train', 'held_out': shares, 'low', 'high': interval of the second (Wilson, 1927), 'baseline': share of the
        held-out ones that the majority has, 'majority': that class, 'gain': held_out - baseline, 'gain_low',
        'gain_high': its interval, of pairs (Agresti and Min, Biometrics 61, 2005), 'better': whether that is above 0,
        'n_train', 'n_held_out'}.
    """
    held = ~fitted
    same, plain = (said == meant)[held], (meant == majority)[held]
    n, hits = int(held.sum()), int(same.sum())
    low, high = wilson(hits, n, level)
    gain, least, most = paired(int((same & ~plain).sum()), int((~same & plain).sum()), n, level)
    return {
        "train": float((said == meant)[fitted].mean()) if fitted.any() else None,
        "held_out": hits / n if n else None,
        "low": low,
        "high": high,
        "baseline": float(plain.mean()) if n else None,
        "majority": int(majority),
        "gain": gain,
        "gain_low": least,
        "gain_high": most,
        "better": least > 0,
        "n_train": int(fitted.sum()),
        "n_held_out": n,
    }


def paired(more: int, less: int, n: int, level: float = 0.95) -> tuple[float, float, float]:
    """Difference of two shares of the same n instances, with its interval: half an instance is added to each of the
    four cells. more, less: instances that only the first, only the second is right of."""
    if not n:
        return 0.0, -1.0, 1.0
    b, c, total = more + 0.5, less + 0.5, n + 2.0
    middle = (b - c) / total
    wide = float(stats.norm.ppf(0.5 + level / 2)) * np.sqrt((b + c) - (b - c) ** 2 / total) / total
    return (more - less) / n, float(middle - wide), float(middle + wide)
