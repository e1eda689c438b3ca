"""The three surrogates: a Bayesian rule list, a shallow tree, a sparse linear model. Each from clauses or columns to
readable rules and what they say of every instance.

Tree and linear model are scikit-learn's, imported when they are fitted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.suggestions import rule_list
from analysis.suggestions.items import Item, Items
from analysis.suggestions.items import said as said_of
from analysis.suggestions.rules import paths

ANTECEDENTS = 250  # clauses and pairs of them that a list may use
SUPPORT = 0.03  # share of the instances that they must hold of
PAIRED = 40  # clauses that are put in pairs
DEPTH = 4
LEAF = 0.02  # share of the instances that a leaf must have
PENALTIES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)  # C of the linear model; the sparsest within a standard error is taken
FOLDS = 3
COEFFICIENTS = 40  # told


@dataclass
class Imitated:
    """said: class for each instance, (n,). rules: {'if', 'text', 'then', 'shares': of the classes}, each as a whole: a
    rule of a list excludes those before it. default: class where no rule holds. more: what is told besides."""

    said: NDArray[np.int64]
    rules: list[dict[str, Any]]
    default: int | None
    library: str
    more: dict[str, Any] = field(default_factory=dict)


def bayesian_list(
    items: Items, target: NDArray[np.int64], fitted: NDArray[np.bool_], classes: int, seed: int
) -> Imitated:
    """A rule list over clauses and pairs of them. target: 0..C-1, (n,); of those not fitted it is not looked at."""
    rows = np.flatnonzero(fitted)
    rules = _antecedents(items, target, rows, classes)
    masks = np.stack([items.masks[:, rule].all(axis=1) for rule in rules], 1) if rules else items.masks[:, :0]
    problem = rule_list.Problem(masks[rows], [len(rule) for rule in rules], target[rows], classes)
    found = rule_list.fit(problem, seed)
    shares = found.shares()
    said = np.full(len(target), int(shares[-1].argmax()))
    left = np.ones(len(target), bool)
    told: list[dict[str, Any]] = []
    before: list[str] = []
    for place, at in enumerate(found.antecedents):
        own = [items.items[clause] for clause in rules[at]]
        then = int(shares[place].argmax())
        said[left & masks[:, at]] = then
        left &= ~masks[:, at]
        text = " and ".join(_bracketed(item.text, len(own)) for item in own)
        words = said_of(own)
        whole = " and ".join([*before, f"({text})" if before else text])
        told.append({"if": words, "text": whole, "then": then, "shares": shares[place].tolist()})
        before.append(f"not ({text})")
    more = {"rhat": found.rhat if np.isfinite(found.rhat) else None, "default_text": " and ".join(before)}
    more |= {"default_shares": shares[-1].tolist(), "antecedents": len(rules)}
    return Imitated(said, told, int(shares[-1].argmax()), "Bayesian rule list, written from the paper", more)


def _bracketed(text: str, count: int) -> str:
    return f"({text})" if count > 1 and " " in text and not text.endswith(")") else text


def _antecedents(items: Items, target: NDArray[np.int64], rows: NDArray[Any], classes: int) -> list[tuple[int, ...]]:
    """Clauses, and pairs of the strongest, of those that hold of enough instances those that tell most of the target
    (mutual information)."""
    if not len(items):
        return []
    held = items.masks[rows].astype(np.float64)
    own = np.eye(classes)[target[rows]]
    least = max(5.0, SUPPORT * len(rows))
    single = information(held, own)
    sums = held.sum(0)
    good = [int(at) for at in np.argsort(-single, kind="stable") if least <= sums[at] <= len(rows) - least]
    found: list[tuple[tuple[int, ...], float]] = [((at,), float(single[at])) for at in good]
    strong = np.array(good[:PAIRED], int)
    for place, at in enumerate(strong[:-1]):
        others = strong[place + 1 :]
        both = held[:, others] * held[:, [at]]
        worth = information(both, own)
        sizes = both.sum(0)
        for other, value, size in zip(others.tolist(), worth, sizes, strict=True):
            nested = size in (sums[at], sums[other])
            if least <= size and not nested:
                found.append(((int(at), int(other)), value))
    found.sort(key=lambda pair: (-pair[1], len(pair[0]), pair[0]))
    return [rule for rule, _ in found[:ANTECEDENTS]]


def information(held: NDArray[np.float64], own: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mutual information of each column of truths (n, k) and the class (n, C) one-hot, in nats, (k,)."""
    n = max(1, len(held))
    both = held.T @ own / n
    classes = own.sum(0) / n
    yes = both.sum(1, keepdims=True)
    found = np.zeros(held.shape[1])
    for joint, share in ((both, yes), (classes - both, 1 - yes)):
        joint = np.maximum(joint, 0)
        chance = share * classes
        ratio = np.divide(joint, chance, out=np.ones_like(joint), where=(joint > 0) & (chance > 0))
        found += (joint * np.log(ratio)).sum(1)
    return found


def tree(items: Items, target: NDArray[np.int64], fitted: NDArray[np.bool_], classes: int, seed: int) -> Imitated:
    """A decision tree over clauses, of depth 4 at most; its leaves are rules that exclude each other."""
    from sklearn import __version__
    from sklearn.tree import DecisionTreeClassifier

    least = max(5, int(LEAF * fitted.sum()))
    model = DecisionTreeClassifier(max_depth=DEPTH, min_samples_leaf=least, ccp_alpha=0.002, random_state=seed)
    masks = items.masks if len(items) else np.zeros((len(target), 1), bool)
    model.fit(masks[fitted], target[fitted])
    said = np.asarray(model.predict(masks), np.int64)
    told = []
    for path in filter(None, paths(model.tree_)):
        clauses = _short([_clause(items, place, yes) for place, yes in path])
        inside = np.ones(len(target), bool)
        for _, mask in clauses:
            inside &= mask
        counts = np.bincount(target[fitted & inside], minlength=classes)
        own = [item for item, _ in clauses]
        text = " and ".join(_bracketed(item.text, len(own)) for item in own)
        words = said_of(own)
        shares = (counts / max(1, counts.sum())).tolist()
        told.append({"if": words, "text": text, "then": int(counts.argmax()), "shares": shares})
    told.sort(key=lambda one: -max(one["shares"]))
    default = int(np.bincount(target[fitted], minlength=classes).argmax())
    more = {} if told else {"default_text": "", "default_shares": []}  # a tree of one leaf
    return Imitated(said, told, default, f"scikit-learn {__version__}, decision tree", more)


def _clause(items: Items, place: int, yes: bool) -> tuple[Item, NDArray[np.bool_]]:
    if yes:
        return items.items[place], items.masks[:, place]
    mask = ~items.masks[:, place]
    for at, other in enumerate(items.items):
        if other.column == items.items[place].column and np.array_equal(items.masks[:, at], mask):
            return other, mask
    return items.items[place].opposite(), mask


def _short(clauses: Sequence[tuple[Item, NDArray[np.bool_]]]) -> list[tuple[Item, NDArray[np.bool_]]]:
    """Without clauses that follow from the others: above 3 and above 5 is above 5."""
    kept = list(clauses)
    for one in list(clauses):
        others = [mask for item, mask in kept if item is not one[0]]
        if others and np.all(one[1] | ~np.logical_and.reduce(others)):
            kept = [pair for pair in kept if pair[0] is not one[0]]
    return kept


def linear(
    features: NDArray[np.float64],
    names: Sequence[tuple[str, str]],
    target: NDArray[np.int64],
    fitted: NDArray[np.bool_],
    classes: int,
    seed: int,
) -> Imitated:
    """Multinomial logistic regression with an L1 penalty, of standardised columns.

    The penalty is the strongest whose accuracy, in threefold cross-validation within the fitted instances, is within a
    standard error of the best.

    Args:
        features: (n, k), finite. names: column and words of each.
    """
    from sklearn import __version__

    rows = np.flatnonzero(fitted)
    mean, spread = features[rows].mean(0), features[rows].std(0)
    good = spread > 1e-9 * max(1e-30, float(spread.max(initial=0)))
    data = (features[:, good] - mean[good]) / spread[good]
    own = [name for name, kept in zip(names, good, strict=True) if kept]
    present = np.unique(target[rows])
    library = f"scikit-learn {__version__}, logistic regression with an L1 penalty"
    if len(present) < 2 or not len(own):
        said = np.full(len(target), int(present[0]) if len(present) == 1 else int(np.bincount(target[rows]).argmax()))
        return Imitated(said, [], int(said[0]), library, {"coefficients": [], "used": 0, "of": len(own), "c": None})
    c = _penalty(data[rows], target[rows], seed)
    model = _regression(c, seed).fit(data[rows], target[rows])
    said = np.asarray(model.predict(data), np.int64)
    weights = model.coef_ if len(model.classes_) > 2 else np.concatenate([-model.coef_, model.coef_])
    told = []
    for place, label in enumerate(model.classes_):
        if len(model.classes_) == 2 and place == 0:
            continue  # the mirror of the other
        for at in np.flatnonzero(weights[place]):
            one: dict[str, Any] = {
                "column": own[at][0],
                "feature": own[at][1],
                "class": int(label),
                "value": float(weights[place, at]),
            }
            told.append(one | {"per": float(spread[good][at])})
    told.sort(key=lambda one: -abs(one["value"]))
    used = int((weights != 0).any(axis=0).sum())
    more = {"coefficients": told[:COEFFICIENTS], "used": used, "of": len(own), "c": c, "classes_fitted": classes}
    return Imitated(said, [], None, library, more)


def _regression(c: float, seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=c, l1_ratio=1.0, solver="saga", max_iter=300, tol=1e-3, random_state=seed)


def _penalty(data: NDArray[np.float64], target: NDArray[np.int64], seed: int) -> float:
    """The strongest penalty within a standard error of the best."""
    import warnings

    order = np.random.default_rng(seed).permutation(len(target))
    scores = np.zeros((len(PENALTIES), FOLDS))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for fold in range(FOLDS):
            out = order[fold::FOLDS]
            kept = np.setdiff1d(order, out)
            for place, c in enumerate(PENALTIES):
                if len(np.unique(target[kept])) > 1:
                    model = _regression(c, seed).fit(data[kept], target[kept])
                    scores[place, fold] = (model.predict(data[out]) == target[out]).mean()
    mean = scores.mean(1)
    best = int(mean.argmax())
    error = float(scores[best].std(ddof=1) / np.sqrt(FOLDS))
    return PENALTIES[int(np.flatnonzero(mean >= mean[best] - error)[0])]
