"""Whether a subset fails more than chance explains: halves, exact tests, many of them at once, intervals. No torch.

A subset that was looked for among thousands is worse than the average of the instances it was found on, also where
nothing is wrong. So it is looked for on one half of the instances and tested on the other, which knows nothing of the
search: there its p-value is exact, and only the few that are tested have to be corrected for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from analysis.subsets import calibration

LEVEL = 0.05  # false discovery rate; without any true one, the chance of a suggestion


@dataclass(frozen=True)
class Evidence:
    """What the half that was not searched says of a subset.

    size, wrong: instances of the subset there, and how many of them are wrong. share: wrong / size. base: share of all
    instances there. p: chance of as many wrong ones or more if the subset were drawn at random, see ``chance``.
    """

    size: int
    wrong: int
    base: float
    p: float

    @property
    def share(self) -> float:
        """Of the subset's instances, those that are wrong; 0 of an empty one."""
        return self.wrong / self.size if self.size else 0.0

    @property
    def lift(self) -> float:
        """How many times as often as all instances those of the subset are wrong; 0 where none is."""
        return self.share / self.base if self.base else 0.0

    @property
    def excess(self) -> float:
        """Wrong instances beyond those that as many drawn from all would have: size x base x (lift - 1).

        This is the weighted relative accuracy of subgroup discovery (Lavrac, Flach and Zupan, 1999) times the number of
        instances: it ranks by size and by lift.
        """
        return self.wrong - self.size * self.base


def halves(wrong: NDArray[np.bool_], seed: int) -> NDArray[np.bool_]:
    """Which instances are searched, (n,) bool, the others test: at random, half of the wrong ones and of the right."""
    rng = np.random.default_rng(seed)
    found = np.zeros(len(wrong), bool)
    for side in (True, False):
        rows = rng.permutation(np.flatnonzero(np.asarray(wrong) == side))
        found[rows[: (len(rows) + int(side)) // 2]] = True
    return found


def evidence(members: NDArray[np.bool_], wrong: NDArray[np.bool_]) -> Evidence:
    """What instances say of a subset. members, wrong: of the instances that test, (n,) bool."""
    n, errors = len(wrong), int(np.count_nonzero(wrong))
    size, hit = int(np.count_nonzero(members)), int(np.count_nonzero(members & wrong))
    return Evidence(size, hit, errors / n if n else 0.0, chance(hit, size, errors, n))


def chance(hit: int, size: int, errors: int, n: int) -> float:
    """P(X >= hit) for the number X of wrong ones among ``size`` instances drawn from n of which ``errors`` are wrong:
    Fisher's exact test, one-sided (Fisher, 1935)."""
    return float(stats.hypergeom.sf(hit - 1, n, errors, size)) if size and hit else 1.0


def adjusted(p: Any) -> NDArray[np.float64]:
    """q-values, (m,): the smallest false discovery rate at which each test is a discovery.

    Benjamini and Hochberg, Journal of the Royal Statistical Society B 57, 1995: q_(i) = min over j >= i of m p_(j) / j.
    """
    values = np.asarray(p, np.float64)
    if not len(values):
        return values
    order = np.argsort(values, kind="stable")
    scaled = values[order] * len(values) / np.arange(1, len(values) + 1)
    found = np.empty_like(scaled)
    found[order] = np.minimum(1.0, np.minimum.accumulate(scaled[::-1])[::-1])
    return found


def wilson(hit: int, size: int, level: float = 0.95) -> tuple[float, float]:
    """Interval of a share (Wilson, 1927); (0, 1) of nothing."""
    if not size:
        return 0.0, 1.0
    low, high = calibration.wilson(hit, size, float(stats.norm.ppf(0.5 + level / 2)))
    return float(low), float(high)


def selected_level(chosen: int, tests: int, level: float = 0.95) -> float:
    """The level at which intervals of the chosen of several tests hold on average at ``level``.

    It is 1 - chosen (1 - level) / tests (false coverage-statement rate; Benjamini and Yekutieli, Journal of the
    American Statistical Association 100, 2005).
    """
    return 1 - (1 - level) * max(1, chosen) / max(1, tests)


def z_scores(hits: Any, sizes: Any, errors: int, n: int) -> NDArray[np.float64]:
    """How far the wrong ones of subsets are above what chance gives, in standard deviations of the hypergeometric.

    hits, sizes: arrays of one form; 0 where the subset is empty or everything. For the search only.
    """
    hits, sizes = np.asarray(hits, np.float64), np.asarray(sizes, np.float64)
    base = errors / n if n else 0.0
    spread = sizes * base * (1 - base) * (n - sizes) / max(1, n - 1)
    found = np.zeros(np.broadcast(hits, sizes).shape)
    np.divide(hits - sizes * base, np.sqrt(spread), out=found, where=spread > 0)
    return found
