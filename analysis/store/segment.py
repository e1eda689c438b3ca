"""One segment of a run as a reader sees it: its files, what was verified of them, and what is damaged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.records import Checkpoint, Damage, LayerMeta, LayerRecord, Note, Segment
from analysis.store import layout
from analysis.store.describe import read_segment
from analysis.store.layers import (
    Entry,
    decode_brief,
    decode_record,
    parse_entry,
    parse_id,
    parse_meta,
    with_patches,
)
from analysis.store.logfile import LogFile, ScalarFile


@dataclass(frozen=True)
class Saved:
    """A line of the segment's list of checkpoints."""

    name: str
    step: int
    wall: float


def _parse_tag(payload: bytes, _offset: int) -> tuple[int, str]:
    value = layout.parse_json(payload)
    if not isinstance(value["tag"], str):
        raise ValueError("the tag is not text")
    return parse_id(value), value["tag"]


def _parse_note(payload: bytes, _offset: int) -> Note:
    value = layout.parse_json(payload)
    return Note(
        str(value["kind"]), str(value["message"]), int(layout.number(value["step"])), layout.number(value["wall"])
    )


def _parse_saved(payload: bytes, _offset: int) -> Saved:
    value = layout.parse_json(payload)
    return Saved(str(value["name"]), int(layout.number(value["step"])), layout.number(value["wall"]))


class SegmentReader:
    """Reads one segment incrementally. Calls must be serialised by the run's lock."""

    def __init__(self, number: int, folder: Path) -> None:
        self.number = number
        self.folder = folder
        self.segment_name = f"{layout.SEGMENTS}/{folder.name}"
        self._description: tuple[Segment | None, Damage | None] = (None, None)
        self._tags = self._log(layout.TAGS_FILE, _parse_tag)
        self._metas = self._log(layout.LAYERS_FILE, parse_meta)
        self._notes = self._log(layout.NOTES_FILE, _parse_note)
        self._saved = self._log(layout.SAVED_FILE, _parse_saved)
        self._scalars: dict[int, ScalarFile] = {}
        self._layers: dict[int, LogFile[Entry]] = {}
        self._unreadable: dict[tuple[str, int], Damage] = {}

    def _log(self, name: str, parse: Any) -> LogFile[Any]:
        return LogFile(self.folder / name, self._name(name), parse)

    def _name(self, name: str) -> str:
        return f"{layout.SEGMENTS}/{self.folder.name}/{name}"

    def segment(self) -> Segment | None:
        """The description, as it is now; None while the segment is being created."""
        known = self._description[0]
        if known is None or known.reason is None:
            fresh = read_segment(self.number, self.folder)
            if fresh[0] is not None or known is None:
                self._description = fresh
        return self._description[0]

    def tags(self) -> dict[str, int]:
        """Number of the file of every tag."""
        return {tag: number for number, tag in self._tags.refresh()}

    def scalar_file(self, tag: str) -> ScalarFile | None:
        """The file of a tag in this segment, not refreshed."""
        number = self.tags().get(tag)
        if number is None or (self.folder / layout.SCALARS).is_symlink():
            return None
        if number not in self._scalars:
            name = f"{layout.SCALARS}/{layout.records_file(number)}"
            self._scalars[number] = ScalarFile(self.folder / name, self._name(name))
        return self._scalars[number]

    def metas(self) -> dict[str, tuple[int, LayerMeta]]:
        """File number and description of every layer; the last description of a name wins."""
        return {meta.name: (number, meta) for number, meta in self._metas.refresh()}

    def layer_entries(self, layer: str) -> list[Entry]:
        """What is known of a layer's records, in the order written."""
        file = self.layer_file(layer)
        return list(file.refresh()) if file else []

    def layer_identity(self, layer: str) -> tuple[int, ...]:
        """Changes when another file took the place of the layer's file."""
        file = self.layer_file(layer)
        return (*(file.inode or ()), file.generation) if file else ()

    def layer_file(self, layer: str) -> LogFile[Entry] | None:
        """The file of a layer in this segment, not refreshed."""
        found = self.metas().get(layer)
        if found is None or (self.folder / layout.LAYERS).is_symlink():
            return None
        number = found[0]
        if number not in self._layers:
            name = f"{layout.LAYERS}/{layout.records_file(number)}"
            self._layers[number] = LogFile(self.folder / name, self._name(name), parse_entry)
        return self._layers[number]

    def layer_records(self, layer: str, wanted: list[int]) -> Iterator[LayerRecord]:
        """The records at the ascending positions ``wanted``, patches carried forward. Damaged ones are left out."""
        file = self.layer_file(layer)
        if file is None or not wanted:
            return
        entries = file.items
        source: LayerRecord | None = None
        source_at = looked_at = -1
        try:
            with layout.opened(file.path) as (fd, _):
                for position in wanted:
                    if position >= len(entries):
                        return
                    record = self._decode(fd, file, position)
                    if record is None:
                        continue
                    at = next((i for i in range(position, looked_at, -1) if entries[i].patches), source_at)
                    looked_at = position
                    if at != source_at:
                        source_at, source = at, record if at == position else self._decode(fd, file, at)
                    yield with_patches(record, source) if source is not None else record
        except OSError:
            file.refresh()  # reports it

    def records_at(self, layer: str, wanted: list[int], *, whole: bool) -> dict[int, LayerRecord]:
        """The records at the positions ``wanted``, without patches carried forward. Damaged ones are left out.

        whole: else as ``decode_brief`` gives them.
        """
        file = self.layer_file(layer)
        found: dict[int, LayerRecord] = {}
        if file is None or not wanted:
            return found
        decode = decode_record if whole else decode_brief
        try:
            with layout.opened(file.path) as (fd, _):
                for position in wanted:
                    record = self._decode(fd, file, position, decode) if position < len(file.items) else None
                    if record is not None:
                        found[position] = record
        except OSError:
            file.refresh()  # reports it
        return found

    def _decode(
        self, fd: int, file: LogFile[Entry], position: int, decode: Callable[[bytes], LayerRecord] = decode_record
    ) -> LayerRecord | None:
        entry = file.items[position]
        try:
            return decode(layout.read_exactly(fd, entry.offset, entry.length))
        except Exception as error:
            self._unreadable[file.name, position] = Damage(
                "corrupt", file.name, position, entry.offset - 12, f"It is not what the format says: {error}."
            )
            return None

    def notes(self) -> list[Note]:
        """Notes in the order written."""
        return list(self._notes.refresh())

    def saved(self) -> list[Saved]:
        """Checkpoints this segment wrote; the files may have been removed since."""
        return list(self._saved.refresh())

    def damage(self) -> list[Damage]:
        """Damage in the files read so far and in the small ones."""
        self.segment()
        logs: list[LogFile[Any]] = [self._tags, self._metas, self._notes, self._saved]
        for log in logs:
            log.refresh()
        files = [*logs, *self._scalars.values(), *self._layers.values()]
        found = [file.damage for file in files if file.damage is not None]
        return [*([self._description[1]] if self._description[1] else []), *found, *self._unreadable.values()]

    def check_tails(self) -> None:
        """Look at the end of every file without reading what was verified before.

        Files never read are opened here, so that a damaged one is reported before anybody asks for it; only their size
        is compared, their checksums are verified when they are read.
        """
        for tag in self.tags():
            file = self.scalar_file(tag)
            if file is not None:
                file.check_tail()
        for layer in self.metas():
            log = self.layer_file(layer)
            if log is not None:
                log.refresh()


def checkpoint_files(run: Path, saved: dict[str, tuple[int, Saved]], segments: list[Segment]) -> list[Checkpoint]:
    """Checkpoints present in a run, by step. saved: name -> (segment, entry); without one the file's time decides."""
    folder = run / layout.CHECKPOINTS
    found = []
    try:
        paths = [] if folder.is_symlink() else list(folder.iterdir())
    except OSError:
        return []
    for path in paths:
        match = layout.CHECKPOINT_NAME.fullmatch(path.name)
        try:
            status = path.lstat()
        except OSError:
            continue
        if match is None or path.is_symlink() or not path.is_file():
            continue
        number, entry = saved.get(path.stem, (0, Saved(path.stem, int(match[1]), status.st_mtime)))
        if not number:
            before = [s.number for s in segments if s.started <= status.st_mtime]
            number = int(match[2] or (before[-1] if before else 1))
        found.append(Checkpoint(path.stem, entry.step, entry.wall, number, status.st_size))
    return sorted(found, key=lambda c: (c.step, c.segment, c.name))
