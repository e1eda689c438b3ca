"""Subsets that no clause describes, as a list of instances; and what can be said of their instances. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from analysis.subsets.subset import of_indices

if TYPE_CHECKING:  # the page asks what fits into an address, and needs nothing else of this
    from analysis.suggestions.items import Items

ADDRESS = 4_000  # bytes of an expression in an address, where a comma takes three; the server reads 8,190 of the whole


def fits(text: str) -> bool:
    """Whether an expression has room in an address."""
    return len(quote(text, safe="")) <= ADDRESS


def fitting(ranked: Sequence[int] | NDArray[Any]) -> int:
    """How many of these indices, in their order, an expression has room for."""
    low, high = 0, len(ranked)
    while low < high:  # the longest start that fits; ranges make a longer one shorter now and then, which is no harm
        middle = (low + high + 1) // 2
        text = of_indices(ranked[:middle], ADDRESS)
        if text is not None and fits(text):
            low = middle
        else:
            high = middle - 1
    return low


def listed(indices: NDArray[Any]) -> str:
    """ "index in '3-5,8,21'", of as many as ``fitting`` says."""
    text = of_indices(indices, ADDRESS)
    assert text is not None
    return text


def profile(items: Items, mask: NDArray[np.bool_], most: int = 2, least: float = 0.3) -> list[dict[str, Any]]:
    """The clauses that hold most of a subset and least of the others, by their correlation with it (phi).

    Args:
        mask: the subset, (n,) bool. most: clauses, each of another column. least: correlation.

    Returns:
        [{'words', 'text', 'share': of the subset, 'of_all': of all instances}].
    """
    if not len(items) or not mask.any() or mask.all():
        return []
    own = mask.astype(np.float64)
    held = items.masks.astype(np.float64)
    n, size, sums = len(own), own.sum(), held.sum(0)
    spread = np.sqrt(size * (n - size) * sums * (n - sums))
    both = own @ held
    phi = np.divide(n * both - size * sums, spread, out=np.zeros(len(items)), where=spread > 0)
    found: list[dict[str, Any]] = []
    seen: set[str] = set()
    for place in np.argsort(-phi, kind="stable"):
        item = items.items[place]
        if phi[place] < least or len(found) == most:
            break
        if item.column not in seen:
            seen.add(item.column)
            share, of_all = float(both[place] / size), float(sums[place] / n)
            found.append({"words": item.words, "text": item.text, "share": share, "of_all": of_all})
    return found


def profile_words(told: Iterable[dict[str, Any]]) -> str:
    """'of 92 %: label is cat (of all: 10 %); ...'; '' of nothing."""
    parts = [f"{100 * one['share']:.0f} %: {one['words']} (of all {100 * one['of_all']:.0f} %)" for one in told]
    return "; ".join(parts)
