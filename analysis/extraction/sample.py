"""Which instances are looked at: a sample in which every class has its share. No torch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.errors import ParameterError

DEFAULT = 1000  # instances


def choose(labels: Any, n: int, random_state: int = 0, include: Iterable[int] = ()) -> NDArray[np.int64]:
    """A stratified sample: every class gets its share of ``n`` by largest remainder, and at least one instance while
    there is room for all classes.

    Args:
        labels: class of each instance, shape (N,), -1 where it is missing (a class of its own here).
        n: size of the sample; all of them if there are fewer. random_state: the same one gives the same sample.
        include: instances that are in it whatever happens; they count as part of their class's share, and of ``n``
            unless they are more.

    Returns:
        indices in ascending order without repetition, int64, shape (max(min(n, N), number included),).

    Raises:
        ParameterError: ``n`` is below 1, or an included instance does not exist.
    """
    labels = np.asarray(labels, np.int64).reshape(-1)
    if n < 1:
        raise ParameterError(f"A sample of {n} instances is empty.", "Ask for at least one.")
    always = np.unique(np.asarray(list(include), np.int64))
    if len(always) and (always[0] < 0 or always[-1] >= len(labels)):
        wrong = always[0] if always[0] < 0 else always[-1]
        raise ParameterError(
            f"There is no instance {wrong} to include: the data have {len(labels):,}.",
            f"Give numbers from 0 to {len(labels) - 1:,}.",
        )
    if n >= len(labels):
        return np.arange(len(labels), dtype=np.int64)
    classes, member, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    held = np.bincount(member[always], minlength=len(classes))
    wanted = _trimmed(np.maximum(shares(sizes, n), held), held, max(n, len(always)))
    order = np.random.default_rng(random_state).permutation(len(labels))
    # Each class's instances, in the drawn order, with the included ones first.
    forced = np.zeros(len(labels), bool)
    forced[always] = True
    line = order[np.lexsort((~forced[order], member[order]))]
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    place = np.arange(len(labels)) - np.repeat(starts, sizes)
    return np.sort(line[place < np.repeat(wanted, sizes)])


def shares(sizes: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Numbers that add up to ``n`` in proportion to ``sizes``, by largest remainder, shape (classes,).

    None exceeds its size if n <= sum(sizes). If n >= number of classes, none is 0: what the smallest are lifted by is
    taken from the largest.
    """
    exact = n * sizes / sizes.sum()
    given = np.floor(exact).astype(np.int64)
    for at in np.lexsort((np.arange(len(sizes)), -(exact - given)))[: n - int(given.sum())]:
        given[at] += 1
    if n >= len(sizes):
        lifted = np.maximum(given, 1)
        for _ in range(int(lifted.sum()) - n):
            lifted[lifted.argmax()] -= 1
        return lifted
    return given


def _trimmed(wanted: NDArray[np.int64], held: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Take from the classes with the most to spare beyond what they must hold, until the sum is ``n``."""
    wanted = wanted.copy()
    excess = int(wanted.sum()) - n
    for keep in (1, 0):  # a class keeps one as long as others can give
        spare = wanted - np.maximum(held, keep)
        while excess > 0 and spare.max() > 0:
            at = int(spare.argmax())
            wanted[at] -= 1
            spare[at] -= 1
            excess -= 1
    return wanted
