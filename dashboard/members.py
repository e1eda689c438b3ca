"""The instances as a table, and who belongs to a subset: what the views that select instances share.

A subset is what the address calls ``subset``: see ``analysis.subsets.subset``. Nothing here waits for the worker:
columns of metadata and features join when they are there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from analysis.errors import CutawayError, NotFound
from analysis.extraction.reader import Extraction
from analysis.results import Answer
from analysis.subsets import subset as subsets
from analysis.subsets.book import Book, Saved
from analysis.subsets.table import Table, joined, of_extraction
from dashboard import asking, services, subjects
from dashboard.framing import reading
from dashboard.histories import Memo
from dashboard.selection import Selection

QUESTION = "instance_columns"
MOST_CLASSES = 1000  # in a picker
# A table of a million instances is large; keys name all that it depends on.
_TABLES, _BOOKS = Memo(most=4), Memo(most=8)


class Shown(Protocol):
    """What a view's frame has."""

    @property
    def selection(self) -> Selection: ...
    @property
    def description(self) -> dict[str, Any]: ...
    @property
    def extraction(self) -> Extraction | None: ...
    def class_name(self, label: int) -> str: ...


def table(shown: Shown) -> Table:
    """The rows of the extraction with the columns that are known; ``Table.waiting`` while others are computed.

    Where these cannot be computed, ``Table.left_out`` says why, and the table is that of the model. Raises NotReady
    while there is no extraction.
    """
    extraction = _extraction(shown)
    answer, waiting, failed = _columns(shown, extraction)
    return _table(extraction, answer, waiting=waiting, failed=failed)


def _table(extraction: Extraction, answer: Answer | None, *, waiting: bool, failed: str) -> Table:
    def make() -> Table:
        if answer is None and not waiting and not failed:
            return of_extraction(extraction)
        made = replace(_table(extraction, None, waiting=False, failed=""), waiting=waiting)
        try:
            if answer is not None:
                return joined(made, answer)
        except (KeyError, ValueError, TypeError, IndexError):
            raise NotFound(
                "The columns of the instances are damaged.", "Empty the cache: they are computed again."
            ) from None
        return replace(made, left_out=(("metadata and features", failed),)) if failed else made

    key = (str(extraction.directory), extraction.done, answer and str(answer.path), waiting, failed)
    return _TABLES.get(key, make)


def _extraction(shown: Shown) -> Extraction:
    if shown.extraction is None or not shown.extraction.done:
        raise reading()
    return shown.extraction


def _columns(shown: Shown, extraction: Extraction) -> tuple[Answer | None, bool, str]:
    """The answer that holds further columns, whether it is still to come, and why it will not."""
    if not extraction.complete:
        return None, True, ""
    found = subjects.ask(shown.selection, QUESTION, wait=0.0)
    if found.answer is not None or found.state == "waiting":
        return found.answer, found.answer is None, ""
    error = (found.job.error if found.job else None) or {}
    return None, False, str(error.get("message") or "they were not computed")


def mask(shown: Shown, text: str | None) -> NDArray[np.bool_]:
    """Which rows of the extraction belong to a subset, (n,). Raises as ``table``, and ExpressionError.

    Columns of metadata and features are asked for only if the subset is about them.
    """
    known = saved_by_name(shown)
    extraction = _extraction(shown)
    wanted = set(subsets.columns_of(text, known))
    found = _table(extraction, None, waiting=False, failed="")
    return subsets.mask(text, found if wanted <= set(found.columns) else table(shown), known)


def rows(shown: Shown, text: str | None) -> NDArray[np.int64]:
    """The same as rows, ascending, (k,)."""
    return np.flatnonzero(mask(shown, text)).astype(np.int64)


def title(shown: Shown, text: str | None) -> str:
    """A subset as a noun phrase: 'instances labelled cat'. Raises ExpressionError for a saved one that there is not."""
    return subsets.title(text, shown, saved_by_name(shown))


def portable(shown: Shown, text: str | None) -> tuple[str, dict[str, dict[str, Any]]]:
    """A subset as a question takes it: its text, and the saved subsets that it refers to, {name: {'text', 'indices'}},
    of the instances of the sample. Raises as ``mask``: a subset that does not fit is not asked about."""
    known = saved_by_name(shown)
    mask(shown, text)
    indices = _extraction(shown).indices
    needed = {}
    for name in subsets.subsets_of(text, known):
        one = known[name]
        inside = None if one.indices is None else indices[np.isin(indices, one.indices)].tolist()
        needed[name] = {"text": one.text, "indices": inside}
    return (text or subsets.ALL).strip() or subsets.ALL, needed


# Saved subsets ------------------------------------------------------------------------------------------------------


def book(shown: Shown) -> Book:
    """The named subsets of this subject."""
    return Book(services.current().settings.workspace / "subsets", shown.description)


def saved_by_name(shown: Shown) -> dict[str, Saved]:
    """Named subsets by name; the log is read again only when it changed. Raises ParameterError."""
    found = book(shown)
    try:
        status = found.lines.file.stat()
    except OSError:
        return {}
    key = ("subsets", str(found.lines.file), status.st_ino, status.st_mtime_ns, status.st_size)
    return _BOOKS.get(key, found.all)


def saved(shown: Shown) -> list[Saved]:
    """Named subsets, the newest first."""
    return list(reversed(saved_by_name(shown).values()))


def save(
    shown: Shown, name: str, text: str | None = None, indices: Any = None, note: str = "", *, again: bool = False
) -> Saved:
    """Keep a subset under a name, from its text or from indices in the data set (a lasso).

    again: whether one of this name is replaced.

    Raises:
        ExpressionError: the text does not fit the table. ParameterError: the name cannot be used, or is taken.
    """
    if indices is None:
        text = text or subsets.ALL
        mask(shown, text)  # says what is wrong with it
    return book(shown).save(name, text or "", indices, note, replace=again)


def rename(shown: Shown, name: str, new: str) -> Saved:
    """Give a subset another name. Raises NotFound, ParameterError."""
    return book(shown).rename(name, new)


def delete(shown: Shown, name: str) -> None:
    """Delete a named subset. Raises NotFound, and ParameterError where another refers to it."""
    book(shown).delete(name)


def combine(shown: Shown, operation: str, *texts: str | None) -> str:
    """The text of 'and' or 'or' of several subsets, or 'not' of one. Raises ExpressionError if they do not fit."""
    made = subsets.combined(operation, *texts)
    mask(shown, made)
    return made


def options(shown: Shown) -> list[dict[str, str]]:
    """What a picker of subsets offers. Classes by number, the first MOST_CLASSES; the one chosen is always there."""
    names = [str(name) for name in shown.description.get("classes") or ()][:MOST_CLASSES]
    listed = [("all", "all"), ("wrong", "wrong ones")]
    listed += [(one.subset, one.name) for one in saved(shown)]
    for kind, text in (("class", "labelled"), ("predicted", "predicted")):
        listed += [(f"{kind}:{at}", f"{text} {name}") for at, name in enumerate(names)]
    chosen = shown.selection.subset
    if chosen and chosen not in {value for value, _ in listed}:
        try:
            listed.append((chosen, title(shown, chosen).removeprefix("instances where ")))
        except (CutawayError, asking.NotReady):
            listed.append((chosen, chosen[:80]))
    return [{"value": value, "label": label} for value, label in listed]
