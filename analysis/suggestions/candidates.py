"""A subset that may be suggested: what it is, in an expression and in words, and whom it holds. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.suggestions.evidence import z_scores
from analysis.suggestions.items import Item, said

ALIKE = 0.8  # common instances / all instances of two subsets, from which on they are one


@dataclass(frozen=True)
class Candidate:
    """One subset.

    text: as ``analysis.subsets.subset`` reads it. words: what its instances have in common, after 'where'. mask: whom
    it holds, (n,) bool. z: of the searched half, see ``evidence.z_scores``. kind: 'rule', 'cluster' or 'neuron'.
    columns: that it speaks of. length: number of clauses. more: what is known of it besides.
    """

    text: str
    words: str
    mask: NDArray[np.bool_]
    z: float
    kind: str
    columns: tuple[str, ...] = ()
    length: int = 1
    more: dict[str, Any] = field(default_factory=dict)


def of_items(items: Sequence[Item], mask: NDArray[np.bool_], z: float) -> Candidate:
    """The rule that all of these hold."""
    texts = [f"({item.text})" if _compound(item.text) and len(items) > 1 else item.text for item in items]
    columns = tuple(dict.fromkeys(item.column for item in items))
    return Candidate(" and ".join(texts), said(items), mask, z, "rule", columns, len(items))


def _compound(text: str) -> bool:
    """Whether a clause needs brackets beside others."""
    return " or " in text


def z_of(mask: NDArray[np.bool_], wrong: NDArray[np.bool_], rows: NDArray[Any]) -> float:
    """z on these rows."""
    inside, bad = mask[rows], wrong[rows]
    return float(z_scores(np.count_nonzero(inside & bad), np.count_nonzero(inside), int(bad.sum()), len(rows)))


def overlap(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Common instances / all instances of both (Jaccard); 0 of two empty subsets."""
    both = np.count_nonzero(one | other)
    return float(np.count_nonzero(one & other) / both) if both else 0.0


def distinct(found: Sequence[Candidate], most: int, alike: float = ALIKE) -> list[Candidate]:
    """The strongest by z, of those that are nearly the same the shortest: at most ``most``."""
    kept: list[Candidate] = []
    for one in sorted(found, key=lambda one: (-one.z, one.length, len(one.text), one.text)):
        twin = next((place for place, held in enumerate(kept) if overlap(one.mask, held.mask) > alike), None)
        if twin is None:
            if len(kept) < most:
                kept.append(one)
        elif one.length < kept[twin].length and one.z > 0.9 * kept[twin].z:
            kept[twin] = one
    return kept
