"""What of an extraction is there: looked up shard by shard, and remembered once nothing more is to come. No torch.

Every panel of a page makes an ``Extraction`` for every request. Of 100,000 instances that meant opening 1,563 files
each time, and reading a manifest of a megabyte.
"""

from __future__ import annotations

import json
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from analysis.extraction import shards

MOST = 4  # extractions remembered; of a million instances each takes 70 MB
SETTLED = 2 * 10**9  # ns since a directory changed; some systems note the time of a change to two seconds only
_known: OrderedDict[str, tuple[Any, Survey]] = OrderedDict()
_lock = threading.Lock()


class Places:
    """Where values are in an array, (n,), without a table of them all."""

    def __init__(self, values: NDArray[np.int64]) -> None:
        ascending = bool((values[1:] > values[:-1]).all())
        self._order = None if ascending else np.argsort(values, kind="stable")
        self._values = values if self._order is None else values[self._order]

    def of(self, wanted: Any) -> NDArray[np.int64]:
        """The place of each of some integers, (k,), -1 for what is not there."""
        asked = np.asarray(wanted, np.int64).reshape(-1)
        if not len(self._values):
            return np.full(len(asked), -1, np.int64)
        at = np.minimum(np.searchsorted(self._values, asked), len(self._values) - 1)
        places = at if self._order is None else self._order[at]
        return np.where(self._values[at] == asked, places, -1).astype(np.int64)


@dataclass(frozen=True)
class Survey:
    """The manifest of a directory and its shards. Several readers may share one: nothing in it is to be changed.

    parts: instances of every shard. numbers: shards that are there, in order; rows: of each of them. skipped,
    unreached, failed: as ``Extraction`` has them.
    """

    manifest: dict[str, Any]
    parts: list[Sequence[int]]
    numbers: tuple[int, ...]
    rows: tuple[int, ...]
    skipped: list[list[Any]]
    unreached: dict[str, int]
    failed: list[dict[str, Any]]

    @property
    def settled(self) -> int:
        """Number of instances that nothing more is to come of."""
        given_up = sum(len(failure["indices"]) for failure in self.failed)
        return sum(len(self.parts[number]) for number in self.numbers) + given_up

    @property
    def complete(self) -> bool:
        """Whether that is all of them."""
        return self.settled == len(self.manifest["indices"])

    @cached_property
    def planned(self) -> Places:
        """Positions of instances in the manifest."""
        return Places(np.asarray(self.manifest["indices"], np.int64))


def survey(directory: Path) -> Survey | None:
    """What there is in a directory now; None without a manifest that can be read.

    A complete one is remembered until its directory or manifest changes: files appear, are replaced and go by their
    names only, which changes the directory's time.
    """
    name, stamp = str(directory), _stamp(directory)
    with _lock:
        held = _known.get(name)
        if held is not None and held[0] == stamp:
            _known.move_to_end(name)
            return held[1]
    manifest = shards.read_manifest(directory)
    if manifest is None:
        return None
    found = _survey(directory, manifest)
    # A change right after the look may bear the same time as the one before it: then it would be overlooked.
    if stamp is not None and stamp == _stamp(directory) and found.complete and time.time_ns() - stamp[1] > SETTLED:
        with _lock:
            _known[name] = (stamp, found)
            _known.move_to_end(name)
            while len(_known) > MOST:
                _known.popitem(last=False)
    return found


def forget(directory: Path) -> None:
    """Look again next time: a file turned out to be damaged."""
    with _lock:
        _known.pop(str(directory), None)


def _stamp(directory: Path) -> tuple[int, ...] | None:
    """Changes with the directory's files: inode and time of the directory, then of the manifest and its size."""
    try:
        place, manifest = directory.stat(), (directory / shards.MANIFEST).stat()
    except OSError:
        return None
    return place.st_ino, place.st_mtime_ns, manifest.st_ino, manifest.st_mtime_ns, manifest.st_size


def _survey(directory: Path, manifest: dict[str, Any]) -> Survey:
    """See which shards are there; a damaged one is not, and will be computed again."""
    parts = shards.parts(manifest["indices"], manifest["shard"])
    numbers: list[int] = []
    rows: list[int] = []
    skipped: list[list[Any]] = []
    unreached: dict[str, int] = {}
    failed: list[dict[str, Any]] = []
    found = shards.present(directory)
    for number in found["shard"]:
        facts = shard_facts(directory / shards.shard_file(number))
        if facts is None or number >= len(parts):
            continue
        numbers.append(number)
        rows.append(len(parts[number]) - len(facts["skipped"]))
        skipped += facts["skipped"]
        for key, count in facts["unreached"].items():
            unreached[key] = unreached.get(key, 0) + count
    there = set(numbers)
    for number in found["failed"]:
        if number not in there and number < len(parts):
            try:
                value = json.loads((directory / shards.failed_file(number)).read_text(encoding="utf-8"))
            except (OSError, ValueError):
                value = {"message": "It failed.", "tail": ""}
            failed.append({**value, "shard": number, "indices": list(parts[number])})
    return Survey(manifest, parts, tuple(numbers), tuple(rows), skipped, unreached, failed)


def shard_facts(path: Path) -> dict[str, Any] | None:
    """What ``write_shard`` noted beside the arrays; None if the file is not whole."""
    try:
        with safe_open(path, framework="numpy") as opened:
            facts: dict[str, Any] = json.loads((opened.metadata() or {})["cutaway"])
            return facts
    except (OSError, SafetensorError, KeyError, ValueError):
        return None
