"""Where the records of a layer lie, and which of them count when a training was restarted."""

from __future__ import annotations

from typing import NamedTuple

from analysis.store.layers import Entry
from analysis.store.segment import SegmentReader

Identity = tuple[int, ...]  # of a file
Stamp = tuple[tuple[int, Identity, int], ...]  # segment, identity and number of records of every file


class Place(NamedTuple):
    """Where one record of a layer lies. file: identity of its file; position: index in it."""

    segment: int
    file: Identity
    position: int
    step: int
    wall: float


def merged(parts: list[tuple[SegmentReader, list[Entry]]]) -> list[tuple[SegmentReader, int, Entry]]:
    """One line of records out of those of several segments, by step; of a repeated step the one written last.

    A restart takes over at its first record: what earlier segments recorded from that step on belongs to a training
    that was given up, and is left out. Otherwise two trainings would alternate, and the old one's end be the latest.
    """
    best: dict[int, tuple[SegmentReader, int, Entry]] = {}
    for reader, entries in parts:
        if best and entries:
            first = min(entry.step for entry in entries)
            best = {step: found for step, found in best.items() if step < first}
        for position, entry in enumerate(entries):
            best[entry.step] = (reader, position, entry)
    return [best[step] for step in sorted(best)]


def places_of(
    layer: str, readers: list[SegmentReader], known: tuple[Stamp, list[Place]] | None
) -> tuple[Stamp, list[Place]]:
    """The places of a layer's records by step; ``known``, the answer before, as long as nothing changed."""
    parts = [(reader, reader.layer_entries(layer)) for reader in readers]
    identities = {reader.number: reader.layer_identity(layer) for reader in readers}
    stamp = tuple((reader.number, identities[reader.number], len(entries)) for reader, entries in parts)
    if known is not None and known[0] == stamp:
        return known
    return stamp, [Place(r.number, identities[r.number], at, e.step, e.wall) for r, at, e in merged(parts)]
