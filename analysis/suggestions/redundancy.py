"""Of subsets that tell the same, one: which adds something to those that are told already? No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.suggestions.candidates import Candidate, overlap
from analysis.suggestions.evidence import Evidence, chance

ADDS = 0.001  # p-value from which on a subset says nothing beyond another
PART = 0.4  # of its errors beyond chance, that it must have outside the others
INSIDE = 0.8  # of its instances, that a sharper one must have within another
SAME = 0.5  # overlap from which on the plainer of two is told
NEARLY = 0.75  # of the other's excess that the plainer one needs


@dataclass(frozen=True)
class Weighed:
    """A candidate with its evidence; q: see ``evidence.adjusted``."""

    candidate: Candidate
    evidence: Evidence
    q: float


def told(found: Sequence[Weighed], wrong: NDArray[np.bool_]) -> list[Weighed]:
    """Those that are told, by size x lift: one that adds nothing to the others is left out, and an earlier one that is
    nothing but later, sharper ones.

    A subset adds to others if its instances outside all of them are wrong more often than what else is outside
    (Fisher's exact test on all instances, p below 0.001), and hold at least 40 % of its errors beyond chance; or if it
    is sharper than one of them: its instances inside are wrong more often than the rest of that one. Of two that are
    nearly the same a rule is told rather than a list of instances.
    """
    kept: list[Weighed] = []
    for one in sorted(found, key=_order):
        if _replaced(kept, one):
            continue
        if _needed(one, kept, wrong):
            kept.append(one)
            for other in kept[:-1]:
                rest = [each for each in kept if each is not other]
                if not _needed(other, rest, wrong):
                    kept = rest
    return sorted(kept, key=_order)


def _needed(one: Weighed, others: Sequence[Weighed], wrong: NDArray[np.bool_]) -> bool:
    if not others:
        return True
    masks = [other.candidate.mask for other in others]
    own = one.candidate.mask
    return beyond(own, np.logical_or.reduce(masks), wrong) or any(sharper(own, mask, wrong) for mask in masks)


def _order(one: Weighed) -> tuple[float, int, str]:
    return -one.evidence.excess, one.candidate.length, one.candidate.text


def _replaced(kept: list[Weighed], one: Weighed) -> bool:
    """Puts a rule in the place of a list of nearly the same instances."""
    for place, other in enumerate(kept):
        plainer = one.candidate.kind == "rule" and other.candidate.kind != "rule"
        enough = one.evidence.excess >= NEARLY * other.evidence.excess
        if plainer and enough and overlap(one.candidate.mask, other.candidate.mask) >= SAME:
            kept[place] = one
            return True
    return False


def beyond(one: NDArray[np.bool_], others: NDArray[np.bool_], wrong: NDArray[np.bool_]) -> bool:
    """Whether a subset says something of errors outside the others."""
    outside = ~others
    return _clear(one, outside, wrong) and _excess(one & outside, wrong) >= PART * _excess(one, wrong)


def sharper(one: NDArray[np.bool_], other: NDArray[np.bool_], wrong: NDArray[np.bool_]) -> bool:
    """Whether the first subset tells, within the second, where the errors are."""
    return _clear(one, other, wrong) and float((one & other).sum()) >= INSIDE * float(one.sum())


def _clear(one: NDArray[np.bool_], where: NDArray[np.bool_], wrong: NDArray[np.bool_]) -> bool:
    size, bad = int((one & where).sum()), int((one & where & wrong).sum())
    n, errors = int(where.sum()), int((where & wrong).sum())
    return size < n and chance(bad, size, errors, n) < ADDS


def _excess(members: NDArray[np.bool_], wrong: NDArray[np.bool_]) -> float:
    return float((members & wrong).sum() - members.sum() * wrong.mean())
