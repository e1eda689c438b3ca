"""Which curves belong together: the training and the validation side of one metric, found by their tags."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Direction = Literal["lower", "higher", "unknown"]

TRAIN = ("train", "training", "tr")
VALIDATION = ("validation", "valid", "val", "eval", "evaluation", "dev", "test", "testing")  # the first found is used
_LOWER = re.compile(r"^(loss|losses|error|err|perplexity|ppl|nll|mse|rmse|mae)$")
_HIGHER = re.compile(r"^(acc|accuracy|top\d+|f1|auc|auroc|precision|recall|r2)$")
_NOT_A_METRIC = {"scale", "weight", "coef", "coefficient", "factor", "lambda"}  # 'loss_scale' is a setting


@dataclass(frozen=True)
class MetricGroup:
    """One metric. name: the tag without its split, in lower case ('loss'). train, validation: tags, None where
    not logged.

    others: further tags of the same metric (a test split beside a validation split). direction: which way is better;
    'unknown' metrics are drawn but not judged.
    """

    name: str
    train: str | None
    validation: str | None
    others: tuple[str, ...]
    direction: Direction


def direction_of(name: str) -> Direction:
    """Which way a metric of this name improves."""
    words = [w for w in re.split(r"[/_\-.\s]+", name.lower()) if w]
    lower, higher = any(_LOWER.match(w) for w in words), any(_HIGHER.match(w) for w in words)
    if lower == higher or _NOT_A_METRIC.intersection(words):
        return "unknown"
    return "lower" if lower else "higher"


def split_of(tag: str) -> tuple[str, str]:
    """The split a tag names, '' if none, and the rest of the tag: 'val_loss' -> ('val', 'loss').

    A split is the first or last word of the tag or of one of its parts between slashes.
    """
    parts = tag.split("/")
    for at, part in enumerate(parts):
        words = re.split(r"[_\-.\s]+", part)
        for end in (0, -1):
            if words[end].lower() in (*TRAIN, *VALIDATION):
                split = words.pop(end).lower()
                rest = "_".join(words)
                return split, "/".join(p for p in (*parts[:at], rest, *parts[at + 1 :]) if p)
    return "", tag


def pairs(tags: Iterable[str]) -> list[MetricGroup]:
    """The metrics among some tags, in the order of their first tag; every tag is in exactly one group."""
    members: dict[str, list[tuple[str, str]]] = {}
    for tag in dict.fromkeys(tags):
        split, name = split_of(tag)
        members.setdefault((name or tag).lower(), []).append((split, tag))
    return [_group(name, found) for name, found in members.items()]


def _group(name: str, found: list[tuple[str, str]]) -> MetricGroup:
    by_rank = dict(reversed(found))  # reversed: the first of a split stays
    validation = next((by_rank[s] for s in VALIDATION if s in by_rank), None)
    train = next((by_rank[s] for s in (*TRAIN, "") if s in by_rank), None)  # a bare 'loss' is the training loss
    others = tuple(tag for _, tag in found if tag not in (train, validation))
    return MetricGroup(name, train, validation, others, direction_of(name))
