"""Finding runs under the given roots, and opening one by its id: pages name runs by id, never by path."""

from __future__ import annotations

import math
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from analysis.errors import CutawayError, NotFound
from analysis.records import RunInfo
from analysis.store import describe, layout
from analysis.store.reader import Run, run_info

_DEPTH = 6  # levels below a root
_FOLDERS = 50_000  # directories looked at, so that a wrong root does not keep the page waiting
_OPEN_RUNS = 64
_LOOK_AGAIN = 2.0  # seconds before a run that was missing is looked for again


@dataclass(frozen=True)
class _Seen:
    """A closed or unreadable run as listed before, and the file times that tell whether it still is."""

    stamp: tuple[int, ...]
    info: RunInfo


def find_runs(roots: Sequence[Path]) -> list[RunInfo]:
    """All runs that are a root or lie below one, oldest first. Links that lead outside the roots are not followed.

    Runs that cannot be read are listed with status 'unreadable' and the error. Copies of a run get ids of their own.
    """
    return RunIndex(roots).list()


class RunIndex:
    """The runs under some roots, looked up afresh at every ``list()``; thread-safe.

    Args:
        roots: run directories, or directories that contain runs at some depth.
        stale_after: seconds without a write after which an open run counts as 'stopped updating'.
    """

    def __init__(self, roots: Sequence[str | Path], *, stale_after: float = 60.0) -> None:
        self._roots = [Path(root) for root in roots]
        self._stale_after = stale_after
        self._lock = threading.RLock()
        self._seen: dict[Path, _Seen] = {}
        self._paths: dict[str, Path] = {}
        self._runs: OrderedDict[str, Run] = OrderedDict()
        self._missed: dict[str, float] = {}  # id -> when it was looked for in vain

    def list(self) -> list[RunInfo]:
        """Runs by time of creation, oldest first."""
        with self._lock:
            found = {path: self._info(path) for path in _walk(self._roots)}
            self._seen = {path: seen for path, seen in self._seen.items() if path in found}
            paths: dict[str, Path] = {}
            infos = []
            for path in sorted(found, key=lambda p: (self._paths.get(found[p].id) != p, p)):
                info = found[path]
                if info.id in paths:  # a copied run
                    info = replace(info, id=f"{info.id}-{describe.path_id(path)}")
                paths[info.id] = path
                infos.append(info)
            self._paths = paths
            return sorted(infos, key=lambda info: (info.created, info.name, info.id))

    def open(self, run_id: str) -> Run:
        """The run with this id, found again when its directory was renamed.

        Raises NotFound when it is missing, NewerSchema or RunUnreadable when it cannot be read.
        """
        with self._lock:
            run = self._runs.get(run_id)
            if run is None or not self._still(run):
                self._runs.pop(run_id, None)
                # Every panel of an open page asks for its run: one look around answers them all.
                if time.monotonic() - self._missed.get(run_id, -math.inf) > _LOOK_AGAIN:
                    self.list()
                if run_id not in self._paths:
                    self._missed = {**self._missed, run_id: time.monotonic()} if len(self._missed) < 100 else {}
                    raise NotFound(
                        f"The run {run_id[:80]!r} is missing.", "Choose a run from the list, or restore its directory."
                    )
                run = Run(self._paths[run_id], run_id=run_id, stale_after=self._stale_after)
                self._runs[run_id] = run
            self._runs.move_to_end(run_id)
            while len(self._runs) > _OPEN_RUNS:
                self._runs.popitem(last=False)
            return run

    def _still(self, run: Run) -> bool:
        try:
            return run.id.startswith(describe.read_run_file(run.path).id)
        except CutawayError:
            return False

    def _info(self, path: Path) -> RunInfo:
        folders = describe.segment_folders(path)
        stamp = _stamp(path, folders[-1][1] if folders else None)
        seen = self._seen.get(path)
        if seen is not None and seen.stamp == stamp:
            return seen.info
        try:
            file = describe.read_run_file(path)
            segments = [segment for number, folder in folders if (segment := describe.read_segment(number, folder)[0])]
            info = run_info(path, file, file.id, self._stale_after, segments)
        except CutawayError as error:
            info = RunInfo(describe.path_id(path), path.name, "unreadable", 0.0, 0.0, 0, {}, str(error))
        if info.status in ("finished", "failed", "unreadable"):
            self._seen[path] = _Seen(stamp, info)
        return info


def _stamp(path: Path, last: Path | None) -> tuple[int, ...]:
    """File times that change when a run is opened, closed or replaced."""
    stamp: list[int] = []
    for place in (path / layout.RUN_FILE, path / layout.SEGMENTS, last):
        try:
            status = os.lstat(place) if place is not None else None
        except OSError:
            status = None
        stamp += (status.st_ino, status.st_mtime_ns, status.st_size) if status else (0, 0, 0)
    return tuple(stamp)


def _walk(roots: Sequence[Path]) -> Iterator[Path]:
    """Directories with a run.json, each once."""
    real = [Path(os.path.realpath(root)) for root in roots]
    seen: set[str] = set()
    pending = [(root, 0) for root in reversed(real)]
    while pending and len(seen) < _FOLDERS:
        folder, depth = pending.pop()
        if str(folder) in seen:
            continue
        seen.add(str(folder))
        below: list[Path] = []
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name == layout.RUN_FILE:
                        yield folder
                        below = []
                        break
                    if entry.name.startswith(".") or depth >= _DEPTH or not entry.is_dir():
                        continue
                    place = Path(os.path.realpath(entry.path)) if entry.is_symlink() else folder / entry.name
                    if any(place.is_relative_to(root) for root in real):
                        below.append(place)
        except OSError:
            continue
        pending += [(place, depth + 1) for place in below]
