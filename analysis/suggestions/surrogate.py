"""Answers ``surrogate``: rules that imitate the model, with how well they do on instances they were not made from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.errors import ParameterError
from analysis.subsets import table as tables
from analysis.subsets.expression import select
from analysis.subsets.table import Column, Table
from analysis.suggestions import imitators
from analysis.suggestions.fidelity import fidelity
from analysis.suggestions.imitators import Imitated
from analysis.suggestions.items import Items, items_of, title_of
from analysis.suggestions.suggest import step, table_of
from analysis.suggestions.words import items_of_texts

KINDS, OF = ("rules", "tree", "linear"), ("prediction", "error")
MOST = 5_000  # instances
CLASSES = 20  # that are told apart, the most frequent
FEWEST = 40  # instances
HELD_OUT = 1 / 3
TERMS = 60  # of texts
LONGEST = 150  # characters of a clause: a rule list puts two dozen of them into one expression
RULE = (
    "Rules are made from columns of metadata and features, and from words of texts, never from the label: from what is "
    "known before the answer. Two thirds of the instances, drawn at random, are imitated; fidelity is the share of the "
    "other third of which the surrogate says the same."
)


def surrogate(
    session: Any, context: Any, *, of: str = "prediction", kind: str = "rules"
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """A simple model that imitates the model's predictions, or says where it is wrong.

    Args:
        of: 'prediction': its class; 'error': whether it is wrong, from columns and the prediction. kind: 'rules' (a
            Bayesian rule list), 'tree' (shallow) or 'linear' (sparse).

    Returns:
        {'of', 'kind', 'classes': names of what is imitated, 'rules': [{'if': words, 'text': expression of the instances
        that it decides, 'then': class, 'share': of these, those of which it is right, held out, or None; 'support':
        number of instances in the sample, 'held_out': how many of these were held out}], 'default': {'then', 'text',
        'share', 'support', 'held_out'} or None, 'coefficients': [{'column', 'feature', 'class', 'value': change of
        the class's log-odds per standard deviation (of two classes only the second is told), 'per': that deviation}],
        'fidelity': see ``fidelity``, 'n', 'library', 'rule', 'reason': why there is none, or '', 'left_out', 'note':
        what the reader has to know besides, or '', 'rhat': of the rule list}; no arrays. There is no answer with rules
        and without fidelity.

    Raises:
        ParameterError: there is no such kind, or nothing of that name is imitated.
    """
    if kind not in KINDS:
        raise ParameterError(f"There is no surrogate {kind[:40]!r}.", f"Choose one of: {', '.join(KINDS)}.")
    if of not in OF:
        raise ParameterError(f"{of[:40]!r} cannot be imitated.", f"Choose one of: {', '.join(OF)}.")
    seed = int(session.sample["random_state"])
    step(context, 0, 2, "Reading columns")
    table, reason = table_of(session)
    head: dict[str, Any] = {"of": of, "kind": kind, "rule": RULE, "random_state": seed, "rules": [], "default": None}
    head |= {"coefficients": [], "fidelity": None, "library": "", "note": "", "rhat": None, "n": 0, "classes": []}
    head["left_out"] = [list(one) for one in table.left_out] + ([["columns", reason]] if reason else [])
    rows = _rows(table, of, seed)
    columns = _columns(table, of)
    why = _unfit(table, rows, columns, of)
    if why:
        return head | {"reason": why}, {}
    own = table.take(rows)
    target, names, numbers, note = _target(own, of)
    fitted = np.ones(len(rows), bool)
    fitted[np.random.default_rng([seed, 7]).permutation(len(rows))[: max(1, round(HELD_OUT * len(rows)))]] = False
    step(context, 1, 2, "Fitting")
    found = _imitated(_columns(own, of), target, fitted, len(names), kind, seed)
    majority = int(np.bincount(target[fitted & (target >= 0)], minlength=len(names)).argmax())
    told = fidelity(found.said, target, fitted, majority)
    rules, default = _told(found, own, target, fitted)
    head |= {"rules": rules, "default": default, "fidelity": told, "n": len(rows), "classes": names, "note": note}
    head |= {"coefficients": found.more.get("coefficients", []), "used": found.more.get("used")}
    head |= {"columns": len(columns), "library": found.library, "rhat": found.more.get("rhat"), "numbers": numbers}
    return head | {"reason": ""}, {}


def _rows(table: Table, of: str, seed: int) -> NDArray[np.int64]:
    rows = np.flatnonzero(table.labels >= 0) if of == "error" else np.arange(table.n)
    if len(rows) > MOST:
        rows = np.sort(np.random.default_rng(seed).choice(rows, MOST, replace=False))
    return rows


def _columns(table: Table, of: str) -> list[Column]:
    found = table.of("metadata", "feature", "function")
    return [*found, table.columns["prediction"]] if of == "error" else found


def _unfit(table: Table, rows: NDArray[np.int64], columns: Sequence[Column], of: str) -> str:
    if of == "error" and not len(rows):
        return "No instance of the sample has a label, so it is not known which predictions are wrong."
    if len(rows) < FEWEST:
        return f"{len(rows):,} instances are too few to imitate the model, and to hold some out: {FEWEST} are needed."
    if not columns:
        return "There are no columns of metadata or features that rules could be made from."
    if of == "error" and not table.wrong[rows].any():
        return "No prediction of the sample is wrong."
    if of == "prediction" and len(np.unique(table.predictions[rows])) < 2:
        return "The model predicts one class for the whole sample: there is nothing to imitate."
    return ""


def _target(table: Table, of: str) -> tuple[NDArray[np.int64], list[str], list[int] | None, str]:
    """What is imitated as numbers 0..C-1, (n,), the names of these, their numbers as classes, and a note; -1 is a
    class that is not told apart: no surrogate can be right of it."""
    if of == "error":
        return table.wrong.astype(np.int64), ["right", "wrong"], None, ""
    counts = np.bincount(table.predictions)
    kept = np.sort(np.argsort(-counts, kind="stable")[: min(CLASSES, int((counts > 0).sum()))])
    place = np.full(len(counts), -1)
    place[kept] = np.arange(len(kept))
    target = place[table.predictions]
    beyond = int((target < 0).sum())
    note = ""
    if beyond:
        note = f"Only the {len(kept)} classes predicted most are imitated; {beyond:,} instances have others, and count "
        note += "as not reproduced."
    return target, [table.class_name(int(label)) for label in kept], [int(label) for label in kept], note


def _imitated(
    columns: Sequence[Column], target: NDArray[np.int64], fitted: NDArray[np.bool_], classes: int, kind: str, seed: int
) -> Imitated:
    usable = fitted & (target >= 0)
    rows = np.flatnonzero(usable)
    meant = np.maximum(target, 0)
    texts = [column for column in columns if column.kind == tables.TEXT]
    apart = np.stack([target == label for label in range(classes)], 1)
    terms = items_of_texts(texts, apart, rows, TERMS)
    if kind == "linear":
        features, names = _features(columns, terms, rows)
        return imitators.linear(features, names, meant, usable, classes, seed)
    items = items_of(columns, rows)
    items = items.plus(terms) if len(terms) else items
    items = items.only([at for at, item in enumerate(items.items) if len(item.text) <= LONGEST])
    maker = imitators.bayesian_list if kind == "rules" else imitators.tree
    return maker(items, meant, usable, classes, seed)


def _features(
    columns: Sequence[Column], terms: Items, rows: NDArray[np.int64]
) -> tuple[NDArray[np.float64], list[tuple[str, str]]]:
    """Numbers as they are (what is missing is the median), clauses of everything else as 0 and 1: (n, k), k names."""
    parts: list[NDArray[np.float64]] = []
    names: list[tuple[str, str]] = []
    for column in columns:
        if column.kind == tables.NUMBER:
            values = np.asarray(column.values, np.float64)
            known = values[rows][np.isfinite(values[rows])]
            parts.append(np.where(np.isfinite(values), values, np.median(known) if len(known) else 0.0)[:, None])
            names.append((column.name, title_of(column)))
    others = items_of([column for column in columns if column.kind not in (tables.NUMBER, tables.TEXT)], rows)
    for items in (others, terms):
        if len(items):
            parts.append(items.masks.astype(np.float64))
            names += [(item.column, item.words) for item in items.items]
    n = len(columns[0].values)
    return (np.concatenate(parts, axis=1) if parts else np.zeros((n, 0))), names


def _told(
    found: Imitated, table: Table, target: NDArray[np.int64], fitted: NDArray[np.bool_]
) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    """Rules with what they are worth on held-out instances, and what is said where none holds."""

    def told(text: str, then: int) -> dict[str, Any]:
        mask = select(text, table) if text else np.ones(table.n, bool)
        held = mask & ~fitted
        right = int((target[held] == then).sum())
        share = right / int(held.sum()) if held.any() else None
        return {"text": text, "then": then, "share": share, "support": int(mask.sum()), "held_out": int(held.sum())}

    rules = [{"if": one["if"], **told(one["text"], one["then"])} for one in found.rules]
    default = None
    if found.default is not None and "default_text" in found.more:
        default = told(found.more["default_text"], found.default)
    return rules, default
