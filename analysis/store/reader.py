"""Reading a run while it is written, or after a crash: no lock, no shared memory, never a write.

What is damaged is reported by ``damage()`` and left out; methods raise only for what the caller asked wrongly.
"""

from __future__ import annotations

import contextlib
import re
import threading
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from analysis.errors import NotFound, ParameterError, RunUnreadable
from analysis.records import Checkpoint, Damage, LayerMeta, LayerRecord, Note, RunInfo, Scalars, Segment
from analysis.store import describe, layout
from analysis.store.layers import Entry
from analysis.store.logfile import ScalarFile
from analysis.store.places import Place, Stamp, merged, places_of
from analysis.store.probes import newest_probe, read_probe
from analysis.store.segment import SegmentReader, checkpoint_files

_CURSOR = re.compile(r"([0-9a-f]{8})((?:\.\d{1,9}-\d{1,15}){0,10000})", re.ASCII)
_KEEP_PROBE = 64 << 20  # bytes of a probe kept in memory

Probe = tuple[dict[str, np.ndarray], dict[str, Any]]


class Run:
    """A run directory, readable from several threads at once.

    Args:
        path: the directory. run_id: id to show when the run's own is taken by a copy of it.
        stale_after: seconds without a write after which an open segment counts as 'stopped updating'.

    Raises:
        NotARun, NewerSchema, RunUnreadable.
    """

    def __init__(self, path: str | Path, *, run_id: str | None = None, stale_after: float = 60.0) -> None:
        self.path = Path(path)
        self.stale_after = stale_after
        self._file = describe.read_run_file(self.path)
        self.id = run_id or self._file.id
        self.uid = self._file.id  # shared by copies of the run
        self._lock = threading.RLock()
        self._readers: dict[int, SegmentReader] = {}
        self._probe: tuple[tuple[int, ...], Probe | None, Damage | None] | None = None
        self._gone: Damage | None = None
        self._places: dict[str, tuple[Stamp, list[Place]]] = {}

    @property
    def info(self) -> RunInfo:
        """Name, status and configuration as they are now; status 'unreadable' once the directory is gone."""
        with self._lock:
            return run_info(self.path, self._file, self.id, self.stale_after, self.segments())

    def segments(self) -> list[Segment]:
        """Openings of the run by a recorder, in order."""
        with self._lock:
            return [segment for reader in self._segments() if (segment := reader.segment())]

    def tags(self) -> list[str]:
        """All tags of scalars, in the order of their first use."""
        with self._lock:
            return list(dict.fromkeys(tag for reader in self._segments() for tag in reader.tags()))

    def scalar_files(
        self, tag: str, prepare: Callable[[int, ScalarFile], object] | None = None
    ) -> list[tuple[int, ScalarFile]]:
        """(segment, file) of a tag, refreshed, in order. ``prepare`` is called before a file is verified.

        Raises NotFound for an unknown tag.
        """
        with self._lock:
            found = [(reader.number, file) for reader in self._segments() if (file := reader.scalar_file(tag))]
            if not found:
                raise NotFound(f"The run {self._file.name} has no tag {tag[:200]!r}.", "Choose one of its tags.")
            for number, file in found:
                if prepare is not None:
                    prepare(number, file)
                file.refresh()
            return found

    def scalars(self, tag: str, since: str | None = None) -> Scalars:
        """All records of a tag, or with ``since`` (the cursor of an earlier answer) only those written after.

        Raises NotFound for an unknown tag, ParameterError for a cursor that this method did not give out.
        """
        after = parse_cursor(tag, since)
        with self._lock:
            files = self.scalar_files(tag)
            parts = [(number, file.read(min(after.get(number, 0), file.count), file.count)) for number, file in files]
            return Scalars(
                steps=np.concatenate([part["step"] for _, part in parts]),
                walls=np.concatenate([part["wall"] for _, part in parts]),
                values=np.concatenate([part["value"] for _, part in parts]),
                segments=np.repeat([number for number, _ in parts], [len(part) for _, part in parts]),
                cursor=make_cursor(tag, files, after),
                damage=tuple(file.damage for _, file in files if file.damage),
            )

    def layers(self) -> list[LayerMeta]:
        """Watched layers in network order; the latest segment's description of a name wins."""
        with self._lock:
            metas = {name: meta for reader in self._segments() for name, (_, meta) in reader.metas().items()}
            return sorted(metas.values(), key=lambda meta: (meta.order, meta.name))

    def layer_steps(self, layer: str) -> list[tuple[int, float]]:
        """(step, wall) of a layer's records by step. A restart takes over at its first record. Raises NotFound."""
        with self._lock:
            return [(entry.step, entry.wall) for _, _, entry in self._entries(layer)]

    def layer_record(self, layer: str, step: int | None = None) -> LayerRecord:
        """The record nearest at or before ``step`` (None: the latest). Raises NotFound when there is none.

        Patch arrays left empty when written are those of the record before. A damaged record is passed over.
        """
        with self._lock:
            for reader, position, entry in reversed(self._entries(layer)):
                if step is None or entry.step <= step:
                    for record in reader.layer_records(layer, [position]):
                        return record
        when = "" if step is None else f" at or before step {step:,}"
        raise NotFound(f"The layer {layer[:200]!r} has no record{when}.", "Choose a later step.")

    def layer_records(self, layer: str, since_step: int | None = None) -> list[LayerRecord]:
        """All records of a layer by step, or only those after ``since_step``. Raises NotFound."""
        with self._lock:
            wanted: dict[int, list[int]] = {}
            readers = {}
            for reader, position, entry in self._entries(layer):
                if since_step is None or entry.step > since_step:
                    wanted.setdefault(reader.number, []).append(position)
                    readers[reader.number] = reader
            found = [
                record
                for number, positions in wanted.items()
                for record in readers[number].layer_records(layer, sorted(positions))
            ]
            return sorted(found, key=lambda record: record.step)

    def layer_places(self) -> dict[str, list[Place]]:
        """Where the records of every watched layer lie, by step, in network order.

        Cheap, and the same list as before when nothing changed: for caches of what the records hold.
        """
        with self._lock:
            readers = self._segments()
            metas = {name: meta for reader in readers for name, (_, meta) in reader.metas().items()}
            names = [meta.name for meta in sorted(metas.values(), key=lambda meta: (meta.order, meta.name))]
            self._places = {name: places_of(name, readers, self._places.get(name)) for name in names}
            return {name: places for name, (_, places) in self._places.items()}

    def records_at(self, layer: str, places: Sequence[Place], *, whole: bool) -> dict[Place, LayerRecord]:
        """A layer's records at some places, without their patches.

        whole: all that was recorded, else what a history is made of: counts, histogram, maximum, frequency, staleness;
        other arrays are empty. A damaged record, or one whose file was replaced since, is left out.
        """
        with self._lock:
            found: dict[Place, LayerRecord] = {}
            for reader in self._segments():
                identity = reader.layer_identity(layer)
                own = [place for place in places if place[:2] == (reader.number, identity)]
                records = reader.records_at(layer, [place.position for place in own], whole=whole)
                found |= {place: records[place.position] for place in own if place.position in records}
            return found

    def probe_info(self) -> dict[str, Any]:
        """What was said about the latest probe (class names and more), without reading its arrays; empty if nothing."""
        try:
            place = newest_probe(self.path)
            info = layout.read_json(place).get("info") if place else None
        except (OSError, ValueError):
            return {}
        return info if isinstance(info, dict) else {}

    def probe(self) -> Probe | None:
        """Arrays and info of the latest probe; None if there is none or it is damaged."""
        with self._lock:
            try:
                place = newest_probe(self.path)
                if place is None:
                    return None
                key = _stamp(place)
            except OSError:
                return None
            if self._probe and self._probe[0] == key:
                return self._probe[1]
            found, damage = read_probe(place)
            total = sum(array.nbytes for array in found[0].values()) if found else 0
            self._probe = (key if total <= _KEEP_PROBE else (), found if total <= _KEEP_PROBE else None, damage)
            return found

    def checkpoints(self) -> list[Checkpoint]:
        """Saved weights that are present, by step."""
        with self._lock:
            saved = {entry.name: (reader.number, entry) for reader in self._segments() for entry in reader.saved()}
            return checkpoint_files(self.path, saved, self.segments())

    def checkpoint_path(self, name: str) -> Path:
        """The file of a saved checkpoint. Raises NotFound if there is none of this name."""
        if all(saved.name != name for saved in self.checkpoints()):
            raise NotFound(f"The run has no checkpoint {name[:200]!r}.", "Choose one of the list.")
        return self.path / layout.CHECKPOINTS / f"{name}.safetensors"

    def notes(self) -> list[Note]:
        """What the recorder wanted known, in the order written."""
        with self._lock:
            return [note for reader in self._segments() for note in reader.notes()]

    def damage(self) -> list[Damage]:
        """Damage in everything read so far, and in the tails of all files."""
        with self._lock:
            found: list[Damage] = []
            for reader in self._segments():
                reader.check_tails()
                found += reader.damage()
            if self._probe and self._probe[2]:
                found.append(self._probe[2])
            if self._gone:
                found.append(self._gone)
            return found

    def _segments(self) -> list[SegmentReader]:
        folders = describe.segment_folders(self.path)
        for number, folder in folders:
            if number not in self._readers:
                self._readers[number] = SegmentReader(number, folder)
        self._gone = None
        lost = sorted(set(self._readers) - {number for number, _ in folders})
        if lost:
            self._gone = Damage("missing", self._readers[lost[0]].segment_name, 0, 0)
        return [self._readers[number] for number in sorted(self._readers) if self._readers[number].segment()]

    def _entries(self, layer: str) -> list[tuple[SegmentReader, int, Entry]]:
        """Records of a layer by step, as ``merged`` orders them. Raises NotFound."""
        readers = self._segments()
        if not any(layer in reader.metas() for reader in readers):
            raise NotFound(f"The run {self._file.name} has no layer {layer[:200]!r}.", "Choose a watched layer.")
        return merged([(reader, reader.layer_entries(layer)) for reader in readers])


def run_info(path: Path, file: describe.RunFile, run_id: str, stale_after: float, segments: list[Segment]) -> RunInfo:
    """What lists show of a run with these segments."""
    error = ""
    try:
        describe.read_run_file(path)
    except RunUnreadable as problem:
        error = str(problem)
    except Exception:
        error = f"The directory {path} is missing."
    last = segments[-1] if segments else None
    folder = dict(describe.segment_folders(path)).get(last.number) if last else None
    updated = file.created
    if last is not None:
        updated = last.finished or (describe.newest_write(folder) if folder else 0.0) or last.started
    status = "unreadable" if error else describe.status_of(last, updated, stale_after)
    config = last.config if last else {}
    return RunInfo(run_id, file.name, status, file.created, updated, len(segments), config, error)


def _stamp(place: Path) -> tuple[int, ...]:
    """File times and sizes of a probe, which change when it does."""
    stamp: list[int] = []
    for path in (place, place.with_suffix(".safetensors")):
        with contextlib.suppress(FileNotFoundError):
            status = path.lstat()
            stamp += (status.st_ino, status.st_mtime_ns, status.st_size)
    return tuple(stamp)


def make_cursor(tag: str, files: list[tuple[int, ScalarFile]], after: Mapping[int, int] | None = None) -> str:
    """Opaque text that says how much of every segment of a tag was read.

    A file that is away for a moment keeps its place (``after``): what was shown is not sent again when it returns.
    """
    places = [(number, (after or {}).get(number, 0) if file.status is None else file.count) for number, file in files]
    return _name_hash(tag) + "".join(f".{number}-{count}" for number, count in places)


def parse_cursor(tag: str, cursor: str | None) -> dict[int, int]:
    """Records already read per segment. Raises ParameterError for text that is no cursor of this tag."""
    if cursor is None:
        return {}
    match = _CURSOR.fullmatch(cursor) if isinstance(cursor, str) and len(cursor) < 250_000 else None
    if match is None or match[1] != _name_hash(tag):
        raise ParameterError("The place to continue reading from is not valid.", "Load the curve again.")
    return {int(number): int(count) for number, count in (part.split("-") for part in match[2].split(".")[1:])}


def _name_hash(tag: str) -> str:
    return f"{zlib.crc32(tag.encode('utf-8', 'surrogatepass')):08x}"
