"""Reading a run's description and its segments', with the errors that stop a run from being opened."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.errors import NewerSchema, NotARun, RunUnreadable
from analysis.records import SCHEMA_VERSION, Damage, Segment
from analysis.store import layout
from analysis.store.logfile import damage_of


@dataclass(frozen=True)
class RunFile:
    """What run.json says. created: seconds since the epoch."""

    id: str
    name: str
    created: float


def path_id(path: Path) -> str:
    """An id for a run that has none of its own."""
    return hashlib.blake2b(os.fsencode(path), digest_size=6).hexdigest()


def read_run_file(path: Path) -> RunFile:
    """The description of the run at ``path``. Raises NotARun, NewerSchema or RunUnreadable."""
    try:
        value = layout.read_json(path / layout.RUN_FILE)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotARun(f"{path} holds no run.", "Name a directory that a recorder wrote.") from error
    except (OSError, ValueError) as error:
        raise RunUnreadable(
            f"The description of the run {path} cannot be read: {error}.",
            f"Restore {layout.RUN_FILE} from a backup, or remove the run.",
        ) from error
    version = value.get("schema_version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise RunUnreadable(
            f"The description of the run {path} names no format version.", f"Restore {layout.RUN_FILE} from a backup."
        )
    if version > SCHEMA_VERSION:
        raise NewerSchema(
            f"The run {path} has format version {version}; this Cutaway reads up to version {SCHEMA_VERSION}.",
            f"Install a Cutaway that reads run format version {version}.",
        )
    uid, name = value.get("id"), value.get("name")
    good = isinstance(uid, str) and layout.UID.fullmatch(uid)
    return RunFile(
        uid if good and isinstance(uid, str) else path_id(path),
        name if isinstance(name, str) and name else path.name,
        layout.number(value.get("created")),
    )


def segment_folders(path: Path) -> list[tuple[int, Path]]:
    """Numbers and directories of the run's segments, in order; links are not followed, gaps are no error."""
    parent = path / layout.SEGMENTS
    found = []
    try:
        if parent.is_symlink():
            return []
        with os.scandir(parent) as entries:
            for entry in entries:
                if layout.SEGMENT_NAME.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
                    found.append((int(entry.name), parent / entry.name))
    except OSError:
        return []
    return sorted(found)


def read_segment(number: int, folder: Path) -> tuple[Segment | None, Damage | None]:
    """A segment's description; (None, None) while it is being created."""
    name = f"{layout.SEGMENTS}/{folder.name}/{layout.SEGMENT_FILE}"
    try:
        value = layout.read_json(folder / layout.SEGMENT_FILE)
        damage = None
    except (FileNotFoundError, NotADirectoryError):
        return None, None
    except OSError as error:
        value, damage = {}, damage_of(error, name, 0, 0)
    except ValueError as error:
        value, damage = {}, Damage("corrupt", name, 0, 0, f"{error}.")
    closed = read_closed(folder)
    config, host, reason = value.get("config"), value.get("host"), closed.get("reason")
    segment = Segment(
        number=number,
        started=layout.number(value.get("started")),
        config=config if isinstance(config, dict) else {},
        host=host if isinstance(host, str) else "",
        pid=int(layout.number(value.get("pid"))),
        finished=layout.number(closed.get("finished")) if closed else None,
        reason=(reason if isinstance(reason, str) else "finished") if closed else None,
    )
    return segment, damage


def read_closed(folder: Path) -> dict[str, Any]:
    """When and why a segment ended; empty while it has not."""
    try:
        return layout.read_json(folder / layout.CLOSED_FILE)
    except (OSError, ValueError):
        return {}


def newest_write(folder: Path) -> float:
    """Time of the last write to a segment's files, seconds since the epoch, 0 if there is none."""
    return max((entry.stat(follow_symlinks=False).st_mtime for entry in _files(folder)), default=0.0)


def _files(folder: Path) -> Iterator[os.DirEntry[str]]:
    for place in (folder, folder / layout.SCALARS, folder / layout.LAYERS):
        try:
            with os.scandir(place) as entries:
                for entry in entries:
                    if entry.is_file(follow_symlinks=False):
                        yield entry
        except OSError:
            continue


def status_of(segment: Segment | None, updated: float, stale_after: float) -> str:
    """'running', 'finished', 'interrupted', 'failed' or 'stopped updating'.

    A time in the future counts as fresh: clocks differ.
    """
    if segment is not None and segment.reason is not None:
        if segment.reason in ("Cancelled", "KeyboardInterrupt"):
            return "interrupted"
        return "finished" if segment.reason == "finished" else "failed"
    return "running" if segment is not None and time.time() - updated < stale_after else "stopped updating"
