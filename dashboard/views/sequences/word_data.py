"""Which words are looked at, and what is known of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.errors import CutawayError, NotFound
from analysis.results import Answer
from analysis.sequences.association import association
from dashboard import asking
from dashboard.views.sequences import data
from dashboard.views.sequences.data import Frame
from dashboard.wording import finite

CLEAR = 1.96  # z from which on a word goes with a class
FOUND = 50  # words that a search offers
COLOURS = ("#009e73", "#cc79a7", "#9a8b00")  # of words; blue and orange are signs in this view
DASHES = ("solid", "dash")


@dataclass(frozen=True)
class Known:
    """The responses of all words. rows: of the words looked at, the first leads; numbers: theirs."""

    answer: Answer
    numbers: tuple[int, ...]
    rows: tuple[int, ...]

    def name(self, row: int) -> str:
        """A word in a sentence."""
        return data.spelt(str(self.answer.json["names"][row]))


def known(shown: Frame) -> Known:
    """The chosen words that the sample holds, or else the one with the strongest response.

    Raises Pending or NotFound.
    """
    answer = data.responses(shown)
    pairs = [(number, data.row_of(answer, number)) for number in shown.selection.word]
    there = [(number, row) for number, row in pairs if row is not None]
    if shown.selection.word and not there:
        listed = ", ".join(str(number) for number, _ in pairs)
        raise NotFound(f"The sample does not hold the word {listed}.", "Choose another, or a larger sample.")
    if not there:
        row = strongest(answer, shown.selection.sleast)
        there = [(int(answer.array("id")[row]), row)]
    return Known(answer, tuple(number for number, _ in there), tuple(row for _, row in there))


def strongest(answer: Answer, least: int) -> int:
    """Row of the word with the largest ||s|| among those that occur at least ``least`` times, or among all."""
    norms = np.nan_to_num(np.asarray(answer.array("norm"), np.float64), nan=-1.0)
    often = np.asarray(answer.array("count")) >= least
    return int(np.where(often, norms, -1.0).argmax() if often.any() else norms.argmax())


def order_of(mean: NDArray[Any], cluster: NDArray[Any] | None, by: str) -> NDArray[np.int64]:
    """Units from left to right: by the mean, the largest first; by number; or by cluster, and in it by the mean.

    Args:
        mean: of the first word (U,). cluster: of each unit (U,), None while not known.
    """
    if by == "index":
        return np.arange(len(mean))
    falling = -np.nan_to_num(np.asarray(mean, np.float64))
    if by == "cluster" and cluster is not None:
        return np.lexsort((falling, cluster)).astype(np.int64)
    return np.argsort(falling, kind="stable").astype(np.int64)


def classes(shown: Frame, found: Known, row: int) -> str:
    """What class a word goes with, in a sentence."""
    held, total = np.asarray(found.answer.array("by_class")), np.asarray(found.answer.array("class_n"))
    if held.shape[1] < 2 or not total.any():
        return ""
    z = np.nan_to_num(association(held[row : row + 1], total).z[0], nan=-np.inf)
    best = int(z.argmax())
    if not np.isfinite(z[best]):
        return ""
    inside = f"{int(held[row, best]):,} of {int(total[best]):,} instances labelled {shown.class_name(best)} hold it"
    other, rest = int(held[row].sum() - held[row, best]), int(total.sum() - total[best])
    counts = (
        f"{inside} ({_percent(held[row, best], total[best])}), {other:,} of {rest:,} others ({_percent(other, rest)})"
    )
    if z[best] < CLEAR:
        return f"It goes with no class clearly: {counts}."
    return f"It goes with {shown.class_name(best)} (z = {z[best]:.1f}): {counts}."


def _percent(part: Any, whole: Any) -> str:
    return f"{100 * int(part) / int(whole):.0f} %" if whole else "none"


def sampled(said: dict[str, Any]) -> str:
    """How sure the percentiles are: '312 occurrences, all of them; the percentiles are exact'."""
    count, drawn = int(said["count"]), int(said["sampled"])
    plural = "s" if count != 1 else ""
    if count == drawn:
        return f"{count:,} occurrence{plural}; the percentiles are of all of them"
    return (
        f"{count:,} occurrences; the percentiles are of {drawn:,} drawn at random, "
        f"so their ranks may be off by {100 * float(said['error']):.1f} points (95 %)"
    )


def here(shown: Frame, number: int) -> tuple[int, int, NDArray[Any]] | None:
    """The word's occurrence in *the* instance: instance, step and changes there (U,); None without one.

    That in the chosen span, if it holds one; else the first. Only if the instance was read already.
    """
    try:
        answer = data.states(shown, shown.instance)
    except (asking.NotReady, CutawayError):
        return None
    steps = np.flatnonzero((np.asarray(answer.array("word")) == number).any(1))
    if not len(steps):
        return None
    chosen = shown.selection.steps
    inside = [step for step in steps.tolist() if chosen and chosen[0] <= step <= chosen[1]]
    step = inside[0] if inside else int(steps[0])
    return shown.instance, step, np.asarray(answer.array("changes"))[step]


def search(answer: Answer, text: str) -> list[dict[str, str]]:
    """What the search offers: words that are the text, begin with it, or hold it; the most frequent first in each."""
    wanted = text.strip().casefold()
    names, ids = answer.json["names"], np.asarray(answer.array("id"))
    counts = np.asarray(answer.array("count"))
    ranked = []
    for row, name in enumerate(names):  # the most frequent first already
        plain = str(name).casefold()
        if wanted in plain:
            ranked.append((0 if plain == wanted else 1 if plain.startswith(wanted) else 2, row))
    ranked.sort()
    rows = [row for _, row in ranked[:FOUND]]
    return [
        {"value": str(int(ids[row])), "label": f"{data.written(str(names[row]))} ({int(counts[row]):,})"}
        for row in rows
    ]


def number(value: Any, digits: int = 3) -> str:
    """A number with a true minus sign."""
    return finite(value, digits).replace("-", "−")


def look(place: int) -> tuple[str, str]:
    """Colour and dash of the word at that place."""
    return COLOURS[place % len(COLOURS)], DASHES[place // len(COLOURS) % len(DASHES)]
