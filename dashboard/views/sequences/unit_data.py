"""Which unit is looked at, and the words that move it most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.results import Answer
from dashboard import subjects
from dashboard.views.sequences import data, word_data, word_parts
from dashboard.views.sequences.data import Frame

EACH = 4  # words that lower it, and that raise it


@dataclass(frozen=True)
class Moved:
    """A unit. lowers, raises: rows of ``sequence_responses``, from the largest change down. least: occurrences that a
    word needs; 1 if no word has as many as were asked for."""

    answer: Answer
    unit: int
    lowers: tuple[int, ...]
    raises: tuple[int, ...]
    least: int

    @property
    def rows(self) -> tuple[int, ...]:
        """From the word that lowers it most to the one that raises it most."""
        return (*self.lowers, *reversed(self.raises))

    @property
    def numbers(self) -> list[int]:
        """Of the words of ``rows``."""
        ids = np.asarray(self.answer.array("id"))
        return [int(ids[row]) for row in self.rows]

    def mean(self, row: int) -> float:
        """The unit's mean change at a word."""
        return float(self.answer.array("mean")[row, self.unit])

    def name(self, row: int) -> str:
        """A word in a sentence."""
        return data.spelt(str(self.answer.json["names"][row]))


def moved(shown: Frame) -> Moved:
    """The chosen unit, or else the one that the first word shown moves most. Raises Pending and errors."""
    found = word_data.known(shown)
    mean = np.asarray(found.answer.array("mean"), np.float64)
    chosen = word_parts.unit_of(shown)
    unit = int(np.nan_to_num(np.abs(mean[found.rows[0]])).argmax()) if chosen is None else chosen
    counts = np.asarray(found.answer.array("count"))
    least = shown.selection.sleast if (counts >= shown.selection.sleast).any() else 1
    lowers, raises = extremes(mean[:, unit], counts, least)
    return Moved(found.answer, unit, lowers, raises, least)


def extremes(mean: NDArray[np.float64], counts: NDArray[np.int64], least: int) -> tuple[tuple[int, ...], ...]:
    """Rows of the words that lower a unit most, and of those that raise it most; those that do neither are in none.

    Args:
        mean: change of the unit by word (V,). counts: occurrences (V,). least: that a word needs.
    """
    rows = np.flatnonzero((counts >= least) & np.isfinite(mean))
    order = rows[np.argsort(mean[rows], kind="stable")]
    lowers = [int(row) for row in order[:EACH] if mean[row] < 0]
    raises = [int(row) for row in order[::-1][:EACH] if mean[row] > 0]
    return tuple(lowers), tuple(raises)


def half_life(shown: Frame, unit: int) -> str:
    """How long the unit keeps its state, in words; '' while that is not known. Asks for nothing."""
    found = subjects.known(shown.selection, "sequence_memory", **shown.source).answer
    if found is None or "half_life" not in found.names():
        return ""
    value = float(np.asarray(found.array("half_life"))[unit])
    if np.isnan(value):
        return "not defined: it is always 0"
    return f"{value:.3g} steps" if np.isfinite(value) else "longer than these sequences tell"


def explained(shown: Frame) -> str:
    """'' if Attribution can explain a unit of this source, else why not."""
    if shown.state != "hidden":
        return "Attribution explains hidden states, which a layer yields; cell states it keeps to itself."
    if shown.depth != -1:
        return "Attribution explains the last of the stacked layers."
    keys = {str(one["key"]): one for one in shown.description.get("layers", [])}
    if keys and (shown.layer not in keys or keys[shown.layer].get("reason")):
        return "Attribution explains the output of a layer; this one is called once for every step."
    return ""
