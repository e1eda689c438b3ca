"""All records of a layer, kept between requests so that a poll reads only what is new.

A cache of what the run store holds, bounded, shared by every visitor; it knows nothing of a visit.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field

from analysis.errors import NotFound
from analysis.records import LayerRecord
from analysis.store.reader import Run

MOST = 400


@dataclass
class _Entry:
    records: list[LayerRecord] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


class LayerHistories:
    """Thread-safe, least recently used layers are forgotten first."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._entries: OrderedDict[tuple[str, int, str], _Entry] = OrderedDict()
        self._lock = threading.Lock()

    def records(self, run: Run, layer: str) -> list[LayerRecord]:
        """Every record of the layer, ordered by step. The list is the caller's own."""
        # A restart may rewrite earlier steps: another number of segments is another history.
        key = (run.info.id, len(run.segments()), layer)
        with self._lock:
            entry = self._entries.setdefault(key, _Entry())
            self._entries.move_to_end(key)
            while len(self._entries) > self._most:
                self._entries.popitem(last=False)
        with entry.lock:
            since = entry.records[-1].step if entry.records else None
            try:
                entry.records.extend(run.layer_records(layer, since_step=since))
            except NotFound:
                return []  # watched, but not recorded yet
            return list(entry.records)
