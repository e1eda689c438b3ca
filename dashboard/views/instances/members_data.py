"""Instances by true class: those predicted as labelled, those that are not, each by score. Neither torch nor dash.

Source: ActiVis (Kahng et al., IEEE TVCG 24, 2018), section 4.4: the instance selection panel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.views.instances.data import Picked

MOST_SQUARES = 3_000  # drawn in all
MOST_CLASSES = 60  # rows at once
LEAST = 6  # squares a side that every class keeps
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Group:
    """A true class. label: -1 for those without one. right, wrong: rows of the extraction that are drawn, the highest
    score first. rights, wrongs: how many there are."""

    label: int
    right: Rows
    wrong: Rows
    rights: int
    wrongs: int


def groups(found: Picked) -> tuple[list[Group], int]:
    """The classes with most instances, by label, and how many classes the subset has in all."""
    reader = found.shown.extraction
    labels, predictions = np.asarray(reader.labels)[found.rows], np.asarray(reader.predictions)[found.rows]
    scores = np.nan_to_num(np.asarray(reader.confidence)[found.rows], nan=-1.0)
    by_score = np.argsort(-scores, kind="stable")
    there, counts = np.unique(labels, return_counts=True)
    kept = np.sort(there[np.argsort(-counts, kind="stable")[:MOST_CLASSES]])
    made = []
    for label in kept.tolist():
        own = by_score[labels[by_score] == label]
        hit = predictions[own] == label
        right, wrong = found.rows[own[hit]], found.rows[own[~hit]]
        made.append(Group(label, right, wrong, len(right), len(wrong)))
    return _bounded(made), len(there)


def _bounded(made: list[Group]) -> list[Group]:
    """So few of each side that no more than MOST_SQUARES are drawn; the wrong ones are cut last."""
    wrongs = sum(group.wrongs for group in made)
    rights = sum(group.rights for group in made)
    if wrongs + rights <= MOST_SQUARES:
        return made
    share_wrong = min(1.0, 0.6 * MOST_SQUARES / max(1, wrongs))
    share_right = min(1.0, (MOST_SQUARES - share_wrong * wrongs) / max(1, rights))
    return [
        Group(
            group.label,
            group.right[: max(LEAST, int(share_right * group.rights))],
            group.wrong[: max(LEAST, int(share_wrong * group.wrongs))],
            group.rights,
            group.wrongs,
        )
        for group in made
    ]


def squares(found: Picked, rows: Rows) -> list[list[Any]]:
    """[index, prediction, score] of each row; a score that is undefined is None."""
    reader = found.shown.extraction
    indices, predictions = np.asarray(reader.indices)[rows], np.asarray(reader.predictions)[rows]
    scores = np.asarray(reader.confidence)[rows].astype(float)
    listed = zip(indices.tolist(), predictions.tolist(), scores.tolist(), strict=True)
    return [[index, prediction, round(score, 4) if np.isfinite(score) else None] for index, prediction, score in listed]
