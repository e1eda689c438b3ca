"""Reading files that grow: logs of frames with any content, and scalars.

Both keep what they verified and look only at what is new. They open the file for each use, hold no descriptor, and read
into memory of their own rather than mapping the file: a mapped file that is cut short kills the process that reads it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

from analysis.records import Damage
from analysis.store import frames, layout

T = TypeVar("T")
_CHUNK = 1 << 16  # scalar records verified at once
_READ = 1 << 20  # bytes of a log read at once


def damage_of(error: OSError, file: str, record: int, offset: int) -> Damage:
    """How a file that the system would not open is reported."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return Damage("missing", file, record, offset)
    return Damage("unreadable", file, record, offset, f"{error.strerror or error}.")


class _Growing:
    """Identity and verified size of a file that is only appended to."""

    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        self.name = name
        self.damage: Damage | None = None
        self.inode: tuple[int, int] | None = None
        self.generation = 0  # files that took this one's place since it was first read

    def _changed(self, status: os.stat_result, verified: int) -> bool:
        """Whether another file took the place of this one, or what was verified is no longer all there."""
        inode = (status.st_dev, status.st_ino)
        other = self.inode is not None and (inode != self.inode or status.st_size < verified)
        self.inode = inode
        self.generation += other
        return other


class LogFile(_Growing, Generic[T]):
    """The valid prefix of a file of frames, each turned into an item by ``parse(payload, offset, length)``.

    A payload that ``parse`` refuses with ValueError counts as corrupt. ``items`` grows with ``refresh()``.
    """

    def __init__(self, path: Path, name: str, parse: Callable[[bytes, int], T]) -> None:
        super().__init__(path, name)
        self.items: list[T] = []
        self._parse = parse
        self._offset = 0
        self._size = 0

    def refresh(self) -> list[T]:
        """Read what was appended since the last time."""
        try:
            with layout.opened(self.path) as (fd, status):
                if self._changed(status, self._offset):
                    self.items, self._offset, self._size = [], 0, 0
                if status.st_size != self._size or (self.damage and self.damage.kind != "corrupt"):
                    self._scan(fd, status.st_size)
        except OSError as error:
            self.damage = damage_of(error, self.name, len(self.items), self._offset)
        return self.items

    def _scan(self, fd: int, size: int) -> None:
        window = _Window(fd, size)
        self.damage = None
        self._size = size
        while self._offset < size:
            payload, kind, detail = frames.next_frame(window.read, self._offset, size)
            if payload is not None:
                try:
                    self.items.append(self._parse(payload, self._offset))
                except (ValueError, KeyError, TypeError) as error:
                    payload, kind, detail = None, "corrupt", f"It is not what the format says: {error}."
            if payload is None:
                self.damage = Damage(kind, self.name, len(self.items), self._offset, detail)
                return
            self._offset += len(payload) + frames.OVERHEAD


class _Window:
    """Small reads of a file served from one larger one."""

    def __init__(self, fd: int, size: int) -> None:
        self.fd = fd
        self.size = size
        self.start = 0
        self.data = b""

    def read(self, offset: int, size: int) -> bytes:
        size = max(0, min(size, self.size - offset))
        if not (self.start <= offset and offset + size <= self.start + len(self.data)):
            self.start = offset
            self.data = layout.read_exactly(self.fd, offset, min(max(size, _READ), self.size - offset))
        begin = offset - self.start
        return self.data[begin : begin + size]


class ScalarFile(_Growing):
    """The valid prefix of one tag's file in one segment."""

    def __init__(self, path: Path, name: str) -> None:
        super().__init__(path, name)
        self.count = 0  # verified records
        self.status: os.stat_result | None = None

    def refresh(self) -> int:
        """Verify what was appended since the last time; the number of records that can be shown."""
        try:
            with layout.opened(self.path) as (fd, status):
                if self._changed(status, self.count * frames.SCALAR.itemsize):
                    self.count = 0
                self.status = status
                self.damage = None
                self._verify(fd, status.st_size)
        except OSError as error:
            self.damage = damage_of(error, self.name, self.count, self.count * frames.SCALAR.itemsize)
            self.status, self.count = None, 0
        return self.count

    def _verify(self, fd: int, size: int) -> None:
        width = frames.SCALAR.itemsize
        whole = size // width
        chunk = 1  # a damaged record found before is met again at once, without reading what follows it
        while self.count < whole:
            data = layout.read_exactly(fd, self.count * width, min(chunk, whole - self.count) * width)
            new = frames.as_frames(data[: len(data) // width * width])
            good = frames.valid_prefix(new) if len(new) else 0
            self.count += good
            if good < len(new) or not len(new):
                break
            chunk = min(chunk * 16, _CHUNK)
        if self.count * width < size:
            offset = self.count * width
            tail = layout.read_exactly(fd, offset, min(size - offset, 1 << 20))
            self.damage = Damage(frames.tail_damage(tail), self.name, self.count, offset)

    def check_tail(self) -> None:
        """See whether the file is there and ends with a whole record; only one read before is verified further."""
        if self.status is not None:
            self.refresh()
            return
        try:
            with layout.opened(self.path) as (_, status):
                whole, rest = divmod(status.st_size, frames.SCALAR.itemsize)
            partial = Damage("partial", self.name, whole, whole * frames.SCALAR.itemsize)
            self.damage = partial if rest else None
        except OSError as error:
            self.damage = damage_of(error, self.name, self.count, self.count * frames.SCALAR.itemsize)

    def trust(self, count: int, size: int, modified: int, checksums: tuple[int, int]) -> bool:
        """Take ``count`` records as verified on an earlier occasion, if the file still fits.

        size, modified (ns): the file's then. checksums: those of the first and of the last of these records. A file of
        the same size must have the same time; one that grew is still being written.
        """
        if self.count:
            return True
        width = frames.SCALAR.itemsize
        try:
            with layout.opened(self.path) as (fd, status):
                same = status.st_size > size or (status.st_size == size and status.st_mtime_ns == modified)
                ends = layout.read_exactly(fd, 0, width) + layout.read_exactly(fd, (count - 1) * width, width)
                if not same or not 0 < count <= size // width or len(ends) != 2 * width:
                    return False
                both = frames.as_frames(ends)
                if frames.valid_prefix(both) != 2 or tuple(map(int, both["crc"])) != checksums:
                    return False
                self.inode = (status.st_dev, status.st_ino)
                self.count = count
        except OSError:
            return False
        return True

    def read(self, start: int, stop: int) -> frames.Frames:
        """Records start..stop (those among them that are still there), shape (n,), dtype ``frames.SCALAR``."""
        stop = min(stop, self.count)
        if stop <= start:
            return np.zeros(0, frames.SCALAR)
        buffer = np.empty(stop - start, frames.SCALAR)
        view = memoryview(buffer.view(np.uint8).data)
        width = frames.SCALAR.itemsize
        try:
            with layout.opened(self.path) as (fd, _):
                have = 0
                while have < len(view) and (got := os.preadv(fd, [view[have:]], start * width + have)):
                    have += got
        except OSError as error:
            self.damage = damage_of(error, self.name, start, start * width)
            return buffer[:0]
        return buffer[: have // width]
