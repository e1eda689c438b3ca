"""The records of a layer over the whole training, kept between requests so that a poll reads only what is new.

A cache of what the run store holds, bounded, shared by every visitor; it knows nothing of a visit.
"""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from analysis.records import LayerMeta, LayerRecord
from analysis.store.layers import brief
from analysis.store.places import Place
from analysis.store.reader import Run

T = TypeVar("T")
MOST_BYTES = 512 << 20
RECENT = 8  # latest records kept whole: the rules about filters look at no more (tested)
_OVERHEAD = 2_000  # bytes of a record beside its arrays, about


@dataclass(frozen=True)
class History:
    """A layer's records by step, those that fit its present description.

    All but the latest ``RECENT`` hold only counts, histogram, maximum, frequency and staleness; other arrays are empty.
    version: another number whenever the records are others.
    """

    records: list[LayerRecord] = field(default_factory=list)
    version: int = 0


class _Entry:
    """One layer. ``by_place`` holds None for a record that does not fit the layer's present description."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.places: list[Place] | None = None
        self.meta: LayerMeta | None = None
        self.by_place: dict[Place, LayerRecord | None] = {}
        self.history = History()
        self.nbytes = 0


class LayerHistories:
    """Thread-safe; the layers used least recently are forgotten when all take more than ``most_bytes``."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._entries: OrderedDict[tuple[str, str], _Entry] = OrderedDict()
        self._lock = threading.Lock()
        self._versions = itertools.count(1)

    def of(self, run: Run) -> list[tuple[LayerMeta, History]]:
        """Every watched layer in network order, with its history (no records: watched, but not recorded yet)."""
        places = run.layer_places()
        return [(meta, self._history(run, meta, places.get(meta.name, []))) for meta in run.layers()]

    def records(self, run: Run, meta: LayerMeta) -> list[LayerRecord]:
        """The history of one layer."""
        return self._history(run, meta, run.layer_places().get(meta.name, [])).records

    def _history(self, run: Run, meta: LayerMeta, places: list[Place]) -> History:
        key = (run.id, meta.name)
        with self._lock:
            entry = self._entries.setdefault(key, _Entry())
            self._entries.move_to_end(key)
        with entry.lock:
            if entry.places is not places or entry.meta != meta:
                self._follow(entry, run, meta, places)
            history = entry.history
        with self._lock:
            while len(self._entries) > 1 and sum(kept.nbytes for kept in self._entries.values()) > self._most:
                self._entries.popitem(last=False)
        return history

    def _follow(self, entry: _Entry, run: Run, meta: LayerMeta, places: list[Place]) -> None:
        """Bring an entry up to date with where the records lie now."""
        known = entry.by_place if entry.meta == meta else {}
        whole = set(places[-RECENT:])
        new = [place for place in places if place not in known]
        read = run.records_at(meta.name, [place for place in new if place not in whole], whole=False)
        read |= run.records_at(meta.name, [place for place in new if place in whole], whole=True)
        found = {**known, **read}
        # A record that could not be read is asked for again with the next change.
        entry.by_place = {place: _kept(found[place], meta, place in whole) for place in places if place in found}
        entry.places, entry.meta = places, meta
        records = [record for record in entry.by_place.values() if record is not None]
        entry.history = History(records, next(self._versions))
        entry.nbytes = sum(_OVERHEAD + _nbytes(record) for record in records)


def _kept(record: LayerRecord | None, meta: LayerMeta, whole: bool) -> LayerRecord | None:
    """What is kept of a record; None for one of a layer that had another shape before a restart."""
    if record is None or len(record.maximum) != meta.filters or len(record.histogram) != meta.bins:
        return None
    return record if whole or not record.neighbours.size else brief(record)


def _nbytes(record: LayerRecord) -> int:
    return sum(value.nbytes for value in vars(record).values() if isinstance(value, np.ndarray))


class Memo:
    """Results that depend on nothing but their key, the latest used kept; thread-safe."""

    def __init__(self, most: int = 4096) -> None:
        self._most = most
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, compute: Callable[[], T]) -> T:
        """The result of ``compute`` for this key, computed when it is not known."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                found: T = self._kept[key]
                return found
        result = compute()
        with self._lock:
            self._kept[key] = result
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return result
