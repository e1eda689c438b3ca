"""Counts how often a shard was tried, so that one which ends its process is given up in the end. No torch."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from pathlib import Path
from typing import Any

from analysis.extraction.shards import TRIES

_TRY = re.compile(r"([-=]?)(\d{1,9})", re.ASCII)


class Tries:
    """How often each shard was begun and not finished: on the disk, because a process may not live to tell.

    A line for each event: '7' the shard 7 is begun, '-7' that does not count, '=7' it is settled. A context manager.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / TRIES
        self._counts: Counter[int] = Counter()

    def __enter__(self) -> Tries:
        with contextlib.suppress(FileNotFoundError):
            for line in self._path.read_text(encoding="ascii", errors="replace").split("\n"):
                match = _TRY.fullmatch(line)
                if match:
                    self._count(match[1], int(match[2]))
        self._file = self._path.open("ab", buffering=0)
        return self

    def __exit__(self, *error: Any) -> None:
        self._file.close()
        if not +self._counts:
            self._path.unlink(missing_ok=True)

    def __getitem__(self, number: int) -> int:
        return self._counts[number]

    def _count(self, sign: str, number: int) -> None:
        self._counts[number] = 0 if sign == "=" else self._counts[number] + (-1 if sign else 1)

    def _note(self, sign: str, number: int) -> None:
        self._file.write(f"{sign}{number}\n".encode())
        self._count(sign, number)

    def add(self, number: int) -> None:
        """A shard is begun. Raises OSError."""
        self._note("", number)

    def take_back(self, number: int) -> None:
        """It was interrupted from outside, which is not its fault. Raises OSError."""
        self._note("-", number)

    def settle(self, number: int) -> None:
        """It is finished, or given up. Raises OSError."""
        self._note("=", number)
