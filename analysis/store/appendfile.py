"""Appending whole frames to files that may stop taking them (disk full, quota, read-only), without ever raising."""

from __future__ import annotations

import contextlib
import errno
import os
import time
import warnings
from collections import OrderedDict

RETRY_AFTER = 5.0  # seconds without another attempt after a write failed
_OPEN_FILES = 128  # descriptors kept; a run may have thousands of tags


class Appender:
    """Appends frames to many files; every frame is one write, and acknowledged when ``append`` returned True.

    A frame that did not fit is cut away again, so that readers meet whole frames only. The first failure warns, all
    are counted: ``dropped`` and the range ``steps`` since the last ``settle()``.
    """

    def __init__(self, label: str) -> None:
        self.label = label
        self.dropped = 0
        self.unsettled = 0
        self.steps: tuple[int, int] | None = None
        self._blocked_until = 0.0
        self._warned = False
        self._fds: OrderedDict[str, int] = OrderedDict()
        self._torn: dict[str, int] = {}  # files with part of a frame at the end -> size to cut them to

    def append(self, path: str, frame: bytes, step: int) -> bool:
        """Write ``frame`` at the end of ``path``. False: it was dropped and counted under ``step``."""
        if self._blocked_until and self.blocked():
            self.drop(step)
            return False
        try:
            fd = self._descriptor(path)
            if self._torn and path in self._torn:
                self._cut(path, fd)
            written = os.write(fd, frame)
            if written != len(frame):
                self._torn[path] = os.fstat(fd).st_size - written
                with contextlib.suppress(OSError):
                    self._cut(path, fd)
                raise OSError(errno.ENOSPC, "only a part of a record could be written")
        except OSError as error:
            self.fail(error, step)
            return False
        return True

    def create(self, path: str, step: int) -> bool:
        """Create an empty file, so that its absence later means that it was removed."""
        if self.blocked():
            self.drop(step)
            return False
        try:
            self._descriptor(path)
        except OSError as error:
            self.fail(error, step)
            return False
        return True

    def blocked(self) -> bool:
        """Whether a write failed so recently that another attempt would only cost time."""
        return time.monotonic() < self._blocked_until

    def fail(self, error: Exception, step: int) -> None:
        """Count a record that could not be written, and warn the first time."""
        self._blocked_until = time.monotonic() + RETRY_AFTER
        self.drop(step)
        if not self._warned:
            self._warned = True
            warnings.warn(
                f"Cutaway cannot write to {self.label}: {error}. Training goes on; records are dropped and counted "
                "until writing works again. Free disk space or choose another directory.",
                RuntimeWarning,
                stacklevel=4,
            )

    def drop(self, step: int) -> None:
        """Count a record that was not written."""
        self.dropped += 1
        self.unsettled += 1
        first, last = self.steps or (step, step)
        self.steps = (min(first, step), max(last, step))

    def settle(self) -> None:
        """Forget what was dropped: a note about it is on disk."""
        self.unsettled, self.steps = 0, None

    def try_now(self) -> None:
        """End the pause after a failure."""
        self._blocked_until = 0.0

    def close(self) -> None:
        """Give the descriptors back."""
        while self._fds:
            with contextlib.suppress(OSError):
                os.close(self._fds.popitem()[1])

    def _descriptor(self, path: str) -> int:
        fd = self._fds.get(path)
        if fd is None:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
            self._fds[path] = fd
            if len(self._fds) > _OPEN_FILES:
                os.close(self._fds.popitem(last=False)[1])
        else:
            self._fds.move_to_end(path)
        return fd

    def _cut(self, path: str, fd: int) -> None:
        os.ftruncate(fd, self._torn[path])
        del self._torn[path]
