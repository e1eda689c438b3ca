"""Opening a run for writing: refuse foreign directories and second writers, then start a segment."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import BaseFileLock, FileLock, Timeout

from analysis.errors import NotARun, RunBusy, StoreError
from analysis.records import SCHEMA_VERSION
from analysis.store import layout
from analysis.store.describe import read_run_file

_OURS = {layout.LOCK_FILE, layout.HOLDER_FILE}


@dataclass(frozen=True)
class Opened:
    """A run held for writing."""

    run_id: str
    segment: int
    directory: Path
    lock: BaseFileLock


def open_run(path: Path, config: Mapping[str, Any], name: str | None) -> Opened:
    """Create or continue the run at ``path``. Errors: see ``RunWriter``."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        _refuse_foreign(path)
        lock = _acquire(path)
        try:
            run_id = _describe(path, name)
            _clean(path)
            segment, directory = _start_segment(path, config)
        except BaseException:
            lock.release()
            raise
    except OSError as error:
        raise StoreError(
            f"The run {path} cannot be written: {error.strerror or error}.", "Choose a directory that you may write to."
        ) from error
    return Opened(run_id, segment, directory, lock)


def _refuse_foreign(path: Path) -> None:
    names = {entry.name for entry in path.iterdir()}
    if layout.RUN_FILE in names:
        read_run_file(path)  # raises for a newer or damaged one before anything is touched
        return
    others = sorted(n for n in names if n not in _OURS and not n.startswith(layout.TEMPORARY))
    if others:
        raise NotARun(
            f"The directory {path} is not a run and not empty: it holds {others[0]!r}.",
            "Choose an empty or new directory for the run.",
        )


def _acquire(path: Path) -> BaseFileLock:
    """The run's lock, which the kernel gives back however this process ends."""
    lock = FileLock(path / layout.LOCK_FILE, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except (Timeout, RuntimeError) as error:
        raise RunBusy(_busy(path), "Wait until it ends, stop it, or choose another directory.") from error
    except NotImplementedError as error:
        raise StoreError(
            f"The file system of {path} has no file locks.", "Choose a directory on a local disk."
        ) from error
    try:
        holder = {"host": socket.gethostname(), "pid": os.getpid(), "started": time.time()}
        layout.write_json(path / layout.HOLDER_FILE, holder)
    except BaseException:
        lock.release()
        raise
    return lock


def _busy(path: Path) -> str:
    try:
        holder = layout.read_json(path / layout.HOLDER_FILE)
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(layout.number(holder.get("started"))))
        who = f"process {holder.get('pid')} on {holder.get('host')}, since {since}"
    except (OSError, ValueError):
        who = "another process"
    return f"The run {path.name} ({path}) is being written by {who}."


def _describe(path: Path, name: str | None) -> str:
    """The run's id, from its description; writes one if the run is new."""
    if (path / layout.RUN_FILE).exists():
        return read_run_file(path).id
    uid = uuid.uuid4().hex[:12]
    layout.write_json(
        path / layout.RUN_FILE,
        {"schema_version": SCHEMA_VERSION, "id": uid, "name": name or path.name, "created": time.time()},
    )
    return uid


def _clean(path: Path) -> None:
    """Remove half-written files that a killed writer left."""
    for folder in (path, path / layout.CHECKPOINTS):
        for left in folder.glob(f"{layout.TEMPORARY}*"):
            with contextlib.suppress(OSError):
                left.unlink()


def _start_segment(path: Path, config: Mapping[str, Any]) -> tuple[int, Path]:
    parent = path / layout.SEGMENTS
    parent.mkdir(exist_ok=True)
    number = max((int(e.name) for e in parent.iterdir() if layout.SEGMENT_NAME.fullmatch(e.name)), default=0) + 1
    directory = parent / f"{number:04d}"
    directory.mkdir()
    (directory / layout.SCALARS).mkdir()
    (directory / layout.LAYERS).mkdir()
    for name in (layout.TAGS_FILE, layout.LAYERS_FILE, layout.NOTES_FILE, layout.SAVED_FILE):
        (directory / name).touch()
    description = {
        "schema_version": SCHEMA_VERSION,
        "started": time.time(),
        "config": json.loads(json.dumps(layout.plain(config))),
        "host": socket.gethostname(),
        "pid": os.getpid(),
    }
    # Last, so that readers, who look for it, meet a complete segment.
    layout.write_json(directory / layout.SEGMENT_FILE, description)
    return number, directory
