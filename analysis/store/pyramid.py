"""Extremes per block of records, so that a curve of any length is drawn from a bounded number of values.

Level 0 summarises every 64 records, level 1 every 1,024. A block keeps where its smallest and largest finite values
lie, with their steps and times, so that drawing needs no further look into the file.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.store import frames
from analysis.store.logfile import ScalarFile

BLOCK = 64
FACTOR = 16
_CHUNK = BLOCK * 4096  # records read at once while building

Array = NDArray[Any]
_PAIRS = ("value", "step", "wall", "pos")  # shape (n, 2): the two extremes in the order they were written
_SINGLES = ("first_step", "last_step", "first_wall", "last_wall", "bad", "total")  # shape (n,)
_INTEGERS = ("step", "pos", "first_step", "last_step", "bad")
COLUMNS = (*_PAIRS, *_SINGLES)


class Level:
    """Summaries of consecutive blocks of ``block`` records, in arrays that grow.

    value, step, wall, pos: the minimum and maximum among finite values, (NaN, first record) if there is none.
    bad: records that are NaN or infinite. total: sum of the finite ones.
    """

    def __init__(self, block: int) -> None:
        self.block = block
        self.n = 0
        self._arrays: dict[str, Array] = {name: self._empty(name, 0) for name in COLUMNS}

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self._arrays[name][: self.n]

    @property
    def nbytes(self) -> int:
        """Bytes of memory held."""
        return sum(array.nbytes for array in self._arrays.values())

    def append(self, new: Mapping[str, Array]) -> None:
        """Add summaries of further blocks."""
        total = self.n + len(new["bad"])
        for name, array in self._arrays.items():
            if total > len(array):
                grown = self._empty(name, total if not self.n else max(total, 2 * self.n))
                grown[: self.n] = array[: self.n]
                self._arrays[name] = grown
            self._arrays[name][self.n : total] = new[name]
        self.n = total

    def _empty(self, name: str, size: int) -> Array:
        kind = np.int64 if name in _INTEGERS else np.float64
        return np.zeros((size, 2) if name in _PAIRS else size, kind)


def _extremes(columns: Mapping[str, Array]) -> dict[str, Array]:
    """The rows of the smallest and the largest finite 'value' of every block; columns have shape (n, width)."""
    value = columns["value"]
    finite = np.isfinite(value)
    if finite.all():
        low, high = value.argmin(1), value.argmax(1)
    else:
        low, high = np.where(finite, value, np.inf).argmin(1), np.where(finite, value, -np.inf).argmax(1)
        # a block without finite values, or whose +inf stand-in ties, still has to name a finite record
        some = finite.any(1)
        low, high = np.where(some, low, 0), np.where(some, high, 0)
    pick = np.sort(np.stack([low, high], 1), axis=1)
    found = {name: np.take_along_axis(array, pick, 1) for name, array in columns.items()}
    found["value"] = np.where(np.take_along_axis(finite, pick, 1), found["value"], np.nan)
    return found


class Pyramid:
    """Both levels of one file. ``extend`` follows the file as it grows; complete blocks only.

    steps_sorted, walls_sorted: whether these never decrease, so that a range is found by bisection.
    """

    def __init__(self) -> None:
        self.levels = (Level(BLOCK), Level(BLOCK * FACTOR))
        self.steps_sorted = self.walls_sorted = True
        self.saved = 0  # records covered when it was last persisted
        self.inode: tuple[int, int] | None = None
        self.last_crc = 0
        self.lock = threading.RLock()

    @property
    def count(self) -> int:
        """Records covered."""
        return self.levels[0].n * BLOCK

    @property
    def nbytes(self) -> int:
        """Bytes of memory held."""
        return sum(level.nbytes for level in self.levels)

    def fits(self, file: ScalarFile) -> bool:
        """Whether the file is still the one this was built from."""
        if not self.count:
            return True
        if file.inode != self.inode or file.count < self.count:
            return False
        last = file.read(self.count - 1, self.count)
        return len(last) == 1 and int(last["crc"][0]) == self.last_crc

    def extend(self, file: ScalarFile) -> None:
        """Summarise the blocks that became complete since the last time."""
        self.inode = file.inode
        while (whole := (file.count - self.count) // BLOCK * BLOCK) > 0:
            records = file.read(self.count, self.count + min(whole, _CHUNK))
            if len(records) < BLOCK:
                return
            self._add(records[: len(records) // BLOCK * BLOCK])

    def _add(self, records: frames.Frames) -> None:
        base = self.levels[0]
        step, wall, value = (np.ascontiguousarray(records[name]) for name in ("step", "wall", "value"))
        self.steps_sorted &= self._ascending(step, "last_step")
        self.walls_sorted &= self._ascending(wall, "last_wall")
        pos = np.arange(self.count, self.count + len(step))
        shaped = {
            name: array.reshape(-1, BLOCK)
            for name, array in (("value", value), ("step", step), ("wall", wall), ("pos", pos))
        }
        finite = np.isfinite(shaped["value"])
        with np.errstate(over="ignore", invalid="ignore"):
            total = np.where(finite, shaped["value"], 0.0).sum(1)
        base.append(
            {
                **_extremes(shaped),
                "first_step": shaped["step"][:, 0],
                "last_step": shaped["step"][:, -1],
                "first_wall": shaped["wall"][:, 0],
                "last_wall": shaped["wall"][:, -1],
                "bad": BLOCK - finite.sum(1),
                "total": total,
            }
        )
        self.last_crc = int(records["crc"][-1])
        self._raise()

    def _ascending(self, values: Array, last: str) -> bool:
        known = self.levels[0][last]
        return bool(np.all(values[1:] >= values[:-1]) and (not len(known) or values[0] >= known[-1]))

    def _raise(self) -> None:
        """Summarise the groups of level 0 that became complete."""
        base, upper = self.levels
        start, stop = upper.n * FACTOR, base.n // FACTOR * FACTOR
        if stop <= start:
            return
        rows = {name: base[name][start:stop] for name in COLUMNS}
        with np.errstate(over="ignore", invalid="ignore"):
            upper.append(
                {
                    **_extremes({name: rows[name].reshape(-1, 2 * FACTOR) for name in _PAIRS}),
                    "first_step": rows["first_step"][::FACTOR],
                    "last_step": rows["last_step"][FACTOR - 1 :: FACTOR],
                    "first_wall": rows["first_wall"][::FACTOR],
                    "last_wall": rows["last_wall"][FACTOR - 1 :: FACTOR],
                    "bad": rows["bad"].reshape(-1, FACTOR).sum(1),
                    "total": rows["total"].reshape(-1, FACTOR).sum(1),
                }
            )

    def restore(self, columns: Mapping[str, Array], *, steps_sorted: bool, walls_sorted: bool, crc: int) -> None:
        """Take level 0 from an earlier occasion. Raises ValueError when the columns do not belong together."""
        length = len(columns["bad"]) if "bad" in columns else 0
        for name in COLUMNS:
            expected = (length, 2) if name in _PAIRS else (length,)
            if not length or name not in columns or columns[name].shape != expected:
                raise ValueError(f"the column {name} is missing or has another shape")
        self.levels[0].append({name: columns[name] for name in COLUMNS})
        self.steps_sorted, self.walls_sorted, self.last_crc = steps_sorted, walls_sorted, crc
        self.saved = self.count
        self._raise()
