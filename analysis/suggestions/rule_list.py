"""A Bayesian rule list: 'if ... then ..., else if ...', sampled from its posterior. No torch.

Letham, Rudin, McCormick and Madigan, Interpretable classifiers using rules and Bayesian analysis, Annals of Applied
Statistics 9, 2015. Written from the paper, for any number of classes. The one in imodels (MIT), the only library of
that licence that is kept up, takes two classes only and brings pandas and mlxtend along.

Sets of instances are whole numbers, a bit for each instance: Python counts the bits of a thousand at once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

LENGTH = 3.0  # lambda: rules that are expected before the data are seen
CARDINALITY = 1.0  # eta: clauses of a rule that are expected
ALPHA = 1.0  # Dirichlet: as many instances of each class as seen before
CHAINS = 3
STEPS = 15_000  # of a chain; the first half is not counted
KEPT = 50_000  # sets whose likelihood is kept
LONGEST = 12  # rules, so that the list can be read
List = tuple[int, ...]


@dataclass
class Fitted:
    """antecedents: in their order, as numbers. counts: of the classes among the instances that each rule takes, those
    that no rule takes at the end, (m + 1, C). log_posterior: up to a constant. rhat: of its values over the chains
    (Gelman and Rubin, 1992), near 1 where they agree; NaN where nothing moves. chains: the best of each."""

    antecedents: List
    counts: NDArray[np.int64]
    log_posterior: float
    rhat: float
    chains: list[float] = field(default_factory=list)

    def shares(self, alpha: float = ALPHA) -> NDArray[np.float64]:
        """Probabilities of the classes after each rule, and at the end, (m + 1, C): the posterior mean."""
        raised = self.counts + alpha
        return np.asarray(raised / raised.sum(1, keepdims=True))


def bits(mask: NDArray[np.bool_]) -> int:
    """A set of instances as a whole number."""
    return int.from_bytes(np.packbits(np.asarray(mask, bool), bitorder="little").tobytes(), "little")


@dataclass
class Problem:
    """What lists are made of and judged by.

    antecedents: masks (n, A). sizes: clauses of each. target: classes 0..C-1, (n,).
    """

    antecedents: NDArray[np.bool_]
    sizes: Sequence[int]
    target: NDArray[np.int64]
    classes: int
    length: float = LENGTH
    cardinality: float = CARDINALITY
    alpha: float = ALPHA

    def __post_init__(self) -> None:
        self.number = self.antecedents.shape[1]
        self._parts: dict[int, float] = {}
        self.sets = [bits(self.antecedents[:, at]) for at in range(self.number)]
        self.own = [bits(self.target == label) for label in range(self.classes)]
        self.everyone = (1 << len(self.target)) - 1
        self.most = min(self.number, LONGEST)
        top = sorted(set(self.sizes))
        self.of_size = {size: sum(one == size for one in self.sizes) for size in top}
        lengths = [m * math.log(self.length) - math.lgamma(m + 1) for m in range(self.most + 1)]
        whole = _logsumexp(lengths)
        self._length = [one - whole for one in lengths]
        alpha = self.alpha
        self._constant = math.lgamma(self.classes * alpha) - self.classes * math.lgamma(alpha)
        # log gamma of every count that there can be: of one class, of all.
        counts = range(len(self.target) + 1)
        self._of_one = [math.lgamma(count + alpha) for count in counts]
        self._of_all = [math.lgamma(count + self.classes * alpha) for count in counts]

    def counts(self, listed: List) -> NDArray[np.int64]:
        """Classes among the instances that each rule is the first to hold of, and of the rest, (m + 1, C)."""
        left, found = self.everyone, []
        for at in listed:
            taken = left & self.sets[at]
            found.append([(taken & own).bit_count() for own in self.own])
            left &= ~self.sets[at]
        found.append([(left & own).bit_count() for own in self.own])
        return np.array(found, np.int64)

    def log_prior(self, listed: List) -> float:
        """log p(d | A, lambda, eta), equations (2) to (4) of the paper."""
        if len(listed) > self.most:
            return -math.inf
        found = self._length[len(listed)]
        left = dict(self.of_size)
        for at in listed:
            sizes = [size for size, count in left.items() if count]
            weights = [size * math.log(self.cardinality) - math.lgamma(size + 1) for size in sizes]
            own = self.sizes[at]
            found += own * math.log(self.cardinality) - math.lgamma(own + 1) - _logsumexp(weights)
            found -= math.log(left[own])
            left[own] -= 1
        return found

    def log_likelihood(self, listed: List) -> float:
        """log p(y | x, d, alpha), the Dirichlet-multinomial of the paper. Its constant for each rule, which the paper
        leaves out, is 0 for two classes with alpha = 1 and matters for more."""
        left, total = self.everyone, 0.0
        for at in listed:
            taken = left & self.sets[at]
            total += self._of_part(taken)
            left ^= taken
        return total + self._of_part(left)

    def _of_part(self, taken: int) -> float:
        """Of the instances of one rule; that of a set that was met before is kept."""
        known = self._parts.get(taken)
        if known is None:
            held = [(taken & own).bit_count() for own in self.own]
            known = self._constant + sum([self._of_one[one] for one in held]) - self._of_all[sum(held)]
            if len(self._parts) > KEPT:
                self._parts.clear()
            self._parts[taken] = known
        return known

    def log_posterior(self, listed: List) -> float:
        """Up to the constant that no list changes."""
        prior = self.log_prior(listed)
        return prior if prior == -math.inf else prior + self.log_likelihood(listed)


def fit(problem: Problem, seed: int = 0, steps: int = STEPS, chains: int = CHAINS) -> Fitted:
    """The list to be shown: of those sampled, of the mean length and the mean number of clauses, the one with the
    highest posterior (the paper's BRL-point).

    Chains start from lists drawn at random; the first half of each is not counted.
    """
    rng = np.random.default_rng(seed)
    kept: dict[List, float] = {}
    traces, best = [], []
    lengths: list[int] = []
    widths: list[int] = []
    for _ in range(chains):
        trace = list(walk(problem, rng, steps))[steps // 2 :]
        traces.append([value for _, value in trace])
        best.append(max(traces[-1]))
        for listed, value in trace:
            kept[listed] = value
            lengths.append(len(listed))
            widths += [problem.sizes[at] for at in listed]
    chosen = _point(problem, kept, lengths, widths)
    return Fitted(chosen, problem.counts(chosen), kept[chosen], rhat(np.array(traces)), best)


def _point(problem: Problem, kept: dict[List, float], lengths: list[int], widths: list[int]) -> List:
    mean = float(np.mean(lengths))
    wide = float(np.mean(widths)) if widths else 0.0

    def fits(listed: List) -> bool:
        own = float(np.mean([problem.sizes[at] for at in listed])) if listed else 0.0
        near = math.floor(mean) <= len(listed) <= math.ceil(mean)
        return near and math.floor(wide) <= own <= math.ceil(wide)

    pool = [listed for listed in kept if fits(listed)] or list(kept)
    return max(pool, key=lambda listed: (kept[listed], tuple(-at for at in listed)))


def walk(problem: Problem, rng: np.random.Generator, steps: int) -> list[tuple[List, float]]:
    """A Metropolis-Hastings chain: each step moves a rule within the list, adds one, or takes one out, each with the
    same chance. Returns the list and its log posterior after each step."""
    now: List = tuple(int(at) for at in rng.permutation(problem.number)[: rng.poisson(problem.length)])[: problem.most]
    value = problem.log_posterior(now)
    known = {now: value}
    found = []
    kinds, draws = rng.integers(0, 3, steps), np.log(rng.random(steps))
    for kind, draw in zip(kinds.tolist(), draws.tolist(), strict=True):
        proposed, correction = _proposal(problem, now, kind, rng)
        if proposed is not None:
            if proposed not in known:
                if len(known) > 100_000:
                    known.clear()
                known[proposed] = problem.log_posterior(proposed)
            after = known[proposed]
            if draw < after - value + correction:
                now, value = proposed, after
        found.append((now, value))
    return found


def _proposal(problem: Problem, now: List, kind: int, rng: np.random.Generator) -> tuple[List | None, float]:
    """A list near this one and log Q(back) - log Q(there); None where such a step cannot be made."""
    m, free = len(now), problem.number - len(now)
    if kind == 0:  # move: as likely back
        if m < 2:
            return None, 0.0
        start, stop = (int(at) for at in rng.choice(m, 2, replace=False))
        rest = [*now[:start], *now[start + 1 :]]
        return (*rest[:stop], now[start], *rest[stop:]), 0.0
    if kind == 1:  # add: one of `free` antecedents at one of m + 1 places; back: one of m + 1 rules
        if not free or m >= problem.most:
            return None, 0.0
        held = set(now)
        fresh = int(rng.integers(problem.number))
        while fresh in held:
            fresh = int(rng.integers(problem.number))
        place = int(rng.integers(m + 1))
        return (*now[:place], fresh, *now[place:]), math.log(free * (m + 1)) - math.log(m + 1)
    if not m:
        return None, 0.0
    place = int(rng.integers(m))
    return (*now[:place], *now[place + 1 :]), math.log(m) - math.log((free + 1) * m)


def rhat(traces: NDArray[np.float64]) -> float:
    """Potential scale reduction of several chains (k, n), Gelman and Rubin, Statistical Science 7, 1992."""
    k, n = traces.shape
    if k < 2 or n < 2:
        return float("nan")
    within = float(traces.var(axis=1, ddof=1).mean())
    between = n * float(traces.mean(axis=1).var(ddof=1))
    return math.sqrt(((n - 1) / n * within + between / n) / within) if within > 0 else float("nan")


def _logsumexp(values: Sequence[float]) -> float:
    top = max(values)
    return top + math.log(sum(math.exp(value - top) for value in values))
