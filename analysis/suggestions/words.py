"""Words and phrases of texts as clauses: those that go with what is looked for, by chi-square. No torch."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from analysis.subsets.comparing import Value, of_column
from analysis.subsets.expression import quoted, written_name
from analysis.subsets.functions import CALLS
from analysis.subsets.table import TEXT, Column
from analysis.suggestions.evidence import z_scores
from analysis.suggestions.items import LEAST, Item, Items, nothing

LONGEST = 3  # words of a phrase
READ = 4_000  # characters of a text that words are looked for in
CHARACTERS = 60  # of a phrase
_WORD = re.compile(r"\w[\w'’-]*")


def terms(text: str) -> Iterator[str]:
    """Words of a text without differences of case, and phrases of up to three as they stand there."""
    spans = [found.span() for found in _WORD.finditer(text[:READ])]
    for at in range(len(spans)):
        for length in range(1, LONGEST + 1):
            if at + length > len(spans):
                break
            term = text[spans[at][0] : spans[at + length - 1][1]]
            if len(term) <= CHARACTERS and "\n" not in term:
                yield term


def items_of_texts(columns: Sequence[Column], target: NDArray[np.bool_], rows: NDArray[np.int64], most: int) -> Items:
    """Clauses 'the text contains ...' of the terms that go most with a target, of all columns of texts.

    Args:
        target: what is looked for, (n,) bool, or several of them (n, k): then a term counts by the one it goes with
            most, either way. rows: instances that terms are counted in. most: clauses of a column.
    """
    n = len(target)
    wanted = target[:, None] if target.ndim == 1 else target
    found = nothing(n)
    for column in columns:
        if column.kind == TEXT and "`" not in column.name:
            chosen = _chosen(column, wanted, rows, most, both=target.ndim > 1)
            made = [(_item(column, term), holding(column, term)) for term in chosen]
            if made:
                found = found.plus(Items(tuple(item for item, _ in made), np.stack([mask for _, mask in made], 1)))
    return found


def holding(column: Column, term: str) -> NDArray[np.bool_]:
    """Which texts contain the term as whole words, (n,): as ``word`` of ``analysis.subsets.functions`` says."""
    said = Value(TEXT, term, constant=True)
    return np.asarray(CALLS["word"](of_column(column), said, len(column.values)).data, bool)


def _item(column: Column, term: str) -> Item:
    title = "the text" if column.name == "text" else column.title or column.name
    text = f"word({written_name(column.name)}, {quoted(term)})"
    return Item(text, f"{title} contains “{term}”", f"{title} does not contain “{term}”", column.name)


def _chosen(column: Column, wanted: NDArray[np.bool_], rows: NDArray[np.int64], most: int, *, both: bool) -> list[str]:
    """The terms with the largest chi-square (its root, signed, is z of one target)."""
    texts = [column.folded[int(row)] for row in rows]
    counts: Counter[str] = Counter()
    held = [sorted(set(terms(text))) for text in texts]
    for one in held:
        counts.update(one)
    names = sorted(term for term, count in counts.items() if LEAST <= count <= len(rows) - LEAST)
    if not names:
        return []
    place = {term: at for at, term in enumerate(names)}
    own = wanted[rows]
    hits = np.zeros((len(names), own.shape[1]))
    for row, one in enumerate(held):
        at = [place[term] for term in one if term in place]
        hits[at] += own[row]
    sizes = np.array([counts[term] for term in names], np.float64)
    z = np.stack([z_scores(hits[:, k], sizes, int(own[:, k].sum()), len(rows)) for k in range(own.shape[1])], 1)
    strength = np.abs(z).max(1) if both else z[:, 0]
    order = sorted(range(len(names)), key=lambda at: (-strength[at], -len(names[at]), names[at]))
    return _longest([names[at] for at in order if strength[at] > 1], held, most)


def _longest(ranked: Sequence[str], held: Sequence[Sequence[str]], most: int) -> list[str]:
    """Of terms that the same texts hold, the longest: the phrase rather than its words."""
    candidates = ranked[: 4 * most]
    within = set(candidates)
    places: dict[str, list[int]] = {term: [] for term in candidates}
    for row, one in enumerate(held):
        for term in one:
            if term in within:
                places[term].append(row)
    best: dict[tuple[int, ...], str] = {}
    for term in candidates:
        key = tuple(places[term])
        if key not in best or len(term) > len(best[key]):
            best[key] = term
    kept = set(best.values())
    return [term for term in candidates if term in kept][:most]
