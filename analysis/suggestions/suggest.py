"""Answers ``suggested_subsets``: where the model is wrong more often than chance explains, in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.errors import CutawayError, ParameterError
from analysis.extraction.reader import Extraction
from analysis.jobs.context import Cancelled
from analysis.subsets import table as tables
from analysis.subsets.expression import select
from analysis.subsets.table import Table
from analysis.suggestions import clusters, neurons, rules
from analysis.suggestions.candidates import Candidate, distinct
from analysis.suggestions.evidence import LEVEL, adjusted, evidence, halves, selected_level, wilson
from analysis.suggestions.items import Items, items_of
from analysis.suggestions.listing import profile, profile_words
from analysis.suggestions.redundancy import Weighed, told
from analysis.suggestions.words import items_of_texts

FEWEST = 10  # wrong instances, and right ones
MOST = 20_000  # instances that are searched and tested
TERMS = 40  # of each column of texts
LAYERS = 12  # that units are looked for in
VALUES = 100_000_000  # activations that are held at once
BUDGET = {"rule": 40, "cluster": 12, "neuron": 12}  # candidates of a kind that are tested
TREES = 12
LISTED = 20  # suggestions
SHOWN = 12  # instances of each
OF = ("error",)
RULE = (
    "Half of the labelled instances, drawn at random, is searched for subsets in which the model is wrong more often: "
    "by rules, clusters and units. Each is then tested once on the other half, by Fisher's exact test, and told if its "
    "false discovery rate is at most 5 % (Benjamini and Hochberg). Those that add nothing to others are left out; the "
    "rest is ranked by size x lift."
)


@dataclass(frozen=True)
class Case:
    """What is searched. table: of instances with a label. wrong: (n,) bool. rows: that are searched, the others test.
    layers: pooled activations (n, F) by layer, in the order of the network."""

    table: Table
    wrong: NDArray[np.bool_]
    rows: NDArray[np.int64]
    layers: dict[str, NDArray[np.float32]]
    seed: int

    @property
    def tests(self) -> NDArray[np.int64]:
        """Rows that test."""
        return np.setdiff1d(np.arange(len(self.wrong)), self.rows)


def suggested_subsets(session: Any, context: Any, *, of: str = "error") -> tuple[dict[str, Any], dict[str, Any]]:
    """Subsets of the sample on which the model fails.

    Args:
        of: 'error': what counts is whether the prediction is the label.

    Returns:
        {'base': share wrong, 'n': instances with a label, 'searched', 'held_out': numbers of instances, 'tests':
        subsets that were tested, 'candidates': those looked at by kind, 'rate': false discovery rate, 'rule', 'reason':
        why there is none, or '', 'left_out': [[column, reason]], 'suggestions': [see ``_said``]}; no arrays.

    Raises:
        ParameterError: ``of`` is another.
    """
    if of not in OF:
        raise ParameterError(f"Subsets of {of[:40]!r} are not looked for.", "Choose 'error'.")
    seed = int(session.sample["random_state"])
    step(context, 0, 4, "Reading columns")
    table, reason = table_of(session)
    extraction = session.extraction()
    rows = np.flatnonzero(table.labels >= 0)
    errors = int(table.wrong.sum())
    head = {"of": of, "n": len(rows), "base": errors / len(rows) if len(rows) else None, "rate": LEVEL, "rule": RULE}
    head |= {"left_out": [list(one) for one in table.left_out] + ([["columns", reason]] if reason else [])}
    head |= {"tests": 0, "searched": 0, "held_out": 0, "candidates": {}, "suggestions": [], "random_state": seed}
    why = _too_few(len(rows), errors)
    if why:
        return head | {"reason": why}, {}
    if len(rows) > MOST:
        rows = np.sort(np.random.default_rng(seed).choice(rows, MOST, replace=False))
    case = case_of(table, extraction, rows, seed)
    found, items, tests = weighed(case, lambda done, what: step(context, done, 4, what))
    listed = told([one for one in found if one.q <= LEVEL], case.wrong)[:LISTED]
    level = selected_level(len(listed), tests)
    step(context, 3, 4, "Describing subsets")
    said = [_said(case, table, items, one, level) for one in listed]
    counts = {kind: sum(one.candidate.kind == kind for one in found) for kind in BUDGET}
    head |= {"searched": len(case.rows), "held_out": len(case.tests), "tests": tests, "candidates": counts}
    head |= {"level": level, "suggestions": said}
    return head | {"reason": "" if said else _none(tests)}, {}


def step(context: Any, done: int, total: int, what: str) -> None:
    """Say how far it is; leave if the job was cancelled."""
    if getattr(context, "cancelled", False):
        raise Cancelled
    context.progress(done, total, "steps", what)


def _too_few(n: int, errors: int) -> str:
    if not n:
        return "No instance of the sample has a label, so it is not known which predictions are wrong."
    if errors < FEWEST:
        return f"{errors:,} of {n:,} instances are wrong: too few for patterns. Choose a larger sample."
    if n - errors < FEWEST:
        return f"{errors:,} of {n:,} instances are wrong: nearly all, so no subset stands out."
    return ""


def _none(tests: int) -> str:
    if not tests:
        return "No subset was found in which the model is wrong more often than elsewhere."
    return (
        f"{tests:,} subset{' was' if tests == 1 else 's were'} tested: none is wrong more often than chance explains."
    )


def table_of(session: Any) -> tuple[Table, str]:
    """The table of the sample, and why columns besides the model's own are missing, or ''."""
    table = tables.of_extraction(session.extraction())
    try:
        return tables.joined(table, session.ask("instance_columns")), ""
    except CutawayError as error:
        return table, error.message


def case_of(table: Table, extraction: Extraction, rows: NDArray[np.int64], seed: int) -> Case:
    """What is searched of these rows."""
    layers = {key: np.asarray(extraction.mean(key))[rows] for key in _layers(extraction, len(rows))}
    own = table.take(rows)
    return Case(own, own.wrong, np.flatnonzero(halves(own.wrong, seed)), layers, seed)


def _layers(extraction: Extraction, n: int) -> list[str]:
    """Hidden layers, spread over the depth, as many as there is room for; the last one in any case."""
    every = sorted(extraction.layers, key=lambda info: info.order)
    hidden = [info for info in every if not info.output] or every
    count = min(LAYERS, len(hidden))
    while count:
        places = np.unique(np.linspace(len(hidden) - 1, 0, count).round().astype(int))
        chosen = [hidden[place] for place in places]
        if count == 1 or n * sum(info.filters for info in chosen) <= VALUES:
            return [info.key for info in chosen]
        count //= 2
    return []


def clauses(case: Case) -> Items:
    """Clauses of columns, of classes and of words; without predictions of a class that no label has: these are wrong by
    definition."""
    own = [case.table.columns["label"]]
    there = np.unique(case.table.labels)
    if len(there) > 1:
        guesses = case.table.columns[rules.PREDICTION]
        own.append(replace(guesses, values=np.where(np.isin(guesses.values, there), guesses.values, -1)))
    others = case.table.of("metadata", "feature", "function")
    texts = [column for column in others if column.kind == tables.TEXT]
    found = items_of([*own, *others], case.rows, target=case.wrong)
    return found.plus(items_of_texts(texts, case.wrong, case.rows, TERMS)) if texts else found


def weighed(case: Case, tell: Callable[[int, str], None]) -> tuple[list[Weighed], Items, int]:
    """All candidates with what the other half says of each; the clauses they were made of; the number of tests."""
    tell(1, "Looking for rules")
    items = clauses(case)
    made = rules.search(items, case.wrong, case.rows, BUDGET["rule"], telling_labels(case.table))
    made += rules.leaves(items, case.wrong, case.rows, case.seed, TREES)
    found = distinct(made, BUDGET["rule"])
    tell(2, "Looking for clusters and units")
    found += _of_activations(case)
    rest = case.tests
    proof = [evidence(one.mask[rest], case.wrong[rest]) for one in found]
    q = adjusted([one.p for one in proof])
    return [Weighed(*both) for both in zip(found, proof, map(float, q), strict=True)], items, len(found)


def telling_labels(table: Table) -> set[str]:
    """Columns of names each of which stands for one label: the label once more, perhaps a finer one."""
    found = {"label"}
    for column in table.of("metadata", "function"):
        if column.kind != tables.CATEGORY:
            continue
        good = np.asarray(column.values) >= 0
        pairs = np.unique(np.stack([np.asarray(column.values)[good], table.labels[good]]), axis=1)
        if pairs.shape[1] and len(np.unique(pairs[0])) == pairs.shape[1]:
            found.add(column.name)
    return found


def _of_activations(case: Case) -> list[Candidate]:
    """Clusters of the last layer and of the one in the middle, units of all."""
    names, indices = list(case.layers), case.table.indices
    if not names:
        return []
    lying: list[Candidate] = []
    for name in dict.fromkeys((names[-1], names[len(names) // 2])):
        values = case.layers[name]
        lying += clusters.clusters(values, name, case.wrong, case.rows, indices, case.seed, BUDGET["cluster"])
    firing: list[Candidate] = []
    for name in names:
        firing += neurons.firing(case.layers[name], name, case.wrong, case.rows, indices, BUDGET["neuron"])
    return distinct(lying, BUDGET["cluster"]) + distinct(firing, BUDGET["neuron"])


def _said(case: Case, table: Table, items: Items, one: Weighed, level: float) -> dict[str, Any]:
    """A suggestion.

    Returns:
        {'text': expression, 'words': what its instances have in common, after 'where', 'sentence': with its errors,
        'size', 'wrong': of the whole sample, 'held_out': {'size', 'wrong'}: of the half that was not searched, of which
        also are 'share', 'low', 'high' (its interval, 95 % over those told), 'base', 'lift', 'excess', 'p', 'q';
        'kind', 'features': columns, 'layer', 'neuron', 'cluster' or None, 'profile': see ``listing.profile``, 'about':
        the same in words, 'neurons': see ``neurons.telling``, 'instances': up to 12 that are wrong, the largest loss
        first}.
    """
    candidate, proof = one.candidate, one.evidence
    whole = select(candidate.text, table) & (table.labels >= 0)
    low, high = wilson(proof.wrong, proof.size, level)
    like = profile(items, candidate.mask) if candidate.kind != "rule" else []
    words = candidate.words
    size, wrong = int(whole.sum()), int((whole & table.wrong).sum())
    loss = table.columns["loss"].values
    order = sorted(np.flatnonzero(whole & table.wrong), key=lambda row: (-_number(loss[row]), row))[:SHOWN]
    more = {name: candidate.more.get(name) for name in ("layer", "neuron", "cluster", "clusters", "threshold")}
    return {
        "text": candidate.text,
        "words": words,
        "sentence": sentence(words, size, wrong, table),
        "size": size,
        "wrong": wrong,
        "held_out": {"size": proof.size, "wrong": proof.wrong},
        "share": proof.share,
        "low": low,
        "high": high,
        "base": proof.base,
        "lift": proof.lift,
        "excess": proof.excess,
        "p": proof.p,
        "q": one.q,
        "kind": candidate.kind,
        "features": list(candidate.columns),
        **more,
        "profile": like,
        "about": profile_words(like),
        "neurons": neurons.telling(case.layers, candidate.mask, case.rows),
        "instances": [int(table.indices[row]) for row in order],
    }


def sentence(words: str, size: int, wrong: int, table: Table) -> str:
    """'Where camera is night, 45 of 50 are wrong (90 %): 9.0 times as often as in all.' Of the whole sample."""
    share, base = wrong / max(1, size), int(table.wrong.sum()) / max(1, int((table.labels >= 0).sum()))
    often = f"{share / base:.1f} times as often as in all" if base else "more often than in all"
    return f"Where {words}, {wrong:,} of {size:,} are wrong ({100 * share:.0f} %): {often}."


def _number(value: Any) -> float:
    number = float(value)
    return number if np.isfinite(number) else -1.0
