"""A sign of life while nothing is recorded, so that a long validation does not look like a dead training."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path


class Heartbeat:
    """Touches a file every so often from a daemon thread, until stopped or until the process ends.

    Args:
        path: the file whose modification time says that the process lives.
        seconds: how often.
    """

    def __init__(self, path: Path, seconds: float) -> None:
        self._stop = threading.Event()
        # The thread knows the path only: a writer that is forgotten can still be collected, and a forked child,
        # which copies no threads, gives no sign of life for its parent.
        threading.Thread(target=_beat, args=(path, seconds, self._stop), name="cutaway-heartbeat", daemon=True).start()

    def stop(self) -> None:
        """No further touch after the one that may be under way."""
        self._stop.set()


def _beat(path: Path, seconds: float, stop: threading.Event) -> None:
    while not stop.wait(seconds):
        with contextlib.suppress(OSError):
            os.utime(path)
