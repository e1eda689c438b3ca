"""Rules over clauses on which instances are wrong more often: a beam search, and leaves of shallow trees. No torch.

Trees need scikit-learn, which is imported when they are grown: the web process has no part in this.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.suggestions.candidates import Candidate, distinct, of_items, z_of
from analysis.suggestions.evidence import z_scores
from analysis.suggestions.items import LEAST, OF_CLASS, Item, Items

DEEPEST = 3  # clauses of a rule
BEAM = 40  # rules of a length that are made longer
GAIN = 0.5  # by which a further clause must raise z
WITHIN = 3.0  # z that it must reach among the instances of the other clauses: by chance one of 700 does
PREDICTION = "prediction"
TREES = 8
SEEN = 4.0 / 5  # share of the clauses that each tree but the first may use


def search(
    items: Items, wrong: NDArray[np.bool_], rows: NDArray[Any], most: int, of_class: Collection[str] = OF_CLASS
) -> list[Candidate]:
    """The rules with the highest z on some rows, by a beam search over their length.

    A clause is added only if it raises z and sharpens the rule clearly. The prediction is not put beside the label, or
    what tells it: each pair of two different classes is wrong by definition.

    Args:
        wrong: (n,) bool. rows: those that are searched. most: rules returned, no two of them nearly the same.
            of_class: columns that tell the label.
    """
    if not len(items):
        return []
    held = items.masks[rows].astype(np.float32)
    bad = wrong[rows].astype(np.float32)
    n, errors = len(rows), int(bad.sum())
    of = [item.column for item in items.items]
    apart = np.array([[not (PREDICTION in (a, b) and {a, b} <= {PREDICTION, *of_class}) for b in of] for a in of])
    beam: dict[tuple[int, ...], float] = {}
    every: dict[tuple[int, ...], float] = {}
    for depth in range(1, DEEPEST + 1):
        parents: list[tuple[int, ...]] = list(beam) or ([()] if depth == 1 else [])
        if not parents:
            break
        grown: dict[tuple[int, ...], float] = {}
        for parent in parents:
            inside = held[:, parent].all(axis=1) if parent else np.ones(n, bool)
            sizes, hits = inside @ held, (inside * bad) @ held
            z = z_scores(hits, sizes, errors, n)
            least = max(beam[parent] + GAIN, 1.0) if parent else 1.0
            own, hit = int(inside.sum()), int((inside * bad).sum())
            sharper = z_scores(hits, sizes, hit, own) >= (WITHIN if parent else 0)
            allowed = (sizes >= LEAST) & (z >= least) & sharper
            for held_by in parent:
                allowed &= apart[held_by]
            for place in np.flatnonzero(allowed):
                grown[tuple(sorted((*parent, int(place))))] = float(z[place])
        every |= grown
        beam = dict(sorted(grown.items(), key=lambda pair: (-pair[1], pair[0]))[:BEAM])
    best = sorted(every.items(), key=lambda pair: (-pair[1], pair[0]))[: 8 * most]
    made = [
        of_items([items.items[at] for at in rule], np.asarray(items.masks[:, rule].all(axis=1)), z) for rule, z in best
    ]
    return distinct(made, most)


def leaves(items: Items, wrong: NDArray[np.bool_], rows: NDArray[Any], seed: int, most: int) -> list[Candidate]:
    """Leaves of shallow trees in which instances are wrong more often, as rules without needless clauses.

    The first tree may use all clauses, the others a part of them drawn at random: a strong clause hides weaker ones.
    """
    from sklearn.tree import DecisionTreeClassifier

    places = [at for at, item in enumerate(items.items) if item.column != PREDICTION]
    if not places or not wrong[rows].any() or wrong[rows].all():
        return []
    rng = np.random.default_rng(seed)
    found: list[Candidate] = []
    for number in range(TREES):
        count = len(places) if number == 0 else max(1, int(SEEN**number * len(places)))
        chosen = np.sort(rng.choice(places, count, replace=False))
        least = max(LEAST, len(rows) // 200)
        tree = DecisionTreeClassifier(max_depth=DEEPEST, min_samples_leaf=least, random_state=seed)
        tree.fit(items.masks[np.ix_(rows, chosen)], wrong[rows])
        for path in paths(tree.tree_):
            said = [(int(chosen[place]), yes) for place, yes in path]
            one = pruned(items, said, wrong, rows)
            if one is not None:
                found.append(one)
    return distinct(found, most)


def paths(tree: Any) -> list[list[tuple[int, bool]]]:
    """From the root to each leaf: which features, and whether they hold there. tree: scikit-learn's, of truths."""
    found: list[list[tuple[int, bool]]] = []

    def walk(node: int, path: list[tuple[int, bool]]) -> None:
        if tree.children_left[node] < 0:
            found.append(path)
            return
        feature = int(tree.feature[node])
        walk(int(tree.children_left[node]), [*path, (feature, False)])
        walk(int(tree.children_right[node]), [*path, (feature, True)])

    walk(0, [])
    return found


def pruned(
    items: Items, path: Sequence[tuple[int, bool]], wrong: NDArray[np.bool_], rows: NDArray[Any]
) -> Candidate | None:
    """The rule of a path without the clauses that it does as well without; None where nothing is left of it."""
    clauses: list[tuple[Item, NDArray[np.bool_]]] = []
    for place, yes in path:
        item, mask = items.items[place], items.masks[:, place]
        clauses.append((item, mask) if yes else _opposite(items, item, mask))
    while len(clauses) > 1:
        worth = [_worth(clauses, at, wrong, rows) for at in range(len(clauses))]
        least = int(np.argmin(worth))
        if worth[least] >= WITHIN:
            break
        clauses.pop(least)
    if not clauses:
        return None
    mask = _all(clauses, len(wrong))
    z = z_of(mask, wrong, rows)
    return of_items([item for item, _ in clauses], mask, z) if z >= 1 else None


def _worth(
    clauses: Sequence[tuple[Item, NDArray[np.bool_]]], at: int, wrong: NDArray[np.bool_], rows: NDArray[Any]
) -> float:
    """z of a clause among the instances of the others."""
    others = _all([*clauses[:at], *clauses[at + 1 :]], len(wrong))
    return z_of(clauses[at][1], wrong, rows[others[rows]])


def _opposite(items: Items, item: Item, mask: NDArray[np.bool_]) -> tuple[Item, NDArray[np.bool_]]:
    """'at most 3' rather than 'not above 3', where that is the same."""
    for place, other in enumerate(items.items):
        if other.column == item.column and np.array_equal(items.masks[:, place], ~mask):
            return other, ~mask
    return item.opposite(), ~mask


def _all(clauses: Sequence[tuple[Item, NDArray[np.bool_]]], n: int) -> NDArray[np.bool_]:
    found = np.ones(n, bool)
    for _, mask in clauses:
        found &= mask
    return found
