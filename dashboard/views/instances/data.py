"""From the selection to what the panels of the Instances view show: the sample, its columns, the rows of the subset.

Every panel but the first begins with ``picked(search)``. What a wrong expression is, is told by the first panel; the
others say so in a line.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.errors import CutawayError
from analysis.subsets.table import Table
from dashboard import asking, members
from dashboard.asking import NotReady
from dashboard.framing import Frame as Frame
from dashboard.framing import frame as frame
from dashboard.histories import Memo
from dashboard.selection import Selection

VIEW = "instances"
FIRST_PANEL = "Subset"
BOOK = "in-book"  # store: counts what this visitor saved, renamed or deleted
# Groups of the selection that every panel of this view listens to.
LISTENED = ("view", "subset", "sample", "checkpoint", "runs")
LONGEST = 160  # characters of an expression in a sentence
Rows = NDArray[np.int64]
_FOUND = Memo(most=16)  # of a million instances each has 8 MB


@dataclass(frozen=True)
class Picked:
    """The subset that the panels are about.

    shown: the sample. table: its columns. text: the subset as the address writes it, '' for all. rows: of the
    extraction, ascending. title: the subset in words. key: changes with the activations, the columns or the rows.
    """

    shown: Frame
    table: Table
    text: str
    rows: Rows
    title: str
    key: str

    @property
    def count(self) -> str:
        """'37 of 1,000 instances', '37 of 128 instances read so far'."""
        found = self.shown.extraction
        return f"{len(self.rows):,} of {found.done:,} instances{'' if found.complete else ' read so far'}"


def is_shown(search: object) -> bool:
    """Whether the page shows this view; callbacks of a view that is not shown compute nothing."""
    return Selection.parse(search).view == VIEW


def picked(search: object, text: str | None = None, *, first: bool = False) -> Picked:
    """What is shown for an address. text: another subset than the address names. first: whether the panel Subset asks.

    Raises:
        NotReady: there are no activations yet; or no such subset, if not ``first``.
        CutawayError: no such subset, if ``first``; or what failed.
    """
    shown = frame(search)
    wanted = (shown.selection.subset or "") if text is None else text
    table = members.table(shown)
    try:
        rows, title = _rows(shown, table, wanted), members.title(shown, wanted)
    except CutawayError as error:
        if first:
            raise
        if table.waiting:  # it may be about them
            raise NotReady(
                "The subset", "Columns of metadata and features are being computed.", waiting=True, told_in=FIRST_PANEL
            ) from error
        raise NotReady("No subset", "The subset in the address cannot be read.", told_in=FIRST_PANEL) from error
    key = asking.mark(shown.key, list(table.columns), table.waiting, wanted, len(rows), _digest(rows))
    return Picked(shown, table, wanted, rows, title, key)


def _rows(shown: Frame, table: Table, text: str) -> Rows:
    """Rows of a subset. Panels ask one after another: they are found once, unless a name may come to mean others."""
    if "subset" in text or "saved" in text:
        return members.rows(shown, text)
    key = (shown.key, tuple(table.columns), table.waiting, text)
    found: Rows = _FOUND.get(key, lambda: members.rows(shown, text))
    return found


def _digest(rows: Rows) -> int:
    """Tells two sets of rows apart; a saved name may come to mean others."""
    return hash(rows.tobytes())


def cut(text: str, most: int = LONGEST) -> str:
    """A user's text in a sentence."""
    return text if len(text) <= most else text[: most - 1] + "…"
