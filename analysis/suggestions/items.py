"""What can be said of instances in one clause: a column above a number, a category, a word in a text. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.subsets.expression import quoted, written_name
from analysis.subsets.table import NUMBER, TEXT, TRUTH, Column
from analysis.suggestions.evidence import z_scores

# Quantiles of a number that it is cut at: closer at the ends, where what is unusual lies.
CUTS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)
FEW = 12  # different numbers up to which each is a value of its own
MOST_NAMES = 40  # of a category, the most frequent
LEAST = 5  # instances that a clause must hold of, and leave out
OF_CLASS = ("label", "prediction")
Masks = NDArray[np.bool_]


@dataclass(frozen=True)
class Item:
    """A clause. text: the expression, as ``analysis.subsets.expression`` reads it. words: the same, after 'where'.
    other: the words of its opposite. column: what it is about."""

    text: str
    words: str
    other: str
    column: str

    def opposite(self) -> Item:
        """Holds of all instances that this does not hold of, those without a value among them."""
        return Item(f"not ({self.text})", self.other, self.words, self.column)


@dataclass(frozen=True)
class Items:
    """Clauses and where they hold: ``masks`` (n, k) of k items."""

    items: tuple[Item, ...]
    masks: Masks

    def __len__(self) -> int:
        return len(self.items)

    def plus(self, other: Items) -> Items:
        """Both."""
        return Items((*self.items, *other.items), np.concatenate([self.masks, other.masks], axis=1))

    def only(self, places: Sequence[int] | NDArray[Any]) -> Items:
        """Some of them, in that order."""
        chosen = [int(place) for place in places]
        return Items(tuple(self.items[place] for place in chosen), self.masks[:, chosen])


def nothing(n: int) -> Items:
    """No items of n instances."""
    return Items((), np.zeros((n, 0), bool))


def short(low: float, high: float) -> float:
    """The number with the fewest digits from ``low`` up to below ``high``: it parts the two as well as any other."""
    if not low < high:
        return low
    middle = (low + high) / 2
    for digits in range(1, 17):
        value = float(f"{middle:.{digits}g}")
        if low <= value < high:
            return value
    return low


def cuts(values: NDArray[Any], shares: Sequence[float] = CUTS) -> list[float]:
    """Where a number is cut: at quantiles, each between two neighbouring values and as short as these allow."""
    known = np.unique(values[np.isfinite(values)])
    if len(known) < 2:
        return []
    every = np.sort(values[np.isfinite(values)])
    found = set()
    for share in shares:
        low = every[min(len(every) - 1, int(share * len(every)))]
        place = int(np.searchsorted(known, low))
        if place + 1 < len(known):
            found.add(short(float(known[place]), float(known[place + 1])))
    return sorted(found)


def best_cuts(values: NDArray[Any], target: NDArray[np.bool_]) -> list[float]:
    """Above which number, and up to which, the target is most frequent (the highest z); [] where nothing varies.

    values, target: of the instances that are searched, (n,).
    """
    known = np.flatnonzero(np.isfinite(values))
    order = known[np.argsort(values[known], kind="stable")]
    sorted_values, hits = values[order], np.cumsum(target[order])
    sizes = np.arange(1, len(order) + 1)
    ends = np.flatnonzero(sorted_values[1:] > sorted_values[:-1]) if len(order) else np.zeros(0, int)
    n, errors = len(values), int(target.sum())
    found = []
    for inside, of in ((sizes[ends], hits[ends]), (len(order) - sizes[ends], hits[-1:] - hits[ends])):
        good = (inside >= LEAST) & (inside <= n - LEAST)
        if good.any():
            place = ends[int(np.argmax(np.where(good, z_scores(of, inside, errors, n), -np.inf)))]
            found.append(short(float(sorted_values[place]), float(sorted_values[place + 1])))
    return found


def items_of(
    columns: Sequence[Column], rows: NDArray[Any], *, target: Masks | None = None, of_labels: bool = True
) -> Items:
    """Clauses of all columns.

    Args:
        columns: of ``analysis.subsets.table``; texts are left to ``words``. rows: instances that numbers are cut by and
            clauses must hold of. target: what is looked for, (n,): numbers are also cut where it is parted best.
            of_labels: whether label and prediction are among them.
    """
    found: list[tuple[Item, Masks]] = []
    n = len(columns[0].values) if len(columns) else 0
    for column in columns:
        unsaid = "`" in column.name  # no expression can name it
        if column.kind == TEXT or unsaid or (not of_labels and column.name in OF_CLASS):
            continue
        if column.kind == NUMBER:
            made = _number(column, rows, target)
        else:
            made = (_truth if column.kind == TRUTH else _category)(column, rows)
        for item, mask in made:
            inside = int(np.count_nonzero(mask[rows]))
            if LEAST <= inside <= len(rows) - LEAST:
                found.append((item, mask))
    if not found:
        return nothing(n)
    return Items(tuple(item for item, _ in found), np.stack([mask for _, mask in found], axis=1))


def said(items: Sequence[Item]) -> str:
    """Several clauses in words: 'age is above 3 and at most 5 and room is attic'."""
    found: list[tuple[Item, str]] = []
    for item in items:
        about = item.words.partition(" is ")[0]
        last = next((at for at, (one, _) in reversed(list(enumerate(found))) if _alike(one, item)), None)
        if last is None:
            found.append((item, item.words))
        else:  # behind the other clause about it
            found.insert(last + 1, (item, item.words.removeprefix(f"{about} is ")))
    return " and ".join(words for _, words in found)


def _alike(one: Item, other: Item) -> bool:
    """Whether both say of the same what it is."""
    parts = one.words.partition(" is "), other.words.partition(" is ")
    return one.column == other.column and parts[0][0] == parts[1][0] and bool(parts[0][1] and parts[1][1])


def title_of(column: Column) -> str:
    """What a column is called within a sentence: titles of ours begin small there."""
    title = str(column.title or column.name)
    own = column.source in ("model", "feature") and not title[1:2].isupper()
    return title[:1].lower() + title[1:] if own else title


def _number(column: Column, rows: NDArray[Any], target: Masks | None) -> list[tuple[Item, Masks]]:
    values = np.asarray(column.values, np.float64)
    name, title, unit = written_name(column.name), title_of(column), f" {column.unit}" if column.unit else ""
    known = np.unique(values[rows][np.isfinite(values[rows])])
    found: list[tuple[Item, Masks]] = []
    if 2 < len(known) <= FEW:
        for value in known:
            said = f"{_said(value)}{unit}"
            item = Item(f"{name} == {_exact(value)}", f"{title} is {said}", f"{title} is not {said}", column.name)
            found.append((item, values == value))
    gaps = np.isnan(values)
    best = [] if target is None else best_cuts(values[rows], target[rows])
    for cut in sorted({*cuts(values[rows]), *best}):
        above, below = f"{title} is above {_said(cut)}{unit}", f"{title} is at most {_said(cut)}{unit}"
        unless = " or missing" if gaps.any() else ""
        found += [
            (Item(f"{name} > {_exact(cut)}", above, below + unless, column.name), values > cut),
            (Item(f"{name} <= {_exact(cut)}", below, above + unless, column.name), values <= cut),
        ]
    return found + _missing(column, gaps)


def _exact(value: float) -> str:
    """A number as an expression holds it: read again, it is the same, also of a time in nanoseconds."""
    short = f"{value:.12g}"
    return short if float(short) == value else repr(float(value))


def _said(value: float) -> str:
    """A number in words; whole ones, such as 20240115, with all their digits."""
    whole = abs(value) < 1e15 and float(value).is_integer()
    return f"{value:.0f}" if whole else f"{value:.6g}"


def _missing(column: Column, gaps: Masks) -> list[tuple[Item, Masks]]:
    title = title_of(column)
    said = Item(f"missing({written_name(column.name)})", f"{title} is missing", f"{title} is there", column.name)
    return [(said, gaps)] if gaps.any() else []


def _category(column: Column, rows: NDArray[Any]) -> list[tuple[Item, Masks]]:
    values = np.asarray(column.values)
    own = values[rows]
    counts = np.bincount(own[own >= 0], minlength=1)
    name, title = written_name(column.name), title_of(column)
    found: list[tuple[Item, Masks]] = []
    for code in np.argsort(-counts, kind="stable")[:MOST_NAMES]:
        if not counts[code]:
            break
        called = str(column.names[code]) if code < len(column.names) else str(code)
        # Classes are compared by number: two may have one name.
        value = str(int(code)) if column.name in OF_CLASS else quoted(called)
        said = Item(f"{name} == {value}", f"{title} is {called}", f"{title} is not {called}", column.name)
        found.append((said, values == code))
    return found + ([] if column.name in OF_CLASS else _missing(column, values < 0))


def _truth(column: Column, _rows: NDArray[Any]) -> list[tuple[Item, Masks]]:
    values = np.asarray(column.values)
    yes, no = f"{title_of(column)} is true", f"{title_of(column)} is false"
    name = written_name(column.name)
    return [
        (Item(f"{name} == True", yes, no, column.name), values == 1),
        (Item(f"{name} == False", no, yes, column.name), values == 0),
        *_missing(column, np.asarray(column.missing)),
    ]
