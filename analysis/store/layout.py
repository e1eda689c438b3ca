"""Names of the files of a run, and careful reading and writing of its small JSON files.

The store is the only owner of paths: nothing else in Cutaway joins a file name to a run's directory.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

RUN_FILE = "run.json"
LOCK_FILE = "writer.lock"
HOLDER_FILE = "writer.json"
SEGMENTS = "segments"
SEGMENT_FILE = "segment.json"
CLOSED_FILE = "closed.json"
TAGS_FILE = "tags.tfrecord"
SCALARS = "scalars"
LAYERS_FILE = "layers.tfrecord"
LAYERS = "layers"
NOTES_FILE = "notes.tfrecord"
SAVED_FILE = "checkpoints.tfrecord"
CHECKPOINTS = "checkpoints"
CHECKPOINT_NAME = re.compile(r"step-(-?\d{1,19})(?:-seg(\d{4,9}))?(?:-\d+)?\.safetensors", re.ASCII)
PROBE_NAME = re.compile(r"probe(?:-(\d{4,9}))?\.json", re.ASCII)
SEGMENT_NAME = re.compile(r"\d{4,9}", re.ASCII)
UID = re.compile(r"[0-9a-f]{12}", re.ASCII)
TEMPORARY = ".tmp-"

MAX_JSON = 16 << 20  # bytes; a description of a run is a few kilobytes


def records_file(number: int) -> str:
    """File name of tag or layer ``number``: names given by users never become file names."""
    return f"{number:04d}.tfrecord"


@contextlib.contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[tuple[int, os.stat_result]]:
    """Open a regular file for reading: (descriptor, status). A link, pipe or device raises OSError.

    A run may have been made by somebody else: a link in it must not lead to other files, a pipe must not block.
    """
    fd = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | os.O_CLOEXEC)
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(f"{path} is not a regular file")
        yield fd, status
    finally:
        os.close(fd)


def read_exactly(fd: int, offset: int, size: int) -> bytes:
    """Up to ``size`` bytes at ``offset``; fewer at the end of the file."""
    data = os.pread(fd, size, offset)
    if len(data) == size or not data:
        return data
    parts, have = [data], len(data)
    while have < size and (data := os.pread(fd, size - have, offset + have)):
        parts.append(data)
        have += len(data)
    return b"".join(parts)


def read_json(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The object in a small JSON file. Raises OSError, or ValueError when it is no such object."""
    with opened(path) as (fd, status):
        if status.st_size > MAX_JSON:
            raise ValueError(f"{status.st_size:,} bytes are more than a description can have")
        text = read_exactly(fd, 0, status.st_size)
    return parse_json(text)


def parse_json(text: bytes) -> dict[str, Any]:
    """The object in ``text``. Raises ValueError when it is damaged or no object."""
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Replace a JSON file in one step: a reader sees the old content or the new one, never a part."""
    temporary = path.with_name(f"{TEMPORARY}{path.name}")
    with temporary.open("wb") as file:
        file.write(json.dumps(value, allow_nan=False).encode())
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make a rename durable. Some file systems cannot; then the rename is still atomic."""
    with contextlib.suppress(OSError):
        fd = os.open(path, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def plain(value: Any, depth: int = 0) -> Any:
    """``value`` as JSON can hold it: NaN and infinities become text, unknown objects their repr."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | str | int):
        return value
    if isinstance(value, float):
        if math.isfinite(value):
            return float(value)
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if depth < 20:
        if isinstance(value, Mapping):
            return {str(key): plain(item, depth + 1) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [plain(item, depth + 1) for item in value]
        if isinstance(value, set | frozenset):
            return sorted((plain(item, depth + 1) for item in value), key=repr)
        if isinstance(value, np.ndarray) and value.size <= 10_000:
            return plain(value.tolist(), depth + 1)
    try:
        return repr(value)[:10_000]
    except Exception:
        return f"<{type(value).__name__}>"


def number(value: Any, default: float = 0.0) -> float:
    """A finite float out of untrusted JSON."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):
            if math.isfinite(result := float(value)):
                return result
    return default
