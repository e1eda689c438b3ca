"""How strongly words go with classes, from counts: the colour of a word cloud. No torch.

What is counted is instances that hold a word, not occurrences: a word said ten times in one review speaks once. A word
goes with a class in what the data say; whether the model uses it, only an ablation shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

PRIOR = 1.0  # instances that are added to either side, spread as the word is over all of them


@dataclass(frozen=True)
class Association:
    """Words against classes, each class against all others.

    log_odds: (V, C), log of the ratio of the odds that an instance holds the word, within and outside the class; 0 is
    none, and the prior keeps rare words near it. z: (V, C), how many standard errors the two shares are apart, which is
    what words are ranked by. NaN where there is no other class, or none with instances.
    """

    log_odds: NDArray[np.float64]
    z: NDArray[np.float64]

    def leaning(self, least: float = 1.96) -> NDArray[np.int64]:
        """The class that each word goes with most, (V,); -1 where no class has a z of at least ``least``."""
        if not self.z.shape[1]:
            return np.full(len(self.z), -1, np.int64)
        filled = np.where(np.isnan(self.z), -np.inf, self.z)
        best = filled.argmax(1)
        return np.where(filled[np.arange(len(filled)), best] >= least, best, -1).astype(np.int64)


def association(by_class: NDArray[Any], class_n: NDArray[Any], prior: float = PRIOR) -> Association:
    """Association of words with classes.

    The log odds ratio is that of Monroe, Colaresi and Quinn, 'Fightin' Words' (Political Analysis 2008, equation 15),
    with instances in the place of tokens. Their z divides by an error that grows where a class never holds the word,
    so that a word which decides the class ranks behind one that only often does; z is therefore the score statistic of
    the two shares (their difference over its standard error if there were none), whose largest value, the root of the
    number of instances, such a word has.

    Args:
        by_class: instances of each class that hold each word, (V, C). class_n: instances of each class, (C,).
        prior: instances that are added within and outside the class.
    """
    held, n = np.asarray(by_class, np.float64), np.asarray(class_n, np.float64)[None]
    all_held, all_n = held.sum(1, keepdims=True), n.sum()
    other_held, other_n = all_held - held, all_n - n
    share = (all_held + 0.5) / (all_n + 1)

    def log_odds(count: NDArray[Any], total: NDArray[Any]) -> NDArray[np.float64]:
        with_it, without = count + prior * share, total - count + prior * (1 - share)
        found: NDArray[np.float64] = np.log(with_it / without)
        return found

    defined = (n > 0) & (other_n > 0)
    pooled = all_held / max(all_n, 1.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = log_odds(held, n) - log_odds(other_held, other_n)
        error = np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / other_n))
        apart = held / n - other_held / other_n
        z = np.where(error > 0, apart / np.where(error > 0, error, 1), 0.0)
    return Association(np.where(defined, ratio, np.nan), np.where(defined, z, np.nan))
