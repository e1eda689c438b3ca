"""Pyramids kept between answers: in memory, and in the dashboard's own cache directory, never in the run.

A persisted pyramid also says how many records were verified, so that a restarted server does not read a large file
again. Everything here is safe to delete; what is damaged or does not fit the run is built again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import struct
import threading
from collections import OrderedDict
from pathlib import Path

import google_crc32c
import numpy as np

from analysis.store import layout
from analysis.store.layers import decode_arrays, encode_arrays
from analysis.store.logfile import ScalarFile
from analysis.store.pyramid import COLUMNS, Pyramid

_VERSION = 1
_SUFFIX = ".curve"


class CurveCache:
    """Pyramids of scalar files, built on demand; thread-safe.

    Args:
        directory: where to persist them, None for memory only. Created if absent.
        memory: bytes of pyramids kept in memory; the least recently used go first.
        persist_from: files with fewer records are not worth a cache file.

    ``problem`` is '' or one sentence for the page: the directory cannot be used, everything works uncached.
    """

    def __init__(
        self, directory: str | Path | None = None, *, memory: int = 256 << 20, persist_from: int = 1 << 16
    ) -> None:
        self.directory = Path(directory) if directory is not None else None
        self.problem = ""
        self._memory = memory
        self._persist_from = persist_from
        self._pyramids: OrderedDict[str, Pyramid] = OrderedDict()
        self._lock = threading.Lock()
        if self.directory is not None:
            try:
                self.directory.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                self._fail(error)

    def prepare(self, run_id: str, segment: int, file: ScalarFile) -> None:
        """Before a file is verified: take over what was persisted about it, if that still fits."""
        with self._lock:
            known = self._pyramids.get(str(file.path))
        if known is not None or file.count or self.directory is None:
            return
        pyramid = self._load(self._place(run_id, segment, file), file)
        if pyramid is not None:
            with self._lock:
                self._pyramids[str(file.path)] = pyramid

    def pyramid(self, run_id: str, segment: int, file: ScalarFile) -> Pyramid:
        """The pyramid of a refreshed file, up to date with it."""
        key = str(file.path)
        with self._lock:
            pyramid = self._pyramids.setdefault(key, Pyramid())
            self._pyramids.move_to_end(key)
        with pyramid.lock:
            fits = pyramid.fits(file)
            if fits:
                pyramid.extend(file)
                self._save(run_id, segment, file, pyramid)
        with self._lock:
            if not fits and self._pyramids.get(key) is pyramid:
                del self._pyramids[key]
            while len(self._pyramids) > 1 and sum(p.nbytes for p in self._pyramids.values()) > self._memory:
                self._pyramids.popitem(last=False)
        # another file took its place: begin anew
        return pyramid if fits else self.pyramid(run_id, segment, file)

    def _place(self, run_id: str, segment: int, file: ScalarFile) -> Path:
        name = f"{run_id}\0{segment}\0{file.path.name}".encode()
        return (self.directory or Path()) / (hashlib.blake2b(name, digest_size=16).hexdigest() + _SUFFIX)

    def _fail(self, error: OSError) -> None:
        self.problem = (
            f"The cache {self.directory} cannot be used: {error.strerror or error}. "
            "Curves are computed without it; free disk space or choose another directory."
        )

    def _save(self, run_id: str, segment: int, file: ScalarFile, pyramid: Pyramid) -> None:
        """Persist once a quarter more is covered than last time: a growing file is not written over and over."""
        new = pyramid.count - pyramid.saved
        if self.directory is None or new < max(self._persist_from, pyramid.saved // 4) or file.status is None:
            return
        pyramid.saved = pyramid.count
        meta = (
            _VERSION,
            file.status.st_size,
            file.status.st_mtime_ns,
            int(file.read(0, 1)["crc"][0]),
            pyramid.last_crc,
        )
        flags = (int(pyramid.steps_sorted), int(pyramid.walls_sorted))
        body = encode_arrays(
            {"meta": np.array([*meta, *flags], np.int64), **{name: pyramid.levels[0][name] for name in COLUMNS}}
        )
        place = self._place(run_id, segment, file)
        temporary = place.with_name(f"{layout.TEMPORARY}{os.getpid()}-{threading.get_ident()}-{place.name}")
        try:
            with temporary.open("wb") as out:
                out.write(struct.pack("<I", google_crc32c.value(body)))
                out.write(body)
            temporary.replace(place)
            self.problem = ""
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            self._fail(error)

    def _load(self, place: Path, file: ScalarFile) -> Pyramid | None:
        try:
            with layout.opened(place) as (fd, status):
                data = layout.read_exactly(fd, 0, status.st_size)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._fail(error)
            return None
        if len(data) < 4 or struct.unpack_from("<I", data)[0] != google_crc32c.value(data[4:]):
            return None
        pyramid = Pyramid()
        try:
            arrays = decode_arrays(data[4:])
            version, size, modified, first, last, steps, walls = map(int, arrays["meta"])
            if version != _VERSION:
                return None
            pyramid.restore(arrays, steps_sorted=bool(steps), walls_sorted=bool(walls), crc=last)
        except (ValueError, KeyError, TypeError):
            return None
        if not file.trust(pyramid.count, size, modified, (first, last)):
            return None
        pyramid.inode = file.inode
        return pyramid
